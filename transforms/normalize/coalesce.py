"""Raw events become actions: what the person did, each with the events it came from.

Events are sorted by time and handed, one by one, to the part that knows their kind (keyboard,
pointer, touch, scrolling, field values, context). Each part either adds an event to an action
under construction or drops it with a reason, so that the ledger balances for any input.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from schemas.outcomes import Disposition, Ledger
from schemas.traces import Event, Trace
from schemas.trajectories import Action, NormalizedSession
from transforms.normalize.context_events import ContextEvents
from transforms.normalize.draft import Assembly, Draft, TabState
from transforms.normalize.field_values import FieldValues
from transforms.normalize.given import take_given
from transforms.normalize.keyboard import Keyboard
from transforms.normalize.pointer import Pointer
from transforms.normalize.recorder import recorder_events
from transforms.normalize.scrolling import Scrolling
from transforms.normalize.touch import Touches

MAX_PATH = 64
"""Points of a path that are kept; longer ones are thinned evenly."""

_WITH_POINT = frozenset(
    """click double_click triple_click right_click middle_click drag scroll tap long_press swipe
    pinch select""".split()
)
_WITH_PATH = frozenset(("drag", "swipe", "pinch"))
_ARRIVALS = frozenset(("navigation", "tabswitch"))
_BACKGROUND = frozenset(("navigation", "focus", "blur", "screenshot", "dom"))
"""Events that also happen in a tab where the person isn't."""

Handler = Callable[[int, Event, TabState], None]


def normalize_events(trace: Trace) -> NormalizedSession:
    """Returns the actions of a trace and what became of each of its events.

    Actions are ordered by their start, indices are consecutive from 0, and every event has exactly
    one disposition. Points are CSS pixels as recorded, `x_rel` and `y_rel` fractions of the
    viewport (absent where no viewport is known or the point lies outside). Grounding comes later:
    `Action.element` is left empty here.
    """
    raw = trace.events
    events = sorted(raw, key=lambda event: event.timestamp_us)
    assembly = Assembly(events)
    _take_all(assembly, trace)
    dispositions, drafts = _settle(assembly)
    dropped = dict(trace.ledger.dropped)  # what reading had to drop already
    n_read = len(raw) + sum(dropped.values())
    for reason in assembly.reasons:
        if reason is not None:
            dropped[reason] = dropped.get(reason, 0) + 1
    n_dropped = sum(dropped.values())
    ledger = Ledger(
        lines=trace.ledger.lines or n_read + trace.ledger.failed_lines,
        failed_lines=trace.ledger.failed_lines,
        raw=n_read,
        kept=len(drafts),
        merged=n_read - len(drafts) - n_dropped,
        dropped=dict(sorted(dropped.items())),
    )
    actions = tuple(_action(index, draft, events) for index, draft in enumerate(drafts))
    counts = {"inversions": _inversions(raw), "actions": len(actions)}
    for action in actions:
        for flag in action.flags:
            counts[f"flag_{flag}"] = counts.get(f"flag_{flag}", 0) + 1
    return NormalizedSession(
        actions=actions,
        dispositions=tuple(dispositions),
        ledger=ledger,
        counts={name: n for name, n in counts.items() if n},
    )


def _take_all(assembly: Assembly, trace: Trace) -> None:
    """Hands every event to the part that knows its kind."""
    keyboard = Keyboard(assembly)
    pointer = Pointer(assembly, keyboard)
    touches = Touches(assembly)
    scrolling = Scrolling(assembly, keyboard)
    values = FieldValues(assembly, keyboard)
    context = ContextEvents(assembly, keyboard)
    handlers: dict[str, Handler] = {
        "keydown": keyboard.keydown,
        "keyup": keyboard.keyup,
        "input": values.input,
        "change": values.change,
        "paste": values.paste,
        "compositionstart": values.compositionstart,
        "compositionend": values.compositionend,
        "mousedown": pointer.mousedown,
        "mousemove": pointer.mousemove,
        "mouseup": pointer.mouseup,
        "click": pointer.click,
        "dblclick": pointer.dblclick,
        "auxclick": pointer.auxclick,
        "contextmenu": pointer.contextmenu,
        "dragstart": pointer.dragstart,
        "drop": pointer.drop,
        "wheel": scrolling.wheel,
        "scroll": scrolling.scroll,
        "touchstart": touches.touchstart,
        "touchmove": touches.touchmove,
        "touchend": touches.touchend,
        "touchcancel": touches.touchcancel,
        "navigation": context.navigation,
        "tabswitch": context.tabswitch,
        "focus": context.focus,
        "blur": context.blur,
        "submit": context.submit,
    }
    given = {step.event_id for step in trace.given}
    own = recorder_events(assembly.events, trace.session.recorder)
    tabs = assembly.tabs
    for place, event in enumerate(assembly.events):
        if own and place in own:
            assembly.drop(place, own[place])
            continue
        name = event.tab
        tab = tabs.get(name)
        if tab is None:
            if name is None and assembly.current is not None:
                tab = assembly.current
            else:
                tab = tabs[name] = TabState(name)
        kind = event.type
        if kind in _ARRIVALS and event.id not in given:
            handlers[kind](place, event, tab)
            if event.url is not None and event.url != tab.url:
                tab.window = None
            _enter(tab, event)
            if kind == "tabswitch":
                pointer.lose_all_but(tab)
                assembly.current = tab
            tab.used = True
            continue
        _enter(tab, event)
        tab.used = True
        if kind not in _BACKGROUND:
            assembly.current = tab
        if event.id in given:
            take_given(assembly, place, event, tab)
            continue
        handler = handlers.get(kind)
        if handler is not None:
            handler(place, event, tab)
        elif kind in ("screenshot", "dom"):
            assembly.drop(place, "context")
        elif _raw_type(event) == "dragend":
            pointer.dragend(place, event, tab)
        else:
            assembly.drop(place, "unknown_type")
    for tab in tabs.values():
        if tab.run is not None:
            assembly.close_run(tab)
    pointer.finish()
    touches.finish()
    keyboard.finish()


