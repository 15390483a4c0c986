"""Recorded texts as values of a parameter's declared type."""

from __future__ import annotations

import json
import math
import re
from typing import Any

UNFIT = object()
"""What :func:`convert` returns when a value can't be had in the wanted type."""

_TRUE = frozenset("true on yes y 1 checked enabled active".split())
_FALSE = frozenset("false off no n 0 unchecked disabled inactive".split())
_NUMBER = re.compile(r"[-+−]?\d(?:[\d  '’.,_]*\d)?(?:[eE][-+]?\d+)?")
_PLACEHOLDER = re.compile(r"<[A-Z][A-Z0-9_]*>")


def convert(value: Any, kind: str) -> Any:
    """Returns ``value`` as STRING, NUMBER, BOOLEAN, ARRAY or OBJECT, or ``UNFIT``.

    Numbers are read in the usual notations (``1,200.50``, ``1.200,50``, ``1 200``) with a unit or
    currency around them, but not out of a text with two numbers. A redaction placeholder stays as
    it is, whatever the type: ``decide`` sends it to review.
    """
    if isinstance(value, str) and kind != "STRING" and _PLACEHOLDER.fullmatch(value.strip()):
        return value.strip()
    return {
        "STRING": _string,
        "NUMBER": _number,
        "BOOLEAN": _boolean,
        "ARRAY": _array,
        "OBJECT": _object,
    }[kind](value)


def _string(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() else repr(value)
    return UNFIT if value is None else json.dumps(value, ensure_ascii=False)


def _number(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return UNFIT
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            return UNFIT
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if not isinstance(value, str):
        return UNFIT
    found = _NUMBER.findall(value)
    if len(found) != 1:
        return UNFIT
    number = _read_number(found[0])
    return UNFIT if number is None else _number(number)


def _read_number(text: str) -> float | int | None:
    text = re.sub("[  '’_]", "", text).replace("−", "-")
    commas, points = text.count(","), text.count(".")
    if commas and points:
        decimal = max(text.rfind(","), text.rfind("."))
        text = re.sub("[.,]", "", text[:decimal]) + "." + text[decimal + 1 :]
    elif commas + points > 1:
        text = re.sub("[.,]", "", text)
    elif commas:
        head, tail = text.split(",")
        thousands = len(tail) == 3 and head.lstrip("+-") not in ("", "0")
        text = head + tail if thousands else f"{head}.{tail}"
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return None


def _boolean(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
    return UNFIT


def _array(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, str):
        parsed = _json(value)
        if isinstance(parsed, list):
            return parsed
        separator = next((s for s in ("\n", ";", ",") if s in value), None)
        parts = value.split(separator) if separator else [value]
        return [part.strip() for part in parts if part.strip()]
    return UNFIT if value is None or isinstance(value, dict) else [value]


def _object(value: Any) -> Any:
    if isinstance(value, dict):
        return value
    parsed = _json(value) if isinstance(value, str) else None
    return parsed if isinstance(parsed, dict) else UNFIT


def _json(text: str) -> Any:
    if text.lstrip()[:1] not in ("[", "{"):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def same_value(a: Any, b: Any) -> bool:
    """Whether two recorded values are the same, however they were written down."""
    if a == b and isinstance(a, bool) == isinstance(b, bool):
        return True
    return comparable(a) == comparable(b) != ""


def comparable(value: Any) -> str:
    """A text that is equal for values that are the same to a reader."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = " ".join(value.split()).casefold()
        if re.fullmatch(r"[-+]?\d+([.,]\d+)?", text):
            number = _read_number(text)
            return text if number is None else str(_string(number))
        return text
    text = _string(value)
    return "" if text is UNFIT else str(text).casefold()
