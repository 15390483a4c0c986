"""Two recorded sessions, action by action, as a person checked them.

After a wanted change: ``UPDATE_GOLDEN=1 pytest tests/golden/test_normalize_golden.py``, then read
the difference.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from schemas.traces import DomSnapshot
from schemas.trajectories import Step
from transforms.dom import DomTree, parse_dom
from transforms.ingest.find import find_sessions
from transforms.ingest.gathering import ReadLimits
from transforms.ingest.network import load_network_rules
from transforms.ingest.read import read_trace
from transforms.normalize.coalesce import normalize_events
from transforms.normalize.match import MatchSettings, match_observations

SESSIONS = Path(__file__).parents[2] / "examples" / "sessions"
CHECKED = {
    "mail_in_two_tabs": "ae0e3a5b-79e1-5ae1-9b24-ce7d1a530d6c",
    "shop_by_touch": "40162f1f-9a68-5c08-ba32-999556fe93df",
}


def shown(step: Step, types: dict[str, str]) -> dict:
    """A step in short: what was done, on what, from which events, and what was seen before."""
    action, seen = step.action, step.observation
    fields = {
        "type": action.type,
        "point": None if action.x is None else [action.x, action.y],
        "text": action.text,
        "field_value": action.field_value,
        "keys": "+".join(action.keys) or None,
        "delta": None if action.delta_y is None else [action.delta_x, action.delta_y],
        "path_ends": [action.path[0], action.path[-1]] if action.path else None,
        "element": None
        if action.element is None
        else f"{action.element.role} {action.element.name}",
        "tab": action.tab,
        "events": dict(Counter(types[i] for i in action.raw_event_ids)),
        "flags": list(action.flags) or None,
        "seen": seen.frame,
        "in": seen.active_window,
        "stale": seen.stale or None,
        "requests": len(seen.request_ids) or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


@pytest.mark.parametrize("name", sorted(CHECKED))
def test_recorded_sessions_read_like_what_the_person_did(name):
    folder = SESSIONS / CHECKED[name]
    (ref,) = find_sessions([str(folder)])
    trace = read_trace(ref, ReadLimits(), load_network_rules(None))
    made = normalize_events(trace)
    assert made.ledger.balanced

    def dom(snapshot: DomSnapshot) -> DomTree:
        return parse_dom((folder / snapshot.file).read_bytes(), snapshot.format)

    types = {event.id: event.type for event in trace.events}
    found = {
        "ledger": {
            "raw": made.ledger.raw,
            "kept": made.ledger.kept,
            "merged": made.ledger.merged,
            "dropped": made.ledger.dropped,
        },
        "steps": [
            shown(step, types) for step in match_observations(trace, made, MatchSettings(), dom)
        ],
    }
    found = json.loads(json.dumps(found))
    golden = Path(__file__).with_name(f"normalize_{name}.json")
    if os.environ.get("UPDATE_GOLDEN"):
        lines = ",\n  ".join(json.dumps(step, ensure_ascii=False) for step in found["steps"])
        head = json.dumps(found["ledger"])
        golden.write_text(f'{{"ledger": {head},\n "steps": [\n  {lines}\n]}}\n', encoding="utf-8")
    assert found == json.loads(golden.read_text(encoding="utf-8"))
