"""``tracemill evaluate``: the classifications of a published dataset against a truth file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from pipeline.agreement import EventLine, Prediction, Truth, score
from pipeline.dataset import read_table
from pipeline.options import UsageError
from transforms import storage
from transforms.keys import load_project_key, published_session_id

UNCOUNTED_TYPES = frozenset({"mousemove", "touchmove", "focus", "blur"})
"""Events that say nothing about where an action begins and ends."""


class TruthError(UsageError):
    """A truth file that can't be read; the message names file, line and what is expected."""


def evaluate(output: str, truth: str) -> dict[str, Any]:
    """Compares the current version of an output with a truth file; returns the figures.

    With several model configurations the top-level figures are those of the first (in the order of
    their JSON), and ``configurations`` holds each. Raises TruthError or UsageError.
    """
    rows = read_table(output, "classifications").to_pylist()
    known = set(read_table(output, "sessions", ["session_id"])["session_id"].to_pylist())
    labelled = read_labelled(output, truth)
    events = read_event_lines(output, {t.session_id for t in labelled})
    result = score([prediction(row) for row in rows], labelled, events)
    result["missing_sessions"] = [t.session_id for t in labelled if t.session_id not in known]
    return result


def read_labelled(output: str, truth: str) -> list[Truth]:
    """Reads a truth file, under the ids that its sessions were published with."""
    rows = read_table(output, "sessions", ["session_id"])
    known = set(rows["session_id"].to_pylist())
    return [
        msgspec.structs.replace(t, session_id=_published(t.session_id, known, output))
        for t in read_truth(truth)
    ]


def read_event_lines(output: str, sessions: set[str]) -> dict[str, list[EventLine]]:
    """Returns the events of some sessions, in the order of time."""
    columns = ["session_id", "event_id", "type", "timestamp_us", "disposition"]
    return _event_lines(read_table(output, "events", columns).to_pylist(), sessions)


def read_truth(path: str) -> list[Truth]:
    """Reads a truth file: JSON lines {session_id, actions: [{action, parameters, …}]}."""
    try:
        data = storage.read_bytes(path)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise TruthError(f"{path}: {error.strerror or 'no such file'}") from None
    found = []
    for number, line in enumerate(data.decode("utf-8-sig").splitlines(), 1):
        if not line.strip():
            continue
        try:
            found.append(msgspec.json.decode(line, type=Truth))
        except msgspec.DecodeError as error:
            raise TruthError(
                f"{path}:{number}: {error}; expected {{session_id, actions: [{{action, "
                "parameters, first_event_id, last_event_id}]}"
            ) from None
    return found


def _published(session_id: str, known: set[str], output: str) -> str:
    """The id under which a session was published; the project key is needed for a non-UUID."""
    if session_id in known:
        return session_id
    try:
        key = load_project_key(storage.join(output, "private", "project.key"), create=False)
    except Exception:  # without the key the session counts as missing, which the result says
        return session_id
    return published_session_id(key, session_id)


def prediction(row: Mapping[str, Any]) -> Prediction:
    """Returns a row of the table ``classifications`` as a prediction."""
    return Prediction(
        session_id=row["session_id"],
        segment_id=row["segment_id"],
        suite=row.get("suite"),
        action=row["action"],
        parameters=json.loads(row["parameters"] or "{}"),
        confidence=row["confidence"],
        status=row["status"],
        event_ids=frozenset(row.get("raw_event_ids") or ()),
        configuration=f"{row.get('model')} {row.get('model_configuration')}",
    )


def _event_lines(rows: Iterable[Mapping[str, Any]], wanted: set[str]) -> dict[str, list[EventLine]]:
    lines: dict[str, list[tuple[int, EventLine]]] = {}
    for row in rows:
        if row["session_id"] not in wanted:
            continue
        counts = row["disposition"] != "dropped" and row["type"] not in UNCOUNTED_TYPES
        line = (row["timestamp_us"], EventLine(row["event_id"], counts))
        lines.setdefault(row["session_id"], []).append(line)
    return {
        session: [line for _, line in sorted(found, key=lambda pair: pair[0])]
        for session, found in lines.items()
    }


def lines(result: Mapping[str, Any]) -> list[str]:
    """The result for people to read."""
    text = [_line("all", result)]
    text += [_line(name, figures) for name, figures in result["suites"].items()]
    for kind in ("misses", "wrong", "extras", "inexact"):
        for item in result[kind]:
            what = item.get("action") or item.get("predicted")
            said = f", predicted {item['predicted']}" if kind == "wrong" else ""
            names = f": {', '.join(item['parameters'])}" if kind == "inexact" else ""
            text.append(f"{kind}: {item['session_id']} {what}{said}{names}")
    for session in result.get("missing_sessions", ()):
        text.append(f"not in the dataset: {session}")
    return text


def _line(name: str, figures: Mapping[str, Any]) -> str:
    def shown(key: str) -> str:
        value = figures[key]
        return "-" if value is None else f"{value:.3f}"

    return (
        f"{name}: action accuracy {shown('action_accuracy')} ({figures['right']} of "
        f"{figures['truth_actions']}), exact parameters {shown('parameter_exact')}, "
        f"coverage at 95 % precision {shown('coverage_at_p95')}, ECE {shown('ece')}"
    )
