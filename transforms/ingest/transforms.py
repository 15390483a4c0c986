"""PTransforms of the ingest stage: FindSessions and ReadTraces."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import msgspec

from schemas.packing import pack, unpack
from schemas.receipts import SessionState
from schemas.traces import SessionRef
from schemas.work import SessionWork
from transforms.checkpoints import CheckpointKeys, CheckpointStore
from transforms.ingest import raw_copies
from transforms.ingest.find import find_inputs
from transforms.ingest.network import NetworkRules
from transforms.ingest.read import ReadLimits, read_trace
from transforms.shuffle import Spread
from transforms.stage import SessionDoFn, count


class _ListSessions(beam.DoFn):
    def __init__(self, patterns: tuple[str, ...], fingerprint: str, exclude: tuple[str, ...]):
        self.patterns, self.fingerprint, self.exclude = patterns, fingerprint, exclude

    def process(self, unused_impulse: bytes) -> Iterator[bytes]:
        found = find_inputs(self.patterns, fingerprint=self.fingerprint, exclude=self.exclude)
        count("FindSessions", "passed_over", len(found.passed_over))
        for ref in found.sessions:
            yield pack(ref)


class _LookUpCheckpoints(beam.DoFn):
    """Says of each session what earlier runs have left to do, as packed ``SessionState``."""

    def __init__(self, root: str, keys: CheckpointKeys, anew: frozenset[str]):
        self.root, self.keys, self.anew = root, keys, anew

    def setup(self) -> None:
        self.store = CheckpointStore(self.root)

    def process(self, packed: bytes) -> Iterator[bytes]:
        ref = unpack(packed, SessionRef)
        session_id = self.keys.published_id(ref.session_id)
        if session_id in self.keys.forgotten:
            count("FindSessions", "forgotten")
            return
        state = self.look_up(ref, session_id)
        count("FindSessions", "done_before" if state.done else "to_do")
        yield pack(state)

    def look_up(self, ref: SessionRef, session_id: str) -> SessionState:
        key = self.keys.prepared(ref.session_id, ref.fingerprint, ref.defect)
        state = SessionState(ref, key)
        prepared = None if session_id in self.anew else self.store.receipt("prepared", key)
        if prepared is None or prepared.volatile:
            return state
        result_key = self.keys.result(session_id, key)
        done = self.store.receipt("result", result_key)
        if done is not None and not done.volatile:
            return msgspec.structs.replace(state, done=done)
        # The result's salt may have changed since the prepared checkpoint was written.
        prepared = msgspec.structs.replace(prepared, result_key=result_key)
        return msgspec.structs.replace(state, prepared=prepared)


class _KeepRaw(beam.DoFn):
    """Passes on what it is given, and copies the session's files where that is not done."""

    def __init__(self, folder: str, keys: CheckpointKeys):
        self.folder, self.keys = folder, keys

    def process(self, packed: bytes) -> Iterator[bytes]:
        ref = unpack(packed, SessionState).ref
        session_id = self.keys.published_id(ref.session_id)
        if not raw_copies.is_kept(self.folder, session_id, ref):
            missing = raw_copies.keep(self.folder, session_id, ref)
            count("FindSessions", "raw_files_not_kept", len(missing))
        yield packed


def _to_do(packed: bytes) -> Iterator[SessionWork]:
    state = unpack(packed, SessionState)
    if not state.prepared and not state.done:
        yield SessionWork(ref=state.ref, key=state.key)


def _prepared(packed: bytes) -> Iterator[bytes]:
    state = unpack(packed, SessionState)
    if state.prepared:
        yield pack(state.prepared)


def _done(packed: bytes) -> Iterator[bytes]:
    state = unpack(packed, SessionState)
    if state.done:
        yield pack(state.done)


@dataclasses.dataclass
class FindSessions(beam.PTransform):
    """Lists the sessions and looks up what earlier runs have finished.

    References are ordered by size, so that the longest start first, and are spread, because
    otherwise fusion would put every session on one worker.
    """

    patterns: tuple[str, ...]
    fingerprint: str
    exclude: tuple[str, ...]
    """Never read as input, also where it lies inside a folder that is."""
    checkpoints: str
    keys: CheckpointKeys
    anew: frozenset[str] = frozenset()
    raw: str = ""
    """Where the sessions' files are copied to, as they are; "": nowhere."""

    def expand(self, begin: Any) -> Any:
        """Nothing → {"to_do": SessionWork, "prepared": packed Receipt, "done": packed Receipt}."""
        states = (
            begin
            | beam.Impulse()
            | "ListSessions"
            >> beam.ParDo(
                _ListSessions(self.patterns, self.fingerprint, self.exclude)
            ).with_output_types(bytes)
            | "SpreadSessions" >> Spread()
            | "LookUpCheckpoints"
            >> beam.ParDo(
                _LookUpCheckpoints(self.checkpoints, self.keys, self.anew)
            ).with_output_types(bytes)
        )
        if self.raw:
            states |= "KeepRaw" >> beam.ParDo(_KeepRaw(self.raw, self.keys)).with_output_types(
                bytes
            )
        return {
            "to_do": states | "ToDo" >> beam.FlatMap(_to_do).with_output_types(SessionWork),
            "prepared": states | "Prepared" >> beam.FlatMap(_prepared).with_output_types(bytes),
            "done": states | "Done" >> beam.FlatMap(_done).with_output_types(bytes),
        }


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
