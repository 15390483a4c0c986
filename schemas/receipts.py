"""The small things that cross shuffles: at most 300 bytes each, whatever the session's size."""

from __future__ import annotations

import msgspec

from schemas.outcomes import Ledger


class Receipt(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A finished checkpoint: which one, and what the next shuffle needs to know of it."""

    session_id: str
    """Published id; shards are ordered by it."""
    key: str
    """The checkpoint's key; its path follows from it."""
    prepared_key: str = ""
    """Result receipts: the key of the prepared checkpoint it was made from."""
    digest: str = ""
    """Of the checkpoint's content (durations apart): names the version together with the key."""
    failed: str = ""
    """Failure code when the session is FAILED."""
    ledger: Ledger = Ledger()
    training_bytes: int = 0
    table_bytes: int = 0
    failures: int = 0
    examples: int = 0
    pending: int = 0
    steps: int = 0
    reused: bool = False
    """True when an earlier run had made it."""


class ShardSummary(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What one shard writer wrote; Commit sums these up."""

    files: tuple[tuple[str, int, int, str], ...]
    """(path inside the version, rows, bytes, sha256)."""
    sessions: int = 0
    ledger: Ledger = Ledger()
    counts: dict[str, int] = msgspec.field(default_factory=dict)
