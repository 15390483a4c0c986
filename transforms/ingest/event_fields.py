"""Turns one decoded record of any recorder into the fields of an Event.

Aliases are resolved, numbers in quotes are taken, fields without a place are kept in ``extra``.
What a field cannot be (an object as ``x``) is a LineFault that names the field, never its value.
"""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.traces import MAX_TOUCHES, Target, Touch
from transforms.ingest.aliases import (
    BUTTONS,
    DOM_FIELDS,
    EVENT_ALIASES,
    FIELD_ALIASES,
    FIELDS,
    HALVES,
    INFO_FIELDS,
    KEY_CODES,
    MODIFIER_FLAGS,
    MODIFIERS,
    POINT_FIELDS,
    POINTER_EVENTS,
    POINTER_TOUCH,
    TARGET_ALIASES,
    fold,
    key_value,
)
from transforms.ingest.gathering import LineFault
from transforms.ingest.records import (
    bounds_of,
    count_of,
    kind_of,
    number_of,
    text_of,
    tidied,
    viewport_of,
)
from transforms.ingest.times import Clock

MAX_ID_LENGTH = 256
NOTCH_PX = 100.0
"""What one notch of a wheel scrolls, where a recorder counts notches (pynput)."""
_STRINGS = ("tab", "url", "code", "text", "value")
_NUMBERS = ("x", "y", "delta_x", "delta_y")


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
        raise LineFault("bad_type", f"type: expected a text, found {kind_of(known['type'])}")
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
    _fill_point(fields, extra)
    if fields["type"] == "wheel" and "delta_y" not in fields:
        _fill_notches(fields, extra, flags)
    if known.get("buttons") is not None:
        fields["buttons"] = count_of(known["buttons"], "buttons")
    _fill_window(known, fields, extra)
    _fill_button(known, fields, extra, flags)
    _fill_key(known, fields, extra)
    _fill_nested(known, fields, extra, flags)
    _fill_value(fields, extra)
    _fill_info(known, fields, extra, flags)
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
    if field == "tab":
        return isinstance(value, str | int) and not isinstance(value, bool)
    if field in _STRINGS or field == "key":
        return isinstance(value, str)
    if field in _NUMBERS or field == "buttons":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if field in ("target", "viewport", "window"):
        return isinstance(value, dict | str)
    return True


def is_id(given: str) -> bool:
    """Whether a text is taken as an event's id, which is published as it is.

    One with an address or blanks in it says something: it is kept as a text.
    """
    return 0 < len(given) <= MAX_ID_LENGTH and "@" not in given and " " not in given


def _fill_id(known: dict[str, Any], fields: dict[str, Any], extra: dict[str, Any]) -> None:
    given = known.get("id")
    if given is None:
        return
    if isinstance(given, str | int | float) and is_id(str(given)):
        fields["id"] = str(given)
    else:
        extra["id"] = given


def _type_of(known: dict[str, Any], extra: dict[str, Any], made: MadeEvent) -> str:
    given = known["type"]
    folded = fold(given)
    if folded.startswith("on"):
        folded = folded[2:]  # named for its handler: onclick, on_press
    pressed = extra.get("pressed")
    if folded in HALVES:
        is_key = known.get("key") is not None or isinstance(extra.get("name"), str)
        return ("key" if is_key else "mouse") + HALVES[folded]
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
    if folded == "keypress" and given not in ("keypress", "onkeypress"):
        return "keydown"  # X11's and pynput's; the DOM's own comes beside a keydown, as its echo
    canonical = EVENT_ALIASES.get(folded)
    if canonical is None:
        extra["type"] = given
        made.flags.append("unknown_type")
        return "unknown"
    return canonical


