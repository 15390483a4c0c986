"""PTransforms of the PrivacyFilter: LocateSensitive, Redact and VerifyPrivacy.

Everything is located first and replaced afterwards, because what text shows is searched for in
pixels and the other way round. With ``--privacy=off`` LocateSensitive finds nothing and Redact
publishes what was recorded; both stay in the graph.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import msgspec

from schemas.packing import pack, unpack
from schemas.receipts import MAX_NAMED_SESSIONS, PICTURES, Receipt, ShardSummary, VersionPlan
from schemas.work import SessionWork
from transforms import prepared, storage
from transforms.checkpoints import CheckpointKeys, CheckpointStore, read_members
from transforms.dom import to_text
from transforms.places import frame_path
from transforms.privacy.filter import privacy_filter
from transforms.privacy.pixels.verify import read_pictures, sampled
from transforms.privacy.publish import unscrubbed
from transforms.privacy.settings import PrivacySettings, PublishSettings
from transforms.privacy.verify import OutputChecker
from transforms.privacy.verify_shard import (
    SessionChecks,
    VerifiedMarks,
    load_digests,
    verify_files,
)
from transforms.session_files import open_session_files
from transforms.shuffle import Spread
from transforms.snapshots import session_snapshots
from transforms.stage import SessionDoFn, count


class _LocateSensitive(SessionDoFn):
    stage = "LocateSensitive"

    def __init__(self, settings: PrivacySettings, keys: CheckpointKeys, fail_fast: bool):
        super().__init__(fail_fast)
        self.settings, self.keys = settings, keys

    def setup(self) -> None:
        if self.settings.enabled:
            self.filter = privacy_filter(self.settings)

    def apply(self, work: SessionWork) -> SessionWork:
        return self.filter.locate(work, self.keys) if self.settings.enabled else work

    def decisions(self, work: SessionWork) -> dict[str, Any]:
        return dict(work.findings.counts) if work.findings else {}

    def size_in(self, work: SessionWork) -> int:
        return len(work.steps)

    def size_out(self, work: SessionWork) -> int:
        return len(work.steps)


@dataclasses.dataclass
class LocateSensitive(beam.PTransform):
    """Finds what is personal in each session's texts and pixels; changes nothing."""

    settings: PrivacySettings
    keys: CheckpointKeys
    fail_fast: bool = False

    def expand(self, sessions: Any) -> Any:
        """SessionWork with steps → with findings (in memory only)."""
        return sessions | "LocateInSession" >> beam.ParDo(
            _LocateSensitive(self.settings, self.keys, self.fail_fast)
        ).with_output_types(SessionWork)


class _Redact(SessionDoFn):
    stage = "Redact"

    def __init__(
        self,
        settings: PrivacySettings,
        publishing: PublishSettings,
        keys: CheckpointKeys,
        fail_fast: bool,
    ):
        super().__init__(fail_fast)
        self.settings, self.publishing, self.keys = settings, publishing, keys

    def setup(self) -> None:
        if self.settings.enabled:
            self.filter = privacy_filter(self.settings)

    def process(self, work: SessionWork) -> Iterator[SessionWork]:
        if work.failed and self.settings.enabled:
            yield self.filter.redact_failed(work, self.keys)
        else:
            yield from super().process(work)

    def apply(self, work: SessionWork) -> SessionWork:
        if self.settings.enabled:
            return self.filter.redact(work, self.keys, self.publishing)
        files = open_session_files(work.ref)
        formats = {s.file: s.format for s in work.trace.dom}
        trees = session_snapshots(work.ref, work.trace).trees()
        texts = {file: to_text(tree, formats[file]) for file, tree in trees.items()}
        return unscrubbed(work, files, texts.get, self.keys, self.publishing)

    def size_in(self, work: SessionWork) -> int:
        return len(work.steps)

    def size_out(self, work: SessionWork) -> int:
        return len(work.prepared.steps) if work.prepared else 0

    def decisions(self, work: SessionWork) -> dict[str, Any]:
        return {"frames": len(work.prepared.frame_ids)} if work.prepared else {}


@dataclasses.dataclass
class Redact(beam.PTransform):
    """Replaces what was found, publishes the frames, and assembles the prepared session."""

    settings: PrivacySettings
    publishing: PublishSettings
    keys: CheckpointKeys
    fail_fast: bool = False

    def expand(self, sessions: Any) -> Any:
        """SessionWork with findings → with the prepared session and its event rows."""
        return sessions | "RedactSession" >> beam.ParDo(
            _Redact(self.settings, self.publishing, self.keys, self.fail_fast)
        ).with_output_types(SessionWork)


