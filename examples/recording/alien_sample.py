"""Turns a part of a recorded session into a sample of the ALIEN trajectory layout.

One step a line: the observation is the last frame and DOM snapshot before the action, the DOM tree
is XML whose nodes carry `element_id` (their number in document order), and the action points to one
of them. The thoughts are written by hand.
"""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from recording.session_files import read_jsonl, write_jsonl, xml_node

SOURCE = "shop-fill-basket"
TASK = "find-the-honey"
# (kind of action, type of the event, name of its target, text or keys, thought)
STEPS = [
    ("click", "click", "Search products", None, "The shop has many products, so I search."),
    ("type", "keydown", "Search products", "honey", "The search field has the focus."),
    ("press", "keydown", "Search products", "Enter", "The word is complete; Enter searches."),
    ("click", "click", "Acacia honey", None, "There is one result, Acacia honey. I open it."),
    ("click", "click", "Add to basket", None, "This is the right product; it goes in the basket."),
]


def write_alien_sample(session: Path, folder: Path) -> None:
    """Writes `folder`/trajectory.jsonl and its images from the files of one session."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "images").mkdir(parents=True)
    events = iter(read_jsonl(session / "input_events.jsonl"))
    frames = read_jsonl(session / "screenshots.jsonl")
    doms = read_jsonl(session / "dom.jsonl")
    rows = []
    for number, (kind, event_type, name, text, thought) in enumerate(STEPS, 1):
        key = "Enter" if text == "Enter" else None
        event = next(
            event
            for event in events
            if event["type"] == event_type
            and event["target"].get("name") == name
            and (key is None or event["key"] == key)
        )
        seen = max(i for i, row in enumerate(frames) if row["timestamp"] < event["timestamp"])
        image = folder / "images" / f"step_{number}.png"
        shutil.copyfile(session / frames[seen]["file"], image)
        tree = xml_node(json.loads((session / doms[seen]["file"]).read_text(encoding="utf-8")))
        x, y, width, height = event["target"]["bounds"]
        middle = [round(x + width / 2, 1), round(y + height / 2, 1)]
        action: dict[str, Any] = {
            "type": kind,
            "coordinates": [event["x"], event["y"]] if "x" in event else middle,
            "element_id": _number_elements(tree, event["target"]),
        }
        if kind == "type":
            action["text"] = text
        if kind == "press":
            action["keys"] = [text]
        rows.append(
            {
                "task_id": TASK,
                "step_id": number,
                "timestamp": round(event["timestamp"] / 1000, 3),
                "observation": {
                    "screenshot_path": f"images/{image.name}",
                    "dom_tree": ET.tostring(tree, encoding="unicode"),
                    "active_window": event["window"],
                },
                "thought_trace": thought,
                "action": action,
            }
        )
    write_jsonl(folder / "trajectory.jsonl", rows)


def _number_elements(tree: ET.Element, target: dict[str, Any]) -> int | None:
    """Numbers the nodes of a tree, and returns the number of the one that is the target."""
    found = None
    for number, node in enumerate(tree.iter(), 1):
        node.set("element_id", str(number))
        if node.tag == target["tag"] and node.get("name") == target["name"]:
            found = number
    return found
