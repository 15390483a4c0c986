"""Reads input events: whole blocks of well-formed lines in C, all others one at a time.

The fast path decodes lines with canonical names straight into :class:`_WireEvent`, which then
becomes an ``Event``; a line that has anything else goes through
:func:`transforms.ingest.event_fields.event_of`, which knows the aliases. Both give equal events for
lines that both accept.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import force_setattr

from schemas.traces import Event
from transforms.archives import DamagedFileError
from transforms.ingest.aliases import BUTTONS, INFO_FIELDS, SORTED_MODIFIERS, fold, key_value
from transforms.ingest.event_fields import MAX_ID_LENGTH, event_of
from transforms.ingest.gathering import Gathering, LineFault, SessionFault
from transforms.ingest.records import check_values, decode_record, text_of, tidied
from transforms.ingest.times import BadTime, Clock
from transforms.json_lines import BLOCK_BYTES, LongLine, Utf8Stream, read_blocks
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
_Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID_LENGTH)]


class _WireEvent(
    Event,
    frozen=True,
    omit_defaults=True,
    kw_only=True,
    gc=False,
    forbid_unknown_fields=True,
    # Four are not on the wire; nobody uses these names.
    rename={
        "timestamp_us": "timestamp",
        **{"file": "\x7f1", "line": "\x7f2", "flags": "\x7f3", "extra": "\x7f4"},
    },
):
    """An Event whose fields have the types they have on the wire, narrower than elsewhere.

    It adds no field, so its memory is that of an Event: when its values have been made an Event's,
    it *becomes* one (:func:`_become`), which costs a sixth of making another.
    """

    id: _Id | None = None  # type: ignore[assignment]
    type: _Type
    timestamp_us: int | float | str  # type: ignore[assignment]
    file: str = ""
    line: int = 0
    button: Literal["left", "middle", "right", "back", "forward", 0, 1, 2, 3, 4] | None = None  # type: ignore[assignment]
    modifiers: tuple[Literal["Alt", "Control", "Meta", "Shift"], ...] = ()
    value: str | bool | int | float | None = None  # type: ignore[assignment]


_become = object.__dict__["__class__"].__set__
"""Makes an object an instance of a class with the same layout, also where it is frozen."""
_DECODER = msgspec.json.Decoder(_WireEvent)


_INFO_NAMES = frozenset(INFO_FIELDS.values())


class _NotFast(Exception):
    """A line that needs the slow path."""


def _needs_names(info: dict[str, Any]) -> bool:
    return any(n not in _INFO_NAMES and fold(n) in INFO_FIELDS for n in info)


_SLOW = (_NotFast, BadTime, LineFault, KeyError)
_UNDECODABLE = (msgspec.DecodeError, UnicodeError, RecursionError)


class EventReader:
    """Reads the events of one session into its Gathering; ids are made unique across files."""

    def __init__(self, gathering: Gathering, clock: Clock):
        self.gathering = gathering
        self.clock = clock
        self._ids: set[str] = set()
        self._taken: dict[str, int] = {}
        """Id → the number last tried for it, so that a thousand equal ids cost a thousand tries."""
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
                        next_line = self._read_block(name, block.first_line, block.data)
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

    def _read_block(self, file: str, first_line: int, data: bytes) -> int:
        """Reads whole lines; returns the number of the line after them."""
        if data.isspace():
            return first_line + data.count(b"\n") + 1
        lines = data.split(b"\n")
        # A block that is longer than it should be has a long line, which needs a look.
        if self._try_blocks and len(data) <= 2 * BLOCK_BYTES:
            try:
                wires = list(map(_DECODER.decode, lines))
            except _UNDECODABLE:
                wires = []
            if wires:
                self._take_block(file, first_line, lines, wires)
                return first_line + len(lines)
        slow = 0
        for number, line in enumerate(lines, first_line):
            if line and not line.isspace():
                slow += self._read_line(file, number, line)
        # A recorder with fields of its own has them on every line: whole blocks would never work.
        self._try_blocks = slow * 2 < len(lines)
        return first_line + len(lines)

    def _take_block(
        self, file: str, first_line: int, lines: list[bytes], wires: list[_WireEvent]
    ) -> None:
        events = self.gathering.events
        finish = self._finish
        slow = 0
        for index, wire in enumerate(wires):
            try:
                finish(wire, file, first_line + index)
            except _SLOW:
                slow += 1
                self._read_slowly(file, first_line + index, lines[index])
            else:
                events.append(wire)
        self.gathering.lines += len(wires) - slow

    def _read_line(self, file: str, line: int, data: bytes) -> bool:
        """Reads one line; returns whether it needed the slow path."""
        try:
            check_values(data)
            wire = _DECODER.decode(data)
            self._finish(wire, file, line)
        except (*_UNDECODABLE, *_SLOW):
            self._read_slowly(file, line, data)
            return True
        self.gathering.lines += 1
        self.gathering.events.append(wire)
        return False

    def _finish(self, wire: _WireEvent, file: str, line: int) -> None:
        """Makes a decoded line an Event; whatever raises leaves no trace behind."""
        us, flags = self.clock.read(wire.timestamp_us)
        button, value, key, info = wire.button, wire.value, wire.key, wire.additional_info
        if button is not None:
            force_setattr(wire, "button", BUTTONS[button])
        if wire.modifiers:
            force_setattr(wire, "modifiers", SORTED_MODIFIERS[wire.modifiers])
        if key is not None and (len(key) > 1 or not " " < key < "\x7f"):
            if "+" in key[:-1]:
                raise _NotFast
            force_setattr(wire, "key", key_value(key))
        if value is not None and type(value) is not str:
            force_setattr(wire, "value", text_of(value, "value"))
        if info and (tidied(info) is not info or _needs_names(info)):
            raise _NotFast
        given = wire.id
        # Of what is_id asks, the decoder has checked the length.
        if given is not None and ("@" in given or " " in given):
            raise _NotFast
        if given is not None and given not in self._ids:
            self._ids.add(given)
        else:
            force_setattr(wire, "id", self._unique_id(given, line))
            if given is not None:
                flags = (*flags, "renamed_id")
        force_setattr(wire, "timestamp_us", us)
        force_setattr(wire, "file", file)
        force_setattr(wire, "line", line)
        if flags:
            force_setattr(wire, "flags", flags)
            self.gathering.counts.update(flags)
        _become(wire, Event)

    def _unique_id(self, given: str | None, line: int) -> str:
        """Returns the id, or the first of ``id~2``, ``id~3`` … that is free."""
        if given is None:
            given = f"e{line:06d}"
            if given in self._ids and line == 1:
                # One file an event: lines say nothing.
                given = f"e{len(self._ids) + 1:06d}"
        identifier = given
        if identifier in self._ids:
            n = self._taken.get(given, 1) + 1
            while (identifier := f"{given}~{n}") in self._ids:
                n += 1
            self._taken[given] = n
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
            bad = LineFault("bad_timestamp", f"timestamp: {error}")
            self.gathering.fail_line(file, line, bad, data, length=len(data))
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
        gathering.counts.update(all_flags)
        if made.inline_dom is not None:
            gathering.inline_dom.append((event, made.inline_dom))

    def finish(self) -> None:
        """Sets aside pointer events that double mouse or touch events."""
        if not self.gathering.counts["pointer_event"]:
            return
        events = self.gathering.events
        first_hand = {e.type for e in events if "pointer_event" not in e.flags}
        for index, event in enumerate(events):
            if "pointer_event" in event.flags and event.type in first_hand:
                events[index] = msgspec.structs.replace(
                    event, type="unknown", flags=(*event.flags, "doubled_event")
                )
                self.gathering.counts["doubled_event"] += 1
