"""The mouse: clicks of all kinds, drags, and HTML drag and drop.

Recorders differ in what they keep of one click: only down and up, only `click`, `click` and
`dblclick`, or everything. Whatever there is goes into one action; nothing is counted twice.
"""

from __future__ import annotations

import math

from schemas.traces import Event, Target
from transforms.normalize.draft import SECOND_US, Assembly, Draft, TabState, field_key
from transforms.normalize.keyboard import Keyboard

DOUBLE_CLICK_US = 500_000
DOUBLE_CLICK_PX = 5.0
DRAG_PX = 6.0
TWO_PHASES_US = 10_000
"""The same event, seen in two phases of its dispatch, comes twice within this time."""
SYNTHETIC_US = 700_000
"""Browsers send mouse events for a touch, for old pages' sake, at most this long after it."""
SYNTHETIC_PX = 10.0
FOLLOW_US = SECOND_US
"""`click`, `auxclick`, `contextmenu` follow their up within this time."""
LABEL_US = 50_000
"""A click on a label gives its control a click of its own at once."""
KEY_CLICK_US = 300_000
"""A key that operates a control makes a click of its own within this time."""

_KINDS = {
    "left": "click",
    "middle": "middle_click",
    "right": "right_click",
    "back": "press",
    "forward": "press",
}
_COUNTED = ("click", "double_click", "triple_click")
_EXTRA_KEYS = {"back": ("BrowserBack",), "forward": ("BrowserForward",)}


def distance(x0: float | None, y0: float | None, x1: float | None, y1: float | None) -> float:
    """Distance of two points; 0 where one of them is unknown."""
    if x0 is None or y0 is None or x1 is None or y1 is None:
        return 0.0
    return math.hypot(x1 - x0, y1 - y0)


