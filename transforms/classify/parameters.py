"""The parameters of a canonical action out of a segment: typed values, each with its evidence."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from schemas.catalogue import ActionParameter, CanonicalAction
from schemas.classifications import ParameterEvidence
from transforms.classify.facts import StepFacts
from transforms.classify.hints import HintMatch, glob_captures
from transforms.classify.sources import ID_WORDS, PRIORS, Source
from transforms.classify.values import UNFIT, comparable, convert
from transforms.classify.words import (
    STOPWORDS,
    best_likeness,
    coverage,
    fold,
    name_tokens,
    similarity,
    tokens,
)

LEAST_SCORE = 0.4
"""Weaker pairs of parameter and source are no answer."""
LEAST_OPTIONAL_SCORE = 0.5
DISPLAY_WORDS = tokens("title name subject label headline caption")
"""Properties by which people call a thing."""
AGREEMENT_BONUS = 0.12
_GENERIC_VERBS = tokens("open show view edit more details options actions menu select choose close")
"""What buttons say whatever the application does."""
_SURROUNDINGS = {"row": 0.58, "heading": 0.5, "window": 0.45}
_DESTINATION = re.compile(r"\b(to|into|in|onto|destination|target|new|ends?)\b", re.I)
_WORD = re.compile(r"\S+")


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of one action as one segment gives them."""

    values: dict[str, Any]
    evidence: tuple[ParameterEvidence, ...]
    scores: dict[str, float]
    """How well each value's place fits its parameter, 0–1."""
    missing: tuple[str, ...]
    """Required parameters without a value."""
    used: frozenset[str]
    """Comparable forms of the values taken, to see what was left over."""


class _Pair(NamedTuple):
    score: float
    parameter: ActionParameter
    source: Source
    value: Any


def fill_parameters(
    action: CanonicalAction,
    sources: Sequence[Source],
    trigger: StepFacts | None,
    matches: Sequence[HintMatch] = (),
    opener: StepFacts | None = None,
) -> Filled:
    """Returns the best value for each parameter, a source used for one parameter only.

    ``from:`` places of the catalogue come first, then places whose names (field label, JSON key)
    resemble the parameter's name or description, then unnamed places (the element's own name, a
    drop target, the window's title) for required parameters that nothing else fills. ``opener``
    is the button that brought up the form: ``Add a card to Backlog`` says which lane.
    """
    own = [*sources, *_captures(action, matches, trigger), *_remainders(action, trigger)]
    if opener is not None:
        own += _remainders(action, opener)
    own += _declared_elements(action, trigger)
    told = _agreeing(own)
    pairs: list[_Pair] = []
    for parameter in action.parameters:
        for source in own:
            score = _score(action, parameter, source, matches)
            if not source.words and comparable(source.value) in told:
                score += AGREEMENT_BONUS
            if score < (LEAST_SCORE if parameter.required else LEAST_OPTIONAL_SCORE):
                continue
            value = _value(parameter, source)
            if value is not UNFIT:
                pairs.append(_Pair(score, parameter, source, value))
    pairs.sort(key=lambda p: -p.score)
    values: dict[str, Any] = {}
    scores: dict[str, float] = {}
    evidence: list[ParameterEvidence] = []
    taken: set[int] = set()
    used: set[str] = set()
    for score, parameter, source, value in pairs:
        if parameter.name in values or id(source) in taken:
            continue
        again = comparable(value) in used and not str(value).startswith("<")
        if again and not isinstance(value, bool) and (score < 0.7 or not source.words):
            continue
        values[parameter.name] = value
        scores[parameter.name] = min(score, 1.0)
        taken.add(id(source))
        used.add(comparable(value))
        if source.inner:
            used.add(comparable(source.inner))
        evidence.append(_cite(parameter, source, value))
    for parameter in action.parameters:
        if parameter.name not in values and parameter.default is not None:
            values[parameter.name] = parameter.default
            scores[parameter.name] = 0.5
            evidence.append(
                ParameterEvidence(
                    parameter=parameter.name, value=parameter.default, source="default"
                )
            )
    order = {p.name: number for number, p in enumerate(action.parameters)}
    return Filled(
        values=dict(sorted(values.items(), key=lambda item: order[item[0]])),
        evidence=tuple(sorted(evidence, key=lambda e: order[e.parameter])),
        scores=scores,
        missing=tuple(p.name for p in action.parameters if p.required and p.name not in values),
        used=frozenset(used),
    )


_CITED_AS = {
    **dict.fromkeys(("capture", "remainder", "named", "choice", "drop"), "element"),
    **{"row": "dom", "heading": "dom", "entity": "response"},
}


