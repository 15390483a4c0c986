"""Values of canonical parameters, converted to the types that tools want."""

from __future__ import annotations

import json
import math
import re
from typing import Any

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]+)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_TRUE = frozenset(["true", "yes", "on", "1"])
_FALSE = frozenset(["false", "no", "off", "0"])
_MARKER = re.compile(r"<[A-Z][A-Z0-9]*(?:_[A-Za-z0-9]+)*>")


class Unconvertible(Exception):
    """A value has no counterpart in the wanted type; the message names types, never the value."""


def convert(value: Any, kind: str) -> Any:
    """Returns a value as a tool parameter's type; raises :class:`Unconvertible`.

    Nothing is guessed: a number must be written plainly (``1234.5``; no grouping, no currency), a
    BOOLEAN is one of true/false, yes/no, on/off, 1/0. A scalar becomes an ARRAY of one; STRING
    takes everything (4.0 as ``4``, structures as JSON).
    """
    return _CONVERTERS[kind](value)


def holds_redaction(value: Any) -> bool:
    """Whether a value, or one inside it, holds what PrivacyFilter leaves (``<REDACTED>`` …)."""
    if isinstance(value, str):
        return _MARKER.search(value) is not None
    if isinstance(value, dict):
        return any(holds_redaction(v) for v in value.values())
    if isinstance(value, list | tuple):
        return any(holds_redaction(v) for v in value)
    return False


def _refuse(value: Any, kind: str) -> Unconvertible:
    return Unconvertible(f"a {type(value).__name__} that is no {kind}")


def _string(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(_number(value))
    return json.dumps(_plain(value, "STRING"), ensure_ascii=False)


def _number(value: Any) -> int | float:
    number = value
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        text = value.strip()
        number = int(text) if text.lstrip("+-").isdecimal() and len(text) < 19 else float(text)
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise _refuse(value, "NUMBER")
    if not math.isfinite(number):
        raise _refuse(value, "NUMBER")
    if isinstance(number, float) and number.is_integer() and abs(number) < 2**53:
        return int(number)
    return number


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().casefold() if isinstance(value, str | int) else ""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise _refuse(value, "BOOLEAN")


def _object(value: Any) -> dict[str, Any]:
    found = _parsed(value) if isinstance(value, str) else value
    if not isinstance(found, dict):
        raise _refuse(value, "OBJECT")
    return _plain(found, "OBJECT")


def _array(value: Any) -> list[Any]:
    if isinstance(value, str):
        parsed = _parsed(value)
        value = parsed if isinstance(parsed, list) else [value]
    if isinstance(value, dict):
        raise _refuse(value, "ARRAY")
    return _plain(list(value) if isinstance(value, list | tuple) else [value], "ARRAY")


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _plain(value: Any, kind: str) -> Any:
    """The value, if JSON can hold it exactly (no NaN, keys are strings)."""
    if isinstance(value, dict):
        if not all(isinstance(k, str) for k in value):
            raise _refuse(value, kind)
        return {k: _plain(v, kind) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v, kind) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise _refuse(value, kind)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise _refuse(value, kind)


_CONVERTERS = {
    "STRING": _string,
    "NUMBER": _number,
    "BOOLEAN": _boolean,
    "OBJECT": _object,
    "ARRAY": _array,
}
