"""Segments of a trajectory and what they were found to be."""

from __future__ import annotations

from typing import Any

import msgspec

NONE_ACTION = "none"
"""The answer that a segment is no canonical action at all."""


class Segment(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A run of steps that is one canonical action (or noise). Ordered, never overlapping in a
    task."""

    id: str
    task: int
    step_indices: tuple[int, ...]
    """Indices into ``PreparedSession.steps``."""
    first_event_id: str
    last_event_id: str


class ParameterEvidence(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Where a parameter's value was seen."""

    parameter: str
    value: Any
    source: str
    """field, select, request, element, url, keys, given …"""
    event_ids: tuple[str, ...] = ()
    request_id: str | None = None
    detail: str | None = None
    """Field label, JSON path or element name."""


class Candidate(msgspec.Struct, frozen=True):
    """An action considered, with its score 0–1."""

    action: str
    score: float


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a classification cost; zeros for the offline classifier."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            calls=self.calls + other.calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            usd=round(self.usd + other.usd, 9),
        )


class Classification(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One segment under one model configuration."""

    segment: Segment
    action: str | None
    """Name of the canonical action, ``none``, or None when nothing could be said."""
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)
    evidence: tuple[ParameterEvidence, ...] = ()
    confidence: float | None = None
    """0–1; None when missing or not a number."""
    confidence_source: str = "none"
    """rules, lexical, logprobs, votes, verbal, review."""
    calibrated: bool = False
    status: str = "review"
    """accepted, review, failed or none (noise)."""
    reasons: tuple[str, ...] = ()
    """Why it is in review or failed: low_confidence, abstained, missing_parameter,
    ungrounded_parameter …"""
    candidates: tuple[Candidate, ...] = ()
    model_id: str = ""
    model: str = ""
    configuration: int = 0
    """Index of the model configuration in the run's list (A/B)."""
    usage: Usage = Usage()
    said_action: str | None = None
    """What the classifier itself answered, before a person did; labels are compared with it."""
    said_confidence: float | None = None
    """Raw: before calibration and review. None also when nothing was asked."""
    said_source: str = "none"
