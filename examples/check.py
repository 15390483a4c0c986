"""Checks the bundled sessions and their truth: `python examples/check.py`.

Files, ids, times, sizes; every action of the truth is in the catalogue, its span lies in the
events, and each parameter value can be found in what was recorded within the span.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

MAX_FRAMES = 120
MAX_BYTES = 12 << 20
# A request follows the event that causes it; the window in which it counts as evidence.
REQUEST_AFTER_MS = 600
# Nobody acts while a frame is captured.
QUIET_AFTER_FRAME_MS = 20
ACTING = {"mousedown", "keydown", "touchstart", "wheel"}
TYPES: dict[str, Any] = {
    "STRING": str,
    "NUMBER": (int, float),
    "BOOLEAN": bool,
    "OBJECT": dict,
    "ARRAY": list,
}


def check_examples(examples: Path) -> list[str]:
    """Returns what is wrong with the sessions below `examples`, one line a problem."""
    catalogue = yaml.safe_load((examples / "catalogue.yaml").read_text(encoding="utf-8"))
    actions = {
        action["name"]: {parameter["name"]: parameter for parameter in action["parameters"]}
        for suite in catalogue["suites"]
        for action in suite["actions"]
    }
    truth = {row["session_id"]: row["actions"] for row in _read_jsonl(examples / "truth.jsonl")}
    folders = sorted(path for path in (examples / "sessions").iterdir() if path.is_dir())
    problems = []
    if {folder.name for folder in folders} != set(truth):
        problems.append("truth.jsonl: its sessions are not those in sessions/")
    frames = 0
    for folder in folders:
        found = list(_check_files(folder))
        found += _check_truth(folder, truth.get(folder.name, []), actions)
        frames += len(list(folder.glob("screenshots/*.png")))
        problems += [f"{folder.name}: {problem}" for problem in found]
    size = sum(path.stat().st_size for path in examples.rglob("*") if path.is_file())
    if frames > MAX_FRAMES or size > MAX_BYTES:
        problems.append(f"too much: {frames} frames, {size} bytes")
    return problems


def _check_files(folder: Path) -> Iterator[str]:
    record = json.loads((folder / "session.json").read_text(encoding="utf-8"))
    if record["id"] != folder.name:
        yield "session.json: the id is not the name of the folder"
    events = _read_jsonl(folder / "input_events.jsonl")
    if len({event["id"] for event in events}) != len(events):
        yield "input_events.jsonl: two events with one id"
    acting = sorted(event["timestamp"] for event in events if event["type"] in ACTING)
    for frame in _index(folder, "screenshots"):
        viewport = frame["viewport"]
        ratio = viewport["device_pixel_ratio"]
        wanted = (round(viewport["width"] * ratio), round(viewport["height"] * ratio))
        with Image.open(folder / frame["file"]) as image:
            if image.format != "PNG" or image.size != wanted:
                yield f"{frame['file']}: {image.format} {image.size}, expected PNG {wanted}"
        time = frame["timestamp"]
        if any(time <= moment < time + QUIET_AFTER_FRAME_MS for moment in acting):
            yield f"{frame['file']}: an input event lies within its capture"
    for snapshot in _index(folder, "dom"):
        path = folder / snapshot["file"]
        if path.suffix == ".json":
            for node in _nodes(json.loads(path.read_text(encoding="utf-8"))):
                if node.get("input_type") == "password" and "value" in node:
                    yield f"{snapshot['file']}: holds what is in a password field"


def _check_truth(
    folder: Path, truth: list[dict[str, Any]], actions: dict[str, dict[str, Any]]
) -> Iterator[str]:
    events = _read_jsonl(folder / "input_events.jsonl")
    requests = _read_jsonl(folder / "network_traffic.jsonl")
    by_id = {event["id"]: event for event in events}
    previous_end = 0.0
    for row in truth:
        name = row["action"]
        if name not in actions:
            yield f"{name}: not in the catalogue"
            continue
        start = by_id[row["first_event_id"]]["timestamp"]
        end = by_id[row["last_event_id"]]["timestamp"]
        if not previous_end < start <= end:
            yield f"{name}: its span is empty or overlaps the one before"
        previous_end = end
        inside = [event for event in events if start <= event["timestamp"] <= end]
        evidence = list(_evidence(inside))
        for request in requests:
            moment = datetime.fromisoformat(request["startedDateTime"]).timestamp() * 1000
            if start - 1 <= moment <= end + REQUEST_AFTER_MS:
                body = request["request"].get("postData", {}).get("text")
                evidence += list(_leaves(json.loads(body))) if body else []
        known = actions[name]
        missing = [key for key, value in known.items() if value["required"]]
        for key in set(missing) - set(row["parameters"]):
            yield f"{name}: the required parameter {key} is missing"
        for key, value in row["parameters"].items():
            wanted = TYPES[known[key]["type"]]
            if not isinstance(value, wanted) or (wanted is not bool and isinstance(value, bool)):
                yield f"{name}.{key}: {value!r} is no {known[key]['type']}"
            if not any(_shows(piece, value) for piece in evidence):
                yield f"{name}.{key}: nothing recorded within the span shows {value!r}"


def _evidence(events: list[dict[str, Any]]) -> Iterator[Any]:
    """Values, texts, element names and window titles of events."""
    for event in events:
        target = event.get("target", {})
        yield from (event.get("value"), event.get("text"), event.get("window"))
        yield from (target.get("name"), target.get("text"))


def _shows(piece: Any, value: Any) -> bool:
    if isinstance(value, str):
        return isinstance(piece, str) and value in piece
    if isinstance(value, bool) or isinstance(piece, bool):
        return piece is value
    try:
        return float(piece) == value
    except (TypeError, ValueError):
        return False


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for child in value.values():
            yield from _leaves(child)
    elif isinstance(value, list):
        for child in value:
            yield from _leaves(child)
    else:
        yield value


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("children", []):
        yield from _nodes(child)


def _index(folder: Path, kind: str) -> list[dict[str, Any]]:
    """The index of frames or DOM snapshots, from one file or from a sidecar beside each."""
    file = folder / f"{kind}.jsonl"
    if file.exists():
        return _read_jsonl(file)
    rows = [json.loads(path.read_text()) for path in sorted((folder / kind).glob("*.json"))]
    return [{**row, "file": f"{kind}/{row['file']}"} for row in rows]


def _read_jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


if __name__ == "__main__":
    found = check_examples(Path(__file__).resolve().parent)
    print("\n".join(found) or "all is well")
    sys.exit(bool(found))
