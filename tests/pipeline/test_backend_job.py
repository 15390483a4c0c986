"""Runs for a Tracepipe API: a real HTTP server, SQLite behind it, the job as users run it."""

import json
import os
import shutil
import uuid
from pathlib import Path

import msgspec
import pytest

from pipeline.backend.register import Register
from tests.pipeline.jobs import ENVIRONMENT, EXAMPLES, command, manifest, tracemill
from tests.support.backend_server import KEY, backend_server
from transforms.catalogue import load_catalogue
from transforms.checkpoints import CheckpointStore, read_members

MODEL = "b2c3d4e5-f6a7-8901-bcde-f12345678901"
CHOSEN = ["0814a693-2a4a-5bb7-aaee-e9031569ecd2", "23d53cbb-deb1-52fd-8343-05c016107707"]


def entities() -> dict[str, list[dict]]:
    """Returns the bundled catalogue as the API would give it: with ids, without hints."""
    catalogue = msgspec.to_builtins(load_catalogue(str(EXAMPLES / "catalogue.yaml")))
    for suite in catalogue["suites"]:
        for name in ("hosts", "windows"):
            suite.pop(name, None)
        for action in suite["actions"]:
            action.pop("match", None)
            for parameter in action.get("parameters", []):
                parameter.pop("source", None)
    return catalogue


@pytest.fixture
def api(tmp_path, monkeypatch):
    with backend_server(tmp_path) as server:
        given = entities()
        for kind, name in (
            ("suites", "suites"),
            ("mcp-servers", "mcp_servers"),
            ("action-tool-maps", "action_tool_maps"),
        ):
            for entity in given[name]:
                server.put(kind, {**entity, "created_at": "2026-01-01T00:00:00Z"})
        monkeypatch.setitem(ENVIRONMENT, "TRACEPIPE_API_KEY", KEY)
        yield server


def add_session(api, root: Path, source: str = CHOSEN[0], **changes) -> dict:
    """Stores a bundled session under another id; returns its record in the API."""
    id_ = str(uuid.uuid4())
    place = root / "sessions" / id_
    shutil.copytree(EXAMPLES / "sessions" / source, place)
    own = json.loads((place / "session.json").read_text())
    (place / "session.json").unlink()
    record = {
        "id": id_,
        "user_id": str(uuid.uuid4()),
        "suite_id": own.get("suite_id") or suite_of(source),
        "description": own.get("description"),
        "storage_path": f"sessions/{id_}/",
        "created_at": own["created_at"],
        **changes,
    }
    api.put("sessions", record)
    return record


def suite_of(source: str) -> str:
    truth = [json.loads(line) for line in (EXAMPLES / "truth.jsonl").read_text().splitlines()]
    wanted = next(t for t in truth if t["session_id"] == source)["actions"][0]["action"]
    catalogue = load_catalogue(str(EXAMPLES / "catalogue.yaml"))
    return next(s.id for s in catalogue.suites if wanted in [a.name for a in s.actions])


WITH_HINTS = ("--suite", EXAMPLES / "catalogue.yaml")


def arguments(api, root: Path, output: Path, *more: object) -> list[object]:
    return [
        "run", "--backend_url", api.url, "--input", root, "--output", output, "--privacy=off",
        "--fail_fast", *more,
    ]  # fmt: skip


