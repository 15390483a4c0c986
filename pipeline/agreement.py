"""How well classifications agree with labelled truth: overlaps, exactness, calibration.

A prediction and a truth action belong together when the events they cover overlap by at least one
half (Jaccard), one to one. Only events that became part of an action count, and pointer travel
never does: otherwise a mouse that wanders inside a span would decide what it overlaps.

``action_accuracy`` is right matches ÷ truth actions; ``parameter_exact`` the share of the truth's
parameters, over right matches, whose value is the truth or its recorded replacement;
``coverage_at_p95`` the largest share of truth actions answered rightly at a confidence from which
on at least 95 % of the answers are right; ``ece`` the expected calibration error over ten bins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from schemas.classifications import NONE_ACTION
from transforms.privacy.replace import is_replacement

LEAST_OVERLAP = 0.5
PRECISION = 0.95
BINS = 10
MAX_SURROGATE_WORDS = 4
_PLACEHOLDER = re.compile(r"<[A-Z][A-Z0-9_]*>")


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """One classified segment."""

    session_id: str
    segment_id: str
    suite: str | None
    action: str | None
    parameters: dict[str, Any]
    confidence: float | None
    status: str
    event_ids: frozenset[str]
    configuration: str = ""

    @property
    def is_action(self) -> bool:
        """Whether it says that something was done."""
        return self.action not in (None, NONE_ACTION) and self.status != "failed"


class TruthAction(msgspec.Struct, frozen=True, kw_only=True):
    """One action that a person really did."""

    action: str
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)
    first_event_id: str
    last_event_id: str


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the truth file; no actions: nothing should be found."""

    session_id: str
    actions: tuple[TruthAction, ...] = ()


class EventLine(msgspec.Struct, frozen=True):
    """One event in the order of time; ``counts`` when it bears on overlaps."""

    id: str
    counts: bool


def score(
    predictions: Sequence[Prediction],
    truth: Sequence[Truth],
    events: Mapping[str, Sequence[EventLine]],
) -> dict[str, Any]:
    """Returns the figures named above, over all and by suite, and what was missed or mistaken."""
    sessions = {t.session_id for t in truth}
    names = list(dict.fromkeys(p.configuration for p in predictions if p.session_id in sessions))
    results = {
        name: _score_one([p for p in predictions if p.configuration == name], truth, events)
        for name in names or [""]
    }
    first = dict(results[(names or [""])[0]])
    if len(results) > 1:
        first["configurations"] = results
    return first


def judged(
    predictions: Sequence[Prediction],
    truth: Sequence[Truth],
    events: Mapping[str, Sequence[EventLine]],
) -> list[tuple[Prediction, bool]]:
    """Returns every prediction of the labelled sessions with whether it is right.

    ``none`` is right where it covers no action that was missed.
    """
    found: list[tuple[Prediction, bool]] = []
    for labelled in truth:
        own = [p for p in predictions if p.session_id == labelled.session_id]
        lines = events.get(labelled.session_id, ())
        matches = _matches(labelled, own, lines)
        found += [(m.prediction, m.right) for m in matches if m.prediction is not None]
        spans = [_span(m.truth, lines) for m in matches if m.truth and m.prediction is None]
        for p in own:
            if p.action == NONE_ACTION:
                found.append((p, not any(_overlap(p.event_ids, s) >= LEAST_OVERLAP for s in spans)))
    return found


class _Match(msgspec.Struct, frozen=True, kw_only=True):
    session_id: str
    suite: str | None
    truth: TruthAction | None
    prediction: Prediction | None

    @property
    def right(self) -> bool:
        return (
            self.truth is not None
            and self.prediction is not None
            and self.truth.action == self.prediction.action
        )


