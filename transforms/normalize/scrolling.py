"""The wheel and its effects: turns in one direction are one scroll, up and down never cancel."""

from __future__ import annotations

from schemas.traces import MAX_COORDINATE, Event
from transforms.normalize.draft import (
    SECOND_US,
    Assembly,
    Draft,
    TabState,
    field_key,
    is_same_window,
)
from transforms.normalize.keyboard import Keyboard

PAUSE_US = SECOND_US
"""A pause this long ends a scroll."""
MOMENTUM_US = 3 * SECOND_US
"""A page goes on moving this long after a swipe."""
EFFECT_US = SECOND_US
"""A page that moves this soon after any action was moved by it."""
UNSEEN_EFFECT_US = 300_000
"""The same where the recorder keeps no wheel, so that a scroll may as well be the person's own."""

_PIXELS = {1: 100 / 3, 2: 800.0}
"""``deltaMode`` → pixels: browsers take three lines for a notch, which gives 100 pixels."""


class Scrolling:
    """Takes wheel and scroll events of one session."""

    def __init__(self, assembly: Assembly, keyboard: Keyboard) -> None:
        self.assembly = assembly
        self.keyboard = keyboard

    def wheel(self, place: int, event: Event, tab: TabState) -> None:
        """Takes a turn of the wheel, in pixels, lines or pages."""
        scale = _PIXELS.get(event.additional_info.get("delta_mode"), 1.0)
        dx, dy = (event.delta_x or 0.0) * scale, (event.delta_y or 0.0) * scale
        self._turn(place, event, tab, dx, dy)

    def scroll(self, place: int, event: Event, tab: TabState) -> None:
        """Takes the page (or a part of it) having moved.

        With deltas it is the word of some recorders for a turn of the wheel.
        """
        if event.delta_x or event.delta_y:
            self._turn(place, event, tab, event.delta_x or 0.0, event.delta_y or 0.0)
            return
        moved = self._moved(event, tab)
        pressed = next(iter(tab.presses.values()), None)
        if pressed is not None:  # a scrollbar is being pulled, or text selected past the edge
            pressed.add(place)
            return
        if tab.gesture is not None:
            tab.gesture.draft.add(place)  # type: ignore[attr-defined]
            return
        latest = tab.latest.root if tab.latest is not None else None
        if latest is not None:
            within = MOMENTUM_US if latest.kind == "swipe" else EFFECT_US
            if not self.assembly.habits.wheels and latest.kind != "swipe":
                within = UNSEEN_EFFECT_US
            since = event.timestamp_us - max(latest.end_us, latest.settled_us)
            if since <= within and "unseen_wheel" not in latest.flags:
                latest.add(place)
                latest.settled_us = max(latest.settled_us, event.timestamp_us)
                return
        if moved is None:
            self.assembly.drop(place, "no_movement")
        else:
            self._turn(place, event, tab, *moved).flags.add("unseen_wheel")

    @staticmethod
    def _moved(event: Event, tab: TabState) -> tuple[float, float] | None:
        """How far the content moved since the last event of the same scroller."""
        info = event.additional_info
        left, top = _number(info.get("scroll_left")), _number(info.get("scroll_top"))
        if left is None and top is None:
            return None
        now = (left or 0.0, top or 0.0)
        key = field_key(event.target)
        before = tab.scrolled.get(key, (0.0, 0.0))
        tab.scrolled[key] = now
        moved = (now[0] - before[0], now[1] - before[1])
        return moved if moved[0] or moved[1] else None

    def _turn(self, place: int, event: Event, tab: TabState, dx: float, dy: float) -> Draft:
        draft = tab.latest.root if tab.latest is not None else None
        goes_on = (
            draft is not None
            and draft.kind == "scroll"
            and self.assembly.latest is not None
            and draft is self.assembly.latest.root
            and event.timestamp_us - draft.end_us <= PAUSE_US
            and is_same_window(draft.window, tab.window)
        )
        active = self.keyboard.active(event)
        keys = tuple(n for n in ("Control", "Alt", "Shift", "Meta") if n in active)
        if not dx and not dy:
            if goes_on and draft is not None:
                draft.add(place)
            else:
                self.assembly.drop(place, "no_movement")
            return draft or Draft("scroll", place, event, tab)
        if goes_on and draft is not None and draft.deltas is not None:
            x, y = draft.deltas
            if draft.keys == keys and _direction(x, y) == _direction(dx, dy):
                draft.add(place)
                draft.deltas = (x + dx, y + dy)
                draft.end_us = event.timestamp_us
                return draft
        draft = self.assembly.begin("scroll", place, event, tab)
        draft.deltas = (dx, dy)
        draft.keys = keys
        if active:
            self.keyboard.adopt(draft, active, event.timestamp_us)
        return draft


def _number(value: object) -> float | None:
    if isinstance(value, int | float) and abs(value) <= MAX_COORDINATE:
        return float(value)
    return None


def _direction(dx: float, dy: float) -> tuple[bool, bool]:
    """Axis and sign of a movement, by its larger part."""
    if abs(dy) >= abs(dx):
        return True, dy > 0
    return False, dx > 0
