"""The main job on the bundled sessions, through the command line."""

import hashlib
import json

import fastavro
import orjson
import pyarrow.parquet as pq
import pytest

from tests.pipeline.jobs import EXAMPLES, job, manifest, summary, tracemill, version_files

KEY = "ab" * 32


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    folder = tmp_path_factory.mktemp("job")
    (folder / "key").write_text(KEY)
    made = tracemill(
        *job(EXAMPLES / "sessions", EXAMPLES / "catalogue.yaml", folder / "out"),
        f"--privacy_key_file={folder / 'key'}",
    )
    (folder / "out" / "stdout.txt").write_text(made.stdout)
    return folder / "out"


def test_it_says_what_it_wrote_and_shows_one_example(output):
    said = (output / "stdout.txt").read_text()
    assert "privacy: off" in said
    assert "one example" in said and "assistant" in said
    assert manifest(output)["version"] in said


def test_the_manifest_lists_every_file_with_its_hash(output):
    listed = manifest(output)
    assert listed["privacy"] == "off"
    root = output / listed["path"]
    on_disk = {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()}
    assert on_disk == {f["path"] for f in listed["files"]}
    for entry in listed["files"]:
        data = (root / entry["path"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (entry["bytes"], entry["sha256"])
        if entry["path"].endswith(".parquet"):
            assert pq.read_metadata(root / entry["path"]).num_rows == entry["rows"]
        else:
            assert data.count(b"\n") == entry["rows"]
    assert (output / "dataset").resolve() == root


def test_every_table_has_its_columns(output):
    expected = {
        "sessions": "session_id user_id suite_id suite description storage_path events frames "
        "status error_code",
        "events": "session_id event_id type timestamp_us tab url window target payload "
        "disposition reason",
        "actions": "session_id action_index type start_us end_us x y x_rel y_rel text keys "
        "delta_x delta_y path element raw_event_ids frame_id frame_timestamp_us tab url window",
        "steps": "task_id step_id timestamp observation thought_trace action",
        "classifications": "session_id segment_id first_event_id last_event_id action parameters "
        "evidence confidence confidence_source calibrated status model model_configuration usage",
        "examples": "id session_id model_id action_tool_map_id model_configuration storage_path "
        "status task example_path request_source review_reasons",
        "failures": "session_id stage code message file line column length shape",
    }
    for name, columns in expected.items():
        (part,) = (output / "dataset" / "tables" / name).glob("*.parquet")
        assert set(columns.split()) <= set(pq.read_schema(part).names), name


def table(output, name):
    return pq.read_table(output / "dataset" / "tables" / name).to_pylist()


def test_the_ledger_balances_to_the_event_for_each_session(output):
    events = table(output, "events")
    lines = 0
    for session in table(output, "sessions"):
        mine = [e for e in events if e["session_id"] == session["session_id"]]
        folder = EXAMPLES / "sessions" / session["session_id"]
        lines = sum(1 for _ in (folder / "input_events.jsonl").open())
        kinds = {k: 0 for k in ("kept", "merged", "dropped")}
        for event in mine:
            kinds[event["disposition"]] += 1
            assert (event["reason"] is not None) == (event["disposition"] == "dropped")
        assert lines == len(mine) == session["events"] == sum(kinds.values())
        assert [session[k] for k in kinds] == list(kinds.values())
    assert lines


def test_an_observation_lies_strictly_before_its_action(output):
    seen = [a for a in table(output, "actions") if a["frame_timestamp_us"] is not None]
    assert len(seen) > 100
    assert all(a["frame_timestamp_us"] < a["start_us"] for a in seen)


def test_every_raw_event_belongs_to_at_most_one_action(output):
    taken = [(a["session_id"], e) for a in table(output, "actions") for e in a["raw_event_ids"]]
    assert len(taken) == len(set(taken))
    outcome = {(e["session_id"], e["event_id"]): e["disposition"] for e in table(output, "events")}
    assert {outcome[t] for t in taken} == {"kept", "merged"}
    assert set(taken) == {t for t, o in outcome.items() if o != "dropped"}


def test_an_example_reaches_back_to_events_and_frames(output):
    events = {(e["session_id"], e["event_id"]) for e in table(output, "events")}
    completed = [e for e in table(output, "examples") if e["status"] == "COMPLETED"]
    assert completed
    for example in completed:
        assert example["raw_event_ids"]
        assert {(example["session_id"], e) for e in example["raw_event_ids"]} <= events
        for frame in example["frame_ids"]:
            assert (output / "frames" / frame[:2] / frame).is_file()
        lines = (output / "dataset" / example["example_path"]).read_bytes().splitlines()
        messages = [orjson.loads(line) for line in lines]
        assert [m["role"] for m in messages[:2]] == ["system", "user"]
        calls = [c for m in messages[2:] for c in m["tool_calls"]]
        assert calls and all(isinstance(orjson.loads(c["function"]["arguments"]), dict)
                             for c in calls)  # fmt: skip


def test_each_completed_example_has_one_row_in_each_target(output):
    examples = table(output, "examples")
    completed = {e["id"] for e in examples if e["status"] == "COMPLETED"}
    assert len(examples) == len({e["id"] for e in examples})
    rows = [orjson.loads(line) for path in (output / "dataset/training/sharegpt").glob("*.jsonl")
            for line in path.read_bytes().splitlines()]  # fmt: skip
    assert sorted(r["id"] for r in rows) == sorted(completed)
    for target in ("openai", "sharegpt"):
        (part,) = (output / "dataset" / "training" / target).glob("*.parquet")
        assert pq.read_metadata(part).num_rows == len(completed)


@pytest.mark.parametrize("target", ["openai", "sharegpt"])
@pytest.mark.parametrize("kind", ["json", "parquet"])
def test_datasets_opens_what_was_written(output, tmp_path, target, kind):
    import datasets

    ending = {"json": "jsonl", "parquet": "parquet"}[kind]
    pattern = str(output / "dataset" / "training" / target / f"*.{ending}")
    loaded = datasets.load_dataset(kind, data_files={"train": pattern}, cache_dir=str(tmp_path))
    completed = [e for e in table(output, "examples") if e["status"] == "COMPLETED"]
    assert loaded["train"].num_rows == len(completed)
    assert loaded["train"][0]


def test_the_audit_has_a_row_per_session_and_stage(output):
    (part,) = (output / "run" / "latest" / "audit").glob("*.avro")
    with part.open("rb") as f:
        rows = list(fastavro.reader(f))
    stages = "ReadTraces NormalizeEvents MatchObservations LocateSensitive Redact " \
        "SegmentTrajectories ClassifySegments SynthesizeExamples ValidateExamples"  # fmt: skip
    per_session = {}
    for row in rows:
        per_session.setdefault(row["session_id"], []).append(row["stage"])
    assert len(per_session) == 13
    assert all(found == stages.split() for found in per_session.values())


def test_no_key_is_in_the_output(output):
    for path in output.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert KEY.encode() not in data and bytes.fromhex(KEY) not in data, path


def test_accuracy_on_the_bundled_truth(output):
    made = tracemill("evaluate", output, "--truth", EXAMPLES / "truth.jsonl", "--json")
    result = json.loads(made.stdout)
    assert result["action_accuracy"] >= 0.9
    assert result["parameter_exact"] >= 0.8
    assert set(result) >= {"coverage_at_p95", "ece", "segments"}


def test_nothing_to_do_is_said_in_a_line(output):
    before = version_files(output)
    made = tracemill(
        *job(EXAMPLES / "sessions", EXAMPLES / "catalogue.yaml", output),
        f"--privacy_key_file={output.parent / 'key'}",
    )
    assert made.stdout.startswith("nothing to do") and made.stdout.count("\n") == 1
    assert version_files(output) == before


def test_status_knows_sessions_examples_and_strangers(output):
    session = table(output, "sessions")[0]["session_id"]
    example = table(output, "examples")[0]
    assert session in tracemill("status", output).stdout
    assert example["status"] in tracemill("status", output, example["id"]).stdout
    made = tracemill("status", output, "nobody", check=1)
    assert "nobody: not found" in made.stderr


def test_two_configurations_give_one_example_each(tmp_path):
    out = tmp_path / "out"
    session = EXAMPLES / "sessions" / "2b5ae6c3-19bc-527c-ad8f-9ddbf1dea57a"
    tracemill(
        *job(session, EXAMPLES / "catalogue.yaml", out),
        "--model_configuration", '{"name": "a"}', '{"name": "b"}',
        "--action_tool_map", "postbox-mail-tools",
    )  # fmt: skip
    examples = table(out, "examples")
    assert sorted(json.loads(e["model_configuration"])["name"] for e in examples) == ["a", "b"]
    assert len({e["id"] for e in examples}) == 2
    assert summary(out)["published"]
