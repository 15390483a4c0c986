"""Synthetic sessions of a known size, for benchmarks and for tests that need many.

One session: a small form application is used; 300 events, one 40 kB DOM snapshot, 2 frames of
640 × 400. Seeded: the same number gives the same files.
"""

from __future__ import annotations

import json
import random
import uuid
from pathlib import Path

from PIL import Image, ImageDraw

START_MS = 1_700_000_000_000
WORDS = (
    "order invoice note reply draft list price table report meeting plan item budget quarter "
    "summary review update ticket status branch build release"
).split()

CATALOGUE = {
    "suites": [
        {
            "name": "Forms",
            "description": "A small application with one form.",
            "match": {"hosts": ["forms.test"]},
            "actions": [
                {
                    "name": "save_note",
                    "description": "Save a note with a title.",
                    "parameters": [
                        {
                            "name": "title",
                            "type": "STRING",
                            "required": True,
                            "description": "Title of the note",
                        },
                    ],
                    "match": [{"event": "click", "role": "button", "name": "Save"}],
                },
                {
                    "name": "delete_note",
                    "description": "Delete a note.",
                    "match": [{"event": "click", "role": "button", "name": "Delete"}],
                },
            ],
        }
    ],
    "mcp_servers": [
        {
            "name": "notes",
            "tools": [
                {
                    "name": "notes.save",
                    "parameters": [{"name": "heading", "type": "STRING", "required": True}],
                },
                {"name": "notes.remove", "parameters": []},
            ],
        }
    ],
    "action_tool_maps": [
        {
            "name": "forms-notes",
            "suite": "Forms",
            "mcp_server": "notes",
            "tool_mappings": [
                {
                    "action": "save_note",
                    "tool": "notes.save",
                    "parameter_mappings": [
                        {"action_parameter": "title", "tool_parameter": "heading"}
                    ],
                },
                {"action": "delete_note", "tool": "notes.remove"},
            ],
        }
    ],
}


def write_catalogue(path: Path) -> Path:
    """Writes the catalogue that fits the synthetic sessions."""
    path.write_text(json.dumps(CATALOGUE), encoding="utf-8")
    return path


def write_session(
    root: Path, number: int, events: int = 300, frames: int = 2, dom: bool = True
) -> Path:
    """Writes session ``number`` below ``root``; returns its folder."""
    rng = random.Random(number)
    session_id = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    folder = root / session_id
    (folder / "screenshots").mkdir(parents=True)
    (folder / "dom").mkdir()
    title = " ".join(rng.choices(WORDS, k=3))
    record = {"id": session_id, "description": f"Save a note about {title}."}
    (folder / "session.json").write_text(json.dumps(record))
    lines = list(_events(rng, title, events))
    (folder / "input_events.jsonl").write_text("".join(json.dumps(e) + "\n" for e in lines))
    if dom:
        _write_dom(folder / "dom", rng)
    _write_frames(folder / "screenshots", rng, frames, lines[-1]["timestamp"])
    return folder


def _events(rng: random.Random, title: str, count: int):
    field = {
        "tag": "input",
        "id": "title",
        "label": "Title",
        "role": "textbox",
        "bounds": [100, 80, 300, 30],
    }
    save = {
        "tag": "button",
        "id": "save",
        "name": "Save",
        "role": "button",
        "text": "Save",
        "bounds": [100, 200, 80, 30],
    }
    now = START_MS + rng.randrange(10**9)
    base = {
        "tab": "t1",
        "url": "http://forms.test/notes",
        "window": "Notes - Forms",
        "viewport": {"width": 640, "height": 400, "device_pixel_ratio": 1},
    }

    def event(kind: str, **more):
        nonlocal now
        now += rng.randrange(20, 90)
        return {"type": kind, "timestamp": now, **base, **more}

    made = [
        event("mousedown", x=150, y=95, button=0, target=field),
        event("mouseup", x=150, y=95, button=0, target=field),
        event("click", x=150, y=95, button=0, target=field),
    ]
    value = ""
    for letter in title:
        value += letter
        made += [
            event("keydown", key=letter, target=field),
            event("input", value=value, target=field),
            event("keyup", key=letter, target=field),
        ]
    tail = [("mousedown", {}), ("mouseup", {}), ("click", {})]
    while len(made) < count - len(tail):
        made.append(event("mousemove", x=rng.randrange(640), y=rng.randrange(400)))
    made = made[: count - len(tail)]
    made += [event(kind, x=140, y=215, button=0, target=save) for kind, _ in tail]
    return made


def _write_dom(folder: Path, rng: random.Random) -> None:
    children = [
        {"tag": "label", "text": "Title", "bounds": [20, 80, 60, 30]},
        {
            "tag": "input",
            "id": "title",
            "role": "textbox",
            "name": "Title",
            "bounds": [100, 80, 300, 30],
        },
        {
            "tag": "button",
            "id": "save",
            "role": "button",
            "name": "Save",
            "bounds": [100, 200, 80, 30],
        },
    ]
    size = 0
    while size < 40_000:
        row = {
            "tag": "li",
            "text": " ".join(rng.choices(WORDS, k=8)),
            "bounds": [420, 10 + len(children), 200, 12],
        }
        size += len(json.dumps(row)) + 2
        children.append(row)
    tree = {"tag": "body", "bounds": [0, 0, 640, 400], "children": children}
    (folder / "0001.json").write_text(json.dumps(tree))
    # The snapshot's time must lie shortly before the first event.
    first = json.loads((folder.parent / "input_events.jsonl").read_text().splitlines()[0])
    (folder.parent / "dom.jsonl").write_text(
        json.dumps({"file": "dom/0001.json", "timestamp": first["timestamp"] - 10, "tab": "t1"})
        + "\n"
    )


def _write_frames(folder: Path, rng: random.Random, count: int, last_ms: int) -> None:
    first = json.loads((folder.parent / "input_events.jsonl").read_text().splitlines()[0])
    index = []
    for n in range(count):
        image = Image.new("RGB", (640, 400), "white")
        draw = ImageDraw.Draw(image)
        for _ in range(30):
            at = (rng.randrange(600), rng.randrange(380))
            draw.text(at, " ".join(rng.choices(WORDS, k=3)), fill="black")
        name = f"{n + 1:04d}.png"
        image.save(folder / name)
        stamp = first["timestamp"] - 5 if n == 0 else last_ms - 200 // n
        index.append({"file": f"screenshots/{name}", "timestamp": stamp, "tab": "t1"})
    (folder.parent / "screenshots.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in index)
    )


def write_sessions(root: Path, count: int, first: int = 0, **size: int) -> None:
    """Writes ``count`` sessions, numbered from ``first``."""
    for number in range(first, first + count):
        write_session(root, number, **size)
