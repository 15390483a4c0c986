"""How well each canonical action explains a segment: hints first, words where there are none.

Without hints the evidence is of several independent kinds: the word on the button, the path and
method of the request, the names of fields and keys, the kind of the control. Each becomes a number
0–1 (:data:`FEATURES`); a conditional logit with the weights below turns them into probabilities of
every action and of ``none``. The weights were fitted on generated sessions of invented
applications (``tools/fit_classifier.py``), never on the bundled ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from schemas.catalogue import ActionParameter, CanonicalAction, Suite
from transforms.classify.evidence import SegmentEvidence, can_submit, gives_up
from transforms.classify.hints import HintMatch, match_hints
from transforms.classify.parameters import Filled, fill_parameters
from transforms.classify.values import comparable
from transforms.classify.words import best_likeness, coverage, likeness, tokens

FEATURES = (
    "verb_on_button",
    "verb_in_path",
    "verb_of_method",
    "object_in_path",
    "object_around",
    "words_of_description",
    "required_filled",
    "parameter_fit",
    "entries_explained",
    "control_fits",
    "foreign_verb",
    "whole_name",
    "button_explained",
    "path_explained",
    "keys_explained",
    "method_conflicts",
    "reads_silently",
)
WEIGHTS: dict[str, float] = {
    "verb_on_button": 1.18,
    "verb_in_path": 2.01,
    "verb_of_method": 0.26,
    "object_in_path": -0.37,
    "object_around": -0.23,
    "words_of_description": 4.27,
    "required_filled": 1.53,
    "parameter_fit": 0.46,
    "entries_explained": 0.92,
    "control_fits": 1.73,
    "foreign_verb": -0.84,
    "whole_name": 0.77,
    "button_explained": 0.46,
    "path_explained": 0.67,
    "keys_explained": 3.50,
    "method_conflicts": -1.63,
    "reads_silently": 1.20,
}
HINT_WEIGHT = 3.0
"""Of hints, in the logit; full ones decide before it comes to that."""
SILENCE_WEIGHT = 1.5
"""Off the logit of an action whose full hints could have fitted and didn't."""
NONE_FEATURES = (
    "bias",
    "no_request",
    "silent_network",
    "no_entry",
    "navigates",
    "gives_up",
    "cannot_submit",
    "unrecorded_network",
)
NONE_WEIGHTS: dict[str, float] = {
    "bias": 7.15,
    "no_request": 1.15,
    "silent_network": 2.05,
    "no_entry": -1.45,
    "navigates": 2.73,
    "gives_up": 3.01,
    "cannot_submit": -0.81,
    "unrecorded_network": -0.90,
}

_METHOD_VERBS = {
    "POST": tokens("create add send submit post put place"),
    "PUT": tokens("update set change edit save replace"),
    "PATCH": tokens("update set change edit rename mark"),
    "DELETE": tokens("delete remove discard cancel clear leave void unpair unstar revoke dismiss"),
    "GET": tokens("search find filter sort open show view list look"),
}
_READING_VERBS = tokens("search find filter sort show hide view limit narrow")
_TOGGLE_VERBS = tokens("toggle switch enable disable mark set filter show flag turn")
_DRAG_VERBS = tokens("move transfer reorder reschedule shift drag sort arrange change")
_CHOICE_VERBS = tokens("sort order choose select assign set change move filter pick")


class ActionWords(msgspec.Struct, frozen=True, kw_only=True):
    """Stemmed words of one action, and how telling each is within its Suite."""

    action: CanonicalAction
    verbs: tuple[str, ...]
    objects: tuple[str, ...]
    told: tuple[str, ...]
    everything: tuple[str, ...]
    """Those of its parameters too."""
    weights: dict[str, float]


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """One action against one segment."""

    action: CanonicalAction
    matches: tuple[HintMatch, ...]
    hinted: float
    """Strength of the hints that fit; 1 is a full hint."""
    features: tuple[float, ...]
    logit: float
    filled: Filled
    reads: bool = False
    """Whether it only changes what is shown (search, filter, sort)."""
    probability: float = 0.0
    """Lexical probability among all actions and ``none``."""


