"""What a thought must not say, and why one is rejected.

A thought is what the person may have had in mind *before* the step. It teaches an agent that sees
only what was there then, so it must not hold coordinates (the agent has to find the place itself),
nothing that is first seen later, and no value that is nowhere in the recording.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from transforms.classify.model.answers import folded

MOST_CHARACTERS = 400
LEAST_PHRASE = 4

_COORDINATES = re.compile(
    r"\(\s*\d+(?:\.\d+)?\s*[,;]\s*\d+(?:\.\d+)?\s*\)"
    r"|\[\s*\d+(?:\.\d+)?\s*[,;]\s*\d+(?:\.\d+)?\s*\]"
    r"|\b[xy]\s*(?:=|:|is|at)\s*\d"
    r"|\b\d+(?:\.\d+)?\s*(?:px|pixels?)\b"
    r"|\b\d{2,5}\s*[,/×x]\s*\d{2,5}\b"
    r"|\b0?\.\d+\s*,\s*0?\.\d+\b"
    r"|\bco-?ordinates?\b",
    re.IGNORECASE,
)
_HINDSIGHT = re.compile(
    r"\bas a result\b|\bturned out\b|\bit worked\b|\bin hindsight\b|\bafterwards?\b"
    r"|\bwhich (?:then )?(?:opened|showed|shows|led|leads|took|takes|brought|displayed)\b"
    r"|\b(?:opened|appeared|succeeded|was (?:sent|saved|deleted|created|confirmed))\s*[.!]?$"
    r"|\bthe (?:next|following|later) (?:step|action|screen)\b",
    re.IGNORECASE,
)
_INTERNAL = re.compile(r"recorded_data|\bsteps? [sp]\d+\b|\b[sp]\d+\b(?=[ ,.:])")
_QUOTED = re.compile(r"[\"“]([^\"”]{2,})[\"”]")
_VALUE = re.compile(r"[\w.+-]+@[\w-]+\.\w[\w.-]*|\b\d[\d .-]{2,}\d\b")
_SEPARATORS = re.compile(r"\s+[-–—|·:]\s+|\n")


class Timeline:
    """The recorded texts of one task in order, to tell what was seen by when.

    For each step: ``labels`` are names, titles and URLs seen at it, ``values`` what was entered,
    ``effects`` what came of it. One word of a label (``Save``) gives nothing away; a value does.
    """

    def __init__(
        self,
        before: str,
        labels: Sequence[Sequence[str]],
        values: Sequence[Sequence[str]],
        effects: Sequence[Sequence[str]],
    ) -> None:
        self._seen = [folded(before)]
        self._seen += [folded("\n".join([*a, *b])) for a, b in zip(labels, values)]
        self._caused = [_telling(phrases(caused)) for caused in effects]
        self._later = [
            list(dict.fromkeys([*_telling(phrases(a)), *phrases(b), *caused]))
            for a, b, caused in zip(labels, values, self._caused)
        ]

    def seen(self, place: int) -> str:
        """Returns all that was to be read up to and including a step, folded."""
        return "\n".join(self._seen[: place + 2])

    def later(self, place: int) -> list[str]:
        """Returns the phrases of what a step caused and of all that comes after it."""
        return self._caused[place] + [p for own in self._later[place + 1 :] for p in own]


def _telling(found: Iterable[str]) -> list[str]:
    return [p for p in found if " " in p or any(c.isdigit() for c in p)]


def phrases(texts: Iterable[str]) -> list[str]:
    """Splits recorded texts (titles, names, values) into folded phrases worth looking for."""
    found: dict[str, None] = {}
    for text in texts:
        for part in (text, *_SEPARATORS.split(text)):
            if len(phrase := folded(part)) >= LEAST_PHRASE:
                found[phrase] = None
    return list(found)


def violations(thought: str, seen: str, later: Sequence[str]) -> tuple[str, ...]:
    """Returns the codes of what is wrong with a thought; none when it may be kept.

    ``seen`` is the folded text up to and including the step, ``later`` the folded phrases of what
    comes after. Codes: empty, too_long, coordinates, hindsight, future, unseen_value, internal.
    """
    text = folded(thought)
    if not text:
        return ("empty",)
    found = []
    if len(thought) > MOST_CHARACTERS:
        found.append("too_long")
    if any(folded(m[0]) not in seen for m in _COORDINATES.finditer(thought)):
        found.append("coordinates")
    if _HINDSIGHT.search(thought):
        found.append("hindsight")
    new = _numbers(text) - _numbers(seen)
    if any(_within(p, text) and not _within(p, seen) for p in later) or (
        new and new & _numbers(" ".join(later))
    ):
        found.append("future")
    values = [m[1] for m in _QUOTED.finditer(thought)] + _VALUE.findall(thought)
    if any(folded(v).strip(".,!?") not in seen for v in values):
        found.append("unseen_value")
    if _INTERNAL.search(thought):
        found.append("internal")
    return tuple(found)


def _within(phrase: str, text: str) -> bool:
    """Whether a text holds a phrase as whole words."""
    at = text.find(phrase)
    while at >= 0:
        end = at + len(phrase)
        starts = at == 0 or not (text[at - 1].isalnum() and phrase[0].isalnum())
        if starts and (end == len(text) or not (text[end].isalnum() and phrase[-1].isalnum())):
            return True
        at = text.find(phrase, at + 1)
    return False


def _numbers(text: str) -> set[str]:
    """Words with a digit in them, of three characters or more: numbers, codes, dates."""
    return {w for w in re.findall(r"[\w-]{3,}", text) if any(c.isdigit() for c in w)}
