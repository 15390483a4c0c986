"""``tracemill compare``: the model configurations of one version, side by side.

Configurations classify the same segments, so agreement is the share of segments on which two of
them say the same action, and parameters where the action is the same. What people answered is left
out of it: there all configurations say what the person said. Accuracy needs truth.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from pipeline.agreement import score
from pipeline.dataset import read_table
from pipeline.evaluate import prediction, read_event_lines, read_labelled
from transforms import storage

FIGURES = ("action_accuracy", "parameter_exact", "precision", "coverage_at_p95", "ece")
NAME = "comparison.json"


def compare(output: str, truth: str | None = None) -> dict[str, Any]:
    """Returns figures of each configuration, and the agreement of each two of them."""
    rows = read_table(output, "classifications").to_pylist()
    by_name: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        by_name.setdefault((row["model"], row["model_configuration"]), []).append(row)
    examples = read_table(
        output, "examples", ["model", "model_configuration", "status"]
    ).to_pylist()
    labelled = read_labelled(output, truth) if truth is not None else []
    events = read_event_lines(output, {t.session_id for t in labelled}) if labelled else {}
    configurations = []
    for name, own in sorted(by_name.items()):
        figures = {"model": name[0], "model_configuration": json.loads(name[1]), **_figures(own)}
        mine = [e for e in examples if (e["model"], e["model_configuration"]) == name]
        figures["examples"] = len(mine)
        figures["examples_completed"] = sum(e["status"] == "COMPLETED" for e in mine)
        if truth is not None:
            scored = score([prediction(row) for row in own], labelled, events)
            figures |= {figure: scored[figure] for figure in FIGURES}
        configurations.append(figures)
    numbers = {name: place for place, name in enumerate(sorted(by_name), 1)}
    agreement = [
        {"between": [numbers[a], numbers[b]], **_agreement(by_name[a], by_name[b])}
        for a, b in combinations(sorted(by_name), 2)
    ]
    return {"configurations": configurations, "agreement": agreement}


def _figures(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    usage = [json.loads(row["usage"] or "{}") for row in rows]
    said = [row["confidence"] for row in rows if row["confidence"] is not None]
    statuses = {
        s: sum(r["status"] == s for r in rows) for s in ("accepted", "none", "review", "failed")
    }
    reasons: dict[str, int] = {}
    for row in rows:
        for reason in row["reasons"] if row["status"] in ("review", "failed") else ():
            reasons[reason] = reasons.get(reason, 0) + 1
    usd = sum(u.get("usd", 0.0) for u in usage)
    return {
        "segments": len(rows),
        **statuses,
        "accepted_share": _share(statuses["accepted"] + statuses["none"], len(rows)),
        "mean_confidence": round(statistics.fmean(said), 4) if said else None,
        "calibrated": bool(rows) and all(r["calibrated"] for r in rows),
        "calls": sum(u.get("calls", 0) for u in usage),
        "prompt_tokens": sum(u.get("prompt_tokens", 0) for u in usage),
        "completion_tokens": sum(u.get("completion_tokens", 0) for u in usage),
        "usd": round(usd, 6),
        "usd_per_accepted": round(usd / statuses["accepted"], 6) if statuses["accepted"] else None,
        "reasons": dict(sorted(reasons.items())),
    }


def _agreement(
    one: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    def asked(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], Mapping[str, Any]]:
        return {
            (r["session_id"], r["segment_id"]): r
            for r in rows
            if r["confidence_source"] != "review"
        }

    first, second = asked(one), asked(other)
    both = sorted(first.keys() & second.keys())
    same = [k for k in both if first[k]["action"] == second[k]["action"]]
    exact = sum(
        json.loads(first[k]["parameters"]) == json.loads(second[k]["parameters"]) for k in same
    )
    return {
        "segments": len(both),
        "same_action": _share(len(same), len(both)),
        "same_parameters": _share(exact, len(same)),
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def write_comparison(output: str, run_id: str) -> str | None:
    """Writes ``run/<run-id>/comparison.json`` when several configurations ran; returns where."""
    found = compare(output)
    if len(found["configurations"]) < 2:
        return None
    uri = storage.join(output, "run", run_id, NAME)
    storage.write_bytes(uri, json.dumps(found, indent=1, sort_keys=True).encode() + b"\n")
    return uri


_ROWS = (
    ("segments", "segments"),
    ("accepted or noise", "accepted_share"),
    ("in review", "review"),
    ("failed", "failed"),
    ("examples completed", "examples_completed"),
    ("mean confidence", "mean_confidence"),
    ("calls", "calls"),
    ("prompt tokens", "prompt_tokens"),
    ("completion tokens", "completion_tokens"),
    ("USD", "usd"),
    ("USD per accepted", "usd_per_accepted"),
    ("action accuracy", "action_accuracy"),
    ("exact parameters", "parameter_exact"),
    ("precision", "precision"),
    ("coverage at 95 %", "coverage_at_p95"),
    ("ECE", "ece"),
)


def lines(found: Mapping[str, Any]) -> list[str]:
    """The comparison as a table, a column for each configuration."""
    configurations = found["configurations"]
    told = [
        f"{number}: {c['model']} {json.dumps(c['model_configuration'], sort_keys=True)}"
        for number, c in enumerate(configurations, 1)
    ]
    told.append(f"{'':<20}" + "".join(f"{n:>14}" for n in range(1, len(configurations) + 1)))
    for title, key in _ROWS:
        if any(key in c for c in configurations):
            told.append(f"{title:<20}" + "".join(f"{_told(c[key]):>14}" for c in configurations))
    for pair in found["agreement"]:
        a, b = pair["between"]
        told.append(
            f"{a} and {b} agree on the action in {_told(pair['same_action'])} of "
            f"{pair['segments']} segments, there on all parameters in "
            f"{_told(pair['same_parameters'])}"
        )
    return told


def _told(value: Any) -> str:
    return "-" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
