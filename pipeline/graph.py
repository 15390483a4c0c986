"""The whole graph on one screen, in the words of the overview diagram.

FindSessions → ReadTraces → NormalizeEvents → MatchObservations → LocateSensitive → Redact
→ ▣ prepared → SegmentTrajectories → ClassifySegments → SynthesizeExamples → ValidateExamples
→ ▣ result → WriteShards → VerifyPrivacy → Commit

Failures, ledger and audit rows travel inside the checkpoints ▣. Between two checkpoints all steps
are fused: typed sessions in memory; only receipts cross a shuffle.
"""

from __future__ import annotations

from typing import Any

import apache_beam as beam

import schemas.coders  # noqa: F401  (registers the coders of all elements)
from pipeline.settings import RunSettings
from transforms.classify.transforms import ClassifySegments, SegmentTrajectories
from transforms.ingest.transforms import FindSessions, ReadTraces
from transforms.normalize.transforms import MatchObservations, NormalizeEvents
from transforms.prepared import WritePrepared
from transforms.privacy.transforms import LocateSensitive, Redact, VerifyPrivacy
from transforms.results import WriteResult
from transforms.shuffle import Spread
from transforms.synthesize.transforms import SynthesizeExamples, ValidateExamples
from transforms.write.commit import CommitSettings
from transforms.write.shards import ShardPlaces
from transforms.write.transforms import Commit, WriteShards


def build_graph(
    pipeline: beam.Pipeline,
    run: RunSettings,
    anew: frozenset[str] = frozenset(),
    progress: str | None = None,
) -> Any:
    """Adds the job to a pipeline; returns the collection with the committed version's name."""
    o = run.options
    output = o.output or ""
    found = pipeline | "FindSessions" >> FindSessions(
        o.input, o.fingerprint, o.own_places, run.checkpoints, run.keys, anew, o.raw_copies
    )
    new = (
        found["to_do"]
        | "ReadTraces" >> ReadTraces(run.limits, run.rules, o.fail_fast)
        | "NormalizeEvents" >> NormalizeEvents(o.fail_fast)
        | "MatchObservations" >> MatchObservations(run.match, o.fail_fast)
        | "LocateSensitive" >> LocateSensitive(run.privacy, run.keys, o.fail_fast)
        | "Redact" >> Redact(run.privacy, run.publishing, run.keys, o.fail_fast)
        | "WritePrepared" >> WritePrepared(run.checkpoints, o.private_root, run.keys)
    )
    prepared = (found["prepared"], new) | "AllPrepared" >> beam.Flatten()
    made = (
        prepared
        | "SpreadPrepared" >> Spread()
        | "SegmentTrajectories" >> SegmentTrajectories(run.checkpoints, run.catalogue, o.fail_fast)
        | "ClassifySegments"
        >> ClassifySegments(run.classification, run.catalogue, o.fail_fast, run.model_stage)
        | "SynthesizeExamples" >> SynthesizeExamples(run.synthesis, run.catalogue, o.fail_fast)
        | "ValidateExamples"
        >> ValidateExamples(run.synthesis, o.target_names, run.frames, o.fail_fast)
        | "WriteResult"
        >> WriteResult(
            run.checkpoints, run.catalogue, o.configurations, run.training_table, progress
        )
    )
    results = (found["done"], made) | "AllResults" >> beam.Flatten()
    places = ShardPlaces(output, run.run_id, run.config_hash, o.target_names, o.validation_share)
    written = results | "WriteShards" >> WriteShards(
        run.checkpoints, places, run.writing, int(o.max_shard_mb * 1e6)
    )
    verified = written | "VerifyPrivacy" >> VerifyPrivacy(
        run.privacy, run.keys, run.checkpoints, output, o.verify_privacy, o.pictures_to_verify
    )
    return verified | "Commit" >> Commit(CommitSettings(output, run.run_id, run.facts))
