"""What recorders call the fields of an element, and how they write where it lies."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from schemas.traces import Bounds

_names: dict[str, str] = {}


def field_name(key: str) -> str:
    """Folds the names that different recorders give one field into one."""
    known = _names.get(key)
    if known is None:
        folded = key.rpartition("}")[2].lower().removeprefix("data-")
        folded = folded.replace("-", "").replace("_", "").replace(" ", "")
        known = _FIELDS.get(folded, folded)
        if len(_names) < 10_000:
            _names[key] = known
    return known


_FIELDS = {
    "tagname": "tag",
    "nodename": "tag",
    "controltype": "tag",
    "class": "class",
    "classname": "class",
    "type": "input_type",
    "inputtype": "input_type",
    "automationid": "id",
    "elementid": "id",
    "resourceid": "id",
    "ariarole": "role",
    "arialabel": "aria_label",
    "contentdesc": "aria_label",
    "contentdescription": "aria_label",
    "accessiblename": "aria_label",
    "innertext": "text",
    "textcontent": "text",
    "content": "text",
    "boundingrectangle": "bounds",
    "boundingbox": "bounds",
    "bbox": "bounds",
    "bboxpixels": "bounds",
    "rect": "bounds",
    "rectangle": "bounds",
    "childnodes": "children",
    "nodes": "children",
    "hint": "placeholder",
    "tooltip": "title",
    "formname": "form_name",
    "ariamultiline": "multiline",
}


_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_CORNERS = re.compile(r"^\s*\[\s*-?[\d.]+\s*,\s*-?[\d.]+\s*\]\s*\[")
_LABELLED = re.compile(r"^\s*\(?\s*L\s*-?\d", re.I)


def bounds_of(fields: Mapping[str, Any]) -> Bounds | None:
    """Reads the ways in which trees say where an element lies, as x, y, width, height."""
    raw = fields.get("bounds")
    if raw is None:
        if "screencoord" in fields and "size" in fields:
            return _box(_numbers(fields["screencoord"]) + _numbers(fields["size"]))
        if "x" in fields and "y" in fields:
            return _box(_numbers([fields[k] for k in ("x", "y")]) + _extent(fields))
        if "left" in fields and "top" in fields:
            raw = fields
    if isinstance(raw, Mapping):
        box = {field_name(str(key)): value for key, value in raw.items()}
        for left, top, right, bottom in (
            ("left", "top", "right", "bottom"),
            ("xmin", "ymin", "xmax", "ymax"),
            ("l", "t", "r", "b"),
        ):
            if left in box and right in box and top in box and bottom in box:
                return _between(_numbers([box[left], box[top], box[right], box[bottom]]))
        return _box(
            _numbers([box.get("x", box.get("left")), box.get("y", box.get("top"))]) + _extent(box)
        )
    if isinstance(raw, str):
        numbers = _numbers(raw)
        if _CORNERS.match(raw) or _LABELLED.match(raw):
            return _between(numbers)
        return _box(numbers)
    if isinstance(raw, list | tuple):
        return _box(_numbers(raw))
    return None


def _extent(fields: Mapping[str, Any]) -> list[float]:
    return _numbers([fields.get("width", fields.get("w")), fields.get("height", fields.get("h"))])


def _numbers(raw: Any) -> list[float]:
    if isinstance(raw, str):
        return [float(n) for n in _NUMBER.findall(raw[:200])]
    found = []
    for value in raw if isinstance(raw, list | tuple) else ():
        if isinstance(value, str) and _NUMBER.fullmatch(value.removesuffix("px")):
            value = float(value.removesuffix("px"))
        if isinstance(value, int | float) and not isinstance(value, bool):
            found.append(float(value))
    return found


def _box(numbers: list[float]) -> Bounds | None:
    if len(numbers) != 4 or not all(math.isfinite(n) and abs(n) < 1e7 for n in numbers):
        return None
    return (numbers[0], numbers[1], max(numbers[2], 0.0), max(numbers[3], 0.0))


def _between(numbers: list[float]) -> Bounds | None:
    if len(numbers) != 4:
        return None
    left, top, right, bottom = numbers
    return _box([left, top, right - left, bottom - top])
