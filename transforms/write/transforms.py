"""PTransforms of the writing stage."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

from schemas.packing import pack, unpack
from schemas.receipts import Receipt, ShardSummary, VersionPlan
from transforms.checkpoints import CheckpointStore
from transforms.write.commit import CommitSettings, commit
from transforms.write.plan import VersionSum, shard_of
from transforms.write.shards import ShardPlaces, write_shard


@beam.typehints.with_input_types(bytes)
@beam.typehints.with_output_types(bytes)
class PlanVersion(beam.CombineFn):
    """Sums receipts into the version's plan."""

    def __init__(self, writing: str, max_shard_bytes: int):
        self.writing, self.max_shard_bytes = writing, max_shard_bytes

    def create_accumulator(self) -> bytes:
        """Returns the empty sum; accumulators cross shuffles, so they are packed."""
        return pack(VersionSum())

    def add_input(self, accumulator: bytes, receipt: bytes) -> bytes:
        """Adds one session; empty bytes add none (they make an empty dataset have a version)."""
        if not receipt:
            return accumulator
        return pack(unpack(accumulator, VersionSum).add(unpack(receipt, Receipt)))

    def merge_accumulators(self, accumulators: Iterable[bytes]) -> bytes:
        """Adds partial sums."""
        sums = (unpack(a, VersionSum) for a in accumulators)
        return pack(functools.reduce(VersionSum.merge, sums, VersionSum()))

    def extract_output(self, accumulator: bytes) -> bytes:
        """Names the version: a packed VersionPlan."""
        return pack(unpack(accumulator, VersionSum).plan(self.writing, self.max_shard_bytes))

    def get_accumulator_coder(self) -> beam.coders.Coder:
        """Bytes, not pickles."""
        return beam.coders.BytesCoder()


def _to_one_key(packed: bytes) -> tuple[int, bytes]:
    return 0, packed


def _value(pair: tuple[int, bytes]) -> bytes:
    return pair[1]


class _AssignShard(beam.DoFn):
    def process(self, receipt: bytes, plan: bytes) -> Iterator[tuple[int, bytes]]:
        session_id = unpack(receipt, Receipt).session_id
        yield shard_of(session_id, unpack(plan, VersionPlan).shards), receipt


class _WriteShard(beam.DoFn):
    def __init__(self, checkpoints: str, places: ShardPlaces):
        self.checkpoints, self.places = checkpoints, places

    def process(self, group: tuple[int, Iterable[bytes]], packed: bytes) -> Iterator[bytes]:
        shard, receipts = group
        plan = unpack(packed, VersionPlan)
        summary = write_shard(
            CheckpointStore(self.checkpoints),
            self.places,
            plan.version,
            shard,
            plan.shards,
            [unpack(r, Receipt) for r in receipts],
        )
        yield pack(summary)


@dataclasses.dataclass
class WriteShards(beam.PTransform):
    """Writes the version's shards; emits (plan, shard summaries) as two collections."""

    checkpoints: str
    places: ShardPlaces
    writing: str
    """Hash of the options that only decide how a dataset is written."""
    max_shard_bytes: int

    def expand(self, receipts: Any) -> Any:
        """Packed Receipts → packed {"plan": VersionPlan, "shards": ShardSummary, "receipts"}."""
        none = receipts.pipeline | beam.Impulse()
        plan = (
            (receipts, none)
            | "WithNone" >> beam.Flatten()
            | "ToOneKey" >> beam.Map(_to_one_key).with_output_types(tuple[int, bytes])
            | "PlanVersion"
            >> beam.CombinePerKey(
                PlanVersion(self.writing, self.max_shard_bytes)
            ).with_output_types(tuple[int, bytes])
            | "Plan" >> beam.Map(_value).with_output_types(bytes)
        )
        shards = (
            receipts
            | "AssignShard"
            >> beam.ParDo(_AssignShard(), beam.pvalue.AsSingleton(plan)).with_output_types(
                tuple[int, bytes]
            )
            | "GroupShard" >> beam.GroupByKey()
            | "WriteShard"
            >> beam.ParDo(
                _WriteShard(self.checkpoints, self.places), beam.pvalue.AsSingleton(plan)
            ).with_output_types(bytes)
        )
        return {"plan": plan, "shards": shards, "receipts": receipts}


class _Commit(beam.DoFn):
    def __init__(self, settings: CommitSettings):
        self.settings = settings

    def process(self, plan: bytes, shards: list[bytes]) -> Iterator[str]:
        summaries = [unpack(s, ShardSummary) for s in shards]
        yield commit(unpack(plan, VersionPlan), summaries, self.settings)


@dataclasses.dataclass
class Commit(beam.PTransform):
    """Publishes the version, once all of it is there."""

    settings: CommitSettings

    def expand(self, written: Any) -> Any:
        """{"plan", "shards"} → the version's name."""
        return written["plan"] | "Publish" >> beam.ParDo(
            _Commit(self.settings), beam.pvalue.AsList(written["shards"])
        ).with_output_types(str)
