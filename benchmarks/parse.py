"""Compares reading input events with json + pydantic: the same lines, both sides in one run.

Run ``python -m benchmarks.parse``. Ours is all of what ReadTraces does with a line (bounded
reading, decoding, validation, times, unique ids, Event objects); the peers only decode and validate
against an equal schema. Rounds alternate and the best of each side counts; the time of garbage
collection is part of every figure.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydantic

from schemas.traces import SessionRef
from transforms.ingest.event_lines import EventReader
from transforms.ingest.gathering import Gathering, ReadLimits
from transforms.ingest.times import Clock
from transforms.listings import list_folder
from transforms.session_files import FolderFiles

FILE = "input_events.jsonl"


class PydanticTarget(pydantic.BaseModel):
    """The element an event went to."""

    tag: str | None = None
    id: str | None = None
    name: str | None = None
    role: str | None = None
    label: str | None = None
    text: str | None = None
    input_type: str | None = None
    autocomplete: str | None = None
    selector: str | None = None
    bounds: tuple[float, float, float, float] | None = None


class PydanticViewport(pydantic.BaseModel):
    """Size of the viewport."""

    width: float
    height: float
    device_pixel_ratio: float = 1.0


class PydanticTouch(pydantic.BaseModel):
    """One finger."""

    id: int
    x: float
    y: float


class PydanticEvent(pydantic.BaseModel):
    """The same fields as ``schemas.traces.Event`` has on the wire."""

    type: str
    timestamp: int | float | str
    id: str | None = None
    tab: str | None = None
    url: str | None = None
    window: str | None = None
    target: PydanticTarget | None = None
    viewport: PydanticViewport | None = None
    x: float | None = None
    y: float | None = None
    button: str | int | None = None
    buttons: int | None = None
    delta_x: float | None = None
    delta_y: float | None = None
    key: str | None = None
    code: str | None = None
    modifiers: tuple[str, ...] = ()
    text: str | None = None
    value: str | bool | int | float | None = None
    touches: tuple[PydanticTouch, ...] = ()
    additional_info: dict[str, Any] = {}


def lines(count: int, seed: int = 7) -> Iterator[dict[str, Any]]:
    """Yields events in the mix of a browser recording."""
    draw = random.Random(seed)
    now_ms = 1_795_499_688_506.5
    for n in range(count):
        now_ms += draw.uniform(8, 160)
        kind = draw.choices(
            ["mousemove", "keydown", "keyup", "input", "mousedown", "mouseup", "click", "wheel"],
            [28, 18, 18, 16, 5, 5, 5, 5],
        )[0]
        event: dict[str, Any] = {
            "id": f"e{n + 1:06d}",
            "type": kind,
            "timestamp": round(now_ms, 1),
            "tab": f"tab-{draw.randint(1, 3)}",
            "url": f"https://mail.example.org/inbox/{draw.randint(1, 40)}?view=list",
            "window": "Inbox (3) – Postbox",
            "viewport": {"width": 1280, "height": 720, "device_pixel_ratio": 1},
        }
        if kind not in ("keydown", "keyup", "input"):
            event.update(x=draw.randint(0, 1279), y=draw.randint(0, 719), buttons=0, modifiers=[])
        if kind != "mousemove":
            event["target"] = {
                "tag": "input",
                "id": f"field-{draw.randint(1, 20)}",
                "role": "textbox",
                "name": "Subject",
                "label": "Subject",
                "input_type": "text",
                "selector": "#compose > form > input:nth-of-type(2)",
                "bounds": [120.5, 88, 640, 32.4],
            }
        if kind in ("keydown", "keyup"):
            letter = draw.choice("abcdefghijklmnopqrstuvwxyz")
            event.update(key=letter, code=f"Key{letter.upper()}", modifiers=[])
        elif kind == "input":
            event.update(value="Budget for the spring fair"[: draw.randint(1, 26)], text="r")
        elif kind == "wheel":
            event.update(delta_x=0, delta_y=80)
        yield event


def ours(folder: Path) -> Callable[[], int]:
    """Returns a call that reads the file as ReadTraces does."""

    def call() -> int:
        files = FolderFiles(str(folder), list_folder(str(folder)))
        ref = SessionRef("benchmark", str(folder), "native", 0, "")
        gathering = Gathering(ref, ReadLimits())
        reader = EventReader(gathering, Clock())
        reader.read_file(files, FILE)
        reader.finish()
        assert not gathering.failures, gathering.failures[:1]
        return len(gathering.events)

    return call


def validate_python(folder: Path) -> Callable[[], int]:
    """Returns a call that reads the file with json.loads and pydantic."""
    adapter = pydantic.TypeAdapter(PydanticEvent)

    def call() -> int:
        with open(folder / FILE, "rb") as f:
            return len([adapter.validate_python(json.loads(line)) for line in f])

    return call


def validate_json(folder: Path) -> Callable[[], int]:
    """Returns a call that reads the file with pydantic's own JSON parser."""
    adapter = pydantic.TypeAdapter(PydanticEvent)

    def call() -> int:
        with open(folder / FILE, "rb") as f:
            return len([adapter.validate_json(line) for line in f])

    return call


def main() -> None:
    """Prints MB/s of each side and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        plain, other = Path(root, "plain"), Path(root, "other")
        for folder in (plain, other):
            folder.mkdir()
        with open(plain / FILE, "w") as f, open(other / FILE, "w") as g:
            for event in lines(given.events):
                f.write(json.dumps(event, separators=(",", ":")) + "\n")
                event["event_type"] = event.pop("type").replace("mouse", "mouse_")
                event["sequence"] = 1
                g.write(json.dumps(event, separators=(",", ":")) + "\n")
        sides = {
            "tracemill": (ours(plain), plain),
            "json.loads + pydantic validate_python": (validate_python(plain), plain),
            "pydantic validate_json": (validate_json(plain), plain),
            "tracemill, other names and extra fields": (ours(other), other),
        }
        best = dict.fromkeys(sides, float("inf"))
        for _ in range(given.rounds):
            for name, (call, _) in sides.items():
                started = time.process_time()
                count = call()
                best[name] = min(best[name], time.process_time() - started)
                assert count == given.events
        for name, (_, folder) in sides.items():
            size = (folder / FILE).stat().st_size
            print(
                f"{name:42} {size / best[name] / 1e6:7.1f} MB/s "
                f"{best[name] / given.events * 1e6:6.2f} µs/event "
                f"{best[name] / best['tracemill']:5.2f}x our time"
            )


if __name__ == "__main__":
    main()
