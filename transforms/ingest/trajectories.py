"""Reads trajectories (``trajectory.jsonl`` and ``images/``): recorded steps become events.

Each line is one step {task_id, step_id, timestamp, observation {screenshot_path, dom_tree,
active_window}, thought_trace, action {type, coordinates, element_id}}. It becomes one event of the
matching type; its screenshot and DOM tree are that event's own observation, because the recorder
paired them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.traces import Event, Frame, GivenStep, Viewport
from transforms.archives import DamagedFileError
from transforms.images import ImageInfo
from transforms.ingest.aliases import KEYS, MODIFIERS, fold
from transforms.ingest.gathering import Gathering, LineFault, SessionFault
from transforms.ingest.pictures import add_inline, probe_file
from transforms.ingest.records import (
    bounds_of,
    decode_record,
    number_of,
    text_of,
    tidied,
    viewport_of,
)
from transforms.ingest.times import BadTime, Clock
from transforms.json_lines import LongLine, Utf8Stream, read_blocks
from transforms.listings import UnsafePathError, resolve_inside
from transforms.session_files import SessionFiles

ACTION_EVENTS: dict[str, tuple[str, str | None]] = {
    name: (event, button)
    for names, event, button in (
        ("click leftclick singleclick", "click", "left"),
        ("doubleclick dblclick leftdouble", "dblclick", "left"),
        ("rightclick rightsingle contextmenu", "contextmenu", "right"),
        ("middleclick auxclick", "auxclick", "middle"),
        ("scroll wheel", "wheel", None),
        ("type input settext typetext write fill", "input", None),
        ("press key keypress hotkey keydown", "keydown", None),
        ("navigate goto openurl navigation", "navigation", None),
        ("switchtab tabswitch", "tabswitch", None),
        ("paste", "paste", None),
        ("mousemove hover move", "mousemove", None),
        # No single event is these; the name stays in additional_info.type.
        ("tripleclick drag leftclickdrag dragto", "unknown", "left"),
        ("tap longpress swipe pinch select selectoption wait sleep", "unknown", None),
        ("answer done fail finish finished stop terminate plan evaluate", "unknown", None),
    )
    for name in names.split()
}
"""Folded action type → (event type, button)."""
_WITH_TEXT = ("input", "paste", "unknown")
_DIRECTIONS = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}
_NOTCH_PX = 100.0
_MOST_NOTCHES = 30
"""An amount of scrolling up to this counts notches; larger ones are pixels."""
_POINT_FIELDS = (
    "coordinates", "coordinate", "start", "start_coordinates", "start_coordinate",
    "path", "end", "end_coordinates", "end_coordinate", "coordinate2",
)  # fmt: skip


def read_trajectory(files: SessionFiles, name: str, gathering: Gathering, clock: Clock) -> None:
    """Reads a trajectory file into events, frames, DOM snapshots and given steps."""
    _TrajectoryReader(files, name, gathering, clock).read()


class _TrajectoryReader:
    def __init__(self, files: SessionFiles, name: str, gathering: Gathering, clock: Clock):
        self.files = files
        self.name = name
        self.gathering = gathering
        self.clock = clock
        self._ids: set[str] = set()
        self._probed: dict[str, ImageInfo | None] = {}

    def read(self) -> None:
        next_line = 1
        limit = self.gathering.limits.max_line_bytes
        try:
            with self.files.open(self.name) as raw:
                for block in read_blocks(Utf8Stream(raw), limit):  # type: ignore[arg-type]
                    if isinstance(block, LongLine):
                        fault = LineFault("line_too_long", f"the line has more than {limit} bytes")
                        self.gathering.fail_line(
                            self.name, block.line, fault, block.head, length=block.length
                        )
                        next_line = block.line + 1
                        continue
                    for number, line in enumerate(block.data.split(b"\n"), block.first_line):
                        next_line = number + 1
                        if line and not line.isspace():
                            self._read_line(number, line)
        except DamagedFileError as error:
            if error.code in ("decompression_bomb", "too_large"):
                raise SessionFault(error.code, str(error), self.name) from None
            fault = LineFault(error.code, str(error))
            self.gathering.fail_line(self.name, next_line, fault, b"")

    def _read_line(self, line: int, data: bytes) -> None:
        try:
            record, flags = decode_record(data)
            self._take(line, record, flags)
        except LineFault as fault:
            self.gathering.fail_line(self.name, line, fault, data, length=len(data))
        except BadTime as error:
            bad = LineFault("bad_timestamp", f"timestamp: {error}")
            self.gathering.fail_line(self.name, line, bad, data, length=len(data))

    def _take(self, line: int, record: dict[str, Any], flags: tuple[str, ...]) -> None:
        action = record.pop("action", None)
        if not isinstance(action, dict):
            code = "missing_field" if action is None else "bad_type"
            raise LineFault(code, "action: expected an object")
        if record.get("timestamp") is None:
            raise LineFault("missing_field", "timestamp: the field is missing")
        us, time_flags = self.clock.read(record.pop("timestamp"))
        observation = record.pop("observation", None)
        if observation is not None and not isinstance(observation, dict):
            raise LineFault("bad_type", "observation: expected an object")
        observation = observation or {}
        step_id = _whole(record.pop("step_id", None), "step_id")
        task_id = _optional_text(record.pop("task_id", None), "task_id")
        thought = _optional_text(record.pop("thought_trace", None), "thought_trace")
        element_id = _optional_text(action.get("element_id"), "action.element_id")
        fields = self._event_fields(action)
        all_flags = [*time_flags, *flags, *fields.pop("flags")]
        window = observation.get("active_window")
        if isinstance(window, dict):
            window = window.get("title", window.get("name"))
        extra = {k: v for k, v in record.items() if v is not None}
        known = ("screenshot_path", "dom_tree", "active_window", "tab", "url", "viewport")
        rest = {k: v for k, v in observation.items() if k not in known and v is not None}
        if rest:
            extra["observation"] = rest
        event = Event(
            id=self._id(line),
            timestamp_us=us,
            file=self.name,
            line=line,
            tab=_optional_text(observation.get("tab", record.get("tab")), "tab"),
            url=fields.pop("url", None)
            or _optional_text(observation.get("url", record.get("url")), "url"),
            window=_optional_text(window, "observation.active_window"),
            viewport=_viewport(observation.get("viewport", record.get("viewport"))),
            extra=tidied(extra, all_flags),
            additional_info=tidied(action, all_flags),
            flags=tuple(all_flags),
            **fields,
        )
        gathering = self.gathering
        gathering.lines += 1
        gathering.events.append(event)
        for flag in event.flags:
            gathering.counts[flag] += 1
        gathering.given.append(
            GivenStep(
                event_id=event.id,
                task_id=task_id,
                step_id=step_id,
                thought=thought,
                element_id=element_id,
            )
        )
        self._take_picture(observation.get("screenshot_path"), event)
        self._take_dom(observation.get("dom_tree"), event)

    def _id(self, line: int) -> str:
        return f"e{line:06d}"

    def _event_fields(self, action: dict[str, Any]) -> dict[str, Any]:
        """Returns the Event fields of an action, which stays whole in ``additional_info``."""
        given = action.get("type")
        if not isinstance(given, str):
            code = "missing_field" if given is None else "bad_type"
            raise LineFault(code, "action.type: expected a text")
        folded = fold(given)
        kind, button = ACTION_EVENTS.get(folded, ("unknown", None))
        flags = [] if folded in ACTION_EVENTS else ["unknown_type"]
        fields: dict[str, Any] = {"type": kind, "flags": flags}
        if button:
            fields["button"] = button
        points = _points(action)
        if points:
            fields["x"], fields["y"] = points[0]
        if len(points) > 1:
            action["path"] = [list(point) for point in points]
        text = next((action[n] for n in ("text", "value", "content") if n in action), None)
        if text is not None and kind in _WITH_TEXT:
            fields["text"] = text_of(text, "action.text")
        if kind == "keydown":
            _fill_keys(action, fields)
        elif kind == "wheel":
            _fill_deltas(action, fields)
        elif kind == "navigation" and isinstance(action.get("url", text), str):
            fields["url"] = action.get("url", text)
        return fields

    def _take_picture(self, path: Any, event: Event) -> None:
        if path is None or path == "":
            return
        gathering = self.gathering
        try:
            name = resolve_inside(text_of(path, "screenshot_path"))
        except (UnsafePathError, LineFault) as error:
            gathering.drop("frame", f"{event.file}#{event.line}", error.code)
            return
        if name not in self.files:
            if name in self.files.refused:
                gathering.drop("frame", name, self.files.refused[name])
            else:
                gathering.counts["missing_frame_files"] += 1
            return
        if name not in self._probed:
            self._probed[name] = probe_file(self.files, gathering, name)
        info = self._probed[name]
        if info is None:
            return
        gathering.frames.append(
            Frame(
                file=name,
                timestamp_us=event.timestamp_us,
                width=info.width,
                height=info.height,
                format=info.format,
                size_bytes=self.files.size(name),
                tab=event.tab,
                viewport=event.viewport,
                event_id=event.id,
            )
        )

    def _take_dom(self, tree: Any, event: Event) -> None:
        if isinstance(tree, dict | list) and tree:
            tree = msgspec.json.encode(tree).decode()
        if isinstance(tree, str) and tree.strip():
            add_inline(self.gathering, event, tree, event_id=event.id)


def _points(action: dict[str, Any]) -> list[tuple[float, float]]:
    """Returns the action's points, start to end."""
    found = []
    for name in _POINT_FIELDS:
        value = action.get(name)
        if isinstance(value, dict):
            value = [value.get("x"), value.get("y")]
        if not isinstance(value, list) or not value:
            if value not in (None, []):
                raise LineFault("bad_type", f"action.{name}: expected [x, y]")
            continue
        if len(value) == 4 and bounds_of(value):
            value = [value[:2], value[2:]]  # start and end in one list
        pairs = value if isinstance(value[0], list) else [value]
        for pair in pairs:
            if not isinstance(pair, list) or len(pair) != 2:
                raise LineFault("bad_type", f"action.{name}: expected [x, y]")
            if None not in pair:
                found.append((number_of(pair[0], name), number_of(pair[1], name)))
    if not found and action.get("x") is not None and action.get("y") is not None:
        found.append((number_of(action["x"], "action.x"), number_of(action["y"], "action.y")))
    return found