def _cite(parameter: ActionParameter, source: Source, value: Any) -> ParameterEvidence:
    ids = source.event_ids
    return ParameterEvidence(
        parameter=parameter.name,
        value=value,
        source=_CITED_AS.get(source.kind, source.kind),
        event_ids=ids if len(ids) <= 2 else (ids[0], ids[-1]),
        request_id=source.request_id,
        detail=source.detail or None,
    )


def _value(parameter: ActionParameter, source: Source) -> Any:
    value = source.value
    if parameter.type == "BOOLEAN" and not isinstance(value, bool):
        if source.kind not in ("field", "select", "request", "query", "choice", "entity"):
            return UNFIT
        if source.role in ("textbox", "searchbox", "spinbutton", "slider"):
            return UNFIT
    if parameter.type == "STRING" and isinstance(value, bool | dict | list):
        return UNFIT
    if parameter.type in ("NUMBER", "STRING") and value == "":
        return UNFIT
    if parameter.type in ("ARRAY", "OBJECT") and source.kind in ("window", "element", "heading"):
        return UNFIT
    found = convert(value, parameter.type)
    if found is UNFIT and source.inner is not None:
        found = convert(source.inner, parameter.type)
    return found


def _score(
    action: CanonicalAction,
    parameter: ActionParameter,
    source: Source,
    matches: Sequence[HintMatch],
) -> float:
    declared = _declared(parameter, source, matches)
    if declared:
        return declared
    name, told = name_tokens(parameter.name), tokens(parameter.description)
    bonus = 0.03 if parameter.required else 0.0
    if source.words:
        score = _name_score(name, told, source)
        if source.kind == "entity":
            score = max(score, _display_score(name, told, source))
        if score >= LEAST_SCORE / PRIORS[source.kind]:
            return score * PRIORS[source.kind] + bonus
    if not parameter.required or source.kind in ("request", "query", "url", "entity"):
        return 0.0
    return _unnamed_score(action, parameter, source) + bonus


def _declared(parameter: ActionParameter, source: Source, matches: Sequence[HintMatch]) -> float:
    """2 for the place that the catalogue's ``from:`` names, 0 for others."""
    for place, pattern in parameter.source.items():
        if place == "field" and source.kind in ("field", "select"):
            if glob_captures(pattern, source.detail) is not None:
                return 2.0
        elif place == "request" and source.kind in ("request", "query", "entity"):
            if source.detail == pattern:
                return 2.0 + 0.1 * PRIORS[source.kind]
        elif place == "element" and source.kind in ("capture", "named"):
            return 2.0 if source.kind == "capture" and pattern == "name" else 1.9
    return 0.0


def _name_score(name: tuple[str, ...], told: tuple[str, ...], source: Source) -> float:
    score = _words_score(name, told, source.words, source.head)
    if source.alias:
        score = max(score, _words_score(name, told, source.alias, source.alias[:1]))
    if set(source.words) & ID_WORDS and not set(name) & ID_WORDS:
        score *= 0.6
    return score


@functools.lru_cache(1 << 15)
def _words_score(
    name: tuple[str, ...], told: tuple[str, ...], words: tuple[str, ...], head: tuple[str, ...]
) -> float:
    by_name = similarity(name, words)
    if head and len(words) > 1 and best_likeness(head[0], name) < 0.6:
        # "Card title" is a title, not a card.
        by_name *= 0.8
    by_head = 0.97 * similarity(name, head)
    by_description = 0.95 * similarity(told, words)
    explained = 0.85 * coverage(words, (*name, *told)) if len(words) <= 4 else 0.0
    return max(by_name, by_head, by_description, explained)


def _display_score(name: tuple[str, ...], told: tuple[str, ...], source: Source) -> float:
    """How well a property that things are called by fits a parameter that means the thing."""
    if not source.words or source.words[0] not in DISPLAY_WORDS or len(source.words) > 2:
        return 0.0
    thing = max((best_likeness(word, source.noun) for word in (*name, *told)), default=0.0)
    if thing < 0.6:
        return 0.62 if told and told[0] in DISPLAY_WORDS else 0.0
    return 0.7 + 0.2 * best_likeness(source.words[0], told) + 0.1 * thing


def _unnamed_score(action: CanonicalAction, parameter: ActionParameter, source: Source) -> float:
    is_object = _means_thing(action, parameter)
    if source.kind in ("capture", "remainder"):
        if any(p.type == "NUMBER" for p in action.parameters) and _is_number(source.value):
            return 0.75 if parameter.type == "NUMBER" else 0.0
        if source.kind == "remainder" and source.value.islower() and source.value.isalpha():
            # "Move to bin": a single small word is the page's, not a name.
            return 0.45
        if source.kind == "capture":
            return 0.75 if is_object or len(action.parameters) == 1 else 0.55
        return 0.7 if is_object else 0.6
    if source.kind == "choice":
        return 0.5
    if source.kind == "drop":
        to = bool(_DESTINATION.search(parameter.description.replace("_", " ")))
        return 0.5 + (0.15 if to or not is_object else 0.0)
    if source.kind == "element":
        return 0.5 + (0.15 if is_object else 0.0)
    if source.kind in ("row", "heading", "window"):
        return _SURROUNDINGS[source.kind] if is_object else 0.0
    if source.kind in ("field", "select") and len(action.parameters) == 1:
        return 0.45
    return 0.0


