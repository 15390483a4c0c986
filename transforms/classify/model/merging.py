"""What is known of a stretch of steps, and how two neighbouring stretches become one again."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from schemas.classifications import NONE_ACTION, Candidate, ParameterEvidence, Usage
from transforms.classify.model.answers import Answer


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What asking about a stretch of steps came to: an answer, or the reason there is none."""

    answer: Answer | None = None
    reason: str = ""
    failed: bool = False
    confidence: float | None = None
    source: str = "none"
    candidates: tuple[Candidate, ...] = ()
    usage: Usage = Usage()
    too_long: bool = False


def merged(parts: Sequence[Finding], before: Usage) -> Finding:
    """Joins the findings of stretches that together are one segment, in order.

    Parts that are noise give way to the part that is an action. Parts of the same action add up
    their parameters: the later value wins, as the later edit of a field does. Different actions, or
    a part without an answer, leave the segment to review.
    """
    usage = before
    for part in parts:
        usage = added(usage, part.usage)
    lost = next((p for p in parts if p.answer is None), None)
    if lost is not None:
        return Finding(reason=lost.reason, failed=lost.failed, usage=usage)
    answers = [p.answer for p in parts if p.answer is not None]
    unsure = next((p.reason for p in parts if p.reason), "")
    acting = [(p, a) for p, a in zip(parts, answers) if a.action != NONE_ACTION]
    candidates = tuple(c for p in parts for c in p.candidates)
    if not acting:
        weakest = min(parts, key=lambda p: -1.0 if p.confidence is None else p.confidence)
        return Finding(
            answer=answers[0],
            reason=unsure,
            confidence=weakest.confidence,
            source=weakest.source,
            candidates=candidates[:3],
            usage=usage,
        )
    if len({a.action for _, a in acting}) > 1:
        return Finding(reason="split_disagreement", candidates=candidates[:3], usage=usage)
    parameters: dict = {}
    evidence: dict[str, ParameterEvidence] = {}
    for _, answer in acting:
        own = {e.parameter: e for e in answer.evidence}
        for name, value in answer.parameters.items():
            parameters[name] = value
            evidence.pop(name, None)
            if name in own:
                evidence[name] = own[name]
    weakest = min(
        (p for p, _ in acting), key=lambda p: -1.0 if p.confidence is None else p.confidence
    )
    joined = Answer(
        action=acting[0][1].action,
        parameters=parameters,
        evidence=tuple(evidence.values()),
        cited=sum(a.cited for _, a in acting),
        verbal=min((a.verbal for _, a in acting if a.verbal is not None), default=None),
        required=acting[0][1].required,
    )
    return Finding(
        answer=joined,
        reason=unsure,
        confidence=weakest.confidence,
        source=weakest.source,
        candidates=candidates[:3],
        usage=usage,
    )


def added(one: Usage, other: Usage) -> Usage:
    """Returns the sum of two usages."""
    return Usage(
        calls=one.calls + other.calls,
        prompt_tokens=one.prompt_tokens + other.prompt_tokens,
        completion_tokens=one.completion_tokens + other.completion_tokens,
        usd=round(one.usd + other.usd, 9),
    )
