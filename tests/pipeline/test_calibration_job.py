"""Labels from truth and answers, fitted, and used by the next run."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from pipeline.cli import main
from tests.pipeline.jobs import EXAMPLES, job

MAIL, BOARD = "2b5ae6c3-19bc-527c-ad8f-9ddbf1dea57a", "38b3c78a-4012-5e81-9fe9-5d627d9b7d2f"


def run(output, *more):
    sessions = [str(EXAMPLES / "sessions" / s) for s in (MAIL, BOARD)]
    arguments = job(sessions[0], EXAMPLES / "catalogue.yaml", output, "--input", sessions[1])
    return main([*map(str, arguments), *map(str, more)])


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    made = tmp_path_factory.mktemp("calibration") / "out"
    assert run(made) == 0
    return made


def rows(output):
    (part,) = (output / "dataset/tables/classifications").glob("*.parquet")
    return pq.read_table(part).to_pylist()


def prepared(output):
    return {p: p.stat().st_mtime_ns for p in output.glob("checkpoints/prepared/*/*.ckpt")}


def test_fitted_on_truth_it_is_used_by_the_next_run(output, tmp_path, capsys):
    before, halves = rows(output), prepared(output)
    assert not any(r["calibrated"] for r in before)
    assert all(r["said_confidence"] == r["confidence"] for r in before)
    file = tmp_path / "calibration.json"
    truth = ["--truth", str(EXAMPLES / "truth.jsonl")]
    assert main(["evaluate", str(output), *truth, "--fit", str(file)]) == 0
    said = capsys.readouterr().out
    assert "action accuracy" in said and f"platt, {len(before)} labels" in said
    (fitted,) = json.loads(file.read_text())["fitted"]
    assert (fitted["model"], fitted["model_configuration"]) == ("offline-rules", {})

    assert run(output, f"--calibration={file}") == 0
    after = rows(output)
    assert prepared(output) == halves
    assert all(r["calibrated"] for r in after)
    assert [r["said_confidence"] for r in after] == [r["said_confidence"] for r in before]
    assert any(a["confidence"] != b["confidence"] for a, b in zip(after, before))
    assert {r["confidence_source"] for r in after} == {r["confidence_source"] for r in before}

    # A calibrated output gives the same labels: it is the raw confidence that is fitted.
    again = tmp_path / "again.json"
    assert main(["evaluate", str(output), *truth, "--fit", str(again)]) == 0
    assert again.read_bytes() == file.read_bytes()


def test_answers_are_labels_before_and_after_the_run_that_takes_them(output, tmp_path):
    found = rows(output)
    answers = [
        {
            "session_id": r["session_id"],
            "segment_id": r["segment_id"],
            "action": r["said_action"] if number % 2 else "none",
        }
        for number, r in enumerate(found[:6])
    ]
    (output / "review/answers.jsonl").write_text("".join(json.dumps(a) + "\n" for a in answers))
    right = sum(a["action"] == r["said_action"] for a, r in zip(answers, found))
    fitted = []
    for name in ("before.json", "after.json"):
        file = tmp_path / name
        assert main(["evaluate", str(output), "--fit", str(file)]) == 0
        fitted.append(json.loads(file.read_text())["fitted"][0]["calibration"])
        assert run(output) == 0
    assert fitted[0] == fitted[1] and fitted[0]["labels"] == 6
    assert 0 < right < 6
    assert sum(r["confidence_source"] == "review" for r in rows(output)) == 6
    (output / "review/answers.jsonl").unlink()


def test_without_labels_nothing_is_written(output, tmp_path, capsys):
    assert main(["evaluate", str(output), "--fit", str(tmp_path / "c.json")]) == 2
    assert "no labels" in capsys.readouterr().err
    assert not (tmp_path / "c.json").exists()
    assert main(["evaluate", str(output)]) == 2


def test_a_calibration_of_something_else_is_refused(output, tmp_path, capsys):
    file = tmp_path / "c.json"
    file.write_text("{}")
    assert run(output, f"--calibration={file}") == 2
    assert "evaluate --fit" in capsys.readouterr().err
    other = {
        "model": "gpt",
        "model_configuration": {},
        "calibration": {"kind": "platt", "labels": 9},
    }
    file.write_text(json.dumps({"version": 1, "fitted": [other]}))
    assert run(output, f"--calibration={file}") == 2
    assert "fitted for gpt {}" in capsys.readouterr().err
