"""Fingers: taps, long presses, swipes, pinches."""

from __future__ import annotations

from schemas.traces import Event
from transforms.normalize.draft import Assembly, Draft, TabState, fingers
from transforms.normalize.pointer import distance

LONG_PRESS_US = 500_000
SWIPE_PX = 10.0
PINCH_PX = 10.0

Point = tuple[float, float]


class Gesture:
    """What the fingers do from the first touch to the last lift."""

    __slots__ = ("active", "anonymous", "draft", "first", "last", "start")

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.active: dict[int, Point] = {}
        self.start: dict[int, Point] = {}
        """Where each finger came down; of the first two, where they were when both were down."""
        self.first: list[int] = []
        self.last: dict[int, Point] = {}

    def touch(self, points: dict[int, Point]) -> None:
        """Fingers are down at these points."""
        for finger, point in points.items():
            if finger not in self.active:
                self.start[finger] = point
                if finger not in self.first:
                    self.first.append(finger)
                if len(self.first) == 2 and finger == self.first[1]:
                    other = self.first[0]
                    self.start[other] = points.get(other, self.active.get(other, point))
            self.active[finger] = self.last[finger] = point

    @property
    def spread(self) -> float:
        """How much farther apart the first two fingers are at the end, in pixels."""
        if len(self.first) < 2:
            return 0.0
        one, other = self.first[:2]
        return distance(*self.last[one], *self.last[other]) - distance(
            *self.start[one], *self.start[other]
        )


class Touches:
    """Takes touch events of one session."""

    def __init__(self, assembly: Assembly) -> None:
        self.assembly = assembly

    def touchstart(self, place: int, event: Event, tab: TabState) -> None:
        """Takes a finger coming down."""
        points = fingers(event.touches, event)
        gesture = tab.gesture
        if isinstance(gesture, Gesture):
            added = points.keys() - gesture.active.keys()
            if not added and gesture.active:
                if event.timestamp_us - gesture.draft.start_us <= 10_000:
                    gesture.draft.add(place)
                    return
                self._lose(tab, gesture)
                gesture = None
        if not isinstance(gesture, Gesture):
            draft = self.assembly.begin("tap", place, event, tab)
            gesture = tab.gesture = Gesture(draft)
            if draft.x is None and points:
                draft.x, draft.y = next(iter(points.values()))
        else:
            gesture.draft.add(place)
        gesture.touch(points)
        self._trace(gesture, event)

    def touchmove(self, place: int, event: Event, tab: TabState) -> None:
        """Takes a finger moving."""
        gesture = tab.gesture
        if not isinstance(gesture, Gesture):
            self.assembly.drop(place, "idle_move")
            return
        gesture.draft.add(place)
        points = fingers(event.touches, event)
        if not event.touches and len(gesture.active) == 1 and points:
            points = {next(iter(gesture.active)): points[0]}
        gesture.touch(points)
        self._trace(gesture, event)

    @staticmethod
    def _trace(gesture: Gesture, event: Event) -> None:
        gesture.draft.end_us = event.timestamp_us
        if gesture.first and gesture.first[0] in gesture.active:
            gesture.draft.path.append(gesture.active[gesture.first[0]])

    def touchend(self, place: int, event: Event, tab: TabState) -> None:
        """Takes a finger leaving; with the last one it shows what the gesture was."""
        gesture = tab.gesture
        if not isinstance(gesture, Gesture):
            self.assembly.drop(place, "release_without_press")
            return
        gesture.draft.add(place)
        gesture.draft.end_us = event.timestamp_us
        self._lift(gesture, event)
        if not gesture.active:
            self._decide(tab, gesture)

    @staticmethod
    def _lift(gesture: Gesture, event: Event) -> None:
        """Which fingers are gone: `touches` holds those that stay (W3C), or those that went."""
        named = {touch.id: (touch.x, touch.y) for touch in event.touches}
        if not named:
            if len(gesture.active) == 1 and event.x is not None and event.y is not None:
                finger = next(iter(gesture.active))
                gesture.last[finger] = (event.x, event.y)
                if finger == gesture.first[0]:
                    gesture.draft.path.append((event.x, event.y))
            gesture.active.clear()
        elif named.keys() >= gesture.active.keys():
            gesture.last.update((f, p) for f, p in named.items() if f in gesture.last)
            gesture.active.clear()
        else:
            gesture.active = {f: p for f, p in gesture.active.items() if f in named}

    def touchcancel(self, place: int, event: Event, tab: TabState) -> None:
        """Takes the system taking a touch away: what moved before was a swipe."""
        gesture = tab.gesture
        if not isinstance(gesture, Gesture):
            self.assembly.drop(place, "release_without_press")
            return
        gesture.draft.add(place)
        gesture.draft.end_us = event.timestamp_us
        self._decide(tab, gesture)
        if gesture.draft.kind == "tap":
            gesture.draft.kind = "cancelled"

    def _lose(self, tab: TabState, gesture: Gesture) -> None:
        gesture.draft.flags.add("missing_release")
        self._decide(tab, gesture)

    def _decide(self, tab: TabState, gesture: Gesture) -> None:
        tab.gesture = None
        draft = gesture.draft
        tab.tapped = draft
        if len(gesture.first) >= 2 and abs(gesture.spread) > PINCH_PX:
            one, other = gesture.first[:2]
            draft.kind = "pinch"
            draft.path = [
                gesture.start[one],
                gesture.start[other],
                gesture.last[one],
                gesture.last[other],
            ]
            draft.x = (draft.path[0][0] + draft.path[1][0]) / 2
            draft.y = (draft.path[0][1] + draft.path[1][1]) / 2
            return
        moved = max((distance(draft.x, draft.y, x, y) for x, y in draft.path), default=0.0)
        if moved > SWIPE_PX:
            draft.kind = "swipe"
        elif draft.end_us - draft.start_us >= LONG_PRESS_US:
            draft.kind = "long_press"

    def finish(self) -> None:
        """Ends the recording: fingers still down were never lifted."""
        for tab in self.assembly.tabs.values():
            if isinstance(tab.gesture, Gesture):
                self._lose(tab, tab.gesture)
