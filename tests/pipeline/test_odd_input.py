"""A run over a folder as people have it: odd names, damage, other things beside the sessions."""

import json
import os

import pytest

from pipeline.cli import main
from tests.pipeline.jobs import job, summary, tracemill, version_files
from tests.support.session_folders import write
from tests.support.synthetic import write_catalogue, write_sessions
from transforms.checkpoints import CheckpointStore, read_members

DAMAGED = b"\x1f\x8b\x08\0 and no more"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    write_sessions(folder / "in", 2)
    write_catalogue(folder / "suite.json")
    for session in (folder / "in").iterdir():
        (session / "network_traffic.jsonl.gz").write_bytes(DAMAGED)
    odd = os.fsencode(folder / "in") + b"/jo\xe9"
    os.mkdir(odd)
    with open(odd + b"/input_events.jsonl", "wb") as f:
        f.write(b'{"type":"focus","timestamp":1770000000000}\n')
    (folder / "in" / "jo fisher.har").write_text('{"log": {"entries": []}}')
    tracemill(*arguments(folder))
    return folder


def arguments(place, *more):
    # A private location in the middle of the input is none of it.
    private = f"--private={place / 'in' / 'private'}"
    return job(place / "in", place / "suite.json", place / "out", private, *more)


def test_a_name_that_is_no_utf8_fails_its_session_alone(place):
    facts = summary(place / "out")
    assert (facts["sessions"], facts["failed"]) == (3, {"not_utf8": 1})


def test_what_is_passed_over_is_counted_and_named_privately(place, capsys):
    kind = "unknown_layout (a HAR file without input events)"
    assert summary(place / "out")["passed_over"] == {kind: 1}
    named = place / "in" / "private" / "passed_over.jsonl"
    assert json.loads(named.read_text())["uri"] == str(place / "in" / "jo fisher.har")
    assert named.stat().st_mode & 0o777 == 0o600
    published = [p for p in (place / "out").rglob("*") if p.is_file()]
    assert not [p for p in published if b"fisher" in p.read_bytes()]
    again = tracemill(*arguments(place))
    assert "nothing to do" in again.stdout and f"passed over: 1 {kind}" in again.stdout
    assert main(["validate", str(place / "in" / "*")]) == 1
    assert f"jo fisher.har  passed over  {kind}" in capsys.readouterr().out


def test_raw_copies_are_what_is_stored_also_of_sessions_done_before(place):
    before = version_files(place / "out")
    made = tracemill(*arguments(place, "--keep_raw"))
    assert "3 sessions (3 done before" in made.stdout
    raw = place / "in" / "private" / "raw"
    store = CheckpointStore(str(place / "out" / "checkpoints"))
    members = read_members(store, summary(place / "out")["version"])
    kept = [r.session_id for r in members if not r.failed]
    assert sorted(p.name for p in raw.iterdir() if p.is_dir()) == sorted(kept)
    for session_id in kept:
        copies = [p for p in (raw / session_id).rglob("*") if p.is_file()]
        record = json.loads((raw.parent / "sessions" / f"{session_id}.json").read_text())
        assert {os.path.relpath(p, raw / session_id): p.read_bytes() for p in copies} == {
            os.path.relpath(os.path.join(at, name), record["uri"]): read(at, name)
            for at, _, names in os.walk(record["uri"])
            for name in names
        }
        assert {p.stat().st_mode & 0o777 for p in copies} == {0o600}
    assert version_files(place / "out") == before
    assert "nothing to do" in tracemill(*arguments(place, "--keep_raw")).stdout


def read(folder, name):
    with open(os.path.join(folder, name), "rb") as f:
        return f.read()


def test_validate_names_event_types_that_are_not_known(tmp_path, capsys):
    rows = [{"type": t, "timestamp": 1_770_000_000_000 + n} for n, t in enumerate(["hum"] * 2)]
    write(tmp_path / "s1", {"input_events.jsonl": rows})
    assert main(["validate", str(tmp_path / "s1")]) == 0
    assert "2 events of types that are not known: hum (2)" in capsys.readouterr().out
    assert main(["validate", "--json", str(tmp_path / "s1")]) == 0
    assert '"unknown_types": {"hum": 2}' in capsys.readouterr().out