def _is_number(value: Any) -> bool:
    return isinstance(value, str) and value.strip().isdigit()


def _agreeing(sources: Sequence[Source]) -> set[str]:
    """Unnamed values that several kinds of places tell: the window and a heading, say."""
    kinds: dict[str, set[str]] = {}
    for source in sources:
        if not source.words:
            kinds.setdefault(comparable(source.value), set()).add(source.kind)
    return {value for value, places in kinds.items() if len(places) > 1}


def _means_thing(action: CanonicalAction, parameter: ActionParameter) -> bool:
    """Whether a parameter says what the action is done to, by the name people call it."""
    if parameter.type != "STRING":
        return False
    name, told = name_tokens(parameter.name), tokens(parameter.description)
    if told and told[0] in DISPLAY_WORDS and best_likeness(told[0], name) < 1 and len(told) > 1:
        return True
    objects = tokens(action.name)[1:]
    return coverage(name, objects) > 0.9 or coverage(name, DISPLAY_WORDS) > 0.9


def _declared_elements(action: CanonicalAction, trigger: StepFacts | None) -> Iterator[Source]:
    """The clicked element itself, where the catalogue says ``from: {element: …}``."""
    wanted = {p.source["element"] for p in action.parameters if "element" in p.source}
    if trigger is None or not wanted:
        return
    target = trigger.action.target
    text = target.text if target is not None and "text" in wanted else None
    value = text or trigger.name
    if value:
        ids = trigger.action.raw_event_ids
        yield Source(kind="named", detail=trigger.name, words=(), value=value, event_ids=ids)


def _captures(
    action: CanonicalAction, matches: Sequence[HintMatch], trigger: StepFacts | None
) -> Iterator[Source]:
    """What the ``*`` of matched name patterns stood for."""
    known = _known_words(action)
    seen = {""}
    for match in matches:
        own = trigger is not None and match.step == trigger.index
        ids = trigger.action.raw_event_ids if trigger is not None and own else ()
        for text in match.captures:
            if text in seen or text[0] in "([" or not any(c.isalnum() for c in text):
                continue
            seen.add(text)
            if strip_known_words(text, known):
                detail = match.hint.name or ""
                yield Source(kind="capture", detail=detail, words=(), value=text, event_ids=ids)


def _known_words(action: CanonicalAction) -> set[str]:
    names = (action.name, *(p.name for p in action.parameters))
    return {word for name in names for word in tokens(name)}


def _remainders(action: CanonicalAction, clicked: StepFacts | None) -> Iterator[Source]:
    """What a button's name says beyond the action: ``Rye bread`` of ``Remove Rye bread``."""
    if clicked is None or not clicked.name:
        return
    if not clicked.is_click and clicked.role not in ("spinbutton", "slider"):
        return
    ids = clicked.action.raw_event_ids
    if clicked.action.type == "double_click" and clicked.role not in ("button", "link"):
        yield Source(
            kind="element", detail=clicked.name, words=(), value=clicked.name, event_ids=ids
        )
    known = _known_words(action) | set(_GENERIC_VERBS)
    first = tokens(clicked.name.split(maxsplit=1)[0])
    if first and max(best_likeness(w, known) for w in first) < 0.6:
        return
    kept = strip_known_words(clicked.name, known)
    shorter = strip_known_words(clicked.name, known | set(tokens(action.description)))
    for text in dict.fromkeys((kept, shorter)):
        if text and text != clicked.name.strip():
            yield Source(
                kind="remainder",
                detail=clicked.name,
                words=(),
                value=text,
                role=clicked.role,
                event_ids=ids,
            )


def strip_known_words(text: str, known: set[str]) -> str:
    """Takes words that are known (or function words) off both ends of a text."""
    words = list(_WORD.finditer(text))
    first, last = 0, len(words) - 1

    def is_known(word: str) -> bool:
        stems = tokens(word)
        if not stems:
            return fold(word.strip(".,:;!?…")) in STOPWORDS or not any(c.isalnum() for c in word)
        return all(best_likeness(s, known) >= 0.6 for s in stems)

    while first <= last and is_known(words[first].group()):
        first += 1
    while last > first and is_known(words[last].group()):
        last -= 1
    if first > last:
        return ""
    return text[words[first].start() : words[last].end()].strip("“”\"'")
