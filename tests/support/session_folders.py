"""Small recorded sessions on disk, for tests of reading."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from PIL import Image

from schemas.traces import Trace
from transforms.ingest.find import find_sessions
from transforms.ingest.network import load_network_rules
from transforms.ingest.read import ReadLimits, read_trace

START_MS = 1_770_000_000_000
RULES = load_network_rules(None)


def event(n: int = 0, **fields: Any) -> dict[str, Any]:
    """Returns a valid event, 100 ms after the one before."""
    return {"type": "mousemove", "timestamp": START_MS + 100 * n, "x": n, "y": 5, **fields}


def png(width: int = 40, height: int = 30, mode: str = "RGB") -> bytes:
    """Returns a small PNG."""
    out = io.BytesIO()
    Image.new(mode, (width, height), 7 if mode != "RGBA" else (1, 2, 3, 0)).save(out, "PNG")
    return out.getvalue()


def write(folder: Path, files: dict[str, Any]) -> Path:
    """Writes files: bytes as they are, a dict as JSON, a list as JSON lines."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(content))
    return folder


def encoded(content: Any) -> bytes:
    """Returns a file's bytes."""
    if isinstance(content, bytes):
        return content
    if isinstance(content, list):
        rows = (r if isinstance(r, bytes) else json.dumps(r).encode() for r in content)
        return b"".join(row + b"\n" for row in rows)
    return json.dumps(content).encode()


def read(place: Path, limits: ReadLimits | None = None, **options: Any) -> Trace:
    """Finds the one session at a place and reads it."""
    (ref,) = find_sessions([str(place)], **options)
    return read_trace(ref, limits or ReadLimits(), RULES)


def read_events(tmp_path: Path, rows: Any, limits: ReadLimits | None = None) -> Trace:
    """Reads a session that has nothing but these events."""
    folder = tmp_path / "session"
    write(folder, {"input_events.jsonl": rows})
    return read(folder, limits)


def codes(trace: Trace) -> list[tuple[str, str | None, int | None]]:
    """Returns (code, file, line) of the failures."""
    return [(f.code, f.file, f.line) for f in trace.failures]


def drops(trace: Trace) -> list[tuple[str, str, str]]:
    """Returns (kind, record, reason) of what was dropped."""
    return [(d.kind, d.record, d.reason) for d in trace.dropped]
