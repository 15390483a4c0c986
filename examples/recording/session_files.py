"""Writes one recorded session in the native layout: events, network, frames, DOM snapshots."""

from __future__ import annotations

import io
import json
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

PALETTE_COLOURS = 255


@dataclass
class Snapshot:
    """What the screen showed at one moment: pixels, DOM tree and where they came from."""

    timestamp: float
    tab: str
    viewport: dict[str, Any]
    png: bytes
    dom: dict[str, Any]


@dataclass
class RecordedSession:
    """Everything that was captured of one session, before it is written."""

    record: dict[str, Any]
    events: list[dict[str, Any]] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    network: list[dict[str, Any]] = field(default_factory=list)
    truth: list[dict[str, Any]] = field(default_factory=list)
    xml_dom: bool = False
    sidecars: bool = False


def write_session(session: RecordedSession, folder: Path) -> None:
    """Replaces `folder` by the files of `session`."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "screenshots").mkdir(parents=True)
    (folder / "dom").mkdir()
    record = json.dumps(session.record, indent=2, ensure_ascii=False)
    (folder / "session.json").write_text(record + "\n", encoding="utf-8")
    write_jsonl(folder / "input_events.jsonl", session.events)
    write_jsonl(folder / "network_traffic.jsonl", session.network)
    frames: list[dict[str, Any]] = []
    doms: list[dict[str, Any]] = []
    for number, snapshot in enumerate(session.snapshots, 1):
        image = folder / "screenshots" / f"{number:04}.png"
        image.write_bytes(shrink_png(snapshot.png))
        dom = folder / "dom" / f"{number:04}.{'xml' if session.xml_dom else 'json'}"
        dom.write_text(dom_text(snapshot.dom, session.xml_dom), encoding="utf-8")
        common = {"timestamp": snapshot.timestamp, "tab": snapshot.tab}
        frames.append(
            {"file": f"screenshots/{image.name}", **common, "viewport": snapshot.viewport}
        )
        doms.append({"file": f"dom/{dom.name}", **common})
    if session.sidecars:
        for entry in frames + doms:
            path = (folder / entry["file"]).with_suffix(".json")
            path.write_text(json.dumps({**entry, "file": Path(entry["file"]).name}) + "\n")
    else:
        write_jsonl(folder / "screenshots.jsonl", frames)
        write_jsonl(folder / "dom.jsonl", doms)


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Writes one compact JSON object a line."""
    lines = (json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Reads one JSON object a line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def shrink_png(png: bytes) -> bytes:
    """Reduces a screenshot to a palette; flat interfaces lose nothing that one could see."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    out = io.BytesIO()
    image.quantize(PALETTE_COLOURS, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


def dom_text(tree: dict[str, Any], as_xml: bool) -> str:
    """Serialises a DOM tree as JSON, or as XML with the same attributes."""
    if as_xml:
        return ET.tostring(xml_node(tree), encoding="unicode") + "\n"
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":")) + "\n"


def xml_node(node: dict[str, Any]) -> ET.Element:
    """Turns a DOM tree into XML elements with the same attributes; bounds become "x,y,w,h"."""
    attributes = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in node.items()
        if name not in ("tag", "bounds", "children")
    }
    attributes["bounds"] = ",".join(f"{value:g}" for value in node["bounds"])
    element = ET.Element(node["tag"], attributes)
    element.extend(xml_node(child) for child in node.get("children", []))
    return element


def network_entries(har: Path) -> list[dict[str, Any]]:
    """Takes the entries out of a browser's HAR file, keeping the texts of JSON answers only."""
    log = json.loads(har.read_text(encoding="utf-8"))["log"]
    entries = []
    for entry in log["entries"]:
        entry = {key: value for key, value in entry.items() if not key.startswith("_")}
        for part in ("request", "response"):
            kept = entry[part].items()
            entry[part] = {key: value for key, value in kept if not key.startswith("_")}
        content = entry["response"]["content"]
        if "json" not in content.get("mimeType", ""):
            content.pop("text", None)
            content.pop("encoding", None)
        entries.append(entry)
    return sorted(entries, key=lambda entry: str(entry["startedDateTime"]))
