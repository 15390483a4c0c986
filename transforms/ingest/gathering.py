"""What reading one session has brought so far: results, faults and counts, with bounds."""

from __future__ import annotations

from collections import Counter

import msgspec

from schemas.outcomes import Dropped, Failure, Ledger
from schemas.traces import (
    DomSnapshot,
    Event,
    Frame,
    GivenStep,
    Request,
    Session,
    SessionRef,
    Trace,
)
from transforms.json_lines import shape

STAGE = "ReadTraces"
MAX_FAILURE_ROWS = 1000
"""Per session; more are only counted."""
MAX_DROPPED_ROWS = 100_000
MAX_RECORD_NAME = 200
HOPELESS_LINES = 10_000
"""After so many bad lines that are also most of the lines, nothing is worth reading on for."""


class ReadLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of what is read of one session."""

    max_line_bytes: int = 16 << 20
    max_bad_lines: int = 100
    """More bad lines than this and than ``max_bad_ratio`` of all fail the session."""
    max_bad_ratio: float = 0.01
    max_frame_pixels: int = 50_000_000
    max_frame_bytes: int = 64 << 20
    max_dom_bytes: int = 20 << 20
    max_har_bytes: int = 256 << 20
    max_record_bytes: int = 1 << 20
    """Of session.json, a sidecar or a one-event file."""
    max_files: int = 200_000


class SessionFault(Exception):
    """Ends the session: it becomes a fatal Failure."""

    def __init__(self, code: str, message: str, file: str | None = None):
        super().__init__(message)
        self.code = code
        self.file = file


class LineFault(Exception):
    """Ends one line: it becomes a Failure. The message never holds the line's text."""

    def __init__(self, code: str, message: str, column: int | None = None):
        super().__init__(message)
        self.code = code
        self.column = column


class Gathering:
    """Collects a Trace; the only mutable thing while a session is read."""

    def __init__(self, ref: SessionRef, limits: ReadLimits):
        self.ref = ref
        self.limits = limits
        self.session = Session(id=ref.session_id, storage_path=f"sessions/{ref.session_id}")
        self.events: list[Event] = []
        self.frames: list[Frame] = []
        self.dom: list[DomSnapshot] = []
        self.requests: list[Request] = []
        self.given: list[GivenStep] = []
        self.inline_dom: list[tuple[Event, str]] = []
        """Snapshots that ``dom`` events hold themselves."""
        self.failures: list[Failure] = []
        self.dropped: list[Dropped] = []
        self.counts: Counter[str] = Counter()
        self.lines = 0
        self.failed_lines = 0

    def fail(
        self,
        code: str,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        column: int | None = None,
        text: bytes = b"",
        length: int | None = None,
    ) -> None:
        """Notes a fault of one record; ``text`` is folded to its shape."""
        self.counts[f"failed/{code}"] += 1
        if len(self.failures) >= MAX_FAILURE_ROWS:
            self.counts["failures_not_listed"] += 1
            return
        self.failures.append(
            Failure(
                session_id=self.ref.session_id,
                stage=STAGE,
                code=code,
                message=message,
                file=file,
                line=line,
                column=column,
                length=len(text) if length is None and text else length,
                shape=shape(text) if text else None,
            )
        )

    def fail_line(
        self, file: str, line: int, fault: LineFault, text: bytes, length: int | None = None
    ) -> None:
        """Notes a bad line of the events; raises SessionFault when reading on is hopeless."""
        self.lines += 1
        self.failed_lines += 1
        self.fail(
            fault.code,
            str(fault),
            file=file,
            line=line,
            column=fault.column,
            text=text,
            length=length,
        )
        bad = self.failed_lines
        if bad > max(HOPELESS_LINES, self.limits.max_bad_lines) and bad > self.lines / 2:
            self.check_bad_lines()

    def check_bad_lines(self) -> None:
        """Raises SessionFault when too many of the lines so far are bad."""
        allowed = max(self.limits.max_bad_lines, int(self.limits.max_bad_ratio * self.lines))
        if self.failed_lines > allowed:
            raise SessionFault(
                "too_many_bad_lines",
                f"{self.failed_lines} of {self.lines} lines are bad; {allowed} are allowed "
                "(--max_bad_lines, or 1 % of the lines if that is more)",
            )

    def drop(self, kind: str, record: str, reason: str) -> None:
        """Notes a frame, snapshot, request or file that is left out on purpose."""
        self.counts[f"dropped/{kind}/{reason}"] += 1
        if len(self.dropped) < MAX_DROPPED_ROWS:
            name = record.encode("utf-8", "replace").decode()[:MAX_RECORD_NAME]
            self.dropped.append(Dropped(kind=kind, record=name, reason=reason))

    def trace(self) -> Trace:
        """Returns what was gathered."""
        return Trace(
            ref=self.ref,
            session=self.session,
            events=tuple(self.events),
            frames=tuple(self.frames),
            dom=tuple(self.dom),
            requests=tuple(self.requests),
            given=tuple(self.given),
            failures=tuple(self.failures),
            dropped=tuple(self.dropped),
            ledger=Ledger(
                lines=self.lines, failed_lines=self.failed_lines, raw=self.lines - self.failed_lines
            ),
            counts=dict(sorted(self.counts.items())),
        )

    def failed_trace(self, code: str, message: str, file: str | None = None) -> Trace:
        """Returns the trace of a FAILED session; its events are dropped in the ledger."""
        raw = self.lines - self.failed_lines
        fatal = Failure(
            session_id=self.ref.session_id,
            stage=STAGE,
            code=code,
            message=message,
            file=file,
            fatal=True,
        )
        return Trace(
            ref=self.ref,
            session=self.session,
            failures=(fatal, *self.failures),
            dropped=tuple(self.dropped),
            ledger=Ledger(
                lines=self.lines,
                failed_lines=self.failed_lines,
                raw=raw,
                dropped={"session_failed": raw} if raw else {},
            ),
            counts=dict(sorted(self.counts.items())),
        )
