"""What is said of a segment to a model: rows with short ids, and what each of them came from."""

from __future__ import annotations

import collections
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from schemas.traces import Request
from schemas.trajectories import PreparedSession, Step
from transforms.classify.classifier import SegmentContext
from transforms.classify.facts import path_ids
from transforms.classify.model.fence import cut
from transforms.classify.sources import Entities, leaves

TEXT_CHARACTERS = 4000
BODY_CHARACTERS = 1500
SHORT_CHARACTERS = 200
"""Of every text when even one step is too long for the model."""
EARLIER_STEPS = 4
"""Steps before the segment that are shown. Not what was said of earlier segments: an answer that
depended on other answers would spread their faults, and have to wait for them."""
OBJECTS = 8
OBJECT_VALUES = 16


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the model is told, and what it came from."""

    id: str
    kind: str
    """step, earlier (a step from before the segment: its values may be cited, it is not itself
    judged), request, or object (what the server had told of an id that a request names)."""
    shown: dict[str, Any]
    whole: dict[str, Any] = {}
    """The fields of ``shown`` that were cut, as they are."""
    event_ids: tuple[str, ...] = ()
    request_id: str | None = None
    step: Step | None = None
    index: int = -1
    """Of the step in ``PreparedSession.steps``."""


_PLACES = {"earlier": "earlier_steps", "step": "steps", "request": "requests", "object": "objects"}


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All rows of one segment, or of a stretch of it."""

    rows: tuple[Row, ...]
    before: dict[str, Any] = {}
    """The task's description; recorded text too."""

    @property
    def steps(self) -> tuple[Row, ...]:
        """The steps of the segment."""
        return tuple(r for r in self.rows if r.kind == "step")

    def shown(self) -> dict[str, Any]:
        """Returns the JSON that goes between the fence's tags."""
        data = dict(self.before)
        seen: dict[str, Any] = {}
        for kind, place in _PLACES.items():
            rows = [r.shown for r in self.rows if r.kind == kind]
            if kind in ("earlier", "step"):
                rows = [_changed(shown, seen) for shown in rows]
            if rows or kind == "step":
                data[place] = rows
        return data

    def only(self, other: Evidence) -> Evidence:
        """Returns the segment's own rows that ``other`` has too, without what came before."""
        ids = {r.id for r in other.rows if r.kind != "earlier"}
        return Evidence(rows=tuple(r for r in self.rows if r.id in ids))

    def halves(self) -> tuple[Evidence, Evidence]:
        """Splits by steps, in order, without overlap; a request goes with the step before it.

        Steps from before the segment stay with the first half.
        """
        steps = self.steps
        first = {r.id for r in self.rows if r.kind == "earlier"}
        first |= {r.id for r in steps[: len(steps) // 2]}
        sides: tuple[list[Row], list[Row]] = ([], [])
        for row in self.rows:
            owner = row.shown.get("after") or row.shown.get("named_by") or ""
            if row.id in first or (row.step is None and (not owner or owner in first)):
                first.add(row.id)
                sides[0].append(row)
            else:
                sides[1].append(row)
        return (
            Evidence(rows=tuple(sides[0]), before=self.before),
            Evidence(rows=tuple(sides[1]), before=self.before),
        )


def gather(context: SegmentContext, short: bool = False) -> Evidence:
    """Collects the rows of a segment; ``short`` cuts every text far down."""
    text_limit = SHORT_CHARACTERS if short else TEXT_CHARACTERS
    body_limit = SHORT_CHARACTERS if short else BODY_CHARACTERS
    rows: list[Row] = []
    earlier = () if short else _earlier(context)
    for kind, indices in (("earlier", earlier), ("step", context.segment.step_indices)):
        for number, index in enumerate(indices, 1):
            step = context.prepared.steps[index]
            name = f"{'p' if kind == 'earlier' else 's'}{number}"
            shown = {"id": name, **step_shown(step, text_limit)}
            rows.append(
                Row(
                    id=name,
                    kind=kind,
                    shown=shown,
                    whole=_longer(step_shown(step, sys.maxsize), shown),
                    event_ids=step.action.raw_event_ids,
                    step=step,
                    index=index,
                )
            )
    for number, request in enumerate(context.requests, 1):
        name = f"r{number}"
        after = _owner(rows, request)
        shown = {"id": name, **({"after": after} if after else {})}
        shown |= request_shown(request, body_limit)
        whole = _longer(request_shown(request, sys.maxsize), shown)
        rows.append(Row(id=name, kind="request", shown=shown, whole=whole, request_id=request.id))
    rows += _objects(context, rows)
    description = context.prepared.session.description
    before = {"task": cut(description, text_limit)} if description else {}
    return Evidence(rows=tuple(rows), before=before)


def _longer(whole: dict[str, Any], shown: dict[str, Any]) -> dict[str, Any]:
    """The fields of which only a part is shown."""
    return {field: value for field, value in whole.items() if value != shown[field]}


def _earlier(context: SegmentContext) -> Sequence[int]:
    """The last steps of the same task before the segment."""
    indices = context.segment.step_indices
    first = indices[0] if indices else 0
    same = [i for i in range(first) if context.prepared.steps[i].task == context.segment.task]
    return same[-EARLIER_STEPS:]


def _owner(rows: Sequence[Row], request: Request) -> str:
    """Id of the last step that began before the request."""
    owner = ""
    for row in rows:
        if row.kind == "step" and row.step and row.step.action.start_us <= request.started_us:
            owner = row.id
    return owner


# What the server has told is worked out once for the segments of a session, which come together.
_KNOWN: collections.deque[tuple[PreparedSession, Entities]] = collections.deque(maxlen=2)


def _entities(prepared: PreparedSession) -> Entities:
    for known, entities in _KNOWN:
        if known is prepared:
            return entities
    _KNOWN.append((prepared, Entities(prepared.requests)))
    return _KNOWN[-1][1]


def _objects(context: SegmentContext, rows: Sequence[Row]) -> Iterator[Row]:
    """What the server had told, until then, of the ids that the requests name."""
    named = [
        (row, request, owner, number)
        for row, request in zip((r for r in rows if r.kind == "request"), context.requests)
        for owner, number in path_ids(request.url)
    ]
    if not named:
        return
    entities = _entities(context.prepared)
    told: set[str] = set()
    for row, request, owner, number in named:
        found = entities.find(number, owner, request.started_us)
        if found is None or number in told or len(told) == OBJECTS:
            continue
        told.add(number)
        what, item, told_by = found
        values = {
            where: value
            for where, value in leaves(item)
            if isinstance(value, str | int | float) and value not in ("", None)
        }
        name = f"o{len(told)}"
        whole = {"values": dict(list(values.items())[:OBJECT_VALUES])}
        kept = {
            where: cut(value, SHORT_CHARACTERS) if isinstance(value, str) else value
            for where, value in whole["values"].items()
        }
        shown = {"id": name, "named_by": row.id, "what": what or owner, "values": kept}
        whole = _longer(whole, shown)
        yield Row(id=name, kind="object", shown=shown, whole=whole, request_id=told_by)


def _changed(shown: dict[str, Any], seen: dict[str, Any]) -> dict[str, Any]:
    """Leaves out a window or URL that is the same as in the row before."""
    kept = {k: v for k, v in shown.items() if k not in ("window", "url") or seen.get(k) != v}
    seen.update(shown)
    return kept


def step_shown(step: Step, limit: int = TEXT_CHARACTERS) -> dict[str, Any]:
    """Returns one step's fields for a prompt; no coordinates."""
    action = step.action
    shown: dict[str, Any] = {"did": action.type}
    element = action.element
    if element is not None:
        named = {
            "role": element.role or element.tag,
            "name": element.name,
            "label": element.label if element.label != element.name else None,
            "input_type": element.input_type,
        }
        if named := {k: cut(v, limit) for k, v in named.items() if v}:
            shown["element"] = named
    if action.end_target is not None:
        end = action.end_target
        if name := end.label or end.text or end.name:
            shown["dropped_on"] = cut(name, limit)
    if action.text:
        shown["text"] = cut(action.text, limit)
    if action.field_value and action.field_value != action.text:
        shown["field_value"] = cut(action.field_value, limit)
    if action.keys:
        shown["keys"] = "+".join(action.keys)
    if action.delta_y or action.delta_x:
        shown["scrolled"] = _direction(action.delta_x or 0, action.delta_y or 0)
    window = action.window or step.observation.active_window
    if window:
        shown["window"] = cut(window, limit)
    url = action.url or step.observation.url
    if url:
        shown["url"] = cut(url, limit)
    return shown


def _direction(x: float, y: float) -> str:
    if abs(y) >= abs(x):
        return "down" if y > 0 else "up"
    return "right" if x > 0 else "left"


def request_shown(request: Request, limit: int = BODY_CHARACTERS) -> dict[str, Any]:
    """Returns one request's fields for a prompt."""
    shown: dict[str, Any] = {"method": request.method, "url": cut(request.url, limit)}
    if request.status is not None:
        shown["status"] = request.status
    if request.request_body:
        shown["body"] = cut(request.request_body, limit)
    if request.response_body:
        shown["response"] = cut(request.response_body, limit // 3)
    return shown
