"""How far an answer is to be trusted: token probabilities, else agreement of samples, else what it
says of itself.

The raw number is multiplied by the shares of grounded values and of required parameters that are
there: an answer is no surer than its weakest support. Only labels calibrate it
(``calibration``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence

from schemas.classifications import Candidate
from transforms.classify.model.answers import answer_begins, find_object
from transforms.classify.model.reply import Choice


def value_span(text: str, path: Sequence[str | int]) -> tuple[int, int] | None:
    """Returns the character span of a string value (without quotes) in a JSON text.

    ``path`` names keys and list places from the object that ``read_object`` finds; where it finds
    none, from the first that begins. None when it is not there.
    """
    found = find_object(text)
    start = found[1] if found else text.find("{", answer_begins(text))
    try:
        return _walk(text, start, tuple(path)) if start >= 0 else None
    except (ValueError, IndexError, RecursionError):
        return None


_DECODER = json.JSONDecoder()


def _space(text: str, at: int) -> int:
    while text[at] in " \t\r\n":
        at += 1
    return at


def _walk(text: str, at: int, path: tuple[str | int, ...]) -> tuple[int, int] | None:
    at = _space(text, at)
    if not path:
        if text[at] != '"':
            return None
        _, end = _DECODER.raw_decode(text, at)
        return at + 1, end - 1
    opening = text[at]
    if opening not in "{[":
        return None
    closing, place = "}" if opening == "{" else "]", 0
    at = _space(text, at + 1)
    while text[at] != closing:
        key: str | int = place
        if opening == "{":
            key, at = _DECODER.raw_decode(text, at)
            at = _space(text, at)
            if text[at] != ":":
                return None
            at = _space(text, at + 1)
        if key == path[0]:
            return _walk(text, at, path[1:])
        _, at = _DECODER.raw_decode(text, at)
        at = _space(text, at)
        if text[at] == ",":
            at = _space(text, at + 1)
        place += 1
    return None


def span_probability(choice: Choice, span: tuple[int, int] | None) -> float | None:
    """Returns the product of the probabilities of the tokens that touch a span of the text.

    None when there are no tokens, they do not spell the text, or one of them is not a number.
    """
    if span is None or not choice.spelled:
        return None
    total, position = 0.0, 0
    for token, logprob in choice.tokens:
        end = position + len(token)
        if position < span[1] and end > span[0]:
            if not math.isfinite(logprob) or logprob > 1e-6:
                return None
            total += min(0.0, logprob)
        position = end
    return math.exp(total)


def alternatives_at(
    choice: Choice, span: tuple[int, int] | None, actions: Iterable[str]
) -> tuple[Candidate, ...]:
    """Returns other actions that the first token inside the span could have begun, with scores.

    Only where a token fits exactly one other action; what is ambiguous is left out.
    """
    if span is None or not choice.alternatives or not choice.spelled:
        return ()
    position = 0
    for (token, _), others in zip(choice.tokens, choice.alternatives):
        end = position + len(token)
        if position < span[1] and end > span[0]:
            lead = choice.text[position : span[0]] if position < span[0] else ""
            chosen = choice.text[span[0] : span[1]]
            scores: dict[str, float] = {}
            for other, logprob in others:
                part = other.removeprefix(lead).split('"')[0]
                fits = [a for a in actions if part and a.startswith(part)]
                if len(fits) == 1 and fits[0] != chosen and math.isfinite(logprob):
                    scores[fits[0]] = scores.get(fits[0], 0.0) + math.exp(min(0.0, logprob))
            return tuple(
                Candidate(a, round(min(1.0, s), 6))
                for a, s in sorted(scores.items(), key=lambda x: (-x[1], x[0]))
            )
        position = end
    return ()


def vote_share(votes: Sequence[str | None]) -> tuple[str | None, float, tuple[Candidate, ...]]:
    """Returns the winner, its share of all votes, and every voted action with its share.

    An unusable sample (None) counts as a vote for nothing. The first of equals wins: it is the
    earliest sample.
    """
    counts: dict[str, int] = {}
    for vote in votes:
        if vote is not None:
            counts[vote] = counts.get(vote, 0) + 1
    if not counts:
        return None, 0.0, ()
    ranked = sorted(counts.items(), key=lambda x: -x[1])
    candidates = tuple(Candidate(a, round(n / len(votes), 6)) for a, n in ranked)
    return ranked[0][0], ranked[0][1] / len(votes), candidates


def combined(raw: float | None, *supports: float) -> float | None:
    """Multiplies a raw confidence by its supports (each 0-1); None stays None."""
    if raw is None or not math.isfinite(raw):
        return None
    for support in supports:
        raw *= support
    return round(min(1.0, max(0.0, raw)), 6)
