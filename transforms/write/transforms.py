"""PTransforms of the writing stage."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

from schemas.receipts import Receipt, ShardSummary, VersionPlan
from transforms.checkpoints import CheckpointStore
from transforms.write.commit import CommitSettings, commit
from transforms.write.plan import VersionSum, shard_of
from transforms.write.shards import ShardPlaces, write_shard


class PlanVersion(beam.CombineFn):
    """Sums receipts into the version's plan."""

    def __init__(self, writing: str, max_shard_bytes: int):
        self.writing, self.max_shard_bytes = writing, max_shard_bytes

    def create_accumulator(self) -> VersionSum:
        """Returns the empty sum."""
        return VersionSum()

    def add_input(self, accumulator: VersionSum, receipt: Receipt) -> VersionSum:
        """Adds one session."""
        return accumulator.add(receipt)

    def merge_accumulators(self, accumulators: Iterable[VersionSum]) -> VersionSum:
        """Adds partial sums."""
        return functools.reduce(VersionSum.merge, accumulators, VersionSum())

    def extract_output(self, accumulator: VersionSum) -> VersionPlan:
        """Names the version."""
        return accumulator.plan(self.writing, self.max_shard_bytes)


class _AssignShard(beam.DoFn):
    def process(self, receipt: Receipt, plan: VersionPlan) -> Iterator[tuple[int, Receipt]]:
        yield shard_of(receipt.session_id, plan.shards), receipt


class _WriteShard(beam.DoFn):
    def __init__(self, checkpoints: str, places: ShardPlaces):
        self.checkpoints, self.places = checkpoints, places

    def process(
        self, group: tuple[int, Iterable[Receipt]], plan: VersionPlan
    ) -> Iterator[ShardSummary]:
        shard, receipts = group
        store = CheckpointStore(self.checkpoints)
        yield write_shard(store, self.places, plan.version, shard, plan.shards, receipts)


@dataclasses.dataclass
class WriteShards(beam.PTransform):
    """Writes the version's shards; emits (plan, shard summaries) as two collections."""

    checkpoints: str
    places: ShardPlaces
    writing: str
    """Hash of the options that only decide how a dataset is written."""
    max_shard_bytes: int

    def expand(self, receipts: Any) -> Any:
        """Receipt → {"plan": VersionPlan, "shards": ShardSummary}."""
        plan = receipts | "PlanVersion" >> beam.CombineGlobally(
            PlanVersion(self.writing, self.max_shard_bytes)
        ).with_output_types(VersionPlan)
        shards = (
            receipts
            | "AssignShard"
            >> beam.ParDo(_AssignShard(), beam.pvalue.AsSingleton(plan)).with_output_types(
                tuple[int, Receipt]
            )
            | "GroupShard" >> beam.GroupByKey()
            | "WriteShard"
            >> beam.ParDo(
                _WriteShard(self.checkpoints, self.places), beam.pvalue.AsSingleton(plan)
            ).with_output_types(ShardSummary)
        )
        return {"plan": plan, "shards": shards}


class _Commit(beam.DoFn):
    def __init__(self, settings: CommitSettings):
        self.settings = settings

    def process(self, plan: VersionPlan, shards: list[ShardSummary]) -> Iterator[str]:
        yield commit(plan, shards, self.settings)


@dataclasses.dataclass
class Commit(beam.PTransform):
    """Publishes the version, once all of it is there."""

    settings: CommitSettings

    def expand(self, written: Any) -> Any:
        """{"plan", "shards"} → the version's name."""
        return written["plan"] | "Publish" >> beam.ParDo(
            _Commit(self.settings), beam.pvalue.AsList(written["shards"])
        ).with_output_types(str)
