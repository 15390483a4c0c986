"""One session through segmenting, classifying and deciding."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import msgspec

from schemas.catalogue import Catalogue, Suite
from schemas.classifications import Classification, Segment
from schemas.outcomes import Dropped, Failure
from schemas.traces import Request
from schemas.trajectories import PreparedSession
from transforms.classify.classifier import Classifier, SegmentContext
from transforms.classify.decide import FAILED, NOISE, NOISE_REASON
from transforms.classify.evidence import SessionFacts
from transforms.classify.review import Answer, Answers, settled
from transforms.classify.segment import segment_trajectory
from transforms.classify.suites import choose_suite


@dataclasses.dataclass(frozen=True)
class ClassificationSettings:
    """Who classifies, and from where on it is believed."""

    classifiers: tuple[Callable[[], Classifier], ...]
    """One maker per model configuration; called on the worker."""
    min_confidence: float = 0.8
    answers: Answers = dataclasses.field(default_factory=dict)
    """What people said of segments that waited."""


def segment_contexts(
    prepared: PreparedSession, suite: Suite, segments: Sequence[Segment]
) -> tuple[SegmentContext, ...]:
    """Returns what a classifier may know of each segment, without previous classifications."""
    session = SessionFacts(prepared)
    return tuple(
        SegmentContext(
            prepared=prepared,
            suite=suite,
            segment=segment,
            requests=joined_requests(session, segment),
        )
        for segment in segments
    )


def joined_requests(session: SessionFacts, segment: Segment) -> tuple[Request, ...]:
    """The requests that a segment's steps caused, by start time."""
    requests = [r for i in segment.step_indices for r in session.facts[i].requests]
    return tuple(sorted(requests, key=lambda r: (r.started_us, r.id)))


def classify_segments(
    prepared: PreparedSession,
    suite: Suite,
    segments: Sequence[Segment],
    classifier: Classifier,
    min_confidence: float,
    configuration: int = 0,
    answers: Mapping[str, Answer] | None = None,
) -> tuple[Classification, ...]:
    """Returns the decided classification of every segment, in order; answers override."""
    decided: list[Classification] = []
    for context in segment_contexts(prepared, suite, segments):
        previous = tuple(c for c in decided if c.segment.task == context.segment.task)
        said = classifier.classify(msgspec.structs.replace(context, previous=previous))
        said = msgspec.structs.replace(said, configuration=configuration)
        answer = (answers or {}).get(context.segment.id)
        decided.append(settled(said, answer, suite, min_confidence))
    return tuple(decided)


def classify_session(
    prepared: PreparedSession,
    catalogue: Catalogue,
    classifier: Classifier,
    min_confidence: float,
) -> tuple[
    Suite | None,
    tuple[Segment, ...],
    tuple[Classification, ...],
    tuple[Failure, ...],
    tuple[Dropped, ...],
]:
    """Returns (suite, segments, decided classifications, failures, dropped) of one session."""
    suite = choose_suite(prepared, catalogue)
    if isinstance(suite, Failure):
        return None, (), (), (suite,), ()
    segments = segment_trajectory(prepared, suite)
    decided = classify_segments(prepared, suite, segments, classifier, min_confidence)
    failures, dropped = outcomes(prepared, decided)
    return suite, segments, decided, failures, dropped


def outcomes(
    prepared: PreparedSession, decided: Sequence[Classification]
) -> tuple[tuple[Failure, ...], tuple[Dropped, ...]]:
    """The failures (no usable answer) and drops (noise) among classifications."""
    failures = tuple(
        Failure(
            session_id=prepared.session.id,
            stage="ClassifySegments",
            code=c.reasons[-1] if c.reasons else "failed",
            message="the classifier gave no usable answer about a segment",
        )
        for c in decided
        if c.status == FAILED
    )
    dropped = tuple(
        Dropped(kind="segment", record=c.segment.id, reason=NOISE_REASON)
        for c in decided
        if c.status == NOISE
    )
    return failures, dropped
