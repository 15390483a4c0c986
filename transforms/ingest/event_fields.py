"""Turns one decoded record of any recorder into the fields of an Event.

Aliases are resolved, numbers in quotes are taken, fields without a place are kept in ``extra``.
What a field cannot be (an object as ``x``) is a LineFault that names the field, never its value.
"""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec

from schemas.traces import Bounds, Target, Touch, Viewport
from transforms.ingest.aliases import (
    BUTTONS,
    DOM_FIELDS,
    EVENT_ALIASES,
    FIELD_ALIASES,
    FIELDS,
    KEYS,
    MODIFIER_FLAGS,
    MODIFIERS,
    POINTER_EVENTS,
    POINTER_TOUCH,
    TARGET_ALIASES,
    fold,
)
from transforms.ingest.gathering import LineFault
from transforms.ingest.times import Clock

MAX_COORDINATE = 1e7
MAX_ID_LENGTH = 256
MAX_DEPTH = 64
MAX_EXTRA_TEXT = 32 << 10
"""Characters of one text in ``extra`` or ``additional_info``; longer ones are pictures mostly."""
NOTCH_PX = 100.0
"""What one notch of a wheel scrolls, where a recorder counts notches (pynput)."""
_DECODER = msgspec.json.Decoder()
_STRINGS = ("tab", "url", "code", "text", "value")
_NUMBERS = ("x", "y", "delta_x", "delta_y")


def decode_record(data: bytes) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Decodes a line to a dict; returns it with flags for what had to be mended.

    NaN and Infinity become null (flag ``not_a_number``), lone surrogates U+FFFD (flag
    ``lone_surrogate``), of duplicate keys the last one counts (flag ``duplicate_key``, where it is
    seen). Raises LineFault.
    """
    flags: tuple[str, ...] = ()
    try:
        record = _DECODER.decode(data)
    except RecursionError:
        raise LineFault("too_deep", f"nested deeper than {MAX_DEPTH} levels") from None
    except UnicodeDecodeError as error:
        raise _encoding_fault(data, error) from None
    except msgspec.DecodeError:
        record, flags = _decode_leniently(data)
    if not isinstance(record, dict):
        raise LineFault("bad_type", f"expected an object, found {_kind(record)}")
    return record, flags


def _encoding_fault(data: bytes, error: UnicodeDecodeError) -> LineFault:
    try:
        data.decode("utf-8")
        column = None
    except UnicodeDecodeError as exact:
        column = exact.start + 1
    return LineFault("invalid_encoding", "the line is not UTF-8", column)


def _decode_leniently(data: bytes) -> tuple[Any, tuple[str, ...]]:
    """Decodes what Python's json accepts beyond JSON, and mends it."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _encoding_fault(data, error) from None
    mended: set[str] = set()

    def constant(unused: str) -> None:
        mended.add("not_a_number")

    def number(literal: str) -> float | None:
        value = float(literal)
        if math.isfinite(value):
            return value
        mended.add("not_a_number")
        return None

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) != len(items):
            mended.add("duplicate_key")
        return made

    try:
        record = json.loads(
            text, parse_constant=constant, parse_float=number, object_pairs_hook=pairs
        )
    except json.JSONDecodeError as error:
        raise LineFault("invalid_json", error.msg, error.pos + 1) from None
    except RecursionError:
        raise LineFault("too_deep", f"nested deeper than {MAX_DEPTH} levels") from None
    except ValueError:
        # Python refuses integers of more than 4,300 digits.
        raise LineFault("invalid_json", "a number is too long") from None
    record = _without_surrogates(record, mended, 0)
    return record, tuple(sorted(mended))


