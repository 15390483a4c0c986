"""Outcomes that are not a result: failures, drops, and the ledger that balances them."""

from __future__ import annotations

import msgspec


class Failure(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A record that could not go on. Holds where and why, never the record's text.

    ``shape`` is the offending text with letters folded to ``a`` and digits to ``9`` (at most 80
    characters): enough to recognise the kind of fault, nothing to read.
    """

    session_id: str
    stage: str
    code: str
    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    length: int | None = None
    shape: str | None = None
    fatal: bool = False
    """True when the whole session is FAILED because of it."""


_VOLATILE = frozenset("internal_error budget timeout connection garbage unanswered".split())


def is_volatile(reason: str) -> bool:
    """Whether another run may not meet this failure code or review reason again."""
    return reason in _VOLATILE or reason.startswith("http_")


class Dropped(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A record removed on purpose. ``kind`` is frame, dom, request, segment … ; events have the
    ledger."""

    kind: str
    record: str
    """Which one: a path inside the session, or an id."""
    reason: str


class Disposition(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one raw event: kept, merged or dropped (then with a reason)."""

    event_id: str
    outcome: str
    reason: str | None = None
    action_index: int | None = None


class Ledger(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """raw = kept + merged + dropped, and lines = raw + failed_lines, for one session (or a sum of
    them)."""

    lines: int = 0
    failed_lines: int = 0
    raw: int = 0
    kept: int = 0
    merged: int = 0
    dropped: dict[str, int] = msgspec.field(default_factory=dict)

    def __add__(self, other: Ledger) -> Ledger:
        """Sum of two ledgers; commutative and associative."""
        dropped = dict(self.dropped)
        for reason, n in other.dropped.items():
            dropped[reason] = dropped.get(reason, 0) + n
        return Ledger(
            lines=self.lines + other.lines,
            failed_lines=self.failed_lines + other.failed_lines,
            raw=self.raw + other.raw,
            kept=self.kept + other.kept,
            merged=self.merged + other.merged,
            dropped=dict(sorted(dropped.items())),
        )

    @property
    def balanced(self) -> bool:
        """Whether every line and every event is accounted for."""
        return (
            self.raw == self.kept + self.merged + sum(self.dropped.values())
            and self.lines == self.raw + self.failed_lines
        )


class Audit(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What one stage did to one session: counts and decisions. No personal data, no keys."""

    session_id: str
    stage: str
    records_in: int
    records_out: int
    failed: int = 0
    dropped: dict[str, int] = msgspec.field(default_factory=dict)
    decisions: dict[str, int | float | str] = msgspec.field(default_factory=dict)
    duration_ms: float = 0.0