def test_pending_examples_are_run_and_their_status_goes_back(api, tmp_path):
    root, out = tmp_path / "storage", tmp_path / "out"
    good = add_session(api, root)
    empty = add_session(api, root, CHOSEN[1])
    (root / "sessions" / empty["id"] / "input_events.jsonl").write_text("")
    gone = add_session(api, root)
    shutil.rmtree(root / "sessions" / gone["id"])
    outside = add_session(api, root, storage_path="../elsewhere")
    made = {r["id"]: api.add_example(r["id"], MODEL) for r in (good, empty, gone, outside)}
    ran = tracemill(*arguments(api, root, out, *WITH_HINTS, "--pending", "--max_failure_ratio=1"))
    assert "1 COMPLETED, 3 FAILED" in ran.stdout
    example = api.get("examples", made[good["id"]]["id"])
    assert example["status"] == "COMPLETED"
    messages = Path(example["storage_path"]) / "messages.jsonl"
    assert json.loads(messages.read_text().splitlines()[0])["role"] == "system"
    assert {
        id_: api.get("examples", made[id_]["id"]).get("error", {}).get("code")
        for id_ in (empty["id"], gone["id"], outside["id"])
    } == {
        empty["id"]: "missing_input_events",
        gone["id"]: "missing_input_events",
        outside["id"]: "unsafe_storage_path",
    }
    of_good = [status for id_, status in api.history if id_ == example["id"]]
    assert of_good == ["PENDING", "PROCESSING", "COMPLETED"]
    assert KEY not in ran.stdout + ran.stderr
    for path in out.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path

    again = tracemill(*arguments(api, root, out, *WITH_HINTS, "--pending", "--max_failure_ratio=1"))
    assert "nothing to do" in again.stdout and "backend: nothing new" in again.stdout
    later = add_session(api, root)
    waiting = api.add_example(later["id"], MODEL)
    tracemill(*arguments(api, root, out, *WITH_HINTS, "--pending", "--max_failure_ratio=1"))
    assert api.get("examples", waiting["id"])["status"] == "COMPLETED"
    assert messages.exists(), "the dataset grows; what it held before is still there"


def test_catalogue_comes_from_the_api(api, tmp_path):
    root, out = tmp_path / "storage", tmp_path / "out"
    record = add_session(api, root)
    wanted = next(m for m in api.all("action-tool-maps") if m["suite_id"] == record["suite_id"])
    api.add_example(record["id"], MODEL, {"temperature": 0.5}, wanted["id"])
    given = arguments(api, root, out, "--pending")
    # Without hints the offline classifier is less sure; here only the way of the data is tested.
    tracemill(*given, "--min_confidence=0.1")
    asked = [path for method, path, _ in api.seen if method == "GET"]
    assert f"/v1/action-tool-maps/{wanted['id']}" in asked
    assert f"/v1/suites/{record['suite_id']}" in asked
    (example,) = api.all("examples")
    assert example["status"] == "COMPLETED", example
    row = json.loads(tracemill("status", out, "--json").stdout.splitlines()[-1])
    assert row["status"] == "COMPLETED"


def test_a_session_by_id_creates_its_example(api, tmp_path):
    root, out = tmp_path / "storage", tmp_path / "out"
    record = add_session(api, root)
    refused = tracemill(*arguments(api, root, out, *WITH_HINTS, "--session", record["id"]), check=2)
    assert "--backend_model_id" in refused.stderr
    tracemill(
        *arguments(
            api, root, out, *WITH_HINTS, "--session", record["id"], "--backend_model_id", MODEL
        )
    )
    (example,) = api.all("examples")
    assert (example["status"], example["model_id"]) == ("COMPLETED", MODEL)


def test_faults_on_the_way_are_retried(api, tmp_path):
    root, out = tmp_path / "storage", tmp_path / "out"
    record = add_session(api, root)
    api.add_example(record["id"], MODEL)
    api.faults += [
        ("GET", "/examples", 503),
        ("GET", "/sessions", 429),
        ("PATCH", "/examples", 0),
        ("PATCH", "/examples", 500),
    ]
    tracemill(*arguments(api, root, out, *WITH_HINTS, "--pending"))
    assert not api.faults
    assert [s for _, s in api.history] == ["PENDING", "PROCESSING", "COMPLETED"]


def test_a_dead_backend_never_fails_the_batch(api, tmp_path):
    """The backend refuses every change during the run; the next run sends what waited."""
    root, out = tmp_path / "storage", tmp_path / "out"
    record = add_session(api, root)
    api.add_example(record["id"], MODEL)
    api.faults += [("PATCH", "/examples", 503)] * 12
    ran = tracemill(*arguments(api, root, out, *WITH_HINTS, "--pending"))
    assert "1 updates could not be sent" in ran.stdout
    assert api.all("examples")[0]["status"] == "PENDING"
    register = Register(str(out / "private" / "backend"))
    assert [row.wanted.status for row in register.rows if row.waits] == ["COMPLETED"]
    assert os.stat(register.uri).st_mode & 0o077 == 0
    tracemill(*arguments(api, root, out, *WITH_HINTS, "--pending"))
    assert [s for _, s in api.history] == ["PENDING", "PROCESSING", "COMPLETED"]


