"""Actions that a trajectory recorder names itself: each of its records is one action."""

from __future__ import annotations

from typing import Any

from schemas.traces import MAX_COORDINATE, Event
from schemas.trajectories import ACTION_TYPES
from transforms.key_names import MODIFIERS, chord, key_name
from transforms.normalize.draft import Assembly, Draft, TabState

_NAMES: dict[str, str | None] = {
    **{name.replace("_", ""): name for name in ACTION_TYPES},
    "answer": None,
    "auxclick": "middle_click",
    "contextmenu": "right_click",
    "dblclick": "double_click",
    "done": None,
    "dragto": "drag",
    "evaluate": None,
    "fail": None,
    "fill": "type",
    "finish": None,
    "finished": None,
    "goto": "navigate",
    "hotkey": "press",
    "hover": None,
    "input": "type",
    "inputtext": "type",
    "key": "press",
    "keydown": "press",
    "keypress": "press",
    "leftclick": "click",
    "leftclickdrag": "drag",
    "leftdouble": "double_click",
    "mousemove": None,
    "move": None,
    "moveto": None,
    "navigation": "navigate",
    "openurl": "navigate",
    "plan": None,
    "rightsingle": "right_click",
    "selectoption": "select",
    "settext": "type",
    "singleclick": "click",
    "sleep": "wait",
    "stop": None,
    "tabswitch": "switch_tab",
    "terminate": None,
    "typetext": "type",
    "wheel": "scroll",
    "write": "type",
}
"""Folded names in use → ours; None: a record that is no action."""
_MOVES = frozenset(("hover", "mousemove", "move", "moveto"))
_START_FIELDS = ("coordinates", "coordinate", "start", "start_coordinates", "start_coordinate")
_END_FIELDS = ("end", "end_coordinates", "end_coordinate", "coordinate2", "to", "end_point")


def action_name(event: Event) -> str:
    """What a record calls its action; its event's type where it doesn't say."""
    for fields in (event.additional_info, event.extra):
        for key in ("type", "action_type", "action"):
            value = fields.get(key)
            if isinstance(value, str):
                return value
    return event.type


def take_given(assembly: Assembly, place: int, event: Event, tab: TabState) -> None:
    """Turns one record of a trajectory into one action."""
    name = action_name(event)
    folded = "".join(c for c in name.lower() if c.isalnum())
    kind = _NAMES.get(folded, "")
    if kind is None:
        assembly.drop(place, "idle_move" if folded in _MOVES else "no_action")
        return
    if not kind:
        assembly.drop(place, "unknown_type")
        return
    draft = assembly.begin(kind, place, event, tab)
    draft.flags.add("given")
    if kind == "click":
        draft.kind = {"right": "right_click", "middle": "middle_click"}.get(
            event.button or "left", "click"
        )
    draft.text = event.text if event.text is not None else event.value
    info = {**event.additional_info, **event.extra}
    if kind == "scroll":
        draft.deltas = (event.delta_x or 0.0, event.delta_y or 0.0)
        draft.text = None
    elif kind == "press":
        draft.keys = _keys(event, info)
        draft.text = None
    elif kind == "navigate":
        draft.text = draft.text or _string(info.get("url")) or event.url
    elif kind in ("drag", "swipe", "pinch"):
        _read_path(draft, info)


def _keys(event: Event, info: dict[str, Any]) -> tuple[str, ...]:
    raw = info.get("keys")
    names: list[str]
    if isinstance(raw, list | tuple):
        names = [str(key) for key in raw]
    elif isinstance(raw, str):
        names = [raw]
    else:
        text = event.key or event.text or event.value or ""
        names = [*event.modifiers, text] if text else []
    if len(names) == 1 and len(names[0]) > 1:
        names = [name for name in names[0].replace(" ", "+").split("+") if name]
    keys = [key_name(name) for name in names]
    modifiers = frozenset(key for key in keys if key in MODIFIERS)
    others = [key for key in keys if key not in MODIFIERS]
    if len(others) == 1:
        return chord(modifiers, others[0])
    return (*(name for name in MODIFIERS if name in modifiers), *others)


def _read_path(draft: Draft, info: dict[str, Any]) -> None:
    """Reads where a drag or swipe went: start, points between, end."""
    path: list[tuple[float, float]] = []
    for key in (*_START_FIELDS, "path", *_END_FIELDS):
        value = info.get(key)
        if isinstance(value, list) and len(value) == 4 and _point(value[:2]) is not None:
            value = [value[:2], value[2:]]
        values = value if isinstance(value, list) and _point(value) is None else [value]
        points = [p for p in map(_point, values) if p is not None]
        if len(points) < sum(isinstance(v, list | dict) for v in values):
            draft.flags.add("bad_point")
        path.extend(points)
    if not path and draft.x is not None and draft.y is not None:
        path = [(draft.x, draft.y)]
    if path:
        draft.path = path
        draft.x, draft.y = path[0]


def _point(raw: Any) -> tuple[float, float] | None:
    if isinstance(raw, dict):
        raw = [raw.get("x"), raw.get("y")]
    if (
        isinstance(raw, list | tuple)
        and len(raw) == 2
        and all(isinstance(n, int | float) and abs(n) <= MAX_COORDINATE for n in raw)
    ):
        return (float(raw[0]), float(raw[1]))
    return None


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None
