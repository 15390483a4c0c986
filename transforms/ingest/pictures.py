"""Reads which screenshots and DOM snapshots a session has, and when each was taken.

The time of a file comes from, in this order: an index (``screenshots.jsonl``), a sidecar
(``0001.json`` beside ``0001.png``), an event that names it, its own name. A file without a time is
an orphan and is dropped; nothing is decoded here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from schemas.traces import DomSnapshot, Event, Frame, Viewport
from transforms.archives import DamagedFileError
from transforms.images import ImageDefect, ImageInfo, probe_image
from transforms.ingest.aliases import FIELD_ALIASES, FILE_FIELDS, fold
from transforms.ingest.gathering import Gathering, LineFault, ReadLimits
from transforms.ingest.records import decode_record, viewport_of
from transforms.ingest.times import BadTime, Clock
from transforms.json_lines import LongLine, Utf8Stream, read_blocks, without_mark
from transforms.listings import UnsafePathError, resolve_inside
from transforms.session_files import SessionFiles

READ_THREADS = 8
DOM_FORMATS = {".xml": "xml", ".html": "html", ".htm": "html", ".xhtml": "html", ".json": "json"}


class Taken(msgspec.Struct, frozen=True):
    """When and where a file was taken."""

    timestamp_us: int
    tab: str | None = None
    viewport: Viewport | None = None


class SideKind(msgspec.Struct, frozen=True):
    """What distinguishes screenshots from DOM snapshots."""

    kind: str
    folder: str
    event: str
    fields: tuple[str, ...] = ()
    """Where events of other types name such a file."""


FRAMES = SideKind(
    "frame", "screenshots", "screenshot", ("screenshot", "screenshot_path", "screenshot_file")
)
SNAPSHOTS = SideKind("dom", "dom", "dom")


def read_frames(files: SessionFiles, gathering: Gathering, clock: Clock) -> None:
    """Adds the session's screenshots to its gathering, sorted by time."""
    names = [
        n
        for n in files.names()
        if n.startswith("screenshots/") and not n.lower().endswith((".json", ".jsonl"))
    ]
    timed = _timed(files, gathering, clock, FRAMES, names)
    gathering.frames.extend(frames_of(files, gathering, timed))
    gathering.frames.sort(key=lambda f: (f.timestamp_us, f.file))


def frames_of(
    files: SessionFiles, gathering: Gathering, timed: list[tuple[str, Taken]]
) -> Iterator[Frame]:
    """Yields a Frame for every file that is a picture; the others are dropped with a reason."""
    seen: set[tuple[str, int, str | None]] = set()
    probed = _probed(files, gathering, sorted({name for name, _ in timed}))
    for name, taken in timed:
        info = probed[name]
        if info is None:
            continue
        key = (name, taken.timestamp_us, taken.tab)
        if key in seen:
            gathering.drop("frame", name, "duplicate")
            continue
        seen.add(key)
        yield Frame(
            file=name,
            timestamp_us=taken.timestamp_us,
            width=info.width,
            height=info.height,
            format=info.format,
            size_bytes=files.size(name),
            tab=taken.tab,
            viewport=taken.viewport,
        )


def _probed(
    files: SessionFiles, gathering: Gathering, names: list[str]
) -> dict[str, ImageInfo | None]:
    if files.is_local or len(names) < 2:
        return {name: probe_file(files, gathering, name) for name in names}
    # Every picture costs a request; object stores answer many at once.
    with ThreadPoolExecutor(READ_THREADS) as pool:
        outcomes = pool.map(lambda name: _info_or_code(files, gathering.limits, name), names)
        return {n: _accounted(gathering, n, o) for n, o in zip(names, outcomes)}


def probe_file(files: SessionFiles, gathering: Gathering, name: str) -> ImageInfo | None:
    """Returns what a picture's header says, or drops it with the reason and returns None."""
    return _accounted(gathering, name, _info_or_code(files, gathering.limits, name))


def _info_or_code(files: SessionFiles, limits: ReadLimits, name: str) -> ImageInfo | str:
    try:
        if files.size(name) > limits.max_frame_bytes:
            return "too_large"
        return probe_image(files.read(name, limits.max_frame_bytes), limits.max_frame_pixels)
    except (ImageDefect, DamagedFileError, UnsafePathError) as error:
        return error.code


def _accounted(gathering: Gathering, name: str, outcome: ImageInfo | str) -> ImageInfo | None:
    if isinstance(outcome, ImageInfo):
        return outcome
    gathering.drop("frame", name, outcome)
    return None


