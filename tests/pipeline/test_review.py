"""The review loop: what waits is in the queue, and an answer is all that the next run does."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from pipeline.cli import main
from tests.pipeline.jobs import EXAMPLES, job, manifest, summary

MAIL, BOARD = "2b5ae6c3-19bc-527c-ad8f-9ddbf1dea57a", "38b3c78a-4012-5e81-9fe9-5d627d9b7d2f"


def run(output, *more):
    sessions = [str(EXAMPLES / "sessions" / s) for s in (MAIL, BOARD)]
    arguments = job(sessions[0], EXAMPLES / "catalogue.yaml", output, "--min_confidence=0.995")
    return main([str(a) for a in [*arguments, f"--input={sessions[1]}", *more]])


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    made = tmp_path_factory.mktemp("review") / "out"
    assert run(made) == 0
    return made


def queue(output):
    return [json.loads(line) for line in (output / "review/queue.jsonl").open()]


def table(output, name):
    return pq.read_table(output / "dataset" / "tables" / name).to_pylist()


def checkpoints(output):
    return {p: p.stat().st_mtime_ns for p in output.glob("checkpoints/*/*/*.ckpt")}


def answer(output, *lines):
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (output / "review/answers.jsonl").write_text(text)


def test_the_queue_says_what_a_person_needs_to_answer(output):
    waiting = queue(output)
    rows = {r["segment_id"]: r for r in table(output, "classifications")}
    assert {q["segment_id"] for q in waiting} == {
        s for s, r in rows.items() if r["status"] in ("review", "failed")
    }
    assert len({q["session_id"] for q in waiting}) == 2
    for q in waiting:
        assert q["reasons"] and q["candidates"] and q["steps"]
        assert {"action", "score"} == set(q["candidates"][0])
        cited = {e["parameter"] for e in q["evidence"]}
        assert set(q["parameters"]) <= cited
        assert all(e["source"] and e["event_ids"] for e in q["evidence"])
    assert {e["status"] for e in table(output, "examples")} == {"PENDING"}


def test_answers_complete_their_session_and_repeat_nothing_else(output):
    version, before = manifest(output)["version"], checkpoints(output)
    mine = [q for q in queue(output) if q["session_id"] == BOARD]
    renamed, *rest = [q for q in mine if q["action"] != "none"]
    given = [{k: q[k] for k in ("session_id", "segment_id", "action")} for q in rest]
    given += [
        {"session_id": BOARD, "segment_id": q["segment_id"], "action": "none"}
        for q in mine
        if q["action"] == "none"
    ]
    corrected = {**renamed["parameters"]}
    name = next(n for n, v in corrected.items() if isinstance(v, str))
    corrected[name] = "Something a person wrote"
    given.append(
        {
            "session_id": BOARD,
            "segment_id": renamed["segment_id"],
            "action": renamed["action"],
            "parameters": corrected,
        }
    )
    answer(output, *given)
    assert run(output) == 0

    changed = {p for p, t in checkpoints(output).items() if before.get(p) != t}
    assert [p.parts[-3] for p in changed] == ["result"]
    assert summary(output)["reused_sessions"] == 1
    assert manifest(output)["version"] != version
    states = {e["session_id"]: e["status"] for e in table(output, "examples")}
    assert states == {MAIL: "PENDING", BOARD: "COMPLETED"}
    assert {q["session_id"] for q in queue(output)} == {MAIL}
    rows = [r for r in table(output, "classifications") if r["session_id"] == BOARD]
    answered = {r["segment_id"]: r for r in rows if r["confidence_source"] == "review"}
    assert set(answered) == {q["segment_id"] for q in mine}
    assert all(r["calibrated"] and r["confidence"] == 1.0 for r in answered.values())
    text = b"".join(p.read_bytes() for p in (output / "dataset/training/openai").glob("*.jsonl"))
    assert b"Something a person wrote" in text

    # Nothing changed since: nothing to do. An answer taken back: the version from before it.
    now = checkpoints(output)
    assert run(output) == 0
    assert checkpoints(output) == now
    answer(output)
    assert run(output) == 0
    assert manifest(output)["version"] == version


def test_a_line_that_is_no_answer_ends_the_run_before_it_starts(output, capsys):
    (output / "review/answers.jsonl").write_text('{"session_id": "x", "action": "none"}\n')
    assert run(output) == 2
    assert "review/answers.jsonl:1" in capsys.readouterr().err
    (output / "review/answers.jsonl").unlink()
