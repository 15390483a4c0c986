"""Reads input events: whole blocks of well-formed lines in C, all others one at a time.

The fast path decodes lines with canonical names straight into :class:`_WireEvent` and converts
those to ``Event``; a line that has anything else goes through
:func:`transforms.ingest.event_fields.event_of`, which knows the aliases. Both give equal events for
lines that both accept.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from schemas.traces import Event, Target
from transforms.archives import DamagedFileError
from transforms.ingest.aliases import BUTTONS, KEYS, SORTED_MODIFIERS
from transforms.ingest.event_fields import (
    MAX_COORDINATE,
    MAX_ID_LENGTH,
    decode_record,
    event_of,
    text_of,
    tidied,
)
from transforms.ingest.gathering import Gathering, LineFault, SessionFault
from transforms.ingest.times import BadTime, Clock
from transforms.json_lines import LongLine, Utf8Stream, read_blocks
from transforms.session_files import SessionFiles

_Type = Literal[
    "keydown",
    "keyup",
    "input",
    "paste",
    "compositionstart",
    "compositionend",
    "mousedown",
    "mouseup",
    "mousemove",
    "click",
    "dblclick",
    "auxclick",
    "contextmenu",
    "wheel",
    "scroll",
    "dragstart",
    "drop",
    "touchstart",
    "touchmove",
    "touchend",
    "touchcancel",
    "focus",
    "blur",
    "change",
    "submit",
    "navigation",
    "tabswitch",
]
"""The event types without ``screenshot``, ``dom`` and ``unknown``, which need a closer look."""
_Number = Annotated[float, Meta(ge=-MAX_COORDINATE, le=MAX_COORDINATE)]
_Buttons = Annotated[int, Meta(ge=0, le=0xFFFF)]
_Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID_LENGTH)]


class _WireTarget(Target, frozen=True, forbid_unknown_fields=True, kw_only=True):
    bounds: tuple[_Number, _Number, _Number, _Number] | None = None


class _WireViewport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    width: Annotated[float, Meta(gt=0, le=MAX_COORDINATE)]
    height: Annotated[float, Meta(gt=0, le=MAX_COORDINATE)]
    device_pixel_ratio: Annotated[float, Meta(gt=0, le=100)] = 1.0


class _WireTouch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: Annotated[int, Meta(ge=-(1 << 62), le=1 << 62)]
    x: _Number
    y: _Number


class _WireEvent(
    msgspec.Struct,
    forbid_unknown_fields=True,
    kw_only=True,
    # Three are not on the wire: nobody uses these names, and the values are always set.
    rename={"timestamp_us": "timestamp", "file": "\x7f1", "line": "\x7f2", "flags": "\x7f3"},
):
    type: _Type
    timestamp_us: int | float | str
    file: str = ""
    line: int = 0
    flags: tuple[str, ...] = ()
    id: _Id | None = None
    tab: str | None = None
    url: str | None = None
    window: str | None = None
    target: _WireTarget | None = None
    viewport: _WireViewport | None = None
    x: _Number | None = None
    y: _Number | None = None
    button: Literal["left", "middle", "right", "back", "forward", 0, 1, 2, 3, 4] | None = None
    buttons: _Buttons | None = None
    delta_x: _Number | None = None
    delta_y: _Number | None = None
    key: str | None = None
    code: str | None = None
    modifiers: tuple[Literal["Alt", "Control", "Meta", "Shift"], ...] = ()
    text: str | None = None
    value: str | bool | int | float | None = None
    touches: tuple[_WireTouch, ...] = ()
    additional_info: dict[str, Any] = msgspec.field(default_factory=dict)


_DECODER = msgspec.json.Decoder(_WireEvent)


class _NotFast(Exception):
    """A line that needs the slow path."""


_SLOW = (_NotFast, BadTime, LineFault, KeyError)


class EventReader:
    """Reads the events of one session into its Gathering; ids are made unique across files."""

    def __init__(self, gathering: Gathering, clock: Clock):
        self.gathering = gathering
        self.clock = clock
        self._ids: set[str] = set()
        self._try_blocks = True

    def read_file(self, files: SessionFiles, name: str) -> None:
        """Reads a JSON-lines file; SessionFault when it ends in damage that hides how much."""
        next_line = 1
        with files.open(name) as raw:
            try:
                stream = Utf8Stream(raw)
                for block in read_blocks(stream, self.gathering.limits.max_line_bytes):  # type: ignore[arg-type]
                    if isinstance(block, LongLine):
                        self._fail_long_line(name, block)
                        next_line = block.line + 1
                    else:
                        self._read_block(name, block.first_line, block.data)
                        next_line = block.first_line + block.data.count(b"\n") + 1
            except DamagedFileError as error:
                if error.code in ("decompression_bomb", "too_large"):
                    raise SessionFault(error.code, str(error), name) from None
                # What came before the damage is good; the rest is one line that failed.
                fault = LineFault(error.code, str(error))
                self.gathering.fail_line(name, next_line, fault, b"")

    def read_record(self, name: str, data: bytes) -> None:
        """Reads a file that holds one event."""
        self._read_line(name, 1, data)

    def _fail_long_line(self, name: str, long: LongLine) -> None:
        limit = self.gathering.limits.max_line_bytes
        fault = LineFault("line_too_long", f"the line has more than {limit} bytes")
        self.gathering.fail_line(name, long.line, fault, long.head, length=long.length)

    def _read_block(self, file: str, first_line: int, data: bytes) -> None:
        if self._try_blocks and (wires := _decoded_block(data)) is not None:
            self._take_block(file, first_line, data, wires)
            return
        slow = 0
        lines = data.split(b"\n")
        for number, line in enumerate(lines, first_line):
            if not line or line.isspace():
                continue
            slow += self._read_line(file, number, line)
        # A recorder with fields of its own has them on every line: whole blocks would never work.
        self._try_blocks = slow * 2 < len(lines)

    def _take_block(self, file: str, first_line: int, data: bytes, wires: list[_WireEvent]) -> None:
        events = self.gathering.events
        lines: list[bytes] = []
        start = 0
        for index, wire in enumerate(wires):
            try:
                self._finish(wire, file, first_line + index)
            except _SLOW:
                # In order, because ids are made unique in the order of the lines.
                events.extend(
                    msgspec.convert(wires[start:index], list[Event], from_attributes=True)
                )
                self.gathering.lines += index - start
                lines = lines or data.split(b"\n")
                self._read_slowly(file, first_line + index, lines[index])
                start = index + 1
        events.extend(msgspec.convert(wires[start:], list[Event], from_attributes=True))
        self.gathering.lines += len(wires) - start

    def _read_line(self, file: str, line: int, data: bytes) -> bool:
        """Reads one line; returns whether it needed the slow path."""
        try:
            wire = _DECODER.decode(data)
            self._finish(wire, file, line)
        except (msgspec.DecodeError, UnicodeError, RecursionError, *_SLOW):
            self._read_slowly(file, line, data)
            return True
        self.gathering.lines += 1
        self.gathering.events.append(msgspec.convert(wire, Event, from_attributes=True))
        return False

    def _finish(self, wire: _WireEvent, file: str, line: int) -> None:
        """Fills in what the line does not say; whatever raises leaves no trace behind."""
        us, flags = self.clock.read(wire.timestamp_us)
        if wire.button is not None:
            wire.button = BUTTONS[wire.button]  # type: ignore[assignment]
        if wire.modifiers:
            wire.modifiers = SORTED_MODIFIERS[wire.modifiers]  # type: ignore[assignment]
        if wire.key is not None:
            wire.key = KEYS.get(wire.key, wire.key)
        if wire.value is not None and type(wire.value) is not str:
            wire.value = text_of(wire.value, "value")
        if wire.additional_info and tidied(wire.additional_info) is not wire.additional_info:
            raise _NotFast
        given = wire.id
        wire.id = self._unique_id(given, line)
        if given is not None and wire.id is not given:
            flags = (*flags, "renamed_id")
        wire.timestamp_us = us
        wire.flags = flags
        wire.file = file
        wire.line = line

    def _unique_id(self, given: str | None, line: int) -> str:
        """Returns the id, or the first of ``id~2``, ``id~3`` … that is free."""
        if given is None:
            given = f"e{line:06d}"
            if given in self._ids and line == 1:
                # One file an event: lines say nothing.
                given = f"e{len(self._ids) + 1:06d}"
        identifier = given
        if identifier in self._ids:
            n = 2
            while (identifier := f"{given}~{n}") in self._ids:
                n += 1
            self.gathering.counts["renamed_ids"] += 1
        self._ids.add(identifier)
        return identifier

    def _read_slowly(self, file: str, line: int, data: bytes) -> None:
        try:
            record, flags = decode_record(data)
            made = event_of(record, self.clock)
        except LineFault as fault:
            self.gathering.fail_line(file, line, fault, data, length=len(data))
            return
        except BadTime as error:
            fault = LineFault("bad_timestamp", f"timestamp: {error}")
            self.gathering.fail_line(file, line, fault, data, length=len(data))
            return
        given = made.fields.pop("id", None)
        identifier = self._unique_id(given, line)
        all_flags = [*made.flags, *flags]
        if given is not None and identifier != given:
            all_flags.append("renamed_id")
        event = Event(id=identifier, file=file, line=line, flags=tuple(all_flags), **made.fields)
        gathering = self.gathering
        gathering.lines += 1
        gathering.events.append(event)
        if made.pointer:
            gathering.counts["pointer_events"] += 1
        if made.inline_dom is not None:
            gathering.inline_dom.append((event, made.inline_dom))

    def finish(self) -> None:
        """Counts flags; sets aside pointer events that double mouse or touch events."""
        gathering = self.gathering
        if gathering.counts.pop("pointer_events", 0):
            self._set_doubles_aside()
        for event in gathering.events:
            for flag in event.flags:
                gathering.counts[flag] += 1

    def _set_doubles_aside(self) -> None:
        events = self.gathering.events
        first_hand = {e.type for e in events if "pointer_event" not in e.flags}
        for index, event in enumerate(events):
            if "pointer_event" in event.flags and event.type in first_hand:
                events[index] = msgspec.structs.replace(
                    event, type="unknown", flags=(*event.flags, "doubled_event")
                )


def _decoded_block(data: bytes) -> list[_WireEvent] | None:
    """Decodes a block if it is exactly one object a line, else returns None."""
    breaks = data.count(b"\n")
    # Every newline lies between two objects, and there are as many objects as lines: so no line
    # holds two, none is blank and none continues on the next.
    if data.count(b"}\n{") != breaks and data.count(b"}\r\n{") != breaks:
        return None
    try:
        wires = _DECODER.decode_lines(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return wires if len(wires) == breaks + 1 else None
