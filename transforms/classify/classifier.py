"""What every classifier gets and gives, whichever way it decides."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from schemas.catalogue import Model, Suite
from schemas.classifications import Classification, Segment
from schemas.traces import Request
from schemas.trajectories import PreparedSession, Step


class SegmentContext(msgspec.Struct, frozen=True, kw_only=True):
    """One segment with all that may be known when it is classified: nothing from after it."""

    prepared: PreparedSession
    suite: Suite
    segment: Segment
    previous: tuple[Classification, ...] = ()
    """Of the earlier segments of the same task, in order."""
    requests: tuple[Request, ...] = ()
    """Those that the segment's steps caused, by start time."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """The segment's steps, in order."""
        return tuple(self.prepared.steps[i] for i in self.segment.step_indices)


class Classifier(Protocol):
    """Says which canonical action a segment is. ``decide`` turns what it says into a status."""

    model: Model
    configuration: dict[str, Any]
    prompt_version: str

    def classify(self, context: SegmentContext) -> Classification:
        """Returns the action, its parameters with evidence, and a confidence 0–1."""
        ...