def _fill_keys(action: dict[str, Any], fields: dict[str, Any]) -> None:
    keys = action.get("keys", action.get("key", action.get("text")))
    if isinstance(keys, str):
        keys = keys.split("+") if len(keys) > 1 and "+" in keys[:-1] else [keys]
    if not isinstance(keys, list) or not all(isinstance(k, str) for k in keys):
        return
    named = [KEYS.get(str(k), str(k)) for k in keys]
    modifiers = [MODIFIERS.get(k) or MODIFIERS.get(k.lower()) for k in named[:-1]]
    if named:
        fields["key"] = named[-1]
        fields["modifiers"] = tuple(sorted({m for m in modifiers if m}))


def _fill_deltas(action: dict[str, Any], fields: dict[str, Any]) -> None:
    direction = action.get("direction", action.get("scroll_direction"))
    if isinstance(direction, str) and direction.lower() in _DIRECTIONS:
        right, down = _DIRECTIONS[direction.lower()]
        amount = action.get("amount", action.get("scroll_amount"))
        pixels = 1.0 if amount is None else abs(number_of(amount, "action.amount"))
        pixels *= _NOTCH_PX if pixels <= _MOST_NOTCHES else 1
        fields["delta_x"], fields["delta_y"] = right * pixels, down * pixels
        return
    for name in ("delta_x", "delta_y"):
        if action.get(name) is not None:
            fields[name] = number_of(action[name], f"action.{name}")


def _viewport(value: Any) -> Viewport | None:
    return None if value is None else viewport_of(value)


def _whole(value: Any, field: str) -> int | None:
    if value is None:
        return None
    number = number_of(value, field)
    if not number.is_integer():
        raise LineFault("bad_type", f"{field}: expected an integer")
    return int(number)


def _optional_text(value: Any, field: str) -> str | None:
    return None if value is None else text_of(value, field)