def _without_surrogates(value: Any, mended: set[str], depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise LineFault("too_deep", f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            mended.add("lone_surrogate")
            return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in value)
        return value
    if isinstance(value, dict):
        return {
            _without_surrogates(k, mended, depth): _without_surrogates(v, mended, depth + 1)
            for k, v in value.items()
        }
    if isinstance(value, list):
        return [_without_surrogates(v, mended, depth + 1) for v in value]
    return value


class MadeEvent(msgspec.Struct):
    """The fields of an Event that its record decides, and what reading noticed."""

    fields: dict[str, Any]
    flags: list[str]
    inline_dom: str | None = None
    """The snapshot that a ``dom`` event holds itself."""


def event_of(record: dict[str, Any], clock: Clock) -> MadeEvent:
    """Returns the event of a record; raises LineFault (missing_field, bad_type …) or BadTime."""
    known, extra = _by_field(record)
    if known.get("type") is None:
        raise LineFault("missing_field", "type: the field is missing")
    if known.get("timestamp") is None:
        raise LineFault("missing_field", "timestamp: the field is missing")
    if not isinstance(known["type"], str):
        raise LineFault("bad_type", f"type: expected a text, found {_kind(known['type'])}")
    us, time_flags = clock.read(known.pop("timestamp"))
    flags = list(time_flags)
    fields: dict[str, Any] = {"timestamp_us": us}
    made = MadeEvent(fields, flags)
    _fill_id(known, fields, extra)
    fields["type"] = _type_of(known, extra, made)
    for name in _STRINGS:
        if known.get(name) is not None:
            fields[name] = text_of(known[name], name)
    for name in _NUMBERS:
        if known.get(name) is not None:
            fields[name] = number_of(known[name], name)
    if fields["type"] == "wheel" and "delta_y" not in fields:
        _fill_notches(fields, extra, flags)
    if known.get("buttons") is not None:
        fields["buttons"] = _count(known["buttons"], "buttons")
    _fill_window(known, fields, extra)
    _fill_button(known, fields, extra, flags)
    _fill_key(known, fields, extra)
    _fill_nested(known, fields, extra, flags)
    info = known.get("additional_info")
    if isinstance(info, dict):
        fields["additional_info"] = tidied(info, flags)
    elif info is not None:
        extra["additional_info"] = info
    if fields["type"] == "dom":
        made.inline_dom = _take_dom(fields, extra)
    if extra:
        fields["extra"] = tidied(extra, flags)
    return made


def _by_field(record: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sorts a record's entries into fields, by name or alias, and the rest."""
    known = {name: value for name, value in record.items() if name in FIELDS}
    extra: dict[str, Any] = {}
    for name, value in record.items():
        if name in FIELDS:
            continue
        field = FIELD_ALIASES.get(fold(name))
        if field is None or known.get(field) is not None or not _fits(field, value):
            extra[name] = value
        elif field == "target" and fold(name) == "element" and isinstance(value, str):
            known[field] = {"name": value}
        else:
            known[field] = value
    return known, extra


def _fits(field: str, value: Any) -> bool:
    """Whether a value under another name can be meant for a field."""
    if field in _STRINGS or field == "key":
        return isinstance(value, str)
    if field in _NUMBERS or field == "buttons":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if field in ("target", "viewport", "window"):
        return isinstance(value, dict | str)
    return True


def _fill_id(known: dict[str, Any], fields: dict[str, Any], extra: dict[str, Any]) -> None:
    given = known.get("id")
    if given is None:
        return
    if isinstance(given, str | int | float) and 0 < len(str(given)) <= MAX_ID_LENGTH:
        fields["id"] = str(given)
    else:
        extra["id"] = given


def _type_of(known: dict[str, Any], extra: dict[str, Any], made: MadeEvent) -> str:
    given = known["type"]
    folded = fold(given)
    pressed = extra.get("pressed")
    if folded in ("press", "release"):
        is_key = known.get("key") is not None or isinstance(extra.get("name"), str)
        kind = "key" if is_key else "mouse"
        return kind + ("down" if folded == "press" else "up")
    if folded == "click" and isinstance(pressed, bool):
        # pynput reports both halves of a click under one name.
        del extra["pressed"]
        return "mousedown" if pressed else "mouseup"
    if folded == "scroll" and ("dy" in extra or "dx" in extra):
        return "wheel"
    if folded in POINTER_EVENTS:
        made.flags.append("pointer_event")
        pointer = extra.get("pointerType", extra.get("pointer_type"))
        if pointer == "touch":
            return POINTER_TOUCH[folded]
    canonical = EVENT_ALIASES.get(folded)
    if canonical is None:
        extra["type"] = given
        made.flags.append("unknown_type")
        return "unknown"
    return canonical


def _fill_notches(fields: dict[str, Any], extra: dict[str, Any], flags: list[str]) -> None:
    """Takes pynput's ``dx``/``dy``: notches, positive is up and right."""
    for name, field, sign in (("dx", "delta_x", 1), ("dy", "delta_y", -1)):
        if isinstance(extra.get(name), int | float) and not isinstance(extra[name], bool):
            fields[field] = number_of(extra.pop(name) * sign * NOTCH_PX, name)
            if "delta_from_notches" not in flags:
                flags.append("delta_from_notches")


def _fill_window(known: dict[str, Any], fields: dict[str, Any], extra: dict[str, Any]) -> None:
    window = known.get("window")
    if isinstance(window, dict):
        extra["window"] = window
        window = window.get("title", window.get("name"))
    if window is not None:
        fields["window"] = text_of(window, "window")


def _fill_button(
    known: dict[str, Any], fields: dict[str, Any], extra: dict[str, Any], flags: list[str]
) -> None:
    given = known.get("button")
    if given is None:
        return
    if isinstance(given, float) and given.is_integer():
        given = int(given)
    if isinstance(given, str):
        given = given.rpartition(".")[2].lower()
        given = int(given) if given.isdecimal() and len(given) < 3 else given
    name = None
    if isinstance(given, str | int) and not isinstance(given, bool):
        name = BUTTONS.get(given)
    if name is not None:
        fields["button"] = name
    elif given != -1:  # the DOM's "no button changed"
        extra["button"] = known["button"]
        flags.append("unknown_button")


def _fill_key(known: dict[str, Any], fields: dict[str, Any], extra: dict[str, Any]) -> None:
    key = known.get("key")
    if key is None and fields["type"] in ("keydown", "keyup") and "name" in extra:
        key = extra.pop("name")
    if key is not None:
        text = text_of(key, "key")
        fields["key"] = KEYS.get(text, text)
    given = known.get("modifiers")
    if isinstance(given, str):
        given = given.replace("+", " ").replace(",", " ").split()
    elif isinstance(given, dict):
        given = [name for name, down in given.items() if down is True]
    if given is not None and not isinstance(given, list):
        raise LineFault("bad_type", f"modifiers: expected a list, found {_kind(given)}")
    found = set()
    for item in given or ():
        name = MODIFIERS.get(item) or MODIFIERS.get(item.lower()) if isinstance(item, str) else None
        if name:
            found.add(name)
        else:
            extra.setdefault("modifiers", []).append(item)
    for flag in [n for n in extra if fold(n) in MODIFIER_FLAGS and isinstance(extra[n], bool)]:
        if extra.pop(flag):
            found.add(MODIFIER_FLAGS[fold(flag)])
    if found:
        fields["modifiers"] = tuple(sorted(found))


def _fill_nested(
    known: dict[str, Any], fields: dict[str, Any], extra: dict[str, Any], flags: list[str]
) -> None:
    target = known.get("target")
    if isinstance(target, str):
        fields["target"] = Target(selector=target)
    elif isinstance(target, dict):
        fields["target"] = _target(target, extra)
    elif target is not None:
        raise LineFault("bad_type", f"target: expected an object, found {_kind(target)}")
    viewport = known.get("viewport")
    if viewport is not None:
        made = viewport_of(viewport)
        if made is None:
            extra["viewport"] = viewport
            flags.append("bad_viewport")
        else:
            fields["viewport"] = made
    touches = known.get("touches")
    if touches is not None:
        if not isinstance(touches, list):
            raise LineFault("bad_type", f"touches: expected a list, found {_kind(touches)}")
        fields["touches"] = tuple(_touch(t, n, extra) for n, t in enumerate(touches))


def _target(given: dict[str, Any], extra: dict[str, Any]) -> Target:
    fields: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in given.items():
        field = name if name in Target.__struct_fields__ else TARGET_ALIASES.get(fold(name))
        if field is None or (name != field and given.get(field) is not None):
            rest[name] = value
        elif field == "bounds":
            bounds = bounds_of(value)
            if bounds is not None:
                fields["bounds"] = bounds
            elif value is not None:
                rest[name] = value
        elif isinstance(value, str | int | float):
            fields[field] = text_of(value, f"target.{field}")
        elif value is not None:
            rest[name] = value
    if rest:
        extra["target"] = rest
    return Target(**fields)


def bounds_of(value: Any) -> Bounds | None:
    """Returns x, y, width, height from a list or an object (also left/top/right/bottom)."""
    if isinstance(value, dict):
        x, y = value.get("x", value.get("left")), value.get("y", value.get("top"))
        width, height = value.get("width", value.get("w")), value.get("height", value.get("h"))
        if width is None and _plain(value.get("right")) and _plain(x):
            width = value["right"] - x
        if height is None and _plain(value.get("bottom")) and _plain(y):
            height = value["bottom"] - y
        value = [x, y, width, height]
    if not isinstance(value, list) or len(value) != 4 or not all(_plain(v) for v in value):
        return None
    return tuple(float(v) for v in value)  # type: ignore[return-value]


def viewport_of(value: Any) -> Viewport | None:
    """Returns the viewport of an object with width and height or a [width, height] list."""
    if isinstance(value, list) and 2 <= len(value) <= 3:
        value = dict(zip(("width", "height", "device_pixel_ratio"), value))
    if not isinstance(value, dict):
        return None
    ratio = value.get("device_pixel_ratio", value.get("devicePixelRatio", value.get("dpr")))
    width, height = value.get("width", value.get("w")), value.get("height", value.get("h"))
    if not all(_plain(v) and v > 0 for v in (width, height)):
        return None
    if ratio is None:
        return Viewport(float(width), float(height))
    if not _plain(ratio) or not 0 < ratio <= 100:
        return None
    return Viewport(float(width), float(height), float(ratio))


def _touch(given: Any, number: int, extra: dict[str, Any]) -> Touch:
    if not isinstance(given, dict):
        raise LineFault("bad_type", f"touches: expected objects, found {_kind(given)}")
    x, y = given.get("x", given.get("clientX")), given.get("y", given.get("clientY"))
    if x is None or y is None:
        raise LineFault("bad_type", "touches: x or y is missing")
    identifier = given.get("id", given.get("identifier", number))
    if not isinstance(identifier, int) or abs(identifier) > 1 << 62:
        identifier = number
    known = ("id", "identifier", "x", "y", "clientX", "clientY")
    rest = {name: value for name, value in given.items() if name not in known}
    if rest:
        extra.setdefault("touches", []).append(rest)
    return Touch(id=identifier, x=number_of(x, "touches.x"), y=number_of(y, "touches.y"))


def _take_dom(fields: dict[str, Any], extra: dict[str, Any]) -> str | None:
    """Takes the snapshot out of a ``dom`` event, wherever it lies."""
    for place in (extra, fields.get("additional_info", {})):
        for name in DOM_FIELDS:
            value = place.get(name)
            if isinstance(value, dict | list):
                del place[name]
                return msgspec.json.encode(value).decode()
            if isinstance(value, str) and value.lstrip()[:1] in ("<", "{", "["):
                del place[name]
                return value
    return None


def tidied(value: Any, flags: list[str] | None = None, depth: int = 0) -> Any:
    """Returns what recorders add of their own without what nobody can use.

    Texts of more than 32,768 characters and data URLs (pictures, mostly) become null and set the
    flag ``large_value_removed``. Returns the very same object when there is nothing to remove;
    raises LineFault ``too_deep``.
    """
    if isinstance(value, str):
        if len(value) <= MAX_EXTRA_TEXT and not value.startswith("data:"):
            return value
        if flags is not None and "large_value_removed" not in flags:
            flags.append("large_value_removed")
        return None
    if depth > MAX_DEPTH:
        raise LineFault("too_deep", f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        made = {k: tidied(v, flags, depth + 1) for k, v in value.items()}
        return value if all(made[k] is value[k] for k in made) else made
    if isinstance(value, list):
        items = [tidied(v, flags, depth + 1) for v in value]
        return value if all(a is b for a, b in zip(items, value)) else items
    return value


def _plain(value: Any) -> bool:
    """Whether a value is a finite number of a size that coordinates have."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and -MAX_COORDINATE <= value <= MAX_COORDINATE
    )


def number_of(value: Any, field: str) -> float:
    """Returns a number of a size that coordinates have; else raises LineFault."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise LineFault("bad_type", f"{field}: expected a number, found a text") from None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise LineFault("bad_type", f"{field}: expected a number, found {_kind(value)}")
    if not _plain(value):
        raise LineFault("bad_type", f"{field}: the number is beyond ±{MAX_COORDINATE:g}")
    return float(value)


def _count(value: Any, field: str) -> int:
    number = number_of(value, field)
    if not number.is_integer() or not 0 <= number <= 0xFFFF:
        raise LineFault("bad_type", f"{field}: expected an integer from 0 to 65,535")
    return int(number)


def text_of(value: Any, field: str) -> str:
    """Returns a text, number or boolean as text; else raises LineFault."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise LineFault("bad_type", f"{field}: expected a text, found {_kind(value)}")


def _kind(value: Any) -> str:
    """Names the JSON type of a value."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "a boolean", int: "a number"}
    return names.get(type(value), "null" if value is None else "a number")
