"""Rows as trainers load them: ``datasets`` on JSONL and on the Parquet twin."""

import dataclasses
import json

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from synthesis_samples import (
    ONLY_BOOKS,
    added,
    classified,
    conversation,
    prepared,
    segment,
    step,
    synthesize,
)

from transforms.synthesize.examples import SynthesisSettings
from transforms.synthesize.targets import (
    TARGETS,
    ImageSource,
    render_checked,
    rows_to_arrow,
    target_named,
)

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    monkeypatch.setattr(datasets.config, "HF_CACHE_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    datasets.disable_progress_bars()


def conversations(images="reference"):
    """Different tools, argument names and types; with and without pictures, thoughts, state."""
    settings = dataclasses.replace(ONLY_BOOKS, images=images)
    yield conversation(1, settings, frame=None, active_window=None, url=None)
    yield conversation(3, settings)
    yield conversation(5, settings, frame=None)
    steps = prepared(step(0, thought="Look."), step(1, frame=None), description="Do both.")
    found = [
        added(segment(0), "Rent", 12, parameters={"paid": True}),
        classified(segment(1), "tag_entry", parameters={"tags": [], "details": {"a": {"b": [1]}}}),
    ]
    (both,), _, _ = synthesize(steps, found, settings)
    yield from both.conversations
    desk = SynthesisSettings(images=images, maps=("ledgerly-desk",))
    (other_tools,), _, _ = synthesize(prepared(step(0)), found[:1], desk)
    yield from other_tools.conversations


def lines_of(name, images):
    target = target_named(name, images)
    lines = [render_checked(c, target, ImageSource(images)) for c in conversations(images)]
    assert all(isinstance(line, bytes) for line in lines), lines
    return target, lines


def without_nulls(value):
    """What a Parquet reader should pass on: Arrow fills absent keys of structs with null."""
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [without_nulls(v) for v in value]
    return value


every_shape = pytest.mark.parametrize(
    ("name", "images"), [(n, i) for n in TARGETS for i in ("reference", "none")]
)


@every_shape
@pytest.mark.parametrize("backwards", [False, True])
def test_jsonl_loads_row_for_row(tmp_path, name, images, backwards):
    _, lines = lines_of(name, images)
    lines = lines[::-1] if backwards else lines
    path = tmp_path / "train.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    loaded = datasets.load_dataset(
        "json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert len(loaded) == len(lines) == 5
    assert list(loaded) == [json.loads(line) for line in lines]


@every_shape
def test_parquet_loads_row_for_row(tmp_path, name, images):
    target, lines = lines_of(name, images)
    path = tmp_path / "train.parquet"
    pq.write_table(rows_to_arrow(target, lines), path)
    loaded = datasets.load_dataset(
        "parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert loaded.column_names == list(json.loads(lines[0]))
    for row, line in zip(loaded, lines):
        wanted = json.loads(line)
        if name == "openai":
            row["tools"] = json.loads(row["tools"])
        assert without_nulls(row) == without_nulls(wanted)


@every_shape
def test_tables_of_different_sessions_have_one_schema(name, images):
    target, lines = lines_of(name, images)
    tables = [rows_to_arrow(name, [line], images) for line in lines]
    tables.append(rows_to_arrow(name, [], images))
    together = pa.concat_tables(tables)  # raises where schemas differ
    assert together.equals(rows_to_arrow(target, lines))
    assert together.schema == target.arrow_schema()
    assert not any(pa.types.is_null(f.type) for f in together.schema)


@pytest.mark.parametrize("name", TARGETS)
def test_rows_of_a_run_have_one_shape(name):
    for images in ("reference", "none"):
        _, lines = lines_of(name, images)
        rows = [json.loads(line) for line in lines]
        assert len({tuple(row) for row in rows}) == 1
        if name == "openai":
            shapes = {type(m["content"]) for row in rows for m in row["messages"]}
            assert shapes <= {list if images == "reference" else str, type(None)}


@pytest.mark.parametrize("name", TARGETS)
def test_a_row_in_the_shape_of_another_run_does_not_slip_into_a_table(name):
    _, lines = lines_of(name, "none")
    if name == "sharegpt":
        assert rows_to_arrow(name, lines, "reference").num_rows == len(lines)
        return
    with pytest.raises(pa.ArrowException):
        rows_to_arrow(name, lines, "reference")


def test_sharegpt_jsonl_loads_with_features_when_the_first_rows_have_no_pictures(tmp_path):
    # ``datasets`` infers columns from the first chunk; pictures that come later need features.
    target, lines = lines_of("sharegpt", "reference")
    plain = [line for line in lines if not json.loads(line)["images"]]
    path = tmp_path / "train.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in plain * 40 + lines))
    loaded = datasets.load_dataset(
        "json",
        data_files=str(path),
        split="train",
        cache_dir=str(tmp_path / "cache"),
        features=datasets.Features.from_arrow_schema(target.arrow_schema()),
        chunksize=16 << 10,
    )
    assert loaded[len(loaded) - 1] == orjson.loads(lines[-1])


def test_unknown_targets_are_refused_with_those_there_are():
    with pytest.raises(ValueError, match="openai, sharegpt"):
        target_named("alpaca")
