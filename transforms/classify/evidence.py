"""Everything a run of steps says about what was done: its trigger, requests, words and sources."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from schemas.traces import Request
from schemas.trajectories import PreparedSession
from transforms.classify.entries import FieldEntry, collect_entries
from transforms.classify.facts import (
    StepFacts,
    body_of,
    collect_facts,
    is_mutating,
    is_refused,
    split_url,
)
from transforms.classify.sources import (
    Entities,
    Source,
    changed_query,
    element_sources,
    entered_values,
    field_sources,
    leaves,
    linked,
    query_sources,
    request_sources,
    window_sources,
)
from transforms.classify.values import comparable
from transforms.classify.words import tokens

SUBMIT_CHORDS = frozenset({"Enter", "Control+Enter", "Meta+Enter", "Control+s", "Meta+s"})


_EDITING_KEYS = frozenset(
    "a c v x z y f End Home PageUp PageDown Backspace Delete Insert Tab Space".split()
    + "ArrowUp ArrowDown ArrowLeft ArrowRight Control Shift Alt Meta".split()
)
"""With a modifier these move, select or edit; they finish nothing."""
_PASSIVE = frozenset({"navigate", "switch_tab", "scroll", "wait", "swipe", "pinch"})
"""What is loaded on these is no answer to anything a person entered."""


_GIVING_UP = frozenset(tokens("cancel close discard dismiss back never skip undo"))


def gives_up(step: StepFacts) -> bool:
    """Whether a button was pressed that ends a form without sending it."""
    head = tokens(step.name)[:1]
    return bool(head) and step.is_click and step.field is None and head[0] in _GIVING_UP


class SessionFacts:
    """What is computed once per session: facts of its steps, known objects, earlier requests."""

    def __init__(self, prepared: PreparedSession) -> None:
        self.prepared = prepared
        self.facts = collect_facts(prepared)
        self.entities = Entities(prepared.requests)
        self.before = _predecessors(prepared.requests)
        self.has_network = any(is_mutating(r) for r in prepared.requests)
        """Whether changes at the server would show in the recording."""

    def commits(self, facts: StepFacts) -> tuple[Request, ...]:
        """The requests by which a step changed something at the server."""
        return facts.commits

    def asks(self, facts: StepFacts) -> tuple[Request, ...]:
        """The reading requests of a step whose query differs from the last one to that path."""
        if facts.action.type in _PASSIVE:
            return ()
        return tuple(
            r
            for r in facts.requests
            if r.method.upper() in ("GET", "POST")
            and not is_mutating(r)
            and not is_refused(r)
            and self.changes(r)
        )

    def changes(self, request: Request) -> dict[str, str]:
        """Query parameters in which a request differs from the one before to the same path."""
        return changed_query(request, self.before.get(request.id))


def _predecessors(requests: Sequence[Request]) -> dict[str, Request]:
    last: dict[tuple[str, str, tuple[str, ...]], Request] = {}
    before: dict[str, Request] = {}
    for request in sorted(requests, key=lambda r: (r.started_us, r.id)):
        place = (request.method, *split_url(request.url))
        if place in last:
            before[request.id] = last[place]
        last[place] = request
    return before


class SegmentEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of steps says."""

    steps: tuple[StepFacts, ...]
    trigger: StepFacts
    """The step that decides: the one with the change, else the last that could submit."""
    opener: StepFacts | None
    """The click the run begins with, when it isn't the trigger."""
    commits: tuple[Request, ...]
    asks: tuple[Request, ...]
    entries: tuple[FieldEntry, ...]
    sources: tuple[Source, ...]
    head: tuple[str, ...]
    """Tokens of the trigger's name, in order."""
    path: tuple[str, ...]
    """Tokens of the main request's static path, the last segment first."""
    method: str
    keys: tuple[str, ...]
    """Tokens of body keys, changed query parameters and field labels."""
    around: tuple[str, ...]
    """Tokens of window titles, addresses and of what was clicked on the way."""
    has_network: bool
    """Whether a change would have shown as a request."""


