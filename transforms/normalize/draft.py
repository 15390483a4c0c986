"""Actions under construction, and what every part of the normaliser shares while it works."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from schemas.traces import Event, Target, Touch, Viewport

if TYPE_CHECKING:
    from transforms.normalize.typing_run import TypingRun

SECOND_US = 1_000_000

DROP_REASONS = {
    "idle_move": "the pointer or a finger moved without a button held",
    "focus": "an element got the focus",
    "blur": "an element lost the focus",
    "submit": "a form was sent without anything the person did shortly before",
    "change": "a control changed without anything the person did shortly before",
    "context": "a marker of a frame or a DOM snapshot",
    "no_movement": "a wheel or scroll event that moved nothing",
    "no_text": "keys of an input method that committed nothing",
    "touch_cancelled": "a touch that the system took away before it meant anything",
    "release_without_press": "an up whose down was not recorded",
    "stop_hotkey": "the recorder's own stop hotkey",
    "recorder_window": "something done in the recorder's own window",
    "unknown_type": "an event whose type means nothing to us",
    "no_action": "a record of a trajectory that is no action (plan, evaluation, the end)",
}
"""Every reason NormalizeEvents drops an event for, and what it means."""


class Draft:
    """An action under construction, or a keystroke that may yet become one.

    A draft that turns out to be part of another one (the second click of a double click) is
    merged *into* it; whoever still holds the old one goes on adding events through `add`.
    """

    __slots__ = (
        "button",
        "buttons",
        "clicked",
        "count",
        "deltas",
        "down_us",
        "end_target",
        "end_us",
        "events",
        "field_value",
        "flags",
        "into",
        "key",
        "keys",
        "kind",
        "path",
        "previous",
        "run",
        "settled_us",
        "shift",
        "start_us",
        "tab",
        "target",
        "text",
        "url",
        "viewport",
        "window",
        "x",
        "y",
    )

    def __init__(self, kind: str, place: int, event: Event, tab: TabState) -> None:
        self.kind = kind
        self.events = [place]
        self.start_us = self.end_us = self.settled_us = self.down_us = event.timestamp_us
        self.tab = tab
        self.url = tab.url
        self.window = tab.window
        self.viewport = tab.viewport
        self.target = event.target
        self.end_target: Target | None = None
        self.x = event.x
        self.y = event.y
        self.text: str | None = None
        self.field_value: str | None = None
        self.keys: tuple[str, ...] = ()
        self.deltas: tuple[float, float] | None = None
        self.path: list[tuple[float, float]] = []
        self.flags: set[str] = set()
        self.into: Draft | None = None
        self.previous: Draft | None = None
        self.run: TypingRun | None = None
        self.key: str | None = None
        self.shift = False
        self.button: str | None = None
        self.buttons = 0
        self.count = 1
        self.clicked = False

    @property
    def root(self) -> Draft:
        """The draft this one was merged into, in the end; itself if it wasn't."""
        draft = self
        while draft.into is not None:
            draft = draft.into
        return draft

    def add(self, place: int) -> None:
        """Adds an event to the draft, or to the one it was merged into."""
        draft = self
        while draft.into is not None:
            draft = draft.into
        draft.events.append(place)

    def merge_into(self, other: Draft) -> None:
        """Gives all events to another draft; this one is no action of its own any more."""
        draft, other = self.root, other.root
        if draft is not other:
            other.events.extend(draft.events)
            other.flags |= draft.flags
            other.end_us = max(other.end_us, draft.end_us)
            other.settled_us = max(other.settled_us, draft.settled_us)
            draft.events = []
            draft.into = other

    def is_same_field(self, key: object) -> bool:
        """Whether the draft went to the field with this key; unknown ones may be any."""
        own = field_key(self.target)
        return own is None or key is None or own == key


