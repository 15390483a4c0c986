"""A person's answers to segments that waited: they override every classifier.

``review/answers.jsonl`` holds one JSON object a line: ``{session_id, segment_id, action,
parameters?}``. ``action`` is the name of a canonical action, or ``none`` for noise; without
``parameters`` those that were found stay, as far as the action has them. A later line about the
same segment replaces an earlier.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.catalogue import Suite
from schemas.classifications import Classification, ParameterEvidence
from transforms.classify.decide import decide

SOURCE = "review"


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the answers file."""

    session_id: str
    segment_id: str
    action: str
    parameters: dict[str, Any] | None = None


class AnswerError(ValueError):
    """A line of the answers file is none; the message names file and line."""


Answers = Mapping[str, Mapping[str, Answer]]
"""Session id → segment id → answer."""


def read_answers(data: bytes, name: str = "review/answers.jsonl") -> dict[str, dict[str, Answer]]:
    """Parses an answers file."""
    answers: dict[str, dict[str, Answer]] = {}
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            answer = msgspec.json.decode(line, type=Answer)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise AnswerError(
                f"{name}:{number}: {error}; expected session_id, segment_id, action and, "
                "where they were wrong, parameters"
            ) from None
        answers.setdefault(answer.session_id, {})[answer.segment_id] = answer
    return answers


def settled(
    said: Classification, answer: Answer | None, suite: Suite, min_confidence: float
) -> Classification:
    """Returns the decided classification: a person's answer where there is one, else the rules'."""
    if answer is not None:
        return answered(said, answer, suite, min_confidence)
    return decide(said, suite, min_confidence)


def answered(
    found: Classification, answer: Answer, suite: Suite, min_confidence: float
) -> Classification:
    """Returns the classification as the person corrected it.

    An answer is checked like a model's: a label that the Suite doesn't have, or a missing required
    parameter, doesn't become right by being typed.
    """
    parameters = answer.parameters
    if parameters is None:
        declared = {p.name for a in suite.actions if a.name == answer.action for p in a.parameters}
        parameters = {n: v for n, v in found.parameters.items() if n in declared}
    kept = {e.parameter: e for e in found.evidence}
    evidence = tuple(
        kept[name]
        if name in kept and kept[name].value == value
        else ParameterEvidence(parameter=name, value=value, source=SOURCE)
        for name, value in parameters.items()
    )
    said = msgspec.structs.replace(
        found,
        action=answer.action,
        parameters=parameters,
        evidence=evidence,
        confidence=1.0,
        confidence_source=SOURCE,
        calibrated=True,
        reasons=(),
    )
    return decide(said, suite, min_confidence)
