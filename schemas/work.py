"""The elements of the graph: one session on its way to a checkpoint, growing stage by stage.

Stage logic takes and returns the narrower types of the other modules; these two only carry them
between fused steps, in memory. They never cross a shuffle.
"""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.classifications import Classification, Segment, Usage
from schemas.examples import Example
from schemas.outcomes import Audit, Disposition, Dropped, Failure, Ledger
from schemas.receipts import Receipt
from schemas.tables import EventRow
from schemas.traces import SessionRef, Trace
from schemas.trajectories import Action, PreparedSession, Step


class SessionWork(msgspec.Struct, frozen=True, kw_only=True):
    """FindSessions … Redact: what is known of one session so far."""

    ref: SessionRef
    key: str
    """Of the prepared checkpoint."""
    trace: Trace | None = None
    actions: tuple[Action, ...] = ()
    dispositions: tuple[Disposition, ...] = ()
    steps: tuple[Step, ...] = ()
    findings: Any = None
    """What LocateSensitive found (``schemas.findings``); in clear, so in memory only."""
    prepared: PreparedSession | None = None
    event_rows: tuple[EventRow, ...] = ()
    digests: tuple[bytes, ...] = ()
    """Keyed digests of the findings, by which VerifyPrivacy knows them without knowing them."""
    ledger: Ledger = Ledger()
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    audit: tuple[Audit, ...] = ()

    @property
    def failed(self) -> Failure | None:
        """The failure that ended the session, if one did; later stages pass it through."""
        return next((f for f in self.failures if f.fatal), None)


class ResultWork(msgspec.Struct, frozen=True, kw_only=True):
    """SegmentTrajectories … ValidateExamples: one prepared session becoming examples."""

    receipt: Receipt
    """Of the prepared checkpoint."""
    key: str
    """Of the result checkpoint."""
    prepared: PreparedSession
    suite_id: str | None = None
    segments: tuple[Segment, ...] = ()
    classifications: tuple[Classification, ...] = ()
    """One per (segment, model configuration)."""
    thoughts: tuple[tuple[int, str], ...] = ()
    """(step index, a thought that was written in hindsight), for ``--annotate``."""
    requests: tuple[tuple[int, int, str], ...] = ()
    """(task, model configuration, request that a model wrote), where none was recorded."""
    spent: tuple[tuple[int, int, Usage], ...] = ()
    """(task, model configuration, what requests and thoughts of it cost)."""
    unfinished: bool = False
    """Something optional was not to be had of the model now, and another run may have it."""
    replies: tuple[str, ...] = ()
    """Keys of the cache entries that hold what a model said of this session."""
    examples: tuple[Example, ...] = ()
    training: dict[str, tuple[bytes, ...]] = msgspec.field(default_factory=dict)
    """Target → JSONL lines (without newline) that passed the target's rules."""
    files: dict[str, bytes] = msgspec.field(default_factory=dict)
    """Path inside the version → content (``examples/<id>/messages.jsonl``)."""
    failures: tuple[Failure, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    audit: tuple[Audit, ...] = ()

    @property
    def failed(self) -> Failure | None:
        """The failure that ended the session, if one did."""
        return next((f for f in self.failures if f.fatal), None)