def _enter(tab: TabState, event: Event) -> None:
    """Carries forward where the person is."""
    if event.url is not None:
        tab.url = event.url
    if event.window is not None:
        tab.window = event.window
    if event.viewport is not None:
        tab.viewport = event.viewport


def _raw_type(event: Event) -> str | None:
    raw = event.extra.get("type", event.additional_info.get("type"))
    return raw if isinstance(raw, str) else None


def _settle(assembly: Assembly) -> tuple[list[Disposition], list[Draft]]:
    """Decides the last doubts, orders the drafts, and gives every event its disposition."""
    reasons = assembly.reasons
    events = assembly.events
    drafts = []
    for draft in assembly.drafts:
        if draft.into is not None:
            continue
        reason = None
        if draft.kind == "cancelled":
            reason = "touch_cancelled"
        elif draft.run is not None:
            run = draft.run
            run.settle()
            if not (run.has_keys or run.erases or draft.text or draft.field_value is not None):
                reason = "no_text"
        if reason is None:
            drafts.append(draft)
            continue
        for place in draft.events:
            reasons[place] = reason
    for draft in drafts:
        draft.events.sort()
    drafts.sort(key=lambda draft: draft.events[0])
    outcomes: list[Disposition | None] = [
        None if reason is None else Disposition(event.id, "dropped", reason)
        for event, reason in zip(events, reasons)
    ]
    for index, draft in enumerate(drafts):
        outcome = "kept"
        for place in draft.events:
            assert outcomes[place] is None, "an event cannot belong to two actions"
            outcomes[place] = Disposition(events[place].id, outcome, None, index)
            outcome = "merged"
    assert None not in outcomes, "every event has a disposition"
    return outcomes, drafts  # type: ignore[return-value]


def _action(index: int, draft: Draft, events: list[Event]) -> Action:
    kind = draft.kind
    viewport = draft.viewport
    x = y = x_rel = y_rel = None
    if kind in _WITH_POINT and _is_finite(draft.x) and _is_finite(draft.y):
        x, y = float(draft.x), float(draft.y)  # type: ignore[arg-type]
        if viewport is not None and viewport.width > 0 and viewport.height > 0:
            across, down = x / viewport.width, y / viewport.height
            if 0 <= across <= 1 and 0 <= down <= 1:
                x_rel, y_rel = round(across, 6), round(down, 6)
            else:
                draft.flags.add("outside_viewport")
    first = events[draft.events[0]]
    return Action(
        index=index,
        type=kind,
        start_us=first.timestamp_us,
        end_us=max(draft.end_us, first.timestamp_us),
        raw_event_ids=tuple([events[place].id for place in draft.events]),
        x=x,
        y=y,
        x_rel=x_rel,
        y_rel=y_rel,
        text=draft.text,
        field_value=draft.field_value,
        keys=draft.keys,
        delta_x=draft.deltas[0] if draft.deltas is not None else None,
        delta_y=draft.deltas[1] if draft.deltas is not None else None,
        path=_thinned(draft.path) if kind in _WITH_PATH else (),
        target=draft.target,
        end_target=draft.end_target if kind == "drag" else None,
        tab=draft.tab.name,
        url=draft.url,
        window=draft.window,
        viewport=None
        if viewport is None
        else (viewport.width, viewport.height, viewport.device_pixel_ratio),
        flags=tuple(sorted(draft.flags)),
    )


def _is_finite(number: float | None) -> bool:
    return number is not None and math.isfinite(number)


def _thinned(path: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """At most `MAX_PATH` points of a path, its ends among them, none twice in a row."""
    points = [
        point
        for place, point in enumerate(path)
        if (place == 0 or point != path[place - 1]) and all(map(math.isfinite, point))
    ]
    if len(points) > MAX_PATH:
        last = len(points) - 1
        points = [points[round(n * last / (MAX_PATH - 1))] for n in range(MAX_PATH)]
    return tuple(points)


def _inversions(events: tuple[Event, ...]) -> int:
    """How often an event is older than the one before it in the file."""
    count = 0
    before = -(1 << 62)
    for event in events:
        if event.timestamp_us < before:
            count += 1
        before = event.timestamp_us
    return count