class _VerifyShard(beam.DoFn):
    def __init__(
        self, settings: PrivacySettings, keys: CheckpointKeys, checkpoints: str, output: str
    ):
        self.settings, self.keys = settings, keys
        self.checkpoints, self.output = checkpoints, output

    def setup(self) -> None:
        self.filter = privacy_filter(self.settings)

    def process(self, packed: bytes, plan: bytes) -> Iterator[bytes]:
        summary, version = unpack(packed, ShardSummary), unpack(plan, VersionPlan).version
        store = CheckpointStore(self.checkpoints)
        members = read_members(store, version, summary.shard)
        marks = VerifiedMarks(store, self.keys, "values")
        new = marks.without(members)
        checks = SessionChecks(store, self.filter.finder, self.keys, new)
        root = storage.join(self.output, "versions", version)
        hits = verify_files(checks, root, summary.files, members) if new else {}
        if not hits:
            marks.add(new)
        named = tuple(checks.sessions)[:MAX_NAMED_SESSIONS]
        yield pack(msgspec.structs.replace(summary, privacy_hits=hits, privacy_sessions=named))


class _VerifyPictures(beam.DoFn):
    """Reads the published frames of one session, or a sample of them."""

    def __init__(
        self,
        settings: PrivacySettings,
        keys: CheckpointKeys,
        checkpoints: str,
        output: str,
        sample: int | None,
    ):
        self.settings, self.keys = settings, keys
        self.checkpoints, self.output, self.sample = checkpoints, output, sample

    def setup(self) -> None:
        self.filter = privacy_filter(self.settings)

    def process(self, packed: bytes, plan: bytes) -> Iterator[bytes]:
        receipt, frames = unpack(packed, Receipt), unpack(plan, VersionPlan).frames
        engine = self.filter.engine
        store = CheckpointStore(self.checkpoints)
        marks = VerifiedMarks(store, self.keys, "pictures")
        share = 1.0 if self.sample is None else self.sample / max(frames, 1)
        if not receipt.frames or engine is None or not marks.without([receipt], share):
            return
        state = prepared.read_state(store.read(prepared.KIND, receipt.prepared_key))
        seen = (s.observation.frame for s in state.steps)
        chosen = sampled(dict.fromkeys(f for f in seen if f), share)
        checker = OutputChecker(self.filter.finder, *load_digests(store, receipt, self.keys))
        hits = read_pictures(
            chosen,
            lambda frame: storage.read_bytes(storage.join(self.output, frame_path(frame))),
            lambda text: {hit.entity for hit in checker.check(text, "frames", "pixels")},
            engine,
            self.settings.pixels,
        )
        count("VerifyPrivacy", "pictures", len(chosen))
        if hits:
            named = {f"frames.pixels/{entity}": n for entity, n in hits.items()}
            sessions = (receipt.session_id,)
            yield pack(ShardSummary(shard=PICTURES, privacy_hits=named, privacy_sessions=sessions))
        else:
            marks.add([receipt], share)


@dataclasses.dataclass
class VerifyPrivacy(beam.PTransform):
    """Searches what was written, before it is published; hits leave the version unpublished."""

    settings: PrivacySettings
    keys: CheckpointKeys
    checkpoints: str
    output: str
    verify: bool = True
    pictures: int | None = 200
    """How many published frames are read; None: all, 0: none."""

    def expand(self, written: Any) -> Any:
        """{"plan", "shards"} → the same, with ``privacy_hits`` filled in."""
        if not self.settings.enabled or not self.verify:
            return written
        shards = (
            written["shards"]
            | "SpreadShards" >> Spread()
            | "VerifyShard"
            >> beam.ParDo(
                _VerifyShard(self.settings, self.keys, self.checkpoints, self.output),
                beam.pvalue.AsSingleton(written["plan"]),
            ).with_output_types(bytes)
        )
        if self.pictures == 0:
            return {**written, "shards": shards}
        pictures = (
            written["receipts"]
            | "SpreadPictures" >> Spread()
            | "VerifyPictures"
            >> beam.ParDo(
                _VerifyPictures(
                    self.settings, self.keys, self.checkpoints, self.output, self.pictures
                ),
                beam.pvalue.AsSingleton(written["plan"]),
            ).with_output_types(bytes)
        )
        return {**written, "shards": (shards, pictures) | "AllChecks" >> beam.Flatten()}
