"""Model configurations side by side: agreement, cost, accepted share."""

import json

import pytest

from pipeline import compare as module
from pipeline.compare import compare, lines

A, B = '{"seed":0}', '{"seed":1}'


def row(segment, action, status="accepted", configuration=A, **more):
    return {
        "session_id": "s",
        "segment_id": segment,
        "model": "m",
        "model_configuration": configuration,
        "action": action,
        "parameters": json.dumps(more.pop("parameters", {})),
        "status": status,
        "confidence": 0.9,
        "confidence_source": "logprobs",
        "calibrated": False,
        "reasons": [] if status == "accepted" else ["low_confidence"],
        "usage": json.dumps(
            {"calls": 1, "prompt_tokens": 100, "completion_tokens": 10, "usd": 0.01}
        ),
        **more,
    }


class _Table(list):
    def to_pylist(self):
        return list(self)


@pytest.fixture
def output(monkeypatch):
    tables = {
        "classifications": [
            row("1", "send"), row("1", "send", configuration=B),
            row("2", "send"), row("2", "star", configuration=B),
            row("3", "send", parameters={"to": "a"}),
            row("3", "send", "review", configuration=B, parameters={"to": "b"}),
            row("4", "send", confidence_source="review"),
            row("4", "send", configuration=B, confidence_source="review"),
        ],
        "examples": [
            {"model": "m", "model_configuration": A, "status": "COMPLETED"},
            {"model": "m", "model_configuration": B, "status": "PENDING"},
        ],
    }  # fmt: skip
    monkeypatch.setattr(module, "read_table", lambda _, name, columns=None: _Table(tables[name]))
    return "out"


def test_figures_and_agreement(output):
    found = compare(output)
    first, second = found["configurations"]
    assert (first["segments"], first["accepted"], first["accepted_share"]) == (4, 4, 1.0)
    assert (second["accepted"], second["review"], second["accepted_share"]) == (3, 1, 0.75)
    assert second["reasons"] == {"low_confidence": 1}
    assert (first["calls"], first["usd"], first["usd_per_accepted"]) == (4, 0.04, 0.01)
    assert (first["examples_completed"], second["examples_completed"]) == (1, 0)
    # What a person answered says nothing of how the configurations agree.
    assert found["agreement"] == [
        {"between": [1, 2], "segments": 3, "same_action": 0.6667, "same_parameters": 0.5}
    ]


def test_the_table_names_every_configuration(output):
    told = "\n".join(lines(compare(output)))
    assert '1: m {"seed": 0}' in told and '2: m {"seed": 1}' in told
    assert "1 and 2 agree on the action in 0.6667 of 3 segments" in told
    assert "action accuracy" not in told
