"""A recorded session as read: its record, raw events, frames, DOM snapshots and requests."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from schemas.outcomes import Dropped, Failure, Ledger

MAX_COORDINATE = 1e7
MAX_TOUCHES = 64
Coordinate = Annotated[float, Meta(ge=-MAX_COORDINATE, le=MAX_COORDINATE)]
Size = Annotated[float, Meta(gt=0, le=MAX_COORDINATE)]
Bounds = tuple[Coordinate, Coordinate, Coordinate, Coordinate]
"""x, y, width, height in CSS pixels of the viewport."""

EVENT_TYPES = frozenset(
    """keydown keyup input paste compositionstart compositionend
    mousedown mouseup mousemove click dblclick auxclick contextmenu wheel scroll dragstart drop
    touchstart touchmove touchend touchcancel
    focus blur change submit navigation tabswitch screenshot dom unknown""".split()
)
"""Names of the W3C UI Events, Pointer/Touch Events and HTML; ``unknown`` keeps what we cannot
name."""


class SessionRef(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where one session lies. This, not the session, is what crosses the first shuffle."""

    session_id: str
    """The session's own id (from session.json, else the folder's or file's name). Not published
    as it is."""
    uri: str
    """Folder, archive or file."""
    layout: str
    """Name of the reader that recognised it."""
    size_bytes: int
    fingerprint: str
    """Over (relative path, size, mtime_ns or generation/etag) of every file of the session, or
    their bytes."""
    member: str = ""
    """Folder inside an archive that holds several sessions."""
    defect: str = ""
    """A failure code known from listing alone (``duplicate_session``); the session is FAILED with
    it."""
    listed_in: str = ""
    """The list of Session records that named it; its record there stands for session.json."""
    listed_at: int = 0
    """Offset of the record's line in the list, bytes."""


# Events come in millions and never form cycles: ``gc=False`` keeps the collector away from them.
# Their parts are decoded from input lines as they are: hence bounds, and no unknown fields.


class Viewport(
    msgspec.Struct, frozen=True, omit_defaults=True, gc=False, forbid_unknown_fields=True
):
    """Size of the page's viewport, CSS pixels."""

    width: Size
    height: Size
    device_pixel_ratio: Annotated[float, Meta(gt=0, le=100)] = 1.0


class Target(
    msgspec.Struct,
    frozen=True,
    omit_defaults=True,
    kw_only=True,
    gc=False,
    forbid_unknown_fields=True,
):
    """The element an event went to, as the recorder saw it."""

    tag: str | None = None
    id: str | None = None
    name: str | None = None
    role: str | None = None
    label: str | None = None
    text: str | None = None
    input_type: str | None = None
    autocomplete: str | None = None
    selector: str | None = None
    bounds: Bounds | None = None


class Touch(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """One finger on the screen."""

    id: Annotated[int, Meta(ge=-(1 << 62), le=1 << 62)]
    x: Coordinate
    y: Coordinate


class Event(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """One low-level input or context event. ``id`` is unique in its session."""

    id: str
    type: str
    timestamp_us: int
    file: str
    line: int
    """1-based line (or member number) in ``file``."""
    tab: str | None = None
    url: str | None = None
    window: str | None = None
    target: Target | None = None
    viewport: Viewport | None = None
    x: Coordinate | None = None
    y: Coordinate | None = None
    button: str | None = None
    """left, middle, right, back or forward."""
    buttons: Annotated[int, Meta(ge=0, le=0xFFFF)] | None = None
    delta_x: Coordinate | None = None
    delta_y: Coordinate | None = None
    """DOM sign: + is right/down. CSS pixels."""
    key: str | None = None
    code: str | None = None
    modifiers: tuple[str, ...] = ()
    """Of Control, Alt, Shift, Meta (sorted)."""
    text: str | None = None
    value: str | None = None
    """The whole value of the field after this event."""
    touches: Annotated[tuple[Touch, ...], Meta(max_length=MAX_TOUCHES)] = ()
    additional_info: dict[str, Any] = msgspec.field(default_factory=dict)
    extra: dict[str, Any] = msgspec.field(default_factory=dict)
    """Fields of the recorder that have no place above."""
    flags: tuple[str, ...] = ()
    """What reading had to decide: naive_time, relative_time, renamed_id, unknown_type …"""


class Frame(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A screenshot by reference; pixels stay in the session's files until a stage needs them."""

    file: str
    """Path inside the session."""
    timestamp_us: int
    width: int
    height: int
    format: str
    """What the bytes are: png, jpeg or webp (whatever the name says)."""
    size_bytes: int
    tab: str | None = None
    viewport: Viewport | None = None
    event_id: str | None = None
    """The event this frame is the recorder's own observation of, where the recorder pairs them."""


class DomSnapshot(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A DOM or accessibility snapshot by reference."""

    file: str
    timestamp_us: int
    format: str
    """xml, html or json."""
    size_bytes: int
    tab: str | None = None
    event_id: str | None = None
    inline: str | None = None
    """The snapshot itself where the recorder keeps it inside the event (ALIEN's dom_tree)."""


class Request(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One relevant network request (from a HAR 1.2 entry), authentication removed, bodies
    capped."""

    id: str
    started_us: int
    method: str
    url: str
    duration_ms: float = 0.0
    status: int | None = None
    """None: the response is missing (incomplete)."""
    request_headers: tuple[tuple[str, str], ...] = ()
    request_mime: str | None = None
    request_body: str | None = None
    response_headers: tuple[tuple[str, str], ...] = ()
    response_mime: str | None = None
    response_body: str | None = None
    tab: str | None = None
    flags: tuple[str, ...] = ()


class RecorderInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """The recorder's own window and stop hotkey, which are not part of the person's work."""

    window: str | None = None
    stop_hotkey: tuple[str, ...] = ()
    clock: str | None = None
    """``monotonic`` when event times are seconds of a monotonic clock."""


class Session(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The Session record of the entity table."""

    id: str
    user_id: str | None = None
    suite_id: str | None = None
    description: str | None = None
    created_at: str | None = None
    """ISO-8601 UTC."""
    storage_path: str = ""
    recorder: RecorderInfo | None = None


class GivenStep(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a trajectory recorder said of one event itself (thought, element), kept beside the
    event."""

    event_id: str
    task_id: str | None = None
    step_id: int | None = None
    thought: str | None = None
    element_id: str | None = None


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """One session, read and validated: what ReadTraces emits. Events are in file order."""

    ref: SessionRef
    session: Session
    events: tuple[Event, ...] = ()
    frames: tuple[Frame, ...] = ()
    dom: tuple[DomSnapshot, ...] = ()
    requests: tuple[Request, ...] = ()
    given: tuple[GivenStep, ...] = ()
    failures: tuple[Failure, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    ledger: Ledger = Ledger()
    """Of lines so far; NormalizeEvents fills kept, merged and dropped."""
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    """inversions, unknown types, incomplete requests, renamed ids …"""

    @property
    def failed(self) -> Failure | None:
        """The failure that ended the session, if one did."""
        return next((f for f in self.failures if f.fatal), None)
