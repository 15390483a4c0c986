"""Whatever events come, in whatever order: nothing is lost, nothing is made up."""

from __future__ import annotations

import itertools
import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.outcomes import Ledger
from schemas.traces import (
    EVENT_TYPES,
    Event,
    GivenStep,
    RecorderInfo,
    Session,
    SessionRef,
    Target,
    Touch,
    Trace,
    Viewport,
)
from schemas.trajectories import ACTION_TYPES
from transforms.normalize.coalesce import normalize_events
from transforms.normalize.draft import DROP_REASONS
from transforms.normalize.match import MatchSettings, match_observations

KEYS = [
    *("a", "B", "é", " ", "€", "Enter", "Tab", "Backspace", "Delete", "ArrowLeft", "ArrowRight"),
    *("Home", "End", "Shift", "Control", "Alt", "Meta", "AltGraph", "CapsLock", "Escape", "F5"),
    *("Process", "Dead", "v", "👍🏽", "", "ContextMenu", "Esc"),
]
TARGETS = [
    None,
    Target(tag="input", selector="#a", input_type="text", name="Name"),
    Target(tag="input", selector="#b", input_type="checkbox"),
    Target(tag="textarea", selector="#c"),
    Target(tag="select", selector="#d"),
    Target(tag="button", selector="#e", text="Send"),
    Target(tag="div", role="textbox"),
    Target(tag="body"),
    Target(tag="option", text="Two"),
    Target(),
]
HOW = [None, "insertText", "insertFromPaste", "deleteContentBackward", "insertCompositionText"]


GAPS_US = [0, 0, 1, 3_000, 40_000, 300_000, 900_000, 4_000_000, -500_000]
START_US = 1_700_000_000_000_000
TYPES = tuple(sorted(EVENT_TYPES))


def any_event(place: int, kind: str, us: int, seed: int) -> Event:
    """An event with every field at random; small choices, so that coincidences are frequent."""
    pick = random.Random(seed).choice
    info: dict = {}
    how = pick(HOW)
    if how:
        info["input_type"] = how
    if pick(range(10)) == 0:
        info["repeat"] = True
    if pick(range(5)) == 0:
        info |= {"scroll_top": pick(range(500)), "scroll_left": 0}
    if pick(range(8)) == 0:
        info["is_composing"] = True
    if pick(range(8)) == 0:
        info["transition"] = pick(["typed", "link", "reload"])
    x, y = pick([(None, None), (10.0, 10.0), (12.0, 9.0), (200.0, -8.0), (float("nan"), 1.0)])
    return Event(
        id=f"e{place}",
        type=kind,
        timestamp_us=us,
        file="input_events.jsonl",
        line=place + 1,
        tab=pick([None, "t1", "t1", "t2"]),
        url=pick([None, "https://a.example/", "https://b.example/"]),
        window=pick([None, "Mail", "Recorder"]),
        target=pick(TARGETS),
        viewport=pick([None, Viewport(100.0, 50.0)]),
        x=x,
        y=y,
        button=pick([None, "left", "left", "right", "middle", "back"]),
        buttons=pick([None, 0, 1]),
        delta_x=pick([None, 0.0, 3.0]),
        delta_y=pick([None, 0.0, 100.0, -100.0]),
        key=pick([None, *KEYS]),
        code=pick([None, None, "KeyA", "Enter", "Space"]),
        modifiers=pick([(), (), ("Control",), ("Shift",), ("Alt",)]),
        text=pick([None, "", "a", "é", "ab"]),
        value=pick([None, "", "a", "ab", "ba", "xyz"]),
        touches=pick([(), (Touch(0, 1.0, 1.0),), (Touch(0, 40.0, 1.0), Touch(1, 90.0, 9.0))]),
        additional_info=info,
    )


def hostile_events(types: tuple[str, ...] = TYPES) -> st.SearchStrategy[tuple[Event, ...]]:
    """Events of every kind in an order no browser would give, many at the same time."""

    def build(rows: list[tuple[str, int, int]]) -> tuple[Event, ...]:
        us = START_US
        events = []
        for place, (kind, gap, seed) in enumerate(rows):
            us += gap
            events.append(any_event(place, kind, us, seed))
        return tuple(events)

    row = st.tuples(st.sampled_from(types), st.sampled_from(GAPS_US), st.integers(0, 1 << 30))
    return st.lists(row, max_size=60).map(build)


def trace_of(events: tuple[Event, ...], **session) -> Trace:
    return Trace(
        ref=SessionRef("s", "/nowhere", "native", 0, ""),
        session=Session(id="s", **session),
        events=events,
        ledger=Ledger(lines=len(events) + 2, failed_lines=2, raw=len(events)),
    )


def check_balance(trace: Trace) -> None:
    made = normalize_events(trace)
    ids = [event.id for event in trace.events]
    assert Counter(d.event_id for d in made.dispositions) == Counter(ids)
    ledger = made.ledger
    assert ledger.balanced
    assert (ledger.lines, ledger.failed_lines, ledger.raw) == (len(ids) + 2, 2, len(ids))
    outcomes = Counter(d.outcome for d in made.dispositions)
    assert outcomes["kept"] == ledger.kept == len(made.actions)
    assert outcomes["merged"] == ledger.merged
    assert outcomes["dropped"] == sum(ledger.dropped.values())
    reasons = Counter(d.reason for d in made.dispositions if d.outcome == "dropped")
    assert reasons == ledger.dropped
    assert reasons.keys() <= DROP_REASONS.keys()
    assert [action.index for action in made.actions] == list(range(len(made.actions)))
    starts = [action.start_us for action in made.actions]
    assert starts == sorted(starts)
    fate = {d.event_id: d for d in made.dispositions}
    times = {event.id: event.timestamp_us for event in trace.events}
    for action in made.actions:
        assert action.type in ACTION_TYPES
        assert action.raw_event_ids
        assert action.start_us == times[action.raw_event_ids[0]]
        assert action.start_us <= action.end_us
        assert len(action.path) <= 64
        for place, event_id in enumerate(action.raw_event_ids):
            assert fate[event_id].action_index == action.index
            assert fate[event_id].outcome == ("merged" if place else "kept")
        assert action.x_rel is None or 0 <= action.x_rel <= 1
    owned = [event_id for action in made.actions for event_id in action.raw_event_ids]
    assert len(owned) == len(set(owned)) == ledger.kept + ledger.merged
    steps = match_observations(trace, made, MatchSettings(), lambda snapshot: None)
    assert [step.step_id for step in steps] == list(range(1, len(steps) + 1))


