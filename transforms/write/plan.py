"""The version's name and its number of shards, from the receipts of all its sessions."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable

import msgspec

from schemas.receipts import Receipt, VersionPlan
from transforms.keys import stable_hash

_MODULUS = 1 << 256


def receipt_hash(receipt: Receipt) -> bytes:
    """Returns a 256-bit number that stands for one result checkpoint and its content."""
    text = f"{receipt.session_id} {receipt.key} {receipt.digest}".encode()
    return hashlib.sha256(text).digest()


class VersionSum(msgspec.Struct, frozen=True):
    """A sum of receipts: a few hundred bytes, whatever their number.

    The version's name is a hash of the *multiset* of receipts (the sum of their hashes), so it
    depends neither on order nor on how runners bundle.
    """

    hashes: bytes = bytes(32)
    """Sum of the receipts' hashes modulo 2^256, big-endian."""
    size_bytes: int = 0
    counts: VersionPlan = VersionPlan(version="", shards=0)

    def add(self, receipt: Receipt) -> VersionSum:
        """Returns the sum with one session more."""
        one = VersionPlan(
            version="",
            shards=0,
            sessions=1,
            failed_sessions=int(bool(receipt.failed)),
            ledger=receipt.ledger,
            steps=receipt.steps,
            frames=receipt.frames,
            failures=receipt.failures,
            examples=receipt.examples,
            pending=receipt.pending,
            reused=int(receipt.reused),
            failed={receipt.failed: 1} if receipt.failed else {},
        )
        return self.merge(VersionSum(receipt_hash(receipt), receipt.size_bytes, one))

    def merge(self, other: VersionSum) -> VersionSum:
        """Returns the sum of two sums."""
        return VersionSum(
            _added(self.hashes, other.hashes),
            self.size_bytes + other.size_bytes,
            _sum(self.counts, other.counts),
        )

    def plan(self, writing: str, max_shard_bytes: int) -> VersionPlan:
        """Names the version; ``writing`` hashes the options that only decide how it is written."""
        counts = self.counts
        return msgspec.structs.replace(
            counts,
            version=stable_hash("version", self.hashes.hex(), counts.sessions, writing, size=10),
            shards=max(1, math.ceil(self.size_bytes / max_shard_bytes)),
        )


def _added(a: bytes, b: bytes) -> bytes:
    total = int.from_bytes(a, "big") + int.from_bytes(b, "big")
    return (total % _MODULUS).to_bytes(32, "big")


def plan_version(receipts: Iterable[Receipt], writing: str, max_shard_bytes: int) -> VersionPlan:
    """Computes the plan without a pipeline."""
    total = VersionSum()
    for receipt in receipts:
        total = total.add(receipt)
    return total.plan(writing, max_shard_bytes)


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
        frames=a.frames + b.frames,
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
