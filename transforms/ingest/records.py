"""Decodes records of any recorder and checks values, with bounds on depth and size.

Faults are LineFault; their messages name fields and kinds of value, never values.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, TypeGuard

import msgspec

from schemas.traces import MAX_COORDINATE, Bounds, Viewport
from transforms.ingest.gathering import LineFault

MAX_DEPTH = 64
MAX_EXTRA_TEXT = 32 << 10
"""Characters of one text in ``extra`` or ``additional_info``; longer ones are pictures mostly."""
MAX_VALUES = 400_000
"""Values in one record: each takes a hundred bytes, however short it is written."""
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_DECODER = msgspec.json.Decoder()


def decode_record(data: bytes) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Decodes a line to a dict; returns it with flags for what had to be mended.

    NaN and Infinity become null (flag ``not_a_number``), lone surrogates U+FFFD (flag
    ``lone_surrogate``), of duplicate keys the last one counts (flag ``duplicate_key``, where it is
    seen). Raises LineFault.
    """
    check_values(data)
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
        raise LineFault("bad_type", f"expected an object, found {kind_of(record)}")
    return record, flags


def check_values(data: bytes, most: int = MAX_VALUES) -> None:
    """Raises LineFault ``too_many_values`` for what would take much memory once it is decoded."""
    if len(data) <= most or data.count(b",") <= most:
        return
    values = end = 0
    for text in _TEXT.finditer(data):
        values += data.count(b",", end, text.start())
        end = text.end()
        if values > most:
            break
    if values > most or values + data.count(b",", end) > most:
        raise LineFault("too_many_values", f"more than {most:,} values in one record")


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
    if not (_plain(width) and _plain(height)) or width <= 0 or height <= 0:
        return None
    if ratio is None:
        return Viewport(float(width), float(height))
    if not _plain(ratio) or not 0 < ratio <= 100:
        return None
    return Viewport(float(width), float(height), float(ratio))


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


def _plain(value: Any) -> TypeGuard[int | float]:
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
        raise LineFault("bad_type", f"{field}: expected a number, found {kind_of(value)}")
    if not _plain(value):
        raise LineFault("bad_type", f"{field}: the number is beyond ±{MAX_COORDINATE:g}")
    return float(value)


def count_of(value: Any, field: str) -> int:
    """Returns an integer from 0 to 65,535; else raises LineFault."""
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
    raise LineFault("bad_type", f"{field}: expected a text, found {kind_of(value)}")


def kind_of(value: Any) -> str:
    """Names the JSON type of a value."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "a boolean", int: "a number"}
    return names.get(type(value), "null" if value is None else "a number")
