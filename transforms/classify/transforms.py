"""PTransforms of the classify stage: SegmentTrajectories and ClassifySegments."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import msgspec

from schemas.catalogue import Catalogue
from schemas.outcomes import Failure
from schemas.packing import unpack
from schemas.receipts import Receipt
from schemas.work import ResultWork
from transforms import prepared
from transforms.checkpoints import CheckpointStore
from transforms.classify.model.session import ClassifySessions, ModelStage
from transforms.classify.model.settings import ConfigurationFault
from transforms.classify.model.window import AsyncWindow
from transforms.classify.segment import segment_trajectory
from transforms.classify.session import (
    ClassificationSettings,
    classify_segments,
    outcomes,
)
from transforms.classify.suites import choose_suite
from transforms.stage import SessionDoFn


class _ReadPrepared(beam.DoFn):
    """Receipt → the scrubbed session behind it."""

    def __init__(self, root: str):
        self.root = root

    def setup(self) -> None:
        self.store = CheckpointStore(self.root)

    def process(self, packed: bytes) -> Iterator[ResultWork]:
        receipt = unpack(packed, Receipt)
        checkpoint = self.store.read(prepared.KIND, receipt.key)
        yield ResultWork(
            receipt=receipt, key=receipt.result_key, prepared=prepared.read_state(checkpoint)
        )


class _ResultDoFn(SessionDoFn):
    """A stage of the second half; a session that failed in the first passes it untouched."""

    def process(self, work: ResultWork) -> Iterator[ResultWork]:
        if work.prepared.failed:
            yield work
        else:
            yield from super().process(work)


class _SegmentTrajectories(_ResultDoFn):
    stage = "SegmentTrajectories"

    def __init__(self, catalogue: Catalogue, fail_fast: bool):
        super().__init__(fail_fast)
        self.catalogue = catalogue

    def apply(self, work: ResultWork) -> ResultWork:
        suite = choose_suite(work.prepared, self.catalogue)
        if isinstance(suite, Failure):
            return msgspec.structs.replace(work, failures=(*work.failures, suite))
        return msgspec.structs.replace(
            work, suite_id=suite.id, segments=segment_trajectory(work.prepared, suite)
        )

    def size_in(self, work: ResultWork) -> int:
        return len(work.prepared.steps)

    def size_out(self, work: ResultWork) -> int:
        return len(work.segments)


@dataclasses.dataclass
class SegmentTrajectories(beam.PTransform):
    """Reads prepared sessions, chooses each one's Suite and cuts its steps into segments."""

    checkpoints: str
    catalogue: Catalogue
    fail_fast: bool = False

    def expand(self, receipts: Any) -> Any:
        """Packed Receipt → ResultWork with suite and segments."""
        return (
            receipts
            | "ReadPrepared"
            >> beam.ParDo(_ReadPrepared(self.checkpoints)).with_output_types(ResultWork)
            | "SegmentSession"
            >> beam.ParDo(_SegmentTrajectories(self.catalogue, self.fail_fast)).with_output_types(
                ResultWork
            )
        )


class _ClassifySegments(_ResultDoFn):
    stage = "ClassifySegments"

    def __init__(self, settings: ClassificationSettings, catalogue: Catalogue, fail_fast: bool):
        super().__init__(fail_fast)
        self.settings, self.catalogue = settings, catalogue

    def setup(self) -> None:
        self.classifiers = [make() for make in self.settings.classifiers]
        self.suites = {s.id: s for s in self.catalogue.suites}

    def apply(self, work: ResultWork) -> ResultWork:
        made = tuple(
            found
            for number, classifier in enumerate(self.classifiers)
            for found in classify_segments(
                work.prepared,
                self.suites[work.suite_id or ""],
                work.segments,
                classifier,
                self.settings.min_confidence,
                configuration=number,
                answers=self.settings.answers.get(work.prepared.session.id),
            )
        )
        failures, _ = outcomes(work.prepared, made)  # noise is dropped where examples are made
        return msgspec.structs.replace(
            work,
            classifications=made,
            failures=(*work.failures, *failures),
        )

    def size_in(self, work: ResultWork) -> int:
        return len(work.segments)

    def size_out(self, work: ResultWork) -> int:
        return len(work.classifications)

    def decisions(self, work: ResultWork) -> dict[str, Any]:
        made: dict[str, int] = {}
        for found in work.classifications:
            made[found.status] = made.get(found.status, 0) + 1
        return dict(sorted(made.items()))


class _AskModel:
    """One session through the model, with a stage's failures and audit; made on the worker."""

    def __init__(self, model: ModelStage, audit: _ClassifySegments):
        self.classify = ClassifySessions(model)
        self.take_counts = self.classify.take_counts
        self.audit = audit

    async def __call__(self, work: ResultWork) -> ResultWork:
        if work.prepared.failed or work.failed:
            return work
        started = time.perf_counter()
        try:
            made = await self.classify(work)
        except ConfigurationFault:
            raise
        except Exception as error:
            made = self.audit.failed_work(work, error)
        return self.audit.audited(work, made, time.perf_counter() - started)


@dataclasses.dataclass
class ClassifySegments(beam.PTransform):
    """Finds out which canonical action each segment is, once per model configuration."""

    settings: ClassificationSettings
    catalogue: Catalogue
    fail_fast: bool = False
    model: ModelStage | None = None
    """None: the classifiers of ``settings`` work on this machine."""

    def expand(self, sessions: Any) -> Any:
        """ResultWork with segments → with classifications."""
        if self.model is not None:
            audit = _ClassifySegments(self.settings, self.catalogue, self.fail_fast)
            concurrency = self.model.models[0].endpoint.concurrency
            return sessions | "AskModel" >> beam.ParDo(
                AsyncWindow(functools.partial(_AskModel, self.model, audit), concurrency)
            ).with_output_types(ResultWork)
        return sessions | "ClassifySession" >> beam.ParDo(
            _ClassifySegments(self.settings, self.catalogue, self.fail_fast)
        ).with_output_types(ResultWork)