def test_a_run_that_published_nothing_says_nothing_final(api, tmp_path):
    """Not what the version before it says: that one is older than what was asked for."""
    root, out = tmp_path / "storage", tmp_path / "out"
    good, mended = add_session(api, root), add_session(api, root, CHOSEN[1])
    events = root / "sessions" / mended["id"] / "input_events.jsonl"
    recorded = events.read_text()
    events.write_text("")
    for record in (good, mended):
        api.add_example(record["id"], MODEL)
    given = arguments(api, root, out, *WITH_HINTS, "--pending", "--max_failure_ratio=1")
    tracemill(*given)
    events.write_text(recorded)
    waiting = api.add_example(mended["id"], MODEL)["id"]
    (path,) = out.glob(f"checkpoints/result/*/{key_of(out, good['id'])}.ckpt")
    data = path.read_bytes()
    path.write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    failed = tracemill(*given, check=3)
    assert "run again" in failed.stderr and "backend:" not in failed.stdout
    assert api.get("examples", waiting)["status"] == "PROCESSING"
    tracemill(*given)
    assert api.get("examples", waiting)["status"] == "COMPLETED"


def key_of(output: Path, session_id: str) -> str:
    store = CheckpointStore(str(output / "checkpoints"))
    members = read_members(store, manifest(output)["version"])
    return next(r.key for r in members if r.session_id == session_id)


def test_a_forgotten_session_is_off_the_list_and_the_backend_knows(api, tmp_path):
    root, out = tmp_path / "storage", tmp_path / "out"
    kept, gone = add_session(api, root), add_session(api, root, CHOSEN[1], description="Secret")
    made = {r["id"]: api.add_example(r["id"], MODEL) for r in (kept, gone)}
    tracemill(*arguments(api, root, out, *WITH_HINTS, "--pending"))
    tracemill("forget", out, gone["id"])
    listed = (out / "private" / "backend" / "sessions.jsonl").read_text()
    assert kept["id"] in listed and "Secret" not in listed
    tracemill(*arguments(api, root, out, *WITH_HINTS, "--pending"))
    assert api.get("examples", made[kept["id"]]["id"])["status"] == "COMPLETED"
    row = next(
        r for r in Register(str(out / "private" / "backend")).rows if r.id == made[gone["id"]]["id"]
    )
    assert row.wanted.error["code"] == "forgotten" and row.refused == 409, "it had been COMPLETED"


def test_what_cannot_work_is_refused_in_one_line(api, tmp_path, monkeypatch):
    root, out = tmp_path / "storage", tmp_path / "out"
    given = arguments(api, root, out, "--pending")
    idle = tracemill(*given)
    assert idle.stdout == "no Example waits in the backend\n"
    record = add_session(api, root)
    api.add_example(record["id"], MODEL, {"temperature": 0})
    api.add_example(record["id"], MODEL, {"temperature": 1})
    two = tracemill(*given, check=2)
    assert '{"temperature":0}; {"temperature":1}' in two.stderr
    monkeypatch.setitem(ENVIRONMENT, "TRACEPIPE_API_KEY", "wrong")
    refused = tracemill(*given, check=2)
    assert "status 401" in refused.stderr and "wrong" not in refused.stderr
    monkeypatch.setitem(ENVIRONMENT, "TRACEPIPE_API_KEY", "")
    assert "TRACEPIPE_API_KEY" in tracemill(*given, check=2).stderr
    assert (
        "--pending" in tracemill("run", "--backend_url", api.url, "--output", out, check=2).stderr
    )


def test_the_key_is_on_no_command_line():
    assert KEY not in " ".join(command("run"))