def _score_one(
    predictions: Sequence[Prediction],
    truth: Sequence[Truth],
    events: Mapping[str, Sequence[EventLine]],
) -> dict[str, Any]:
    matches: list[_Match] = []
    noise: list[tuple[float, bool]] = []
    segments = 0
    for labelled in truth:
        own = [p for p in predictions if p.session_id == labelled.session_id]
        segments += len(own)
        lines = events.get(labelled.session_id, ())
        matches += _matches(labelled, own, lines)
        noise += [
            (p.confidence, right)
            for p, right in judged(own, [labelled], events)
            if p.action == NONE_ACTION and p.confidence is not None
        ]
    suites = sorted({m.suite for m in matches if m.suite})
    result = {**_figures(matches), "segments": segments}
    result["ece_none"] = _calibration_error(noise)
    result["suites"] = {s: _figures([m for m in matches if m.suite == s]) for s in suites}
    result["misses"] = [_told(m) for m in matches if m.prediction is None]
    result["extras"] = [_told(m) for m in matches if m.truth is None]
    result["wrong"] = [_told(m) for m in matches if m.truth and m.prediction and not m.right]
    result["inexact"] = [
        {**_told(m), "parameters": inexact} for m in matches if m.right and (inexact := _inexact(m))
    ]
    return result


def _matches(
    labelled: Truth, own: Sequence[Prediction], lines: Sequence[EventLine]
) -> list[_Match]:
    counted = {line.id for line in lines if line.counts}
    actions = [p for p in own if p.is_action]
    suite = next((p.suite for p in own if p.suite), None)
    pairs = []
    for number, action in enumerate(labelled.actions):
        span = _span(action, lines)
        for place, prediction in enumerate(actions):
            overlap = _overlap(prediction.event_ids & counted or prediction.event_ids, span)
            if overlap >= LEAST_OVERLAP:
                same = action.action == prediction.action
                pairs.append((-overlap, not same, number, place))
    taken_truth: set[int] = set()
    taken: set[int] = set()
    found: list[tuple[int, TruthAction, Prediction | None]] = []
    for _, _, number, place in sorted(pairs):
        if number in taken_truth or place in taken:
            continue
        taken_truth.add(number)
        taken.add(place)
        found.append((number, labelled.actions[number], actions[place]))
    found += [(n, a, None) for n, a in enumerate(labelled.actions) if n not in taken_truth]
    matches = [
        _Match(session_id=labelled.session_id, suite=suite, truth=a, prediction=p)
        for _, a, p in sorted(found, key=lambda f: f[0])
    ]
    return matches + [
        _Match(session_id=labelled.session_id, suite=suite, truth=None, prediction=p)
        for place, p in enumerate(actions)
        if place not in taken
    ]


def _span(action: TruthAction, lines: Sequence[EventLine]) -> frozenset[str]:
    """The counted events from the first to the last of a truth action, in the order of time.

    The PrivacyFilter takes the key events of sensitive texts out of the table. An end that is
    missing is stood in for by the nearest event inside, as far as ids are numbered.
    """
    places = {line.id: place for place, line in enumerate(lines)}
    first = places.get(action.first_event_id)
    last = places.get(action.last_event_id)
    if first is None:
        later = [i for i in places if _is_before(action.first_event_id, i)]
        first = places[min(later, key=_numbered)] if later else None
    if last is None:
        earlier = [i for i in places if _is_before(i, action.last_event_id)]
        last = places[max(earlier, key=_numbered)] if earlier else None
    if first is None or last is None:
        return frozenset({action.first_event_id, action.last_event_id})
    return frozenset(line.id for line in lines[first : last + 1] if line.counts)


def _numbered(event_id: str) -> tuple[str, int]:
    """An id as (prefix, number); an id without a number counts as number -1."""
    match = re.fullmatch(r"(.*?)(\d+)", event_id)
    return (match[1], int(match[2])) if match else (event_id, -1)


def _is_before(a: str, b: str) -> bool:
    (prefix_a, number_a), (prefix_b, number_b) = _numbered(a), _numbered(b)
    return prefix_a == prefix_b and 0 <= number_a < number_b


def _overlap(a: frozenset[str], b: frozenset[str]) -> float:
    union = len(a | b)
    return len(a & b) / union if union else 0.0


def _figures(matches: Sequence[_Match]) -> dict[str, Any]:
    truth = [m for m in matches if m.truth is not None]
    right = [m for m in matches if m.right]
    parameters = sum(len(m.truth.parameters) for m in right if m.truth)
    inexact = sum(len(_inexact(m)) for m in right)
    answers = [
        (m.prediction.confidence, m.right)
        for m in matches
        if m.prediction is not None and m.prediction.confidence is not None
    ]
    return {
        "action_accuracy": _share(len(right), len(truth)),
        "parameter_exact": _share(parameters - inexact, parameters),
        "coverage_at_p95": coverage_at(answers, len(truth)),
        "ece": _calibration_error(answers),
        "precision": _share(len(right), sum(m.prediction is not None for m in matches)),
        "accepted": _share(
            sum(m.right and m.prediction.status == "accepted" for m in right if m.prediction),
            len(truth),
        ),
        "truth_actions": len(truth),
        "predicted_actions": sum(m.prediction is not None for m in matches),
        "right": len(right),
    }