class Pointer:
    """Takes mouse events of one session."""

    def __init__(self, assembly: Assembly, keyboard: Keyboard) -> None:
        self.assembly = assembly
        self.keyboard = keyboard

    # Down, move, up ------------------------------------------------------------------------

    def mousedown(self, place: int, event: Event, tab: TabState) -> None:
        """Takes a button going down."""
        if self._is_of_touch(place, event, tab):
            return
        button = event.button or "left"
        pending = tab.presses.get(button)
        if pending is not None:
            if (
                event.timestamp_us - pending.down_us <= TWO_PHASES_US
                and distance(pending.x, pending.y, event.x, event.y) <= 1
            ):
                pending.add(place)
                return
            self.lose(tab, button)
        draft = self._press(place, event, tab, button)
        tab.presses[button] = draft

    def _press(self, place: int, event: Event, tab: TabState, button: str) -> Draft:
        draft = self.assembly.begin(_KINDS.get(button, "click"), place, event, tab)
        draft.button, draft.buttons = button, event.buttons or 0
        if button in _EXTRA_KEYS:
            draft.keys = _EXTRA_KEYS[button]
        else:
            active = self.keyboard.active(event)
            if active:
                draft.keys = tuple(n for n in ("Control", "Alt", "Shift", "Meta") if n in active)
                self.keyboard.adopt(draft, active, event.timestamp_us)
        if event.x is not None and event.y is not None:
            draft.path.append((event.x, event.y))
        return draft

    def mousemove(self, place: int, event: Event, tab: TabState) -> None:
        """Takes the pointer moving: part of a drag, or nothing."""
        if not tab.presses:
            if tab.tapped is None or not self._is_of_touch(place, event, tab):
                self.assembly.drop(place, "idle_move")
            return
        if event.buttons == 0:
            # The button is up and nobody said so.
            for button, press in list(tab.presses.items()):
                if press.buttons:
                    self.lose(tab, button)
            if not tab.presses:
                self.assembly.drop(place, "idle_move")
                return
        press = next(iter(tab.presses.values()))
        press.add(place)
        press.end_us = event.timestamp_us
        if event.x is not None and event.y is not None:
            press.path.append((event.x, event.y))

    def mouseup(self, place: int, event: Event, tab: TabState) -> None:
        """Takes a button going up: now it shows what the press was."""
        presses = tab.presses
        button = event.button or ("left" if "left" in presses else next(iter(presses), "left"))
        press = presses.pop(button, None)
        if press is None:
            if self._is_of_touch(place, event, tab):
                return
            latest = self.assembly.cause(tab, event.timestamp_us, TWO_PHASES_US)
            if latest is not None and latest.button == button:
                latest.add(place)
            elif self._ends_drop(place, event, tab):
                pass
            else:
                self.assembly.drop(place, "release_without_press")
            return
        press.add(place)
        press.end_us = event.timestamp_us
        if event.x is not None and event.y is not None:
            press.path.append((event.x, event.y))
        press.end_target = event.target
        self._decide(press)

    def lose(self, tab: TabState, button: str) -> None:
        """Closes a press whose up never came."""
        press = tab.presses.pop(button)
        if not press.clicked:  # a click event is as good as an up
            press.root.flags.add("missing_release")
        self._decide(press)

    def lose_all_but(self, tab: TabState) -> None:
        """Closes presses in all tabs but the one that has just come to the front."""
        touched = self.assembly.touched
        for other in touched:
            if other is not tab:
                for button in list(other.presses):
                    self.lose(other, button)
        touched.clear()
        touched[tab] = None

    def _decide(self, press: Draft) -> None:
        """A finished press is a drag, the next click of a series, or a click."""
        if press.into is not None:
            return
        if press.kind == "drag" or any(
            distance(press.x, press.y, x, y) > DRAG_PX for x, y in press.path
        ):
            if press.kind != "press":
                press.kind = "drag"
            return
        self._count(press)

    def _count(self, draft: Draft) -> None:
        """Joins a click to the one before it where both make a double or triple click."""
        before = draft.previous.root if draft.previous is not None else None
        if (
            draft.kind == "click"
            and before is not None
            and before.kind in _COUNTED
            and before.count < 3
            and before.tab is draft.tab
            and before.button == draft.button
            and draft.down_us - before.down_us <= DOUBLE_CLICK_US
            and _is_one_place(before, draft.x, draft.y, draft.target)
        ):
            before.count += 1
            before.down_us = draft.down_us
            before.clicked = draft.clicked
            before.kind = _COUNTED[before.count - 1]
            draft.merge_into(before)
            if draft.tab.latest is draft:
                draft.tab.latest = before
            if self.assembly.latest is draft:
                self.assembly.latest = before

    # click, dblclick, auxclick, contextmenu --------------------------------------------------

    def click(self, place: int, event: Event, tab: TabState) -> None:
        """Takes a click event: the browser's word for a down and an up."""
        button = event.button or "left"
        us = event.timestamp_us
        press = tab.presses.get(button)
        if press is not None:
            press.add(place)
            press.clicked = True
            return
        if self._is_of_touch(place, event, tab):
            return
        latest = self.assembly.cause(tab, us, FOLLOW_US)
        if latest is not None:
            if latest.button == button and not latest.clicked and latest.events:
                latest.add(place)
                latest.clicked = True
                return
            since = us - latest.end_us
            if latest.kind == "press" and latest.button is None and since <= KEY_CLICK_US:
                # Enter, Space, an access key, an arrow among radio buttons.
                is_of_key = self.assembly.habits.mousedowns or (
                    latest.key in ("Enter", "Space") and _is_nowhere(event)
                )
                if is_of_key:
                    latest.add(place)
                    return
            limit = KEY_CLICK_US if self.assembly.habits.mousedowns else LABEL_US
            is_echo = latest.kind in (*_COUNTED, "select", "tap") and since <= limit
            if is_echo and (latest.clicked or latest.kind != "click"):
                latest.add(place)
                return
        draft = self._press(place, event, tab, button)
        draft.clicked = True
        self._count(draft)

    def dblclick(self, place: int, event: Event, tab: TabState) -> None:
        """Takes a dblclick event: it repeats what two clicks said, or stands alone."""
        if self._is_of_touch(place, event, tab):
            return
        latest = self.assembly.cause(tab, event.timestamp_us, SECOND_US)
        if (
            latest is not None
            and latest.kind in _COUNTED
            and latest.button in ("left", None)
            and _is_one_place(latest, event.x, event.y, event.target)
        ):
            latest.add(place)
            if latest.count == 1:
                latest.count, latest.kind = 2, "double_click"
            return
        press = tab.presses.get("left")
        if press is not None and press.into is None:
            press.add(place)
            press.count, press.kind = 2, "double_click"
            return
        draft = self._press(place, event, tab, "left")
        draft.count, draft.kind, draft.clicked = 2, "double_click", True

    def auxclick(self, place: int, event: Event, tab: TabState) -> None:
        """Takes a click of another button than the first."""
        button = event.button if event.button not in (None, "left") else "middle"
        press = tab.presses.get(button)
        latest = press or self.assembly.cause(tab, event.timestamp_us, FOLLOW_US)
        if latest is not None and latest.root.button == button:
            latest.add(place)
        else:
            self._press(place, event, tab, button)

    def contextmenu(self, place: int, event: Event, tab: TabState) -> None:
        """Takes a request for the context menu: by the right button, a key, or a long touch."""
        if tab.gesture is not None:
            tab.gesture.draft.add(place)  # type: ignore[attr-defined]
            return
        if self._is_of_touch(place, event, tab):
            return
        pending = tab.presses.get("right") or tab.presses.get("left")
        latest = pending or self.assembly.cause(tab, event.timestamp_us, FOLLOW_US)
        if latest is not None:
            latest = latest.root
            by_key = latest.kind == "press" and (
                latest.key == "ContextMenu" or latest.keys == ("Shift", "F10")
            )
            if latest.button == "right" or by_key:
                latest.add(place)
                return
            if latest.button == "left" and latest.kind == "click" and "Control" in latest.keys:
                # Control and a click open the menu on a Mac.
                latest.add(place)
                latest.kind, latest.button = "right_click", "right"
                return
        self._press(place, event, tab, "right")

    # HTML drag and drop --------------------------------------------------------------------

    def dragstart(self, place: int, event: Event, tab: TabState) -> None:
        """Takes the start of a drag that the browser carries out; moves and up stay away."""
        press = tab.presses.get("left")
        if press is None:
            press = tab.presses["left"] = self._press(place, event, tab, "left")
        else:
            press.add(place)
        press.root.kind = "drag"

    def drop(self, place: int, event: Event, tab: TabState) -> None:
        """Takes the end of such a drag."""
        press = tab.presses.pop("left", None)
        if press is None:
            latest = self.assembly.cause(tab, event.timestamp_us, FOLLOW_US)
            if latest is not None and latest.kind == "drag":
                latest.add(place)
                latest.end_target = event.target or latest.end_target
                return
            # Brought in from another window: where it came from was not recorded.
            press = self._press(place, event, tab, "left")
            press.flags.add("missing_press")
        else:
            press.add(place)
        draft = press.root
        draft.kind = "drag"
        draft.end_us = event.timestamp_us
        if event.x is not None and event.y is not None:
            draft.path.append((event.x, event.y))
        draft.end_target = event.target
        tab.dropped = draft

    def dragend(self, place: int, event: Event, tab: TabState) -> None:
        """Takes the very last event of a drag, also of one that was given up."""
        press = tab.presses.pop("left", None)
        if press is not None:
            press.add(place)
            press.end_us = event.timestamp_us
            press.end_target = event.target
            self._decide(press)
        elif not self._ends_drop(place, event, tab):
            self.assembly.drop(place, "release_without_press")

    def _ends_drop(self, place: int, event: Event, tab: TabState) -> bool:
        dropped = tab.dropped
        if dropped is None or event.timestamp_us - dropped.root.end_us > FOLLOW_US:
            return False
        dropped.add(place)
        return True

    # Touches -------------------------------------------------------------------------------

    def _is_of_touch(self, place: int, event: Event, tab: TabState) -> bool:
        """Adds a mouse event that the browser made from a touch to that touch."""
        tapped = tab.tapped
        if tapped is None:
            return False
        tap = tapped.root
        since = event.timestamp_us - tap.end_us
        info = event.additional_info
        is_said = info.get("from_touch") is True or info.get("pointer_type") == "touch"
        near = distance(tap.x, tap.y, event.x, event.y) <= SYNTHETIC_PX
        if since > (2 * SECOND_US if is_said else SYNTHETIC_US) or not (near or is_said):
            if since > 2 * SECOND_US:
                tab.tapped = None
            return False
        tap.add(place)
        tap.settled_us = max(tap.settled_us, event.timestamp_us)
        return True

    def finish(self) -> None:
        """Ends the recording: what is still down was never released."""
        for tab in self.assembly.tabs.values():
            for button in list(tab.presses):
                self.lose(tab, button)


def _is_one_place(before: Draft, x: float | None, y: float | None, target: Target | None) -> bool:
    """Whether a click can be another one where the one before was; elements where no point says."""
    if None in (before.x, before.y, x, y):
        keys = field_key(before.target), field_key(target)
        return None in keys or keys[0] == keys[1]
    return distance(before.x, before.y, x, y) <= DOUBLE_CLICK_PX


def _is_nowhere(event: Event) -> bool:
    return not event.x and not event.y