def _fill_point(fields: dict[str, Any], extra: dict[str, Any]) -> None:
    """Takes x and y out of what holds both: {x, y} or [x, y]."""
    if "x" in fields or "y" in fields:
        return
    for name in [n for n in extra if fold(n) in POINT_FIELDS]:
        value = extra[name]
        if isinstance(value, dict):
            value = [value.get("x"), value.get("y")]
        if isinstance(value, list) and len(value) == 2 and None not in value:
            fields["x"], fields["y"] = (number_of(v, name) for v in value)
            del extra[name]
            return


def _fill_notches(fields: dict[str, Any], extra: dict[str, Any], flags: list[str]) -> None:
    """Takes pynput's ``dx``/``dy``: notches, positive is up and right."""
    for name, field, sign in (("dx", "delta_x", 1), ("dy", "delta_y", -1)):
        if isinstance(extra.get(name), int | float) and not isinstance(extra[name], bool):
            notches = number_of(extra.pop(name), name)
            fields[field] = number_of(notches * sign * NOTCH_PX, name)
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
        fields["key"] = key_value(text_of(key, "key"))
        held, _, key = fields["key"][:-1].rpartition("+")
        chord = held.split("+")
        if all(name in MODIFIERS for name in chord):
            fields["key"] = key_value(key + fields["key"][-1])
            fields["modifiers"] = tuple(sorted({MODIFIERS[name] for name in chord}))
    elif known.get("code") is None and fields["type"] in ("keydown", "keyup"):
        number = extra.get("keyCode", extra.get("which"))
        if isinstance(number, int) and number in KEY_CODES:
            fields["code"] = KEY_CODES[number]
    given = known.get("modifiers")
    if isinstance(given, str):
        given = given.replace("+", " ").replace(",", " ").split()
    elif isinstance(given, dict):
        given = [name for name, down in given.items() if down is True]
    if given is not None and not isinstance(given, list):
        raise LineFault("bad_type", f"modifiers: expected a list, found {kind_of(given)}")
    found = set(fields.get("modifiers", ()))
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
        raise LineFault("bad_type", f"target: expected an object, found {kind_of(target)}")
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
            raise LineFault("bad_type", f"touches: expected a list, found {kind_of(touches)}")
        if len(touches) > MAX_TOUCHES:
            raise LineFault("bad_type", f"touches: more than {MAX_TOUCHES} fingers")
        fields["touches"] = tuple(_touch(t, n, extra) for n, t in enumerate(touches))
    elif fields["type"].startswith("touch") and "x" in fields and "y" in fields:
        finger = extra.get("pointerId")
        if isinstance(finger, int) and abs(finger) < 1 << 62:
            fields["touches"] = (Touch(id=finger, x=fields["x"], y=fields["y"]),)


def _fill_value(fields: dict[str, Any], extra: dict[str, Any]) -> None:
    """Takes what a field holds from where a DOM event says it: at its target.

    The ``value`` of a checkbox never changes; whether it is checked does.
    """
    target = fields.get("target")
    if fields["type"] not in ("input", "change") or target is None:
        return
    for place in (extra, extra.get("target", {})):
        if isinstance(place.get("checked"), bool) and target.input_type == "checkbox":
            fields["value"] = text_of(place.pop("checked"), "value")
        elif "value" not in fields and isinstance(place.get("value"), str):
            fields["value"] = place.pop("value")


def _fill_info(
    known: dict[str, Any], fields: dict[str, Any], extra: dict[str, Any], flags: list[str]
) -> None:
    """Takes ``additional_info``, and what belongs there of a DOM event that lies flat."""
    info = known.get("additional_info")
    if info is not None and not isinstance(info, dict):
        extra["additional_info"] = info
        info = None
    given = dict(info or {})
    for place in (given, extra):
        for name in list(place):
            field = INFO_FIELDS.get(fold(name))
            if field is not None and field not in given:
                given[field] = place.pop(name)
    if given or info is not None:
        fields["additional_info"] = tidied(given, flags)


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


def _touch(given: Any, number: int, extra: dict[str, Any]) -> Touch:
    if not isinstance(given, dict):
        raise LineFault("bad_type", f"touches: expected objects, found {kind_of(given)}")
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
