"""What was done and what was seen: actions, observations, steps, and the redacted session."""

from __future__ import annotations

import msgspec

from schemas.outcomes import Audit, Disposition, Dropped, Failure, Ledger
from schemas.traces import Bounds, Request, Session, Target

ACTION_TYPES = (
    "click double_click triple_click right_click middle_click drag scroll type press "
    "tap long_press swipe pinch navigate switch_tab paste select wait"
).split()


class Element(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The element an action went to, grounded in the DOM where a snapshot has bounds, else the
    target."""

    role: str | None = None
    name: str | None = None
    """Accessible name: label, aria-label, text, alt, placeholder, title, in that order."""
    tag: str | None = None
    id: str | None = None
    label: str | None = None
    input_type: str | None = None
    selector: str | None = None
    bounds: Bounds | None = None
    offset: tuple[float, float] | None = None
    """Of the action's point from the element's top left corner, CSS pixels."""
    source: str = "target"
    """``target`` (the event said so), ``dom`` (hit test on a snapshot) or ``given``."""


class Action(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A normalised action: what the person did, and the raw events it came from."""

    index: int
    type: str
    start_us: int
    end_us: int
    raw_event_ids: tuple[str, ...]
    x: float | None = None
    y: float | None = None
    x_rel: float | None = None
    y_rel: float | None = None
    text: str | None = None
    """type/paste: the text that results from this action. select: the chosen value."""
    field_value: str | None = None
    """type/paste/select: the whole value of the field afterwards, where the recorder gave it."""
    keys: tuple[str, ...] = ()
    """press: the chord, modifiers first (``("Control", "s")``)."""
    delta_x: float | None = None
    delta_y: float | None = None
    path: tuple[tuple[float, float], ...] = ()
    """drag, swipe, pinch: points from start to end (at most 64)."""
    element: Element | None = None
    target: Target | None = None
    """The raw target of the action's first event; grounding reads it."""
    end_target: Target | None = None
    """drag: where it was dropped."""
    tab: str | None = None
    url: str | None = None
    window: str | None = None
    viewport: tuple[float, float, float] | None = None
    """width, height, device pixel ratio."""
    flags: tuple[str, ...] = ()
    """missing_release, stale, ime …"""


class Observation(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What was to be seen strictly before an action. Every part is optional."""

    frame: str | None = None
    """Before Redact: the frame's path inside the session. After: its published id."""
    frame_timestamp_us: int | None = None
    frame_size: tuple[int, int] | None = None
    """Pixels of the frame as published."""
    frame_scale: tuple[float, float] | None = None
    """Frame pixels per CSS pixel (x, y): multiply an action's point by it to land on the frame."""
    dom: str | None = None
    """Key of the snapshot in ``PreparedSession.dom`` (its path inside the session before
    Redact)."""
    dom_timestamp_us: int | None = None
    active_window: str | None = None
    url: str | None = None
    tab: str | None = None
    request_ids: tuple[str, ...] = ()
    """Requests completed before the action and after the previous one."""
    stale: bool = False
    paired: bool = False
    """True where the recorder itself paired it."""


class Step(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Observation, thought, action."""

    task: int
    """Task number inside the session, from 0."""
    task_id: str
    step_id: int
    """From 1, consecutive within the task."""
    action: Action
    observation: Observation
    thought: str | None = None
    element_id: str | None = None


class NormalizedSession(msgspec.Struct, frozen=True, kw_only=True):
    """The actions of one trace and what became of its events; what NormalizeEvents computes."""

    actions: tuple[Action, ...] = ()
    dispositions: tuple[Disposition, ...] = ()
    """One per raw event, in the order (time, file order) the events were processed."""
    ledger: Ledger = Ledger()
    """The trace's ledger with kept, merged and dropped filled in."""
    counts: dict[str, int] = msgspec.field(default_factory=dict)


class PreparedSession(msgspec.Struct, frozen=True, kw_only=True):
    """The scrubbed session as the *prepared* checkpoint keeps it: all that later stages may see."""

    session: Session
    """With the published id; texts scrubbed."""
    steps: tuple[Step, ...] = ()
    requests: tuple[Request, ...] = ()
    dom: dict[str, str] = msgspec.field(default_factory=dict)
    """Snapshot key → scrubbed serialised snapshot; each distinct text once."""
    ledger: Ledger = Ledger()
    failures: tuple[Failure, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    audit: tuple[Audit, ...] = ()
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    frame_ids: tuple[str, ...] = ()
    """Published frames (``<id>.<ext>``) of this session."""

    @property
    def failed(self) -> Failure | None:
        """The failure that ended the session, if one did."""
        return next((f for f in self.failures if f.fatal), None)
