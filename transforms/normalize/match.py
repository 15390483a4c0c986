"""Matching: each action gets what was to be seen strictly before it.

An outcome never leaks into an observation: frames, snapshots and window titles count only up to the
last microsecond before the action starts, unless the recorder paired them with it itself.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from schemas.traces import DomSnapshot, Event, Frame, Trace
from schemas.trajectories import Action, NormalizedSession, Observation, Step
from transforms.dom import DomTree
from transforms.normalize.ground import ground, ground_given
from transforms.normalize.recorder import recorder_events
from transforms.normalize.tasks import number_tasks

Snapshot = TypeVar("Snapshot", Frame, DomSnapshot)

_BACKGROUND = frozenset(("navigation", "focus", "blur", "screenshot", "dom"))
"""Events that also happen in a tab where the person isn't."""
_VIDEO = re.compile(r"\.(mp4|webm|mkv|mov|avi)([/#?]|$)", re.IGNORECASE)
_SAME_SCALE = 0.02
"""Scales of width and height that differ by more belong to a picture of more than the viewport."""


@dataclass(frozen=True)
class MatchSettings:
    """How observations are found."""

    max_observation_age_s: float | None = 30.0
    """An older frame or snapshot shows nothing of the moment; None: any age will do."""
    video_margin_s: float = 0.5
    """Frames of a video count only this long before the action: its clock may run ahead."""
    video_offset_s: float = 0.0
    """Added to the time of a video's frames."""
    max_frames: int | None = None
    """Frames a task keeps (`select_frames`)."""
    split_idle_s: float | None = None
    """A pause longer than this starts another task; None: never."""


class _Timeline(Generic[Snapshot]):
    """Snapshots of one kind by tab and time, and the pairs the recorder made."""

    def __init__(self, snapshots: tuple[Snapshot, ...], times: list[int]) -> None:
        self.paired: dict[str, Snapshot] = {}
        by_tab: dict[str | None, list[tuple[int, int, Snapshot]]] = {}
        for place, (snapshot, us) in enumerate(zip(snapshots, times)):
            if snapshot.event_id is not None:
                self.paired.setdefault(snapshot.event_id, snapshot)
            by_tab.setdefault(snapshot.tab, []).append((us, place, snapshot))
        for listed in by_tab.values():
            listed.sort(key=lambda row: row[:2])
        self.rows: dict[str | None, list[tuple[int, int, Snapshot]]] = by_tab
        self.times: dict[str | None, list[int]]
        self.times = {tab: [row[0] for row in rows] for tab, rows in by_tab.items()}

    def pair_of(self, action: Action) -> Snapshot | None:
        if not self.paired:
            return None
        return next((self.paired[i] for i in action.raw_event_ids if i in self.paired), None)

    def before(self, us: int, tab: str | None, oldest_us: int) -> Snapshot | None:
        """The last one strictly before a time that shows a tab; one without a tab shows any."""
        found = None
        for key in self.rows if tab is None else {tab, None}:
            times = self.times.get(key)
            if not times:
                continue
            place = bisect_left(times, us) - 1
            if place >= 0 and times[place] >= oldest_us:
                row = self.rows[key][place]
                if found is None or row[:2] > found[:2]:
                    found = row
        return found[2] if found is not None else None


class _Changes:
    """When each tab got another page, and when tabs were switched."""

    def __init__(self, events: list[Event]) -> None:
        self.navigations: dict[str | None, list[int]] = {}
        self.switches: list[int] = []
        for event in events:
            if event.type == "navigation":
                self.navigations.setdefault(event.tab, []).append(event.timestamp_us)
            elif event.type == "tabswitch":
                self.switches.append(event.timestamp_us)

    def lie_between(self, since_us: int, until_us: int, tab: str | None) -> bool:
        """Whether a navigation of the tab or a switch of tabs lies between two times."""
        rows = [self.switches, self.navigations.get(tab, [])]
        if tab is not None:
            rows.append(self.navigations.get(None, []))
        for times in rows:
            place = bisect_left(times, since_us + 1)
            if place < len(times) and times[place] < until_us:
                return True
        return False


