"""Commit: the last step of the graph. Checks that everything is there, then publishes.

Idempotent, because a runner may run it twice: the same shards give the same manifest.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from typing import Any

import msgspec

from schemas.outcomes import Ledger
from schemas.receipts import MAX_NAMED_SESSIONS, PICTURES, ShardSummary, VersionPlan
from transforms import storage
from transforms.write.manifest import build_manifest, publish


class CommitRefused(Exception):
    """The version was not published; the message says why."""


@dataclasses.dataclass(frozen=True)
class CommitSettings:
    """What Commit must know of the run."""

    output: str
    run_id: str
    facts: dict[str, Any]
    """Deterministic facts for the manifest: privacy, targets, code version …"""


def objections(plan: VersionPlan, shards: Sequence[ShardSummary]) -> list[str]:
    """Returns why a version must not be published; empty when it may."""
    found = []
    numbers = sorted(s.shard for s in shards if s.shard != PICTURES)
    if numbers != sorted(set(numbers)):
        found.append("a shard was written twice")
    sessions = sum(s.sessions for s in shards)
    if sessions != plan.sessions:
        found.append(f"{plan.sessions} sessions went in, {sessions} are in the shards")
    ledger = Ledger()
    for shard in shards:
        ledger = ledger + shard.ledger
    if ledger != plan.ledger:
        found.append("the shards' ledger is not the receipts' ledger")
    if not plan.ledger.balanced:
        found.append(f"the ledger does not balance: {msgspec.to_builtins(plan.ledger)}")
    hits: dict[str, int] = {}
    for shard in shards:
        for place, n in shard.privacy_hits.items():
            hits[place] = hits.get(place, 0) + n
    for place, n in sorted(hits.items()):
        found.append(f"personal data: {n} in {place}")
    named = sorted({session for shard in shards for session in shard.privacy_sessions})
    if named:
        more = " …" if len(named) > MAX_NAMED_SESSIONS else ""
        found.append(f"in sessions {', '.join(named[:MAX_NAMED_SESSIONS])}{more}")
    return found


def commit(plan: VersionPlan, shards: Sequence[ShardSummary], settings: CommitSettings) -> str:
    """Publishes a version and writes the run's summary; returns the version's name.

    Raises CommitRefused, after writing the summary, when something is missing or leaks.
    """
    against = objections(plan, shards)
    shards = sorted(shards, key=lambda s: s.shard)
    _write_summary(plan, shards, settings, against)
    if against:
        raise CommitRefused("not published: " + "; ".join(against))
    _sweep(settings, plan.version)
    _write_review_queue(settings)
    publish(settings.output, build_manifest(plan, list(shards), settings.facts))
    return plan.version


def _sweep(settings: CommitSettings, version: str) -> None:
    """Removes the temporary files of a run that was killed while it wrote this version."""
    if storage.is_local(settings.output):
        for stat in storage.walk(storage.join(settings.output, "versions", version)):
            if storage.is_temporary(stat.uri):
                storage.delete(stat.uri)


def _write_summary(
    plan: VersionPlan, shards: Sequence[ShardSummary], settings: CommitSettings, against: list[str]
) -> None:
    counts: dict[str, int] = {}
    for shard in shards:
        for what, n in shard.counts.items():
            counts[what] = counts.get(what, 0) + n
    summary = {
        "run_id": settings.run_id,
        "published": not against,
        "objections": against,
        "version": plan.version,
        "privacy": settings.facts["privacy"],
        "sessions": plan.sessions,
        "failed_sessions": plan.failed_sessions,
        "failed": plan.failed,
        "reused_sessions": plan.reused,
        "steps": plan.steps,
        "examples": plan.examples,
        "pending_examples": plan.pending,
        "failures": plan.failures,
        "ledger": msgspec.to_builtins(plan.ledger),
        "counts": dict(sorted(counts.items())),
        "rows": _rows(shards),
        "configuration": settings.facts,
    }
    write_summary(storage.join(settings.output, "run", settings.run_id), summary)


def write_summary(run_folder: str, summary: dict[str, Any]) -> None:
    """Writes what a run came to into its folder."""
    data = msgspec.json.format(msgspec.json.encode(summary), indent=1) + b"\n"
    storage.write_bytes(storage.join(run_folder, "summary.json"), data)


def _rows(shards: Sequence[ShardSummary]) -> dict[str, int]:
    """Rows per table and training target."""
    rows: dict[str, int] = {}
    for shard in shards:
        for entry in shard.files:
            folder = entry.path.rsplit("/", 1)[0]
            if folder.startswith(("tables/", "training/")):
                kind = folder if folder.startswith("tables/") else f"{folder}.{entry.path[-5:]}"
                kind = kind.replace(".rquet", " parquet").replace(".jsonl", " jsonl")
                rows[kind] = rows.get(kind, 0) + entry.rows
    return dict(sorted(rows.items()))


def _write_review_queue(settings: CommitSettings) -> None:
    """Joins the shards' review lines into the one queue file that people read."""
    parts = storage.join(settings.output, "run", settings.run_id, "review")
    uri = storage.join(settings.output, "review", "queue.jsonl")
    with storage.atomic_writer(uri) as f:
        for part in storage.walk(parts):
            with storage.open_read(part.uri) as lines:
                shutil.copyfileobj(lines, f)