@settings(max_examples=400, deadline=None)
@given(hostile_events())
def test_any_events_balance(events):
    check_balance(trace_of(events))


@settings(max_examples=150, deadline=None)
@given(
    hostile_events(
        types=(
            "keydown",
            "keyup",
            "input",
            "change",
            "paste",
            "click",
            "mousedown",
            "compositionstart",
            "compositionend",
            "focus",
            "blur",
            "tabswitch",
        )
    )
)
def test_any_typing_balances(events):
    check_balance(trace_of(events))


@settings(max_examples=150, deadline=None)
@given(
    hostile_events(
        types=(
            "mousedown",
            "mouseup",
            "mousemove",
            "click",
            "dblclick",
            "auxclick",
            "contextmenu",
            "dragstart",
            "drop",
            "touchstart",
            "touchmove",
            "touchend",
            "touchcancel",
            "scroll",
            "wheel",
            "keydown",
        )
    )
)
def test_any_pointing_balances(events):
    check_balance(trace_of(events))


@settings(max_examples=100, deadline=None)
@given(hostile_events(), st.sampled_from([("Control", "a"), ("F5",), ("ctrl+alt+v",), ("Shift",)]))
def test_the_recorders_own_events_balance(events, hotkey):
    recorder = RecorderInfo(window="Recorder", stop_hotkey=hotkey)
    check_balance(trace_of(events, recorder=recorder))


@settings(max_examples=60, deadline=None)
@given(hostile_events(), st.sets(st.integers(0, 39)))
def test_given_actions_balance(events, chosen):
    trace = trace_of(events)
    steps = tuple(GivenStep(event_id=e.id) for n, e in enumerate(events) if n in chosen)
    trace = Trace(
        ref=trace.ref, session=trace.session, events=events, given=steps, ledger=trace.ledger
    )
    check_balance(trace)


@settings(max_examples=100, deadline=None)
@given(hostile_events(), st.randoms(use_true_random=False))
def test_the_order_in_the_file_does_not_matter_for_distinct_times(events, shuffler):
    spread = [
        Event(
            **{f: getattr(e, f) for f in e.__struct_fields__ if f != "timestamp_us"},
            timestamp_us=START_US + n * 77_001,
        )
        for n, e in enumerate(events)
    ]
    shuffled = spread.copy()
    shuffler.shuffle(shuffled)
    one, other = (
        normalize_events(trace_of(tuple(spread))),
        normalize_events(trace_of(tuple(shuffled))),
    )
    assert one.actions == other.actions
    assert one.dispositions == other.dispositions
    assert "inversions" not in one.counts
    assert other.counts.get("inversions", 0) == sum(
        later.timestamp_us < earlier.timestamp_us for earlier, later in itertools.pairwise(shuffled)
    )


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from([*"abc X.", "Backspace"]), max_size=30), st.booleans(), st.booleans()
)
def test_typing_gives_what_a_typewriter_with_a_rubber_gives(keys, with_keyups, with_inputs):
    field = TARGETS[1] if with_inputs else None
    events: list[Event] = []
    text: list[str] = []
    us = START_US

    def add(kind: str, **fields) -> None:
        events.append(
            Event(
                id=f"e{len(events)}",
                type=kind,
                timestamp_us=us,
                file="f",
                line=len(events) + 1,
                target=field,
                **fields,
            )
        )

    for key in keys:
        us += 60_000
        add("keydown", key=key)
        had = len(text)
        if key != "Backspace":
            text.append(key)
        elif text:
            text.pop()
        if with_inputs and len(text) != had:
            us += 2_000
            add("input", value="".join(text))
        if with_keyups:
            us += 20_000
            add("keyup", key=key)
    made = normalize_events(trace_of(tuple(events)))
    typed = [action for action in made.actions if action.type == "type"]
    assert "".join(action.text or "" for action in typed) == "".join(text)
    first = next((n for n, key in enumerate(keys) if key != "Backspace"), len(keys))
    assert [a.keys for a in made.actions if a.type == "press"] == [("Backspace",)] * first
    if typed and with_inputs:
        assert typed[-1].field_value == "".join(text)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([-120.0, -40.0, 40.0, 120.0]), st.booleans()), max_size=25)
)
def test_wheel_turns_in_two_directions_never_cancel(turns):
    us = START_US
    events = []
    for n, (delta, pauses) in enumerate(turns):
        us += 1_500_000 if pauses else 50_000
        events.append(
            Event(
                id=f"e{n}",
                type="wheel",
                timestamp_us=us,
                file="f",
                line=n + 1,
                x=1.0,
                y=1.0,
                delta_y=delta,
            )
        )
    actions = normalize_events(trace_of(tuple(events))).actions
    assert sum(abs(a.delta_y) for a in actions) == sum(abs(delta) for delta, _ in turns)
    for before, after in itertools.pairwise(actions):
        same = (before.delta_y > 0) == (after.delta_y > 0)
        assert not same or after.start_us - before.end_us > 1_000_000