class _Places:
    """Where the person was at any time: the tab in front, and each tab's title and address."""

    def __init__(self, events: list[Event], arrivals: set[str]) -> None:
        self.front: list[tuple[int, str | None]] = []
        self.states: dict[str | None, list[tuple[int, str | None, str | None]]] = {}
        for event in events:
            tab = event.tab
            is_here = event.type not in _BACKGROUND or event.id in arrivals
            if is_here and tab is not None and (not self.front or self.front[-1][1] != tab):
                self.front.append((event.timestamp_us, tab))
            rows = self.states.setdefault(tab, [])
            _, window, url = rows[-1] if rows else (0, None, None)
            if event.url is not None and event.url != url:
                url = event.url
                window = None if event.type in ("navigation", "tabswitch") else window
            window = event.window if event.window is not None else window
            if not rows or rows[-1][1:] != (window, url):
                rows.append((event.timestamp_us, window, url))
        self._front_times = [us for us, _ in self.front]
        self._state_times = {tab: [row[0] for row in rows] for tab, rows in self.states.items()}

    def tab_before(self, us: int) -> str | None:
        place = bisect_left(self._front_times, us) - 1
        return self.front[place][1] if place >= 0 else None

    def state_before(self, us: int, tab: str | None) -> tuple[str | None, str | None]:
        """Title and address of a tab strictly before a time."""
        times = self._state_times.get(tab)
        place = bisect_left(times, us) - 1 if times else -1
        return self.states[tab][place][1:] if place >= 0 else (None, None)


class _RecorderWindow:
    """When the recorder's own window was in view: its frames are no observation."""

    def __init__(self, events: list[Event], trace: Trace) -> None:
        own = recorder_events(events, trace.session.recorder)
        self.places = {place for place, why in own.items() if why == "recorder_window"}
        self._states: dict[str | None, tuple[list[int], list[bool]]] = {}
        if not self.places:
            return
        for place, event in enumerate(events):
            for tab in {event.tab, None}:
                times, inside = self._states.setdefault(tab, ([], []))
                times.append(event.timestamp_us)
                inside.append(place in self.places)

    def shows(self, snapshot: Frame | DomSnapshot) -> bool:
        """Whether a frame or DOM snapshot shows the recorder's window."""
        if not self.places or snapshot.event_id is not None or snapshot.tab not in self._states:
            return False
        times, inside = self._states[snapshot.tab]
        place = bisect_right(times, snapshot.timestamp_us) - 1
        return place >= 0 and inside[place]


def match_observations(
    trace: Trace,
    normalized: NormalizedSession,
    settings: MatchSettings,
    dom: Callable[[DomSnapshot], DomTree | None],
) -> tuple[Step, ...]:
    """Returns one step for each action, in order.

    The observation of an action is the recorder's own pair, else the last frame, snapshot and
    window state strictly before it in its tab, not older than ``max_observation_age_s``. Before an
    action that leads to another tab the tab in front until then is seen. ``dom`` returns the parsed
    snapshot or None; it is asked at most once in a row for the same one.
    """
    events = sorted(trace.events, key=lambda event: event.timestamp_us)
    recorder = _RecorderWindow(events, trace)
    events = [event for place, event in enumerate(events) if place not in recorder.places]
    seen_frames = tuple(f for f in trace.frames if not recorder.shows(f))
    seen_dom = tuple(s for s in trace.dom if not recorder.shows(s))
    shift = round(settings.video_offset_s * 1e6)
    margin = round(settings.video_margin_s * 1e6)
    frames = _Timeline(
        seen_frames,
        [f.timestamp_us + (shift + margin if _VIDEO.search(f.file) else 0) for f in seen_frames],
    )
    snapshots = _Timeline(seen_dom, [s.timestamp_us for s in seen_dom])
    changes = _Changes(events)
    arrivals = {a.raw_event_ids[0] for a in normalized.actions if a.type == "navigate"}
    places = _Places(events, arrivals)
    requests = _requests_by_step(trace, normalized.actions)
    given = {step.event_id: step for step in trace.given}
    tasks = number_tasks(trace, normalized.actions, settings.split_idle_s)
    seen_tabs: set[str | None] = set()
    next_ids: dict[int, int] = {}
    steps = []
    for action, (task, task_id), request_ids in zip(normalized.actions, tasks, requests):
        tab = action.tab
        if action.type == "switch_tab" or (action.type == "navigate" and tab not in seen_tabs):
            tab = places.tab_before(action.start_us)
        seen_tabs.add(action.tab)
        observation, snapshot = _observe(action, tab, settings, frames, snapshots, changes, places)
        said = next((given[i] for i in action.raw_event_ids if i in given), None)
        tree = dom(snapshot) if snapshot is not None and not observation.stale else None
        element = (
            ground_given(action, said.element_id, tree)
            if said is not None and said.element_id is not None
            else ground(action, tree)
        )
        step_id = next_ids[task] = next_ids.get(task, 0) + 1
        steps.append(
            Step(
                task=task,
                task_id=task_id,
                step_id=step_id,
                action=msgspec.structs.replace(action, element=element) if element else action,
                observation=msgspec.structs.replace(observation, request_ids=request_ids),
                thought=said.thought if said is not None else None,
                element_id=said.element_id if said is not None else None,
            )
        )
    return tuple(steps)


