"""Reads the layout of one file an event: ``input/<time>-<id>.json`` and ``screenshot/<time>/``.

The time of an event or frame is in its JSON, never in a name; names only give the order in which
files are read.
"""

from __future__ import annotations

from transforms.archives import DamagedFileError
from transforms.ingest.event_lines import EventReader
from transforms.ingest.gathering import Gathering, LineFault
from transforms.ingest.layouts import ancestors
from transforms.ingest.pictures import FRAMES, Taken, file_beside, frames_of, record_of
from transforms.ingest.times import Clock
from transforms.json_lines import without_mark
from transforms.session_files import SessionFiles


def read_event_files(files: SessionFiles, gathering: Gathering, clock: Clock) -> None:
    """Reads every ``input/*.json``; each counts as one line of the ledger."""
    reader = EventReader(gathering, clock)
    for name in files.names():
        if not name.startswith("input/") or not name.endswith(".json"):
            continue
        limit = gathering.limits.max_line_bytes
        try:
            data = without_mark(files.read(name, limit))
        except DamagedFileError as error:
            code = "line_too_long" if error.code == "too_large" else error.code
            gathering.fail_line(name, 1, LineFault(code, str(error)), b"")
            continue
        reader.read_record(name, data)
    reader.finish()


def read_screenshot_files(files: SessionFiles, gathering: Gathering, clock: Clock) -> None:
    """Reads every ``screenshot/<time>/<uuid>.json`` and the picture beside it."""
    timed: list[tuple[str, Taken]] = []
    claimed: set[str] = set()
    names = [n for n in files.names() if n.startswith("screenshot/")]
    beside: dict[str, list[str]] = {}
    for name in names:
        if not name.endswith(".json"):
            for folder in ancestors(name):
                beside.setdefault(folder, []).append(name)
    for name in names:
        if not name.endswith(".json"):
            continue
        found = record_of(files, gathering, clock, name)
        if found is None:
            continue
        record, taken = found
        others = beside.get(name.rpartition("/")[0], ())
        picture = file_beside(files, gathering, name, record, FRAMES, others)
        if picture is not None:
            claimed.add(picture)
            timed.append((picture, taken))
    for name in names:
        if not name.endswith(".json") and name not in claimed:
            gathering.drop("frame", name, "orphan")
    gathering.frames.extend(frames_of(files, gathering, timed))
    gathering.frames.sort(key=lambda f: (f.timestamp_us, f.file))