class TabState:
    """What is known of one tab while events go by."""

    __slots__ = (
        "composing",
        "dropped",
        "edits",
        "focused",
        "gesture",
        "latest",
        "name",
        "opened_by",
        "pasting",
        "presses",
        "run",
        "scrolled",
        "tapped",
        "url",
        "used",
        "values",
        "viewport",
        "window",
    )

    def __init__(self, name: str | None) -> None:
        self.name = name
        self.url: str | None = None
        self.window: str | None = None
        self.viewport: Viewport | None = None
        self.used = False
        self.latest: Draft | None = None
        self.opened_by: Draft | None = None
        self.run: TypingRun | None = None
        self.composing = False
        self.pasting: Draft | None = None
        self.focused: Target | None = None
        self.presses: dict[str, Draft] = {}
        self.dropped: Draft | None = None
        self.gesture: object | None = None
        self.tapped: Draft | None = None
        self.values: dict[object, str] = {}
        self.edits: dict[object, Draft] = {}
        self.scrolled: dict[object, tuple[float, float]] = {}

    def forget_fields(self, url: str | None) -> None:
        """What fields held counts no more: another view is shown, or another page (``url``)."""
        self.values.clear()
        self.scrolled.clear()
        if (url or "").partition("#")[0] != (self.url or "").partition("#")[0]:
            self.edits.clear()


class Habits:
    """What this recorder writes down at all, so that an absence can be read."""

    __slots__ = ("inputs", "keyups", "modifiers", "mousedowns", "repeats", "wheels")

    def __init__(self, events: list[Event]) -> None:
        types = {event.type for event in events}
        self.inputs = "input" in types
        self.keyups = "keyup" in types
        self.mousedowns = "mousedown" in types
        self.wheels = "wheel" in types
        self.modifiers = any(event.modifiers for event in events)
        self.repeats = any(
            event.additional_info.get("repeat") is True
            for event in events
            if event.additional_info and event.type == "keydown"
        )


class Assembly:
    """The drafts of a session, and the fate of each of its events."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events
        self.habits = Habits(events)
        self.drafts: list[Draft] = []
        self.reasons: list[str | None] = [None] * len(events)
        self.tabs: dict[str | None, TabState] = {}
        self.current: TabState | None = None
        self.latest: Draft | None = None
        self.touched: dict[TabState, None] = {}
        """Tabs something began in since the last switch: only they can be in the middle of it."""

    def drop(self, place: int, reason: str) -> None:
        """Removes an event on purpose."""
        self.reasons[place] = reason

    def begin(self, kind: str, place: int, event: Event, tab: TabState) -> Draft:
        """Starts an action; what was being typed in the tab is finished by it."""
        if tab.run is not None:
            self.close_run(tab)
        draft = Draft(kind, place, event, tab)
        self.register(draft)
        return draft

    def register(self, draft: Draft) -> None:
        """Makes a draft the latest action of its tab and of the session."""
        draft.previous = self.latest.root if self.latest is not None else None
        self.drafts.append(draft)
        draft.tab.latest = self.latest = draft
        self.touched[draft.tab] = None

    def close_run(self, tab: TabState) -> None:
        """Ends the typing in a tab; keys at its end that changed no text become presses."""
        run, tab.run = tab.run, None
        if run is not None:
            previous = None
            for stroke in run.give_back():
                if previous is not None and "auto_repeat" in stroke.flags:
                    stroke.merge_into(previous)
                    continue
                previous = stroke
                assert stroke.key is not None
                stroke.keys = ("Shift", stroke.key) if stroke.shift else (stroke.key,)
                self.register(stroke)

    def cause(self, tab: TabState, us: int, within_us: int) -> Draft | None:
        """The latest action in a tab, if it is recent enough to have caused something at ``us``."""
        if tab.latest is None:
            return None
        draft = tab.latest.root
        if us - max(draft.end_us, draft.settled_us) <= within_us:
            return draft
        return None


_TITLE_MARKS = re.compile(r"^[*•●\s]+|\(\d+\)|\s+")


def is_same_window(one: str | None, other: str | None) -> bool:
    """Whether two titles can be those of one window: titles mark changes and count messages."""
    if one == other or one is None or other is None:
        return True
    a, b = _TITLE_MARKS.sub("", one).casefold(), _TITLE_MARKS.sub("", other).casefold()
    return a.startswith(b) or b.startswith(a) or a.endswith(b) or b.endswith(a)


def field_key(target: Target | None) -> object:
    """What tells one field of a page from another; None when the target says nothing."""
    if target is None:
        return None
    if target.selector:
        return target.selector
    if target.id:
        return "#" + target.id
    said = (target.tag, target.name, target.role, target.label, target.input_type)
    return said if any(said) else None


def fingers(touches: tuple[Touch, ...], event: Event) -> dict[int, tuple[float, float]]:
    """Finger id → point; a recorder without ``touches`` has one finger, at the event's point."""
    if touches:
        return {touch.id: (touch.x, touch.y) for touch in touches}
    if event.x is not None and event.y is not None:
        return {0: (event.x, event.y)}
    return {}