def _observe(
    action: Action,
    tab: str | None,
    settings: MatchSettings,
    frames: _Timeline[Frame],
    snapshots: _Timeline[DomSnapshot],
    changes: _Changes,
    places: _Places,
) -> tuple[Observation, DomSnapshot | None]:
    start = action.start_us
    age = settings.max_observation_age_s
    oldest = -(1 << 62) if age is None else start - round(age * 1e6)
    frame, dom = frames.pair_of(action), snapshots.pair_of(action)
    paired = frame is not None or dom is not None
    if frame is None:
        frame = frames.before(start, tab, oldest)
    if dom is None:
        dom = snapshots.before(start, tab, oldest)
    stale = False
    for found, is_pair in (
        (frame, frame is frames.pair_of(action)),
        (dom, dom is snapshots.pair_of(action)),
    ):
        if found is not None and not is_pair:
            stale = stale or changes.lie_between(found.timestamp_us, start, tab)
    window, url = places.state_before(start, tab)
    if paired or (tab == action.tab and action.type not in ("navigate", "switch_tab")):
        # The event itself says where it happened.
        window, url = action.window or window, action.url or url
    return (
        Observation(
            frame=frame.file if frame is not None else None,
            frame_timestamp_us=frame.timestamp_us if frame is not None else None,
            frame_size=(frame.width, frame.height) if frame is not None else None,
            frame_scale=_scale(frame, action) if frame is not None else None,
            dom=dom.file if dom is not None else None,
            dom_timestamp_us=dom.timestamp_us if dom is not None else None,
            active_window=window,
            url=url,
            tab=tab,
            stale=stale,
            paired=paired,
        ),
        dom,
    )


def _scale(frame: Frame, action: Action) -> tuple[float, float]:
    """Frame pixels per CSS pixel; 1 where no viewport is known (points are the frame's own)."""
    if frame.viewport is not None:
        width, height = frame.viewport.width, frame.viewport.height
        ratio = frame.viewport.device_pixel_ratio
    elif action.viewport is not None:
        width, height, ratio = action.viewport
    else:
        return (1.0, 1.0)
    if not (width > 0 and height > 0):
        return (1.0, 1.0)
    across, down = frame.width / width, frame.height / height
    if abs(across - down) > _SAME_SCALE * max(across, down):
        # A picture of the whole page is higher than the viewport, at the same pixels per point.
        fits = [s for s in (across, down) if abs(s - ratio) <= _SAME_SCALE * ratio]
        if fits:
            return (round(fits[0], 6), round(fits[0], 6))
    return (round(across, 6), round(down, 6))


def _requests_by_step(trace: Trace, actions: tuple[Action, ...]) -> list[tuple[str, ...]]:
    """For each action the requests that finished since the one before it in the same tab started.

    A request that an action causes ends after its start, so it shows in the next observation.
    """
    found: list[list[tuple[int, int, str]]] = [[] for _ in actions]
    everywhere = [action.start_us for action in actions]
    in_tab: dict[str | None, tuple[list[int], list[int]]] = {}
    for place, action in enumerate(actions):
        starts, indices = in_tab.setdefault(action.tab, ([], []))
        starts.append(action.start_us)
        indices.append(place)
    for order, request in enumerate(trace.requests):
        if request.status is None:
            continue
        finished = request.started_us + round(request.duration_ms * 1000)
        if request.tab is not None and request.tab in in_tab:
            starts, indices = in_tab[request.tab]
        else:
            starts, indices = everywhere, []
        place = bisect_left(starts, finished + 1)
        if place < len(starts):
            index = indices[place] if indices else place
            found[index].append((finished, order, request.id))
    return [tuple(id for _, _, id in sorted(rows)) for rows in found]
