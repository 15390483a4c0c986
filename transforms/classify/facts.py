"""What is known of each step when segments are cut: element, field, view, and what it caused.

Requests are joined to steps by time: a request belongs to the last step that began before it. One
correction: a field that is left by a click sends its request when the button goes *down*, which is
already the next step; such a request belongs to the field.
"""

from __future__ import annotations

import bisect
import functools
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from schemas.traces import Request
from schemas.trajectories import Action, PreparedSession, Step

JOIN_LIMIT_US = 10_000_000
"""A request later than this after a step is not its doing."""
CLOCK_SLACK_US = 5_000
"""Recorders round the start of a request to the millisecond, events often not at all."""

MUTATING_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
FIELD_ROLES = frozenset({"textbox", "searchbox", "combobox", "spinbutton", "slider", "listbox"})
TOGGLE_ROLES = frozenset({"checkbox", "switch", "menuitemcheckbox"})
BUTTON_ROLES = frozenset(
    "button link menuitem tab option radio menuitemradio treeitem gridcell summary".split()
)
CLICKS = frozenset({"click", "double_click", "triple_click", "tap", "right_click", "long_press"})
FOCUS_CHORDS = frozenset({"Tab", "Shift+Tab", "Escape", "Control", "Shift", "Alt", "Meta"})
"""Keys that go somewhere or nowhere, and do nothing to the field they are pressed in."""
ENTRIES = frozenset({"type", "paste", "select"})

_INPUT_ROLES = {
    **dict.fromkeys(("text", "email", "tel", "url", "password", "date", "time"), "textbox"),
    **dict.fromkeys(("datetime-local", "month", "week", "color", "file"), "textbox"),
    **{"search": "searchbox", "number": "spinbutton", "range": "slider"},
    **{"checkbox": "checkbox", "radio": "radio"},
    **dict.fromkeys(("submit", "button", "reset", "image"), "button"),
}
_TAG_ROLES = {
    **{"a": "link", "button": "button", "select": "combobox", "textarea": "textbox"},
    **{"option": "option", "summary": "button", "input": "textbox"},
}
_READING_WORDS = re.compile(
    r"(?i)(^|[/_.-])(search|query|filter|lookup|autocomplete|suggest|list|validate|preview|"
    r"telemetry|collect|analytics|beacon|metrics|heartbeat|ping|presence|typing|refresh)($|[/_.-])"
)
_ID_SEGMENT = re.compile(
    r"(?i)^(?!v\d+$)(\d+|[0-9a-f]{8}-[0-9a-f-]{27,}|[0-9a-f]{12,}|(?=.*\d)[\w~.-]*\d[\w~.-]*|<[^>]+>|:.+|"
    r"%3c[^/]+%3e)$"
)


class StepFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One step with what follows from it alone, and the requests it caused."""

    index: int
    step: Step
    role: str
    """ARIA role, from the element's tag and input type where the recorder gave none; ``""``."""
    name: str
    """Accessible name, ``""`` when there is none."""
    field: str | None
    """Identity of the form field within its tab, when the element is one."""
    view: str
    """Tab and address without query and ids: what one would call the same page."""
    requests: tuple[Request, ...] = ()
    enter: bool = False
    """Enter was pressed in a place where that submits."""
    chord: str = ""
    """``Control+Enter`` …; ``""`` when it is no press."""

    @property
    def action(self) -> Action:
        """The step's action."""
        return self.step.action

    @property
    def is_click(self) -> bool:
        """Whether a pointer pressed something."""
        return self.action.type in CLICKS

    @property
    def is_toggle(self) -> bool:
        """Whether it flips a check box or switch."""
        return self.role in TOGGLE_ROLES and (
            self.is_click or self.chord in ("Space", " ") or self.action.type == "select"
        )

    @property
    def is_entry(self) -> bool:
        """Whether it changes the value of a field."""
        if self.action.type in ENTRIES:
            return True
        if self.role in ("spinbutton", "slider", "combobox", "listbox") and self.chord:
            return self.chord not in FOCUS_CHORDS and self.chord != "Enter"
        return self.role == "slider" and self.action.type in ("drag", "swipe", "click", "tap")

    @property
    def is_drop(self) -> bool:
        """Whether something was dragged onto something else (not: text was selected)."""
        start, end = self.action.target or self.action.element, self.action.end_target
        if self.action.type != "drag" or end is None or self.role == "slider":
            return False
        return start is None or (start.selector, start.bounds) != (end.selector, end.bounds)

    @property
    def is_focus_key(self) -> bool:
        """Whether it only moves the focus."""
        return self.chord in FOCUS_CHORDS

    @property
    def commits(self) -> tuple[Request, ...]:
        """The requests that changed something and were not refused."""
        return tuple(r for r in self.requests if is_mutating(r) and not is_refused(r))

    @property
    def was_refused(self) -> bool:
        """Whether it asked for a change and the server said no."""
        return not self.commits and any(is_mutating(r) for r in self.requests)


def collect_facts(prepared: PreparedSession) -> tuple[StepFacts, ...]:
    """Returns the facts of every step of a session, in the order of ``prepared.steps``."""
    joined = _join_requests(prepared.steps, prepared.requests)
    return tuple(
        _facts(index, step, tuple(joined.get(index, ())))
        for index, step in enumerate(prepared.steps)
    )


