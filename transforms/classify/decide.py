"""From what a classifier says to what is done with it: accept, review, fail, or drop as noise.

The same rules for every classifier, so that a model's answer is trusted no more than a rule's. Only
here does a classification get one of its four states.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from schemas.catalogue import CanonicalAction, Suite
from schemas.classifications import NONE_ACTION, Classification

REDACTED = "<REDACTED>"
NOISE_REASON = "no_canonical_action"
ACCEPTED, REVIEW, FAILED, NOISE = "accepted", "review", "failed", NONE_ACTION


def decide(classification: Classification, suite: Suite, min_confidence: float) -> Classification:
    """Returns the classification with its status, reasons, and a confidence that is a number 0–1.

    ``failed`` for a label that the Suite doesn't have (``unknown_action``), and where the
    classifier failed to get any answer, with its reasons; ``none`` for noise at or above the
    threshold; ``accepted`` when nothing speaks against it; else ``review`` with every reason that
    holds.
    """
    confidence = _number(classification.confidence)
    name = classification.action
    reasons = [r for r in classification.reasons if r not in _OWN_REASONS]
    if name is None and classification.status == FAILED:
        return _with(classification, FAILED, reasons, confidence)
    if name is None:
        return _with(classification, REVIEW, [*reasons, "abstained"], confidence)
    if name == NONE_ACTION:
        if confidence is None:
            return _with(classification, REVIEW, [*reasons, "missing_confidence"], None)
        if confidence >= min_confidence and not reasons:
            return _with(classification, NOISE, [NOISE_REASON], confidence)
        return _with(classification, REVIEW, [*reasons, "abstained"], confidence)
    action = next((a for a in suite.actions if a.name == name), None)
    if action is None:
        return _with(classification, FAILED, [*reasons, "unknown_action"], confidence)
    reasons += _parameter_faults(classification, action)
    if confidence is None:
        reasons.append("missing_confidence")
    elif confidence < min_confidence:
        reasons.append("low_confidence")
    return _with(classification, REVIEW if reasons else ACCEPTED, reasons, confidence)


_OWN_REASONS = frozenset(
    "abstained missing_confidence low_confidence unknown_action missing_parameter "
    "unknown_parameter ungrounded_parameter redacted_parameter wrong_type "
    "no_canonical_action".split()
)


def _parameter_faults(classification: Classification, action: CanonicalAction) -> list[str]:
    declared = {p.name: p for p in action.parameters}
    values = classification.parameters
    evidence = {e.parameter for e in classification.evidence if e.source != "none"}
    faults = set()
    for parameter in action.parameters:
        if parameter.required and values.get(parameter.name) in (None, ""):
            faults.add("missing_parameter")
    for name, value in values.items():
        if name not in declared:
            faults.add("unknown_parameter")
            continue
        if value is None:
            continue
        if name not in evidence:
            faults.add("ungrounded_parameter")
        if not _has_type(value, declared[name].type):
            faults.add("redacted_parameter" if _is_redaction(value) else "wrong_type")
    return sorted(faults)


def _has_type(value: Any, kind: str) -> bool:
    if kind == "NUMBER":
        return (
            isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        )
    return isinstance(value, {"STRING": str, "BOOLEAN": bool, "OBJECT": dict, "ARRAY": list}[kind])


def _is_redaction(value: Any) -> bool:
    """Whether a text is what PrivacyFilter leaves: ``<REDACTED>``, ``<EMAIL_1>`` …"""
    return isinstance(value, str) and value.startswith("<") and value.endswith(">")


def _number(confidence: Any) -> float | None:
    """A confidence that can be used: NaN, words, booleans and what is outside 0–1 are missing."""
    if isinstance(confidence, bool) or not isinstance(confidence, int | float):
        return None
    return float(confidence) if 0 <= confidence <= 1 else None


def _with(
    classification: Classification, status: str, reasons: list[str], confidence: float | None
) -> Classification:
    return msgspec.structs.replace(
        classification,
        status=status,
        reasons=tuple(dict.fromkeys(reasons)),
        confidence=confidence,
    )
