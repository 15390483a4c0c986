"""The small things that cross shuffles: at most 300 bytes each, whatever the session's size."""

from __future__ import annotations

import msgspec

from schemas.outcomes import Ledger
from schemas.traces import SessionRef


class Receipt(msgspec.Struct, frozen=True, omit_defaults=True, array_like=True):
    """A finished checkpoint: which one, and what the next shuffle needs to know of it."""

    session_id: str
    """Published id; shards are ordered by it."""
    key: str
    """The checkpoint's key; its path follows from it."""
    prepared_key: str = ""
    """Result receipts: the key of the prepared checkpoint it was made from."""
    result_key: str = ""
    """Prepared receipts: the key of the result checkpoint to be made."""
    digest: str = ""
    """Of the checkpoint's content (durations apart): names the version together with the key."""
    failed: str = ""
    """Failure code when the session is FAILED."""
    ledger: Ledger = Ledger()
    size_bytes: int = 0
    """Largest of its tables and target formats, before compression: decides the shard count."""
    steps: int = 0
    frames: int = 0
    failures: int = 0
    examples: int = 0
    pending: int = 0
    volatile: bool = False
    """A fault that another run may not meet again is in it, so another run makes it anew."""
    reused: bool = False
    """An earlier run had made it."""


class SessionState(msgspec.Struct, frozen=True, omit_defaults=True):
    """What earlier runs have finished of one session: nothing, its first half, or all of it."""

    ref: SessionRef
    key: str
    """Of its prepared checkpoint."""
    prepared: Receipt | None = None
    done: Receipt | None = None


class VersionPlan(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What is known once every result exists: the version's name, and how it is cut into shards."""

    version: str
    shards: int
    sessions: int = 0
    failed_sessions: int = 0
    ledger: Ledger = Ledger()
    steps: int = 0
    frames: int = 0
    failures: int = 0
    examples: int = 0
    pending: int = 0
    reused: int = 0
    failed: dict[str, int] = msgspec.field(default_factory=dict)
    """Failure code → FAILED sessions."""


class FileEntry(msgspec.Struct, frozen=True, array_like=True):
    """One file of a version, as the manifest lists it."""

    path: str
    rows: int
    bytes: int
    sha256: str


PICTURES = -1
"""``ShardSummary.shard`` of what was found in pictures, which belong to no shard."""

MAX_NAMED_SESSIONS = 3
"""How many sessions an objection names."""


class ShardSummary(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What one shard writer wrote; Commit sums these up."""

    shard: int
    files: tuple[FileEntry, ...] = ()
    sessions: int = 0
    ledger: Ledger = Ledger()
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    """``<what>/<name>`` → number, for the summary."""
    privacy_hits: dict[str, int] = msgspec.field(default_factory=dict)
    """``<place>/<entity>`` → number that VerifyPrivacy found."""
    privacy_sessions: tuple[str, ...] = ()
    """Published ids of (the first of) the sessions in which it found something."""