def suite_words(suite: Suite) -> tuple[ActionWords, ...]:
    """Returns the words of each action of a Suite; words that all share weigh little."""
    names = [tokens(a.name) for a in suite.actions]
    told = [tokens(a.description) for a in suite.actions]
    documents = [set(n) | set(d) for n, d in zip(names, told)]
    count = len(documents)

    def weight(word: str) -> float:
        frequency = sum(word in document for document in documents)
        return math.log(1 + (count - frequency + 0.5) / (frequency + 0.5)) + 0.1

    rows = []
    for action, name, description, words in zip(suite.actions, names, told, documents):
        verbs = name[:1] or tokens(action.name.replace("new", "create"))[:1] or ("?",)
        rows.append(
            ActionWords(
                action=action,
                verbs=tuple(dict.fromkeys((*verbs, *description[:1]))),
                objects=name[1:] or description[1:3],
                told=tuple(dict.fromkeys((*name, *description))),
                everything=tuple(dict.fromkeys((*name, *description, *_parameter_words(action)))),
                weights={word: weight(word) for word in words},
            )
        )
    return tuple(rows)


def _parameter_words(action: CanonicalAction) -> list[str]:
    return [w for p in action.parameters for text in (p.name, p.description) for w in tokens(text)]


def score_actions(words: Sequence[ActionWords], evidence: SegmentEvidence) -> tuple[Score, ...]:
    """Returns every action's score, with lexical probabilities that sum to 1 with ``none``'s."""
    scores = []
    for row in words:
        matches = tuple(m for step in evidence.steps for m in match_hints(step, row.action))
        filled = fill_parameters(
            row.action, evidence.sources, evidence.trigger, matches, evidence.opener
        )
        features = _features(row, evidence, filled, words)
        hinted = _hint_strength(matches)
        logit = sum(WEIGHTS[name] * value for name, value in zip(FEATURES, features))
        scores.append(
            Score(
                action=row.action,
                matches=matches,
                hinted=hinted,
                features=features,
                logit=logit + HINT_WEIGHT * min(hinted, 1.0) - _silence(row, hinted, evidence),
                filled=filled,
                reads=_reading_verb(row) >= 0.6,
            )
        )
    none = none_logit(evidence)
    top = max([none, *(s.logit for s in scores)])
    total = math.exp(none - top) + sum(math.exp(s.logit - top) for s in scores)
    return tuple(
        msgspec.structs.replace(s, probability=math.exp(s.logit - top) / total) for s in scores
    )


def none_logit(evidence: SegmentEvidence) -> float:
    """The logit of ``none``."""
    return sum(
        NONE_WEIGHTS[name] * value for name, value in zip(NONE_FEATURES, none_features(evidence))
    )


def none_features(evidence: SegmentEvidence) -> tuple[float, ...]:
    """What speaks for a segment being no action at all."""
    quiet = not evidence.commits and not evidence.asks
    return (
        1.0,
        float(quiet),
        float(quiet and evidence.has_network),
        float(not evidence.entries),
        float(evidence.trigger.role in ("link", "tab") and not evidence.commits),
        float(quiet and gives_up(evidence.trigger)),
        float(not can_submit(evidence.trigger) and not evidence.commits),
        float(not evidence.has_network),
    )


def _hint_strength(matches: Sequence[HintMatch]) -> float:
    """Full hints count by their weight; weak ones add up, but never to a full one."""
    full = [m.weight for m in matches if m.weight >= 0.95]
    weak = {id(m.hint): m.weight for m in matches if m.weight < 0.95}
    partial = 1.0
    for weight in weak.values():
        partial *= 1 - weight
    partial = min(1 - partial, 0.9)
    return max(full) + 0.2 * partial if full else partial


def _silence(row: ActionWords, hinted: float, evidence: SegmentEvidence) -> float:
    could_fit = any(
        hint.weight >= 0.95 and (evidence.has_network or not hint.request)
        for hint in row.action.match
    )
    return SILENCE_WEIGHT if could_fit and hinted < 0.95 else 0.0


