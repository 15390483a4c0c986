"""PTransforms of the ingest stage: FindSessions and ReadTraces."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import msgspec

from schemas.receipts import Receipt
from schemas.traces import SessionRef
from schemas.work import SessionWork
from transforms.checkpoints import CheckpointKeys, CheckpointStore
from transforms.ingest.find import find_sessions
from transforms.ingest.network import NetworkRules
from transforms.ingest.read import ReadLimits, read_trace
from transforms.stage import SessionDoFn, count

TO_DO, PREPARED, DONE = "to_do", "prepared", "done"


class _ListSessions(beam.DoFn):
    def __init__(self, patterns: tuple[str, ...], fingerprint: str):
        self.patterns, self.fingerprint = patterns, fingerprint

    def process(self, unused_impulse: bytes) -> Iterator[SessionRef]:
        yield from find_sessions(self.patterns, fingerprint=self.fingerprint)


class _LookUpCheckpoints(beam.DoFn):
    """Sends each session to where its work begins: all of it, the second half, or nothing."""

    def __init__(self, root: str, keys: CheckpointKeys, anew: frozenset[str]):
        self.root, self.keys, self.anew = root, keys, anew

    def setup(self) -> None:
        self.store = CheckpointStore(self.root)

    def process(self, ref: SessionRef) -> Iterator[Any]:
        session_id = self.keys.published_id(ref.session_id)
        if session_id in self.keys.forgotten:
            count("FindSessions", "forgotten")
            return
        key = self.keys.prepared(ref.session_id, ref.fingerprint, ref.defect)
        prepared = None if session_id in self.anew else self.store.receipt("prepared", key)
        if prepared is None or prepared.volatile:
            count("FindSessions", "new")
            yield beam.pvalue.TaggedOutput(TO_DO, SessionWork(ref=ref, key=key))
            return
        result_key = self.keys.result(session_id, key)
        done = self.store.receipt("result", result_key)
        if done is None or done.volatile:
            count("FindSessions", "prepared_before")
            # The salt may have changed since the prepared checkpoint was written.
            yield beam.pvalue.TaggedOutput(
                PREPARED, msgspec.structs.replace(prepared, result_key=result_key)
            )
            return
        count("FindSessions", "done_before")
        yield beam.pvalue.TaggedOutput(DONE, done)


@dataclasses.dataclass
class FindSessions(beam.PTransform):
    """Lists the sessions and looks up what earlier runs have finished.

    References are ordered by size, so that the longest start first, and are reshuffled, because
    otherwise fusion would put every session on one worker.
    """

    patterns: tuple[str, ...]
    fingerprint: str
    checkpoints: str
    keys: CheckpointKeys
    anew: frozenset[str] = frozenset()

    def expand(self, begin: Any) -> Any:
        """Nothing → {"to_do": SessionWork, "prepared": Receipt, "done": Receipt}."""
        looked_up = (
            begin
            | beam.Impulse()
            | "ListSessions"
            >> beam.ParDo(_ListSessions(self.patterns, self.fingerprint)).with_output_types(
                SessionRef
            )
            | "SpreadSessions" >> beam.Reshuffle()
            | "LookUpCheckpoints"
            >> beam.ParDo(_LookUpCheckpoints(self.checkpoints, self.keys, self.anew)).with_outputs(
                TO_DO, PREPARED, DONE
            )
        )
        return {
            "to_do": looked_up[TO_DO] | "ToDo" >> beam.Map(_same).with_output_types(SessionWork),
            "prepared": looked_up[PREPARED]
            | "Prepared" >> beam.Map(_same).with_output_types(Receipt),
            "done": looked_up[DONE] | "Done" >> beam.Map(_same).with_output_types(Receipt),
        }


def _same(element: Any) -> Any:
    """Gives a tagged output its type, and so its coder."""
    return element


class _ReadTraces(SessionDoFn):
    stage = "ReadTraces"

    def __init__(self, limits: ReadLimits, rules: NetworkRules, fail_fast: bool):
        super().__init__(fail_fast)
        self.limits, self.rules = limits, rules

    def apply(self, work: SessionWork) -> SessionWork:
        trace = read_trace(work.ref, self.limits, self.rules)
        return msgspec.structs.replace(
            work,
            trace=trace,
            ledger=trace.ledger,
            counts=dict(trace.counts),
            failures=(*work.failures, *trace.failures),
            dropped=(*work.dropped, *trace.dropped),
        )

    def size_in(self, work: SessionWork) -> int:
        return 1

    def size_out(self, work: SessionWork) -> int:
        return len(work.trace.events) if work.trace else 0

    def decisions(self, work: SessionWork) -> dict[str, Any]:
        return work.counts


@dataclasses.dataclass
class ReadTraces(beam.PTransform):
    """Reads and validates each session."""

    limits: ReadLimits
    rules: NetworkRules
    fail_fast: bool = False

    def expand(self, sessions: Any) -> Any:
        """SessionWork (ref) → SessionWork with its trace."""
        return sessions | "ReadTrace" >> beam.ParDo(
            _ReadTraces(self.limits, self.rules, self.fail_fast)
        ).with_output_types(SessionWork)
