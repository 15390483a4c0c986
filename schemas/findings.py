"""What the PrivacyFilter found in one session. In clear: memory and ``private/`` only, never
published."""

from __future__ import annotations

import msgspec

from schemas.outcomes import Disposition, Dropped, Failure, Ledger
from schemas.traces import Event, GivenStep, Request, Session
from schemas.trajectories import Step


class Span(msgspec.Struct, frozen=True, order=True):
    """A sensitive stretch of one text; offsets are code points, end exclusive."""

    start: int
    end: int
    entity: str
    """PERSON, EMAIL, PASSWORD, SECRET …"""
    origin: str = "pattern"
    """field, pattern, secret, ner, cue (a name that its surroundings announce) or value (found
    because it was found elsewhere)."""
    score: float = 1.0


class Found(msgspec.Struct, frozen=True, omit_defaults=True):
    """A sensitive value of the session, with what decides where else it is searched for."""

    value: str
    entity: str
    origin: str
    """field, pattern, secret, ner or pixel."""
    propagates: bool = True
    """Searched for in every text and picture of the session; else only where it was found."""


class Region(msgspec.Struct, frozen=True, omit_defaults=True):
    """A sensitive rectangle of one frame, in pixels of the recorded frame, right/bottom
    exclusive."""

    x0: int
    y0: int
    x1: int
    y1: int
    entity: str
    value: str = ""
    """In clear; seeds the same replacement for the same value. Empty when it could not be read."""


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything LocateSensitive found in one session; Redact applies it."""

    values: tuple[Found, ...] = ()
    regions: dict[str, tuple[Region, ...]] = msgspec.field(default_factory=dict)
    """Frame file → regions; a frame that is missing here has none."""
    withheld: dict[str, str] = msgspec.field(default_factory=dict)
    """Frame file → reason it must not be published (``no_ocr_engine``, ``undecodable`` …)."""
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    """``<place>/<entity>`` → number; never values."""


class ScrubbedSession(msgspec.Struct, frozen=True, kw_only=True):
    """One session with its texts redacted; ids of the session, frames and snapshots are untouched.

    A masked run of key events is one event here and in the ledger, which stays balanced, so that
    no count tells the length of what was typed.
    """

    session: Session
    events: tuple[Event, ...] = ()
    dispositions: tuple[Disposition, ...] = ()
    """One per event that is left, in their order."""
    steps: tuple[Step, ...] = ()
    given: tuple[GivenStep, ...] = ()
    requests: tuple[Request, ...] = ()
    dom: dict[str, str] = msgspec.field(default_factory=dict)
    """Snapshot file → redacted text, in the format of the snapshot."""
    failures: tuple[Failure, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    ledger: Ledger = Ledger()
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    """``redacted/<entity>`` → replacements made, and ``masked_runs``."""
