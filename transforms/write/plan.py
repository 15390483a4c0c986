"""The version's name and its number of shards, from the receipts of all its sessions."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable

import apache_beam as beam
import msgspec

from schemas.receipts import Receipt, VersionPlan
from transforms.keys import stable_hash

_MODULUS = 1 << 256


def receipt_hash(receipt: Receipt) -> int:
    """Returns a 256-bit number that stands for one result checkpoint and its content."""
    text = f"{receipt.session_id} {receipt.key} {receipt.digest}".encode()
    return int.from_bytes(hashlib.sha256(text).digest(), "big")


class PlanVersion(beam.CombineFn):
    """Sums receipts into a VersionPlan.

    The name is a hash of the *multiset* of receipts (the sum of their hashes), so it depends
    neither on order nor on how runners bundle; an accumulator is a few hundred bytes.
    """

    def __init__(self, writing: str, max_shard_bytes: int):
        self.writing = writing
        self.max_shard_bytes = max_shard_bytes

    def create_accumulator(self) -> tuple[int, int, VersionPlan]:
        """(sum of hashes, bytes, counts)."""
        return 0, 0, VersionPlan(version="", shards=0)

    def add_input(
        self, accumulator: tuple[int, int, VersionPlan], receipt: Receipt
    ) -> tuple[int, int, VersionPlan]:
        """Adds one session."""
        total, size, plan = accumulator
        one = VersionPlan(
            version="",
            shards=0,
            sessions=1,
            failed_sessions=int(bool(receipt.failed)),
            ledger=receipt.ledger,
            steps=receipt.steps,
            failures=receipt.failures,
            examples=receipt.examples,
            pending=receipt.pending,
            reused=int(receipt.reused),
            failed={receipt.failed: 1} if receipt.failed else {},
        )
        return (
            (total + receipt_hash(receipt)) % _MODULUS,
            size + receipt.size_bytes,
            _sum(plan, one),
        )

    def merge_accumulators(
        self, accumulators: Iterable[tuple[int, int, VersionPlan]]
    ) -> tuple[int, int, VersionPlan]:
        """Adds partial sums."""
        total, size, plan = self.create_accumulator()
        for t, s, p in accumulators:
            total, size, plan = (total + t) % _MODULUS, size + s, _sum(plan, p)
        return total, size, plan

    def extract_output(self, accumulator: tuple[int, int, VersionPlan]) -> VersionPlan:
        """Names the version."""
        total, size, plan = accumulator
        return msgspec.structs.replace(
            plan,
            version=stable_hash("version", f"{total:064x}", plan.sessions, self.writing, size=10),
            shards=max(1, math.ceil(size / self.max_shard_bytes)),
        )

    def plan(self, receipts: Iterable[Receipt]) -> VersionPlan:
        """Computes the plan without a pipeline."""
        accumulator = self.create_accumulator()
        for receipt in receipts:
            accumulator = self.add_input(accumulator, receipt)
        return self.extract_output(accumulator)


def _sum(a: VersionPlan, b: VersionPlan) -> VersionPlan:
    failed = dict(a.failed)
    for code, n in b.failed.items():
        failed[code] = failed.get(code, 0) + n
    return VersionPlan(
        version="",
        shards=0,
        sessions=a.sessions + b.sessions,
        failed_sessions=a.failed_sessions + b.failed_sessions,
        ledger=a.ledger + b.ledger,
        steps=a.steps + b.steps,
        failures=a.failures + b.failures,
        examples=a.examples + b.examples,
        pending=a.pending + b.pending,
        reused=a.reused + b.reused,
        failed=dict(sorted(failed.items())),
    )


def shard_of(session_id: str, shards: int) -> int:
    """Returns the shard of a session, the same on every runner."""
    digest = hashlib.blake2b(session_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % shards


def split_of(session_id: str, validation_share: float) -> str:
    """Returns the split of a session: a whole session is in one split, whatever else changes."""
    digest = hashlib.blake2b(session_id.encode(), digest_size=8, person=b"split").digest()
    return "validation" if int.from_bytes(digest, "big") / 2**64 < validation_share else "train"
