"""What is said of a segment to a model: rows with short ids, recorded text fenced as data.

Recorded text reaches a prompt only through :func:`fenced`: as JSON strings in which ``<``, ``>``
and every invisible character are escapes. So no recorded text can close the fence, open another,
form a chat template's control tokens, or carry writing that a person would not see.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from schemas.traces import Request
from schemas.trajectories import Step
from transforms.classify.classifier import SegmentContext

OPEN = "<recorded_data>"
CLOSE = "</recorded_data>"

TEXT_CHARACTERS = 4000
BODY_CHARACTERS = 1500
SHORT_CHARACTERS = 200
"""Of every text when even one step is too long for the model."""
EARLIER_STEPS = 4
"""Steps before the segment that are shown. Not what was said of earlier segments: an answer that
depended on other answers would spread their faults, and have to wait for them."""

_ESCAPED = re.compile(
    "[<>`\x7f-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202f"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\ue000-\uf8ff"
    "\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One step or request as the model sees it, and what it came from."""

    id: str
    shown: dict[str, Any]
    event_ids: tuple[str, ...] = ()
    request_id: str | None = None
    step: Step | None = None
    index: int = -1
    """Of the step in ``PreparedSession.steps``."""
    earlier: bool = False
    """A step from before the segment: its values may be cited, it is not itself judged."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All of one segment's rows, and the context before it."""

    rows: tuple[Row, ...]
    before: dict[str, Any] = {}
    """The task's description; recorded text too."""

    @property
    def steps(self) -> tuple[Row, ...]:
        """The steps of the segment."""
        return tuple(r for r in self.rows if r.step is not None and not r.earlier)

    def shown(self) -> dict[str, Any]:
        """Returns the JSON that goes between the fence's tags."""
        data = dict(self.before)
        seen: dict[str, Any] = {}
        if earlier := [_changed(r.shown, seen) for r in self.rows if r.earlier]:
            data["earlier_steps"] = earlier
        data["steps"] = [_changed(r.shown, seen) for r in self.steps]
        if requests := [r.shown for r in self.rows if r.step is None]:
            data["requests"] = requests
        return data

    def only(self, other: Evidence) -> Evidence:
        """Returns the segment's own rows that ``other`` has too, without what came before."""
        ids = {r.id for r in other.rows if not r.earlier}
        return Evidence(rows=tuple(r for r in self.rows if r.id in ids))

    def halves(self) -> tuple[Evidence, Evidence]:
        """Splits by steps, in order, without overlap; each request goes with the step before it.

        Steps from before the segment stay with the first half; for the second, the first half is
        what came before, and only its place is kept.
        """
        steps = self.steps
        first = {r.id for r in steps[: len(steps) // 2]}
        sides: tuple[list[Row], list[Row]] = ([], [])
        for row in self.rows:
            owner = row.id if row.step is not None else row.shown.get("after", "")
            sides[0 if row.earlier or not owner or owner in first else 1].append(row)
        return (
            Evidence(rows=tuple(sides[0]), before=self.before),
            Evidence(rows=tuple(sides[1]), before=self.before),
        )


def fenced(data: Any) -> str:
    """Returns JSON between the fence's tags, safe against everything in it."""
    return f"{OPEN}\n{safe_json(data)}\n{CLOSE}"


def safe_json(data: Any) -> str:
    """Encodes as JSON without angle brackets, backticks or invisible characters."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return _ESCAPED.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))


def gather(context: SegmentContext, short: bool = False) -> Evidence:
    """Collects the rows of a segment; ``short`` cuts every text far down."""
    text_limit = SHORT_CHARACTERS if short else TEXT_CHARACTERS
    body_limit = SHORT_CHARACTERS if short else BODY_CHARACTERS
    rows: list[Row] = []
    steps = context.prepared.steps
    earlier = () if short else _earlier(context)
    for prefix, indices in (("p", earlier), ("s", context.segment.step_indices)):
        for number, index in enumerate(indices, 1):
            step = steps[index]
            name = f"{prefix}{number}"
            rows.append(
                Row(
                    id=name,
                    shown={"id": name, **step_shown(step, text_limit)},
                    event_ids=step.action.raw_event_ids,
                    step=step,
                    index=index,
                    earlier=prefix == "p",
                )
            )
    for number, request in enumerate(context.requests, 1):
        after = _owner(rows, request)
        shown = {"id": f"r{number}", **({"after": after} if after else {})}
        shown |= request_shown(request, body_limit)
        rows.append(Row(id=f"r{number}", shown=shown, request_id=request.id))
    description = context.prepared.session.description
    before = {"task": cut(description, text_limit)} if description else {}
    return Evidence(rows=tuple(rows), before=before)


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
        if row.step is None or row.earlier:
            continue
        if row.step.action.start_us <= request.started_us:
            owner = row.id
    return owner


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


def cut(text: str, limit: int) -> str:
    """Shortens a text, saying by how much."""
    return text if len(text) <= limit else f"{text[:limit]}… [{len(text) - limit} more characters]"
