"""The *prepared* checkpoint: what one session is after Redact, as table rows and as state.

Everything in it is scrubbed: later stages, the model and the dataset see nothing else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
import msgspec

from schemas.outcomes import Audit, Failure, Ledger
from schemas.packing import pack
from schemas.receipts import Receipt
from schemas.tables import (
    ActionCell,
    ActionRow,
    EventRow,
    FailureRow,
    ObservationCell,
    StepRow,
)
from schemas.traces import Session
from schemas.trajectories import PreparedSession, Step
from schemas.work import SessionWork
from transforms import storage
from transforms.checkpoints import Checkpoint, CheckpointKeys, CheckpointStore, table_bytes
from transforms.places import frame_path
from transforms.stage import internal_failure

KIND = "prepared"


def frame_point(step: Step) -> tuple[float, float] | None:
    """Returns the action's point in pixels of the step's published frame.

    Without a frame, in CSS pixels; None where the action has no point.
    """
    action = step.action
    if action.x is None or action.y is None:
        return None
    sx, sy = step.observation.frame_scale or (1.0, 1.0)
    return round(action.x * sx, 2), round(action.y * sy, 2)


def action_row(session_id: str, step: Step) -> ActionRow:
    """Returns the row of one action for ``tables/actions``."""
    action, seen = step.action, step.observation
    element = msgspec.json.encode(action.element).decode() if action.element else None
    return ActionRow(
        session_id=session_id,
        action_index=action.index,
        type=action.type,
        start_us=action.start_us,
        end_us=action.end_us,
        x=action.x,
        y=action.y,
        x_rel=action.x_rel,
        y_rel=action.y_rel,
        text=action.text,
        keys=list(action.keys),
        delta_x=action.delta_x,
        delta_y=action.delta_y,
        path=[list(point) for point in action.path],
        element=element,
        raw_event_ids=list(action.raw_event_ids),
        frame_id=seen.frame,
        frame_timestamp_us=seen.frame_timestamp_us,
        tab=action.tab,
        url=action.url,
        window=action.window,
        flags=list(action.flags),
    )


def step_row(session_id: str, step: Step) -> StepRow:
    """Returns ALIEN's trajectory step; ``dom_tree`` holds a snapshot key until shards are written.

    ``timestamp`` is in µs; ``screenshot_path`` is relative to OUTPUT; coordinates are pixels of
    that screenshot.
    """
    seen = step.observation
    point = frame_point(step)
    element = step.element_id or (step.action.element and step.action.element.id)
    return StepRow(
        task_id=step.task_id,
        step_id=step.step_id,
        timestamp=step.action.start_us,
        observation=ObservationCell(
            screenshot_path=frame_path(seen.frame) if seen.frame else None,
            dom_tree=seen.dom,
            active_window=seen.active_window,
        ),
        thought_trace=step.thought,
        action=ActionCell(
            type=step.action.type,
            coordinates=list(point) if point else None,
            element_id=element or None,
        ),
        session_id=session_id,
        stale=seen.stale,
    )


def failure_rows(session_id: str, failures: Sequence[Failure]) -> list[FailureRow]:
    """Returns dead letters as rows, under the published session id."""
    return [
        FailureRow(
            session_id=session_id,
            stage=f.stage,
            code=f.code,
            message=f.message,
            file=f.file,
            line=f.line,
            column=f.column,
            length=f.length,
            shape=f.shape,
        )
        for f in failures
    ]


def prepared_sections(
    prepared: PreparedSession, event_rows: Sequence[EventRow], digests: Sequence[bytes] = ()
) -> Iterator[tuple[str, bytes]]:
    """Yields the sections of a prepared checkpoint."""
    session_id = prepared.session.id
    state = msgspec.structs.replace(prepared, audit=())
    yield "state", msgspec.msgpack.encode(state, order="deterministic")
    yield "audit", msgspec.msgpack.encode(prepared.audit)
    if digests:
        yield "digests", msgspec.msgpack.encode(digests)
    yield "tables/events", table_bytes(EventRow, event_rows)
    rows = [action_row(session_id, s) for s in prepared.steps]
    yield "tables/actions", table_bytes(ActionRow, rows)
    yield "tables/steps", table_bytes(StepRow, [step_row(session_id, s) for s in prepared.steps])
    yield "tables/failures", table_bytes(FailureRow, failure_rows(session_id, prepared.failures))


def failed_session(work: SessionWork, session_id: str) -> PreparedSession:
    """Returns what is kept of a session that failed on the way: its record and its failures."""
    lines, bad = work.ledger.lines, work.ledger.failed_lines
    raw = max(lines - bad, 0)
    return PreparedSession(
        session=Session(id=session_id, storage_path=f"sessions/{session_id}"),
        ledger=Ledger(
            lines=lines,
            failed_lines=bad,
            raw=raw,
            dropped={"session_failed": raw} if raw else {},
        ),
        failures=tuple(msgspec.structs.replace(f, session_id=session_id) for f in work.failures),
        dropped=work.dropped,
        counts=work.counts,
    )


def read_state(checkpoint: Checkpoint) -> PreparedSession:
    """Returns the session that a prepared checkpoint holds."""
    return msgspec.msgpack.decode(checkpoint.sections["state"], type=PreparedSession)


def read_audit(checkpoint: Checkpoint) -> list[Audit]:
    """Returns the audit rows of a checkpoint, durations included."""
    return msgspec.msgpack.decode(checkpoint.sections.get("audit", b"\x90"), type=list[Audit])


def _published_audit(row: Audit, prepared: PreparedSession) -> Audit:
    """Returns an audit row whose event counts are the published ones.

    A masked run of key events counts as one; the true number would tell a password's length.
    """
    ledger, counts = prepared.ledger, prepared.counts
    changed: dict[str, Any] = {"session_id": prepared.session.id}
    if row.stage == "ReadTraces":
        changed["decisions"] = {name: counts[name] for name in row.decisions if name in counts}
        if row.records_out:
            changed["records_out"] = ledger.raw
    if row.stage == "NormalizeEvents":
        reasons = {f"dropped_{reason}": n for reason, n in ledger.dropped.items()}
        changed["decisions"] = {name: reasons[name] for name in row.decisions if name in reasons}
        if row.records_in:
            changed["records_in"] = ledger.raw
    return msgspec.structs.replace(row, **changed)


class _WritePrepared(beam.DoFn):
    def __init__(self, root: str, private: str, keys: CheckpointKeys):
        self.root, self.private, self.keys = root, private, keys

    def setup(self) -> None:
        self.store = CheckpointStore(self.root)

    def process(self, work: SessionWork) -> Iterator[bytes]:
        session_id = self.keys.published_id(work.ref.session_id)
        try:
            prepared, sections = self.sections(work, session_id)
        except Exception as error:
            # One session that can't be written is no reason to lose the others.
            failure = internal_failure(session_id, "WritePrepared", error)
            work = msgspec.structs.replace(work, failures=(*work.failures, failure))
            prepared, sections = self.sections(work, session_id)
        yield pack(self.write(work, prepared, sections))

    def sections(
        self, work: SessionWork, session_id: str
    ) -> tuple[PreparedSession, list[tuple[str, bytes]]]:
        """Returns what is kept of a session, and as the bytes of its checkpoint."""
        prepared = work.prepared
        if work.failed or prepared is None:
            prepared = failed_session(work, session_id)
        prepared = msgspec.structs.replace(
            prepared, audit=tuple(_published_audit(row, prepared) for row in work.audit)
        )
        rows = () if work.failed else work.event_rows
        return prepared, list(prepared_sections(prepared, rows, work.digests))

    def write(
        self, work: SessionWork, prepared: PreparedSession, sections: list[tuple[str, bytes]]
    ) -> Receipt:
        session_id = prepared.session.id
        self.remember(work, session_id)
        receipt = Receipt(
            session_id=session_id,
            key=work.key,
            result_key=self.keys.result(session_id, work.key),
            failed=prepared.failed.code if prepared.failed else "",
            ledger=prepared.ledger,
            size_bytes=max(len(data) for name, data in sections if name.startswith("tables/")),
            steps=len(prepared.steps),
            frames=len(prepared.frame_ids),
            failures=len(prepared.failures),
            volatile=any(f.code == "internal_error" for f in prepared.failures),
        )
        return self.store.write(KIND, receipt, sections)

    def remember(self, work: SessionWork, session_id: str) -> None:
        """Keeps which input a published id stands for, privately."""
        record = {
            "session_id": session_id,
            "input_id": work.ref.session_id,
            "uri": work.ref.uri,
            "member": work.ref.member,
            "key": work.key,
        }
        uri = storage.join(self.private, "sessions", f"{session_id}.json")
        storage.write_bytes(uri, msgspec.json.encode(record), mode=0o600)


@dataclasses.dataclass
class WritePrepared(beam.PTransform):
    """Writes each session's prepared checkpoint and emits its receipt, packed."""

    checkpoints: str
    private: str
    keys: CheckpointKeys

    def expand(self, sessions: Any) -> Any:
        """SessionWork → packed Receipt."""
        return sessions | "WritePreparedCheckpoint" >> beam.ParDo(
            _WritePrepared(self.checkpoints, self.private, self.keys)
        ).with_output_types(bytes)