def _facts(index: int, step: Step, requests: tuple[Request, ...]) -> StepFacts:
    action = step.action
    role = role_of(action)
    chord = "+".join(action.keys) if action.type == "press" else ""
    text = (action.text or "") if action.type == "type" else ""
    multiline = (
        role == "textbox"
        and action.element is not None
        and (action.element.tag == "textarea" or action.element.input_type == "textarea")
    )
    return StepFacts(
        index=index,
        step=step,
        role=role,
        name=name_of(action),
        field=_field_of(action, role),
        view=view_of(action),
        requests=requests,
        enter=not multiline and (chord == "Enter" or text.endswith("\n")),
        chord=chord,
    )


def role_of(action: Action) -> str:
    """The ARIA role of the element that an action went to, or ``""``."""
    for element in (action.element, action.target):
        if element is None:
            continue
        if element.role:
            return element.role.lower()
        if element.tag == "input" and element.input_type:
            return _INPUT_ROLES.get(element.input_type.lower(), "textbox")
        if element.tag in _TAG_ROLES:
            return _TAG_ROLES[element.tag]
    return ""


def name_of(action: Action) -> str:
    """The accessible name of the element that an action went to, or ``""``."""
    element, target = action.element, action.target
    if element is not None and (element.name or element.label):
        return element.name or element.label or ""
    if target is not None:
        return target.label or target.name or target.text or ""
    return ""


def _field_of(action: Action, role: str) -> str | None:
    if role not in FIELD_ROLES and role not in TOGGLE_ROLES and action.type not in ENTRIES:
        return None
    element = action.element or action.target
    if element is None:
        return f"{action.tab}|?"
    identity = element.id or element.selector or f"{role}:{name_of(action)}"
    return f"{action.tab}|{identity}"


def view_of(action: Action) -> str:
    """Tab and address of the page, ids and query left out."""
    if not action.url:
        return f"{action.tab}|"
    host, path = split_url(action.url)
    return f"{action.tab}|{host}/{'/'.join(path)}"


def split_url(url: str) -> tuple[str, tuple[str, ...]]:
    """Host and static path segments of a URL (ids as ``*``), a fragment route included."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ()
    path = parts.path
    if parts.fragment.startswith(("/", "!/")):
        path += "/" + parts.fragment.lstrip("!").partition("?")[0]
    segments = [unquote(s) for s in path.split("/") if s]
    return parts.netloc, tuple("*" if _ID_SEGMENT.match(s) else s for s in segments)


def path_ids(url: str) -> tuple[tuple[str, str], ...]:
    """The ids in a URL's path with the segment before each: ``(("cards", "12"),)``."""
    try:
        segments = [unquote(s) for s in urlsplit(url).path.split("/") if s]
    except ValueError:
        return ()
    return tuple(
        (segments[i - 1] if i else "", s) for i, s in enumerate(segments) if _ID_SEGMENT.match(s)
    )


def query_of(url: str) -> dict[str, str]:
    """The query parameters of a URL, the last of each name."""
    try:
        return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    except ValueError:
        return {}


def body_of(request: Request) -> Any:
    """The parsed body of a request (JSON or a form), or None."""
    return _parsed(request.request_body, request.request_mime)


def answer_of(request: Request) -> Any:
    """The parsed JSON answer to a request, or None."""
    return _parsed(request.response_body, request.response_mime)


@functools.lru_cache(256)
def _parsed(body: str | None, mime: str | None) -> Any:
    if not body:
        return None
    if body.lstrip()[:1] in ("{", "["):
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError):
            return None
    if "=" in body and (mime is None or "urlencoded" in mime):
        return dict(parse_qsl(body, keep_blank_values=True)) or None
    return None


def is_mutating(request: Request) -> bool:
    """Whether a request changes something at the server, as far as one can tell from outside."""
    if request.method.upper() not in MUTATING_METHODS:
        return False
    body = body_of(request)
    if isinstance(body, dict) and isinstance(body.get("query"), str):
        text = body["query"].lstrip()
        if text.startswith(("query", "{")):
            return False
        if text.startswith("mutation"):
            return True
    _, path = split_url(request.url)
    return not (request.method.upper() == "POST" and _READING_WORDS.search("/".join(path)))


def is_refused(request: Request) -> bool:
    """Whether the server said no."""
    return request.status is not None and request.status >= 400


def _join_requests(steps: Sequence[Step], requests: Sequence[Request]) -> dict[int, list[Request]]:
    order = sorted(range(len(steps)), key=lambda i: (steps[i].action.start_us, i))
    by_tab: dict[str | None, list[int]] = {None: order}
    for index in order:
        tab = steps[index].action.tab
        if tab is not None:
            by_tab.setdefault(tab, []).append(index)
    starts = {tab: [steps[i].action.start_us for i in seq] for tab, seq in by_tab.items()}
    joined: dict[int, list[Request]] = {}
    for request in sorted(requests, key=lambda r: (r.started_us, r.id)):
        tab = request.tab if request.tab in by_tab else None
        place = bisect.bisect_right(starts[tab], request.started_us + CLOCK_SLACK_US) - 1
        if place < 0:
            continue
        sequence = by_tab[tab]
        index = sequence[place]
        if place and _sent_by_leaving(steps[sequence[place - 1]], steps[index], request):
            index = sequence[place - 1]
        if request.started_us <= steps[index].action.end_us + JOIN_LIMIT_US:
            joined.setdefault(index, []).append(request)
    return joined


def _sent_by_leaving(before: Step, step: Step, request: Request) -> bool:
    """Whether a request was sent because a click (or Tab) left the field of the step before."""
    left, entered = before.action, step.action
    if left.type not in ("type", "paste", "press") or entered.type not in CLICKS:
        return False
    field = _field_of(left, role_of(left))
    if field is None or field == _field_of(entered, role_of(entered)):
        return False
    return request.started_us < entered.end_us - CLOCK_SLACK_US
