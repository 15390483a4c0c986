"""The main job with the PrivacyFilter on: what was typed, shown and sent is nowhere afterwards."""

import json
import shutil
from pathlib import Path

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.pipeline.jobs import EXAMPLES, manifest, summary, tracemill

LOGIN = "4e9d7e1f-98ec-54c5-bd79-96ee56cfcd71"
"""Logs in with a password typed key by key, shown by "show password", sent in a request."""


def typed_password() -> str:
    """The password as the recording has it, so that it stands in one place only."""
    lines = (EXAMPLES / "sessions" / LOGIN / "network_traffic.jsonl").read_text().splitlines()
    for line in lines:
        body = (json.loads(line)["request"].get("postData") or {}).get("text") or ""
        if "password" in body:
            return json.loads(body)["password"]
    raise AssertionError("the recording holds no password")


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    from transforms.privacy.pixels.models import locate_models, models_folder

    if locate_models(models_folder()) is None:
        pytest.skip("the OCR engine is not installed")
    folder = tmp_path_factory.mktemp("privacy")
    shutil.copytree(EXAMPLES / "sessions" / LOGIN, folder / "in" / "someone@example.org")
    record = folder / "in" / "someone@example.org" / "session.json"
    facts = json.loads(record.read_text())
    facts.pop("id")  # so that the folder's name, an address, is the session's id
    record.write_text(json.dumps(facts))
    tracemill(
        "run", "--input", folder / "in", "--suite", EXAMPLES / "catalogue.yaml",
        "--output", folder / "out", "--fail_fast", "--max_frame_px=2000",
    )  # fmt: skip
    return folder / "out"


def texts(output: Path):
    """Yields (place, text) of every byte that is not private, compressed forms opened."""
    for path in sorted(output.rglob("*")):
        if not path.is_file() or path.is_symlink() or "private" in path.parts:
            continue
        name = str(path.relative_to(output))
        yield name, path.read_bytes().decode("latin-1")
        if path.suffix == ".parquet":
            yield name, json.dumps(pq.read_table(path).to_pylist(), ensure_ascii=False)
        elif path.suffix == ".avro":
            with path.open("rb") as f:
                yield name, json.dumps(list(fastavro.reader(f)))
        elif path.suffix == ".ckpt":
            from transforms.checkpoints import CheckpointStore, read_table

            store = CheckpointStore(str(output / "checkpoints"))
            made = store.read(path.parts[-3], path.stem)
            for section, data in made.sections.items():
                yield f"{name}#{section}", data.decode("latin-1")
                if section.startswith("tables/") or section.endswith(".arrow"):
                    yield f"{name}#{section}", json.dumps(read_table(data).to_pylist())


def test_the_password_and_addresses_are_nowhere(output):
    password = typed_password()
    planted = [password, password[:12], "someone@example.org", "someone%40example.org"]
    for place, text in texts(output):
        for secret in planted:
            assert secret not in text, place


def test_no_picture_shows_the_password(output):
    import numpy as np

    from transforms.images import decode_image
    from transforms.privacy.pixels.engine import load_engine
    from transforms.privacy.pixels.models import models_folder

    engine = load_engine(models_folder())
    read = [
        line.text
        for path in sorted((output / "frames").rglob("*.*"))
        for line in engine.lines(np.asarray(decode_image(path.read_bytes(), 10**8)))
    ]
    assert len(read) > 50
    assert not [t for t in read if typed_password()[:9].lower() in t.lower()]


def test_the_example_still_teaches_something(output):
    facts = summary(output)
    assert facts["privacy"] == "on" == manifest(output)["privacy"]
    assert facts["counts"]["examples/COMPLETED"] == 2
    assert facts["ledger"]["raw"] == facts["ledger"]["kept"] + facts["ledger"]["merged"] + sum(
        facts["ledger"]["dropped"].values()
    )


def test_the_private_location_is_private(output):
    assert (output / "private").stat().st_mode & 0o777 == 0o700
    for path in (output / "private").rglob("*"):
        if path.is_file():
            assert path.stat().st_mode & 0o777 == 0o600, path
    mapping = [json.loads(p.read_text()) for p in (output / "private" / "sessions").iterdir()]
    assert [m["input_id"] for m in mapping] == ["someone@example.org"]


def test_scan_finds_nothing_until_something_is_there(output, tmp_path):
    made = tracemill("scan", output, "--verify_pictures=none")
    assert "nothing was found" in made.stdout
    copy = tmp_path / "out"
    shutil.copytree(output, copy, symlinks=True)
    (part,) = (copy / manifest(copy)["path"] / "tables" / "actions").glob("*.parquet")
    table = pq.read_table(part)
    rows = table.to_pylist()
    rows[0]["text"] = f"write to jo.fisher@mail-provider.net, password {typed_password()}"
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), part)
    made = tracemill("scan", copy, "--verify_pictures=none", "--json", check=3)
    hits = json.loads(made.stdout)["hits"]
    assert hits["actions.text/EMAIL"] == 1 and hits["actions.text/value"] == 1
    assert "fisher" not in made.stdout + made.stderr


def test_a_hit_leaves_the_version_unpublished(tmp_path, monkeypatch):
    """A broken replacer must not get its output published."""
    import apache_beam as beam

    from pipeline.graph import build_graph
    from pipeline.options import parse
    from pipeline.settings import resolve
    from transforms.privacy.replace import Replacer
    from transforms.write.commit import CommitRefused

    monkeypatch.setattr(Replacer, "apply", lambda self, text, *_: text)
    out = tmp_path / "out"
    options = parse(
        [
            f"--input={EXAMPLES / 'sessions' / LOGIN}",
            f"--suite={EXAMPLES / 'catalogue.yaml'}",
            f"--output={out}",
            "--visual=withhold",
        ]
    )
    pipeline = beam.Pipeline("FnApiRunner")
    build_graph(pipeline, resolve(options))
    with pytest.raises(CommitRefused, match="personal data"):
        pipeline.run().wait_until_finish()
    assert not (out / "manifest.json").exists() and not (out / "dataset").exists()
    (path,) = (out / "run").glob("*/summary.json")
    said = json.loads(path.read_text())
    assert not said["published"] and said["objections"]
