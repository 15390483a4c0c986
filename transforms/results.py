"""The *result* checkpoint: what one prepared session taught, ready to be copied into shards."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import msgspec

from schemas.catalogue import Catalogue
from schemas.classifications import Classification
from schemas.examples import Example
from schemas.outcomes import is_volatile
from schemas.packing import pack
from schemas.receipts import Receipt
from schemas.tables import ClassificationRow, ExampleRow, FailureRow, SessionRow
from schemas.work import ResultWork
from transforms.checkpoints import Checkpoint, CheckpointStore, arrow_bytes, table_bytes
from transforms.prepared import failure_rows

KIND = "result"


def _json(value: Any) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


def session_row(work: ResultWork, suite: str | None) -> SessionRow:
    """Returns the session's row; its status follows from its Examples.

    FAILED where a failure ended it, PENDING while an Example waits for review, else COMPLETED.
    """
    prepared, session = work.prepared, work.prepared.session
    fatal = prepared.failed or work.failed
    if fatal:
        status = "FAILED"
    elif any(e.status == "PENDING" for e in work.examples):
        status = "PENDING"
    else:
        status = "COMPLETED"
    ledger = prepared.ledger
    return SessionRow(
        session_id=session.id,
        user_id=session.user_id,
        suite_id=work.suite_id,
        suite=suite,
        description=session.description,
        storage_path=session.storage_path,
        events=ledger.raw,
        frames=len(prepared.frame_ids),
        status=status,
        error_code=fatal.code if fatal else None,
        created_at=session.created_at,
        steps=len(prepared.steps),
        kept=ledger.kept,
        merged=ledger.merged,
        dropped=sum(ledger.dropped.values()),
        failed_lines=ledger.failed_lines,
    )


def classification_row(
    work: ResultWork, suite: str | None, found: Classification, configurations: Sequence[dict]
) -> ClassificationRow:
    """Returns the row of one (segment, model configuration)."""
    steps = work.prepared.steps
    raw = [e for i in found.segment.step_indices for e in steps[i].action.raw_event_ids]
    return ClassificationRow(
        session_id=work.prepared.session.id,
        segment_id=found.segment.id,
        first_event_id=found.segment.first_event_id,
        last_event_id=found.segment.last_event_id,
        action=found.action,
        parameters=_json(found.parameters),
        evidence=_json(found.evidence),
        confidence=found.confidence,
        confidence_source=found.confidence_source,
        calibrated=found.calibrated,
        status=found.status,
        model=found.model,
        model_configuration=_json(configurations[found.configuration]),
        usage=_json(found.usage),
        suite=suite,
        reasons=list(found.reasons),
        candidates=_json(found.candidates),
        raw_event_ids=raw,
        said_action=found.said_action,
        said_confidence=found.said_confidence,
        said_source=found.said_source,
    )


def example_row(example: Example) -> ExampleRow:
    """Returns the Example record."""
    return ExampleRow(
        id=example.id,
        session_id=example.session_id,
        model_id=example.model_id,
        action_tool_map_id=example.action_tool_map_id,
        model_configuration=_json(example.model_configuration),
        storage_path=example.storage_path,
        status=example.status,
        task=example.task,
        example_path=example.example_path,
        request_source=example.request_source,
        review_reasons=list(example.review_reasons),
        code_version=example.code_version,
        prompt_version=example.prompt_version,
        error_code=example.error_code,
        confidence=example.confidence,
        suite_id=example.suite_id,
        model=example.model,
        segment_ids=list(example.segment_ids),
        raw_event_ids=list(example.raw_event_ids),
        frame_ids=list(example.frame_ids),
        usage=_json(example.usage),
    )


TrainingTable = Callable[[str, Sequence[bytes]], Any]
"""(target, JSONL lines) → Arrow table with the same columns."""


def result_sections(
    work: ResultWork,
    catalogue: Catalogue,
    configurations: Sequence[dict],
    training_table: TrainingTable,
) -> Iterator[tuple[str, bytes]]:
    """Yields the sections of a result checkpoint."""
    names = {s.id: s.name for s in catalogue.suites}
    suite = names.get(work.suite_id or "")
    session_id = work.prepared.session.id
    yield "audit", msgspec.msgpack.encode(work.audit)
    if work.thoughts:
        yield "thoughts", msgspec.msgpack.encode(work.thoughts)
    if work.replies:
        yield "replies", msgspec.msgpack.encode(work.replies)
    yield "dropped", msgspec.msgpack.encode(work.dropped)
    yield "tables/sessions", table_bytes(SessionRow, [session_row(work, suite)])
    rows = [classification_row(work, suite, c, configurations) for c in work.classifications]
    yield "tables/classifications", table_bytes(ClassificationRow, rows)
    yield "tables/examples", table_bytes(ExampleRow, [example_row(e) for e in work.examples])
    yield "tables/failures", table_bytes(FailureRow, failure_rows(session_id, work.failures))
    for target, lines in sorted(work.training.items()):
        yield f"training/{target}.jsonl", b"".join(line + b"\n" for line in lines)
        yield f"training/{target}.arrow", arrow_bytes(training_table(target, lines))
    for path, data in sorted(work.files.items()):
        yield f"files/{path}", data
    waiting = [c for c in work.classifications if c.status in ("review", "failed")]
    yield "review", b"".join(review_line(work, suite, c) + b"\n" for c in waiting)


def review_line(work: ResultWork, suite: str | None, found: Classification) -> bytes:
    """Returns what a reviewer needs to know of one segment that waits, as a JSON line."""
    steps = [work.prepared.steps[i] for i in found.segment.step_indices]
    seen = [
        {
            "type": s.action.type,
            "element": s.action.element and s.action.element.name,
            "text": s.action.text,
            "window": s.action.window,
            "frame": s.observation.frame,
        }
        for s in steps
    ]
    return msgspec.json.encode(
        {
            "session_id": work.prepared.session.id,
            "segment_id": found.segment.id,
            "suite": suite,
            "configuration": found.configuration,
            "action": found.action,
            "parameters": found.parameters,
            "confidence": found.confidence,
            "confidence_source": found.confidence_source,
            "reasons": found.reasons,
            "candidates": found.candidates,
            "evidence": found.evidence,
            "steps": seen,
        }
    )


def reply_keys(checkpoint: Checkpoint) -> frozenset[str]:
    """Returns the keys of the cached model replies that a result checkpoint rests on."""
    data = checkpoint.sections.get("replies", b"\x90")
    return frozenset(msgspec.msgpack.decode(data, type=list[str]))


class _WriteResult(beam.DoFn):
    def __init__(
        self,
        root: str,
        catalogue: Catalogue,
        configurations: tuple[dict, ...],
        training_table: TrainingTable,
        progress: str | None,
    ):
        self.root, self.catalogue, self.configurations = root, catalogue, configurations
        self.training_table, self.progress = training_table, progress

    def setup(self) -> None:
        self.store = CheckpointStore(self.root)

    def process(self, work: ResultWork) -> Iterator[bytes]:
        sections = list(
            result_sections(work, self.catalogue, self.configurations, self.training_table)
        )
        fatal = work.prepared.failed or work.failed
        reasons = {f.code for f in work.failures}
        reasons.update(r for c in work.classifications for r in c.reasons)
        volatile = work.unfinished or any(map(is_volatile, reasons))
        prepared = work.receipt
        receipt = Receipt(
            session_id=prepared.session_id,
            key=work.key,
            prepared_key=prepared.key,
            failed=fatal.code if fatal else "",
            ledger=prepared.ledger,
            size_bytes=max([prepared.size_bytes, *(len(data) for _, data in sections)]),
            steps=prepared.steps,
            frames=prepared.frames,
            failures=prepared.failures + len(work.failures),
            examples=len(work.examples),
            pending=sum(e.status == "PENDING" for e in work.examples),
            volatile=prepared.volatile or volatile,
        )
        written = self.store.write(KIND, receipt, sections)
        if self.progress:
            note_progress(self.progress, written)
        yield pack(written)


def note_progress(path: str, receipt: Receipt) -> None:
    """Appends one short line for the launcher's progress display (local runs only)."""
    line = f"{receipt.steps} {int(bool(receipt.failed))} {receipt.examples}\n"
    with open(path, "a", encoding="ascii") as f:  # O_APPEND: short writes of processes don't mix
        f.write(line)


@dataclasses.dataclass
class WriteResult(beam.PTransform):
    """Writes each session's result checkpoint and emits its receipt, packed."""

    checkpoints: str
    catalogue: Catalogue
    configurations: tuple[dict, ...]
    training_table: TrainingTable
    progress: str | None = None

    def expand(self, sessions: Any) -> Any:
        """ResultWork → packed Receipt."""
        return sessions | "WriteResultCheckpoint" >> beam.ParDo(
            _WriteResult(
                self.checkpoints,
                self.catalogue,
                self.configurations,
                self.training_table,
                self.progress,
            )
        ).with_output_types(bytes)