def gather(session: SessionFacts, indices: Sequence[int]) -> SegmentEvidence:
    """Returns what the steps of a segment say."""
    steps = tuple(session.facts[i] for i in indices)
    trigger = _trigger(session, steps)
    carried = _carried(session, indices[0], trigger)
    commits = tuple(r for s in steps for r in session.commits(s))
    asks = tuple(r for s in steps for r in session.asks(s))
    entries = collect_entries([*(session.facts[i] for i in carried), *steps])
    ids = trigger.action.raw_event_ids
    main = commits[-1] if commits else asks[-1] if asks else None
    sources = list(field_sources(_completed(entries, commits, asks, session)))
    for request in reversed(commits):
        sources += request_sources(request, session.entities, ids)
    for request in reversed(asks):
        sources += query_sources(request, session.before.get(request.id), ids)
    for step in reversed(steps):
        sources += element_sources(step, step is trigger)
    window = trigger.step.observation.active_window or trigger.action.window
    sources += window_sources(window, ids)
    path: list[str] = []
    if main is not None:
        for part in reversed(split_url(main.url)[1]):
            if part != "*":
                path += tokens(part)
        body = body_of(main)
        if isinstance(body, dict) and isinstance(body.get("operationName"), str):
            path = [*tokens(body["operationName"]), *path]
    keys: list[str] = [word for entry in entries for word in entry.words]
    for request in commits:
        for where, _ in leaves(body_of(request)):
            keys += tokens(where.rpartition(".")[2])
    for request in asks:
        for key in session.changes(request):
            keys += tokens(key)
    opener = _opener(steps, trigger)
    around = list(tokens(opener.name)) if opener is not None else []
    around += tokens(window or "")
    around += [word for part in split_url(trigger.action.url or "")[1] for word in tokens(part)]
    return SegmentEvidence(
        steps=steps,
        trigger=trigger,
        opener=opener,
        commits=commits,
        asks=asks,
        entries=entries,
        sources=tuple(linked(sources)),
        head=tokens(trigger.name) if trigger.is_click or not trigger.is_entry else (),
        path=tuple(dict.fromkeys(path)),
        method=main.method.upper() if main is not None else "",
        keys=tuple(dict.fromkeys(keys)),
        around=tuple(dict.fromkeys(around)),
        has_network=session.has_network,
    )


def _carried(session: SessionFacts, first: int, trigger: StepFacts) -> list[int]:
    """Earlier fields of the same form, when work in another tab lies between."""
    found: list[int] = []
    crossed = False
    for index in range(first - 1, -1, -1):
        facts = session.facts[index]
        if facts.step.task != trigger.step.task:
            break
        if facts.action.tab != trigger.action.tab:
            crossed = True
        elif facts.action.type not in _PASSIVE:
            if not crossed or facts.commits:
                break
            if facts.view != trigger.view:
                break
            if facts.is_entry or facts.is_toggle:
                found.append(index)
    return found[::-1]


def _trigger(session: SessionFacts, steps: Sequence[StepFacts]) -> StepFacts:
    for step in reversed(steps):
        if session.commits(step):
            return step
    for step in reversed(steps):
        if session.asks(step):
            return step
    for step in reversed(steps):
        if can_submit(step):
            return step
    return steps[-1]


def _opener(steps: Sequence[StepFacts], trigger: StepFacts) -> StepFacts | None:
    """The click that brought up the form or menu: nothing but fields lies after it."""
    before = [s for s in steps[: steps.index(trigger)] if s.action.type not in _PASSIVE]
    while before and before[0].is_focus_key:
        before.pop(0)
    if not before or not before[0].is_click or before[0].field is not None:
        return None
    return before[0] if all(s.field is not None for s in before[1:]) else None


def can_submit(step: StepFacts) -> bool:
    """Whether a step is one that people finish something with, as far as input alone tells."""
    action = step.action
    if step.is_toggle or step.enter or step.chord in SUBMIT_CHORDS:
        return True
    if action.type == "select" or step.is_drop or (action.type == "drag" and step.is_entry):
        return True
    if action.type == "press" and len(action.keys) > 1:
        return action.keys[0] != "Shift" and action.keys[-1] not in _EDITING_KEYS
    return step.is_click and step.field is None and bool(step.name) and step.role not in ("img",)


def _completed(
    entries: Sequence[FieldEntry],
    commits: Sequence[Request],
    asks: Sequence[Request],
    session: SessionFacts,
) -> list[FieldEntry]:
    """Entries whose value the recorder didn't tell, completed from what the requests carried."""
    carried: list[tuple[tuple[str, ...], object]] = []
    for request in commits:
        for where, value in leaves(body_of(request)):
            carried.append((tokens(where.rpartition(".")[2]), value))
    for request in asks:
        for key, value in session.changes(request).items():
            carried.append((tokens(key), value))
    completed = []
    for entry in entries:
        if entry.value is None and entry.kind == "toggle":
            for words, value in carried:
                if set(words) & set(entry.words) and str(value).lower() in ("true", "false"):
                    entry = msgspec.structs.replace(entry, value=str(value).lower() == "true")
                    break
        completed.append(entry)
    return completed


def carries_entered(request: Request, entries: Sequence[FieldEntry]) -> bool:
    """Whether a request carries a value that was entered into one of the fields."""
    values = {v for v in entered_values(entries) if v}
    sent = {comparable(value) for _, value in leaves(body_of(request))}
    return bool(values & sent)
