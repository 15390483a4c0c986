"""Comparing classifications with truth: overlaps, one to one, exactness, figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.agreement import (
    EventLine,
    Prediction,
    Truth,
    TruthAction,
    coverage_at,
    is_exact,
    score,
)
from pipeline.evaluate import TruthError, evaluate, lines, read_truth

EVENTS = {"s": [EventLine(f"e{n}", n % 10 != 0) for n in range(100)]}
"""Every tenth event counts for nothing."""


def predicted(action: str | None, first: int, last: int, **more: Any) -> Prediction:
    values = {"confidence": 0.9, "status": "accepted", "parameters": {}, **more}
    return Prediction(
        session_id="s",
        segment_id=f"{action}-{first}",
        suite="Shop",
        action=action,
        event_ids=frozenset(f"e{n}" for n in range(first, last + 1)),
        **values,
    )


def true(action: str, first: int, last: int, **parameters: Any) -> TruthAction:
    return TruthAction(
        action=action, parameters=parameters, first_event_id=f"e{first}", last_event_id=f"e{last}"
    )


def scored(predictions: list[Prediction], *actions: TruthAction) -> dict[str, Any]:
    return score(predictions, [Truth(session_id="s", actions=actions)], EVENTS)


def test_half_of_the_events_must_be_the_same() -> None:
    assert scored([predicted("buy", 1, 4)], true("buy", 1, 8))["action_accuracy"] == 1
    assert scored([predicted("buy", 1, 3)], true("buy", 1, 8))["action_accuracy"] == 0
    assert scored([predicted("buy", 5, 15)], true("buy", 1, 15))["action_accuracy"] == 1


def test_events_that_count_for_nothing_do_not_decide() -> None:
    one = [predicted("buy", 10, 11)]
    assert scored(one, true("buy", 11, 12))["misses"] == []
    assert len(scored([predicted("buy", 11, 30)], true("buy", 20, 21))["misses"]) == 1


def test_wrong_misses_and_extras_are_told() -> None:
    result = scored(
        [predicted("buy", 1, 9), predicted("sell", 21, 29), predicted("pay", 41, 49)],
        true("buy", 1, 9),
        true("rent", 21, 29),
        true("lend", 61, 69),
    )
    assert result["action_accuracy"] == round(1 / 3, 4)
    assert [w["predicted"] for w in result["wrong"]] == ["sell"]
    assert [m["action"] for m in result["misses"]] == ["lend"]
    assert [e["predicted"] for e in result["extras"]] == ["pay"]
    assert result["precision"] == round(1 / 3, 4)
    assert result["suites"]["Shop"]["truth_actions"] == 3
    assert any("wrong" in line and "sell" in line for line in lines(result))


def test_one_prediction_answers_one_truth_action() -> None:
    result = scored([predicted("buy", 1, 9)], true("buy", 1, 9), true("buy", 1, 8))
    assert (result["right"], len(result["misses"])) == (1, 1)
    result = scored([predicted("sell", 1, 9), predicted("buy", 1, 9)], true("buy", 1, 9))
    assert (result["right"], len(result["extras"])) == (1, 1)


def test_noise_failed_labels_and_other_sessions_are_no_answers() -> None:
    result = scored(
        [
            predicted("none", 1, 9, status="none"),
            predicted("fly", 11, 19, status="failed"),
            predicted(None, 21, 29, status="review"),
        ]
    )
    assert (result["predicted_actions"], result["segments"]) == (0, 3)
    assert result["action_accuracy"] is None
    assert result["ece_none"] == pytest.approx(0.1)
    assert lines(result)[0].startswith("all: action accuracy -")


def test_parameters_are_compared_over_right_matches() -> None:
    result = scored(
        [
            predicted("buy", 1, 9, parameters={"what": "tea", "count": 2, "gift": 1}),
            predicted("sell", 21, 29, parameters={"what": "x"}),
        ],
        true("buy", 1, 9, what="tea", count=3, gift=True, where="here"),
        true("rent", 21, 29, what="x"),
    )
    assert result["parameter_exact"] == 0.25
    assert result["inexact"][0]["parameters"] == ["count", "gift", "where"]


@pytest.mark.parametrize(
    ("found", "value", "exact"),
    [
        ("<REDACTED>", "ann@example.org", True),
        ("Dear <PERSON_1>, see <PERSON_2>!", "Dear Ann, see Bob!", True),
        ("Dear <PERSON_1>.", "Dear Ann!", False),
        ("Dear <PERSON_1>", "Dear ", False),
        ("Dear Ann", "Dear Bob", False),
        ("<REDACTED>", 7, True),
        ("wren.marshwick7@example.org", "ann@example.com", True),
        ("Dear Quill, call 555-0134.", "Dear Ann, call +44 1632 960233.", True),
        ("Tamsin Larkmead", "Ann Bond", True),
        ("12 Example Street, soon", "9 Weavers Row, Elmbridge, soon", True),
        ("Dear Quill, call me", "Dear Ann, call her", False),
        ("555-0134", "", False),
        (1, True, False),
        (True, True, True),
        (2.0, 2, True),
        (["<REDACTED>", "b"], ["a", "b"], True),
        (["a"], ["a", "b"], False),
        ({"x": "<REDACTED>"}, {"x": "y"}, True),
        ({"x": "1"}, {"y": "1"}, False),
        ("a<b>c", "a<b>c", True),
    ],
)
def test_a_replacement_is_exact(found: Any, value: Any, exact: bool) -> None:
    assert is_exact(found, value) is exact


def test_ends_that_were_redacted_are_stood_in_for() -> None:
    kept = {"s": [line for line in EVENTS["s"] if line.id not in ("e1", "e9")]}
    truth = [Truth(session_id="s", actions=(true("buy", 1, 9),))]
    assert score([predicted("buy", 2, 8)], truth, kept)["right"] == 1
    odd = [
        Truth(
            session_id="s",
            actions=(TruthAction(action="buy", first_event_id="x", last_event_id="y"),),
        )
    ]
    assert score([predicted("buy", 2, 8)], odd, kept)["right"] == 0


def test_coverage_takes_answers_from_the_surest_down() -> None:
    answers = [(0.9, True)] * 19 + [(0.8, False), (0.7, True)]
    assert coverage_at(answers, 40) == 0.5
    assert coverage_at([(0.9, False), (0.8, True)], 2) == 0
    assert coverage_at([(0.9, True), (0.9, False)], 2) == 0
    assert coverage_at([], 0) is None


def test_calibration_error_is_the_gap_between_said_and_held() -> None:
    result = scored([predicted("buy", 1, 9, confidence=0.75)], true("buy", 1, 9))
    assert result["ece"] == 0.25
    result = scored([predicted("buy", 1, 9, confidence=None)], true("buy", 1, 9))
    assert result["ece"] is None


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 80), st.integers(0, 15)), max_size=8),
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 80), st.integers(0, 15)), max_size=8),
)
def test_counts_always_add_up(said: list, done: list) -> None:
    result = scored(
        [predicted(a, first, first + n) for a, first, n in said],
        *(true(a, first, first + n) for a, first, n in done),
    )
    matched = result["right"] + len(result["wrong"])
    assert matched + len(result["misses"]) == len(done) == result["truth_actions"]
    assert matched + len(result["extras"]) == len(said) == result["predicted_actions"]


def test_model_configurations_are_compared_side_by_side() -> None:
    result = scored(
        [
            predicted("buy", 1, 9, configuration="A"),
            predicted("sell", 1, 9, configuration="B"),
        ],
        true("buy", 1, 9),
    )
    assert result["action_accuracy"] == 1
    assert {n: r["action_accuracy"] for n, r in result["configurations"].items()} == {
        "A": 1,
        "B": 0,
    }


def dataset(output: Path) -> None:
    """A version with one session, as a run publishes it."""
    tables = {
        "sessions": [{"session_id": "s", "status": "COMPLETED"}],
        "events": [
            {
                "session_id": "s",
                "event_id": f"e{n}",
                "type": kind,
                "timestamp_us": n,
                "disposition": "dropped" if n == 3 else "kept",
            }
            for n, kind in enumerate(["click", "mousemove", "click", "click", "click"])
        ],
        "classifications": [
            {
                "session_id": "s",
                "segment_id": "1",
                "suite": "Shop",
                "action": "buy",
                "parameters": '{"what":"tea"}',
                "confidence": 0.9,
                "status": "accepted",
                "raw_event_ids": ["e0", "e2"],
                "model": "m",
                "model_configuration": "{}",
            }
        ],
    }
    files = []
    for name, rows in tables.items():
        path = output / "versions" / "v1" / "tables" / name / "part-0.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows), path)
        files.append({"path": f"tables/{name}/part-0.parquet"})
    manifest = {"version": "v1", "path": "versions/v1", "files": files}
    (output / "manifest.json").write_text(json.dumps(manifest))


def test_a_published_dataset_is_read_through_its_manifest(tmp_path: Path) -> None:
    dataset(tmp_path)
    truth = tmp_path / "truth.jsonl"
    rows = [
        {
            "session_id": "s",
            "actions": [
                {
                    "action": "buy",
                    "parameters": {"what": "tea"},
                    "first_event_id": "e0",
                    "last_event_id": "e3",
                }
            ],
        },
        {"session_id": "gone", "actions": []},
    ]
    truth.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    result = evaluate(str(tmp_path), str(truth))
    assert (result["action_accuracy"], result["parameter_exact"]) == (1, 1)
    assert result["segments"] == 1
    assert result["missing_sessions"] == ["gone"]
    for key in ("action_accuracy", "parameter_exact", "coverage_at_p95", "ece", "segments"):
        assert key in json.loads(json.dumps(result))


def test_a_truth_file_that_cannot_be_read_says_where(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    path.write_text('{"session_id": "s", "actions": []}\n{"session_id": 3}\n')
    with pytest.raises(TruthError, match=r"truth\.jsonl:2: .*expected"):
        read_truth(str(path))
    with pytest.raises(TruthError, match=r"none\.jsonl"):
        read_truth(str(tmp_path / "none.jsonl"))