def read_snapshots(files: SessionFiles, gathering: Gathering, clock: Clock) -> None:
    """Adds the session's DOM snapshots to its gathering, sorted by time."""
    names = [n for n in files.names() if n.startswith("dom/") and _format_of(n)]
    stems = {n.rpartition(".")[0] for n in names if not n.lower().endswith(".json")}
    # A .json beside an .xml or .html of the same stem is its sidecar, alone it is a snapshot.
    names = [
        n for n in names if not (n.lower().endswith(".json") and n.rpartition(".")[0] in stems)
    ]
    limits = gathering.limits
    seen: set[tuple[str, int]] = set()
    for name, taken in _timed(files, gathering, clock, SNAPSHOTS, names):
        size = files.size(name)
        if (name, taken.timestamp_us) in seen:
            gathering.drop("dom", name, "duplicate")
        elif size > limits.max_dom_bytes or not files.fits(name, limits.max_dom_bytes):
            gathering.drop("dom", name, "too_large")
        elif size == 0:
            gathering.drop("dom", name, "zero_bytes")
        else:
            seen.add((name, taken.timestamp_us))
            gathering.dom.append(
                DomSnapshot(
                    file=name,
                    timestamp_us=taken.timestamp_us,
                    format=_format_of(name) or "xml",
                    size_bytes=size,
                    tab=taken.tab,
                )
            )
    for event, text in gathering.inline_dom:
        add_inline(gathering, event, text)
    gathering.dom.sort(key=lambda d: (d.timestamp_us, d.file))


def add_inline(gathering: Gathering, event: Event, text: str, event_id: str | None = None) -> None:
    """Adds a snapshot that lies in the event itself; ``event_id`` where it is the event's own."""
    size = len(text.encode("utf-8", "replace"))
    name = f"{event.file}#{event.line}"
    if size > gathering.limits.max_dom_bytes:
        gathering.drop("dom", name, "too_large")
        return
    start = text.lstrip()[:64].lower()
    if start.startswith(("{", "[")):
        format = "json"
    else:
        format = "html" if start.startswith(("<!doctype html", "<html")) else "xml"
    gathering.dom.append(
        DomSnapshot(
            file=name,
            timestamp_us=event.timestamp_us,
            format=format,
            size_bytes=size,
            tab=event.tab,
            event_id=event_id,
            inline=text,
        )
    )


def _format_of(name: str) -> str | None:
    stem, dot, suffix = name.lower().rpartition(".")
    return DOM_FORMATS.get(dot + suffix) if stem else None


def _timed(
    files: SessionFiles, gathering: Gathering, clock: Clock, kind: SideKind, names: list[str]
) -> list[tuple[str, Taken]]:
    """Returns (file, when taken) for all files of a kind; orphans and strays are accounted for."""
    found: dict[str, list[Taken]] = {}
    for index in _index_names(files, kind):
        for name, taken in _index_entries(files, gathering, clock, kind, index):
            found.setdefault(name, []).append(taken)
    indexed = set(found)
    for event in gathering.events:
        # A click may name the picture that was taken with it: it shows what came of it, maybe.
        names_of = FILE_FIELDS if event.type == kind.event else kind.fields
        named = _named_by(event, names_of, files, gathering, kind)
        if named is not None and named not in indexed:
            taken = Taken(event.timestamp_us, event.tab, event.viewport)
            found.setdefault(named, []).append(taken)
    for name in names:
        if name not in indexed and (sidecar := _sidecar(files, gathering, clock, name)):
            found[name] = [sidecar]
        elif name not in found:
            us = clock.read_name(name.rpartition("/")[2].rpartition(".")[0])
            if us is not None:
                found[name] = [Taken(us)]
            else:
                gathering.drop(kind.kind, name, "orphan")
    return [(name, taken) for name in sorted(found) for taken in found[name]]


def _index_names(files: SessionFiles, kind: SideKind) -> list[str]:
    places = (
        f"{kind.folder}.jsonl",
        f"{kind.folder}/{kind.folder}.jsonl",
        f"{kind.folder}/index.jsonl",
    )
    return [place for place in places if place in files]


def _index_entries(
    files: SessionFiles, gathering: Gathering, clock: Clock, kind: SideKind, index: str
) -> Iterator[tuple[str, Taken]]:
    number = 0
    try:
        with files.open(index) as raw:
            for block in read_blocks(Utf8Stream(raw), gathering.limits.max_record_bytes):  # type: ignore[arg-type]
                if isinstance(block, LongLine):
                    fault = LineFault("line_too_long", "the line is too long for an index")
                    _fail(gathering, index, block.line, fault, block.head)
                    continue
                for number, line in enumerate(block.data.split(b"\n"), block.first_line):
                    if line and not line.isspace():
                        try:
                            record, _ = decode_record(line)
                            name = _file_of(record, files, gathering, kind)
                            if name:
                                yield name, _taken(record, clock)
                        except LineFault as fault:
                            _fail(gathering, index, number, fault, line)
    except DamagedFileError as error:
        gathering.fail(error.code, str(error), file=index, line=number + 1)