def _features(
    row: ActionWords,
    evidence: SegmentEvidence,
    filled: Filled,
    rows: Sequence[ActionWords],
) -> tuple[float, ...]:
    head = evidence.head[:2]
    verb_head = max((best_likeness(v, head) for v in row.verbs), default=0.0)
    tail = evidence.path[:2]
    verb_path = max((best_likeness(v, tail) for v in row.verbs), default=0.0)
    method = _METHOD_VERBS.get(evidence.method, ())
    verb_method = max((best_likeness(v, method) for v in row.verbs), default=0.0)
    everything = (*evidence.head, *evidence.path, *evidence.keys, *evidence.around)
    told = _weighted_coverage(row, everything)
    required = [p for p in row.action.parameters if p.required]
    got = [p for p in required if p.name in filled.scores]
    fit = [filled.scores[p.name] for p in got]
    foreign = max(
        (best_likeness(other.verbs[0], head) for other in rows if other is not row and other.verbs),
        default=0.0,
    )
    return (
        verb_head,
        verb_path,
        verb_method,
        coverage(row.objects, evidence.path),
        coverage(row.objects, (*evidence.head, *evidence.around)),
        told,
        len(got) / len(required) if required else 0.5,
        sum(fit) / len(fit) if fit else 0.0,
        _entries_explained(evidence, filled),
        _control_fits(row.action, evidence),
        max(foreign - verb_head, 0.0),
        coverage((*row.verbs[:1], *row.objects), (*evidence.head, *evidence.path)),
        coverage(evidence.head[:3], row.everything),
        coverage(evidence.path[:3], row.everything),
        coverage(evidence.keys, row.everything),
        _method_conflicts(row, evidence.method),
        _reads_silently(row, evidence),
    )


def _weighted_coverage(row: ActionWords, present: Sequence[str]) -> float:
    total = sum(row.weights[word] for word in row.told)
    if not total:
        return 0.0
    return sum(row.weights[w] * best_likeness(w, present) for w in row.told) / total


def _entries_explained(evidence: SegmentEvidence, filled: Filled) -> float:
    """The share of what was entered that the action's parameters account for."""
    values = [comparable(e.value) for e in evidence.entries if e.value not in (None, "")]
    if not values:
        return 0.5
    return sum(v in filled.used for v in values) / len(values)


def _method_conflicts(row: ActionWords, method: str) -> float:
    """Whether the method is one for another kind of verb (DELETE for what creates)."""
    own = max((best_likeness(row.verbs[0], v) for v in [_METHOD_VERBS.get(method, ())]), default=0)
    if not method or method == "POST" or own:
        return 0.0
    if method == "DELETE":
        return 1.0
    return max(
        best_likeness(row.verbs[0], verbs)
        for other, verbs in _METHOD_VERBS.items()
        if other != method
    )


def _reads_silently(row: ActionWords, evidence: SegmentEvidence) -> float:
    """Whether the action only changes what is shown, which needs no request."""
    if evidence.commits or evidence.asks or not evidence.has_network:
        return 0.0
    return _reading_verb(row)


def _reading_verb(row: ActionWords) -> float:
    return max((best_likeness(v, _READING_VERBS) for v in row.verbs), default=0.0)


def _control_fits(action: CanonicalAction, evidence: SegmentEvidence) -> float:
    """Whether the kind of control that was used suits the action's parameters and verb."""
    trigger = evidence.trigger
    verb = tokens(action.name)[:1]
    kinds = {p.type for p in action.parameters}
    if trigger.is_toggle:
        return (
            1.0
            if "BOOLEAN" in kinds
            else 0.5 * max((best_likeness(v, _TOGGLE_VERBS) for v in verb), default=0.0)
        )
    if trigger.role == "slider":
        return 1.0 if "NUMBER" in kinds else 0.0
    if trigger.action.type == "select" or trigger.role in ("option", "radio", "combobox"):
        fits = max((best_likeness(v, _CHOICE_VERBS) for v in verb), default=0.0)
        return 0.5 * fits + (0.5 if action.parameters else 0.0)
    if trigger.role == "searchbox":
        return max(
            (likeness(v, w) for v in verb for w in tokens("search find filter")), default=0.0
        )
    if trigger.action.type == "drag" and trigger.is_drop:
        return max((best_likeness(v, _DRAG_VERBS) for v in verb), default=0.0)
    entries = [e for e in evidence.entries if e.kind != "toggle"]
    texts = [p for p in action.parameters if p.type != "BOOLEAN"]
    if entries and texts:
        return 1.0 - min(abs(len(entries) - len(texts)) / max(len(entries), len(texts)), 1.0) / 2
    return 0.5 if bool(entries) == _takes_text(action.parameters) else 0.0


def _takes_text(parameters: Sequence[ActionParameter]) -> bool:
    return any(p.type != "BOOLEAN" for p in parameters)