def coverage_at(
    answers: Sequence[tuple[float, bool]], total: int, precision: float = PRECISION
) -> float | None:
    """The largest share of ``total`` answered rightly where ``precision`` of the answers hold.

    ``answers`` are (confidence, right); answers of one confidence are taken or left together.
    """
    if not total:
        return None
    best = right = 0
    ordered = sorted(answers, key=lambda a: -a[0])
    for seen, (confidence, is_right) in enumerate(ordered, 1):
        right += is_right
        last = seen == len(ordered) or ordered[seen][0] != confidence
        if last and right / seen >= precision:
            best = right
    return round(best / total, 4)


def _calibration_error(answers: Sequence[tuple[float, bool]]) -> float | None:
    """Expected calibration error: |mean confidence - share right| over equal bins, weighted."""
    if not answers:
        return None
    bins: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in answers:
        bins.setdefault(min(int(confidence * BINS), BINS - 1), []).append((confidence, right))
    error = 0.0
    for members in bins.values():
        said = sum(c for c, _ in members) / len(members)
        held = sum(r for _, r in members) / len(members)
        error += abs(said - held) * len(members) / len(answers)
    return round(error, 4)


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _inexact(match: _Match) -> list[str]:
    """Names of the truth's parameters whose predicted value is another."""
    assert match.truth is not None and match.prediction is not None
    found = match.prediction.parameters
    return [
        name
        for name, value in match.truth.parameters.items()
        if name not in found or not is_exact(found[name], value)
    ]


def is_exact(found: Any, value: Any) -> bool:
    """Whether a value equals the truth, or the truth with parts replaced by the PrivacyFilter."""
    if isinstance(found, bool) != isinstance(value, bool):
        return False
    if found == value:
        return True
    if isinstance(found, list) and isinstance(value, list):
        return len(found) == len(value) and all(map(is_exact, found, value))
    if isinstance(found, dict) and isinstance(value, dict):
        return found.keys() == value.keys() and all(is_exact(found[k], value[k]) for k in found)
    if not isinstance(found, str):
        return False
    pattern = _with_gaps(found)
    return pattern is not None and re.fullmatch(pattern, str(value), re.DOTALL) is not None


def _with_gaps(found: str) -> str | None:
    """A pattern for what a text was before the PrivacyFilter; None when nothing was replaced.

    Gaps are placeholders (``<PERSON_1>``) and surrogates, which come from ranges and names of
    their own.
    """
    words = re.split(r"(\s+)", found)
    parts: list[str] = []
    replaced = False
    place = 0
    while place < len(words):
        for length in range(min(MAX_SURROGATE_WORDS * 2 - 1, len(words) - place), 0, -2):
            run = "".join(words[place : place + length])
            bare = run.strip(".,;:!?'\"()")
            if bare and is_replacement(bare) and not _PLACEHOLDER.search(run):
                before, after = run.split(bare, 1)
                parts += [re.escape(before), "(.+?)", re.escape(after)]
                replaced, place = True, place + length
                break
        else:
            word = words[place]
            pieces = [re.escape(piece) for piece in _PLACEHOLDER.split(word)]
            replaced |= len(pieces) > 1
            parts.append("(.+?)".join(pieces))
            place += 1
    return "".join(parts) if replaced else None


def _told(match: _Match) -> dict[str, Any]:
    told: dict[str, Any] = {"session_id": match.session_id}
    if match.truth is not None:
        told |= {
            "action": match.truth.action,
            "first_event_id": match.truth.first_event_id,
            "last_event_id": match.truth.last_event_id,
        }
    if match.prediction is not None:
        told |= {
            "predicted": match.prediction.action,
            "segment_id": match.prediction.segment_id,
            "confidence": match.prediction.confidence,
            "status": match.prediction.status,
        }
    return told