def _fail(gathering: Gathering, file: str, line: int, fault: LineFault, text: bytes) -> None:
    gathering.fail(
        fault.code,
        str(fault),
        file=file,
        line=line,
        column=fault.column,
        text=text,
        length=len(text),
    )


def _taken(record: dict[str, Any], clock: Clock) -> Taken:
    fields: dict[str, Any] = {}
    for name, value in record.items():
        field = FIELD_ALIASES.get(fold(name))
        if field in ("timestamp", "tab", "viewport") and value is not None:
            fields.setdefault(field, value)
    if "timestamp" not in fields:
        raise LineFault("missing_field", "timestamp: the field is missing")
    try:
        us, _ = clock.read(fields["timestamp"])
    except BadTime as error:
        raise LineFault("bad_timestamp", f"timestamp: {error}") from None
    tab = fields.get("tab")
    return Taken(
        us,
        str(tab) if isinstance(tab, str | int) else None,
        viewport_of(fields["viewport"]) if "viewport" in fields else None,
    )


def _file_of(
    record: dict[str, Any], files: SessionFiles, gathering: Gathering, kind: SideKind
) -> str | None:
    given = next((record[f] for f in FILE_FIELDS if isinstance(record.get(f), str)), None)
    if given is None:
        raise LineFault("missing_field", "file: the field is missing")
    return _inside(given, files, gathering, kind)


def _named_by(
    event: Event,
    fields: tuple[str, ...],
    files: SessionFiles,
    gathering: Gathering,
    kind: SideKind,
) -> str | None:
    for place in (event.extra, event.additional_info):
        for field in fields:
            if isinstance(place.get(field), str):
                return _inside(place[field], files, gathering, kind)
    return None


def _inside(given: str, files: SessionFiles, gathering: Gathering, kind: SideKind) -> str | None:
    """Returns the file that a name in an index or event means, or accounts for its absence."""
    try:
        name = resolve_inside(given)
    except UnsafePathError as error:
        gathering.drop(kind.kind, given, error.code)
        return None
    for candidate in (name, f"{kind.folder}/{name}"):
        if candidate in files:
            return candidate
        if candidate in files.refused:
            gathering.drop(kind.kind, candidate, files.refused[candidate])
            return None
    gathering.counts[f"missing_{kind.kind}_files"] += 1
    return None


def _sidecar(files: SessionFiles, gathering: Gathering, clock: Clock, name: str) -> Taken | None:
    sidecar = next(
        (s for s in (name.rpartition(".")[0] + ".json", name + ".json") if s in files), None
    )
    if sidecar is None or sidecar == name:
        return None
    found = record_of(files, gathering, clock, sidecar)
    return found[1] if found else None


def record_of(
    files: SessionFiles, gathering: Gathering, clock: Clock, name: str
) -> tuple[dict[str, Any], Taken] | None:
    """Reads a small JSON file that says when a picture was taken; a bad one is a failure."""
    data = b""
    try:
        data = without_mark(files.read(name, gathering.limits.max_record_bytes))
        record, _ = decode_record(data)
        return record, _taken(record, clock)
    except DamagedFileError as error:
        gathering.fail(error.code, str(error), file=name)
    except LineFault as fault:
        _fail(gathering, name, 1, fault, data)
    return None


def file_beside(
    files: SessionFiles,
    gathering: Gathering,
    name: str,
    record: dict[str, Any],
    kind: SideKind,
    others: Sequence[str],
) -> str | None:
    """Returns the picture that a JSON file describes: by its stem, the record, or as neighbour.

    ``others`` are the files beside or below it that are no JSON.
    """
    folder, _, base = name.rpartition("/")
    stem = base.removesuffix(".json")
    named = next((record[f] for f in FILE_FIELDS if isinstance(record.get(f), str)), None)
    if named is not None:
        try:
            resolved = resolve_inside(named)
        except UnsafePathError as error:
            gathering.drop(kind.kind, named, error.code)
            return None
        for candidate in (f"{folder}/{resolved}", resolved):
            if candidate in files:
                return candidate
    for other in others:
        if other.rpartition("/")[2].rpartition(".")[0] == stem:
            return other
    if len(others) == 1:
        return others[0]
    gathering.counts[f"missing_{kind.kind}_files"] += 1
    return None
