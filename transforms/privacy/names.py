"""Names, places and organisations in text: the model's scores, checked by lists and cues.

A stretch is a name when its score reaches the rules' threshold; what announces names ("Dear",
"Assignee:", an address behind it) lowers the bar, and words that are only English, technical or of
interfaces raise it. Texts without a single word that could be a name never reach the model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from schemas.findings import Span
from transforms.privacy.config import ScrubberConfig, ScrubberConfigError
from transforms.privacy.lexicon import (
    COMMON,
    ENGLISH,
    NAMES,
    PLACE,
    TECHNICAL,
    load_lexicon,
    name_parts,
)
from transforms.privacy.name_bars import (
    LEAST_LISTED,
    RAISED,
    is_cued,
    looks_like_name,
    needed_score,
)
from transforms.privacy.patterns import EMAIL
from transforms.privacy.scripts import OTHER_WORD, find_other_names
from transforms.privacy.words import FUNCTION_WORDS, INTERFACE_WORDS

BUNDLED = Path(__file__).with_name("ner_model")
BATCH = 256
LEAST_SCORE = 0.01
"""Words whose chance of being any name is below this are not looked at."""
_WORD = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ADDRESS_WORD = re.compile(r"[^\W\d_]{3,}")
_SEGMENT_END = re.compile(r"(?<=[.!?…])\s+(?=[^a-z\s])|\n+|\t+|\s[|·•]\s")
_JOINERS = re.compile(r"[ ]?[.'’\-][ ]?|[ _+]|, ?(?=[A-Z])")
_PARTICLES = frozenset(
    "van von de der den del della di da dos du la le el bin ibn al ter zu af".split()
)


class NameFinder:
    """Finds names with the model of a configuration; gives nothing for texts without candidates."""

    def __init__(self, config: ScrubberConfig) -> None:
        """Loads the model; raises ScrubberConfigError when spaCy cannot."""
        self.min_score = {
            entity: score
            for entity, score in config.names.min_score.items()
            if entity in config.entities
        }
        self.lexicon = load_lexicon(str(BUNDLED))
        self.nlp = load_model(config.names.model)
        self.scores: Any = None
        """Of the bundled model; None for another one, whose entities are taken as they are."""
        if "name_scorer" in self.nlp.pipe_names:
            from transforms.privacy.name_model import NameScores

            self.scores = NameScores(self.nlp)
        self._candidate: dict[str, bool] = {}

    def forget(self) -> None:
        """Empties what is remembered of earlier texts."""
        if self.scores is not None:
            self.scores.forget()

    def find_many(self, texts: Sequence[str], kinds: Sequence[str]) -> list[list[Span]]:
        """Returns the names of each text; only texts with a candidate are given to the model."""
        found: list[list[Span]] = [[] for _ in texts]
        if not self.min_score:
            return found
        asked: list[tuple[int, int, str]] = []
        for number, text in enumerate(texts):
            asked += [(number, start, text[start:end]) for start, end in self._segments(text)]
        for number, spans in self._of_model(asked, texts, kinds):
            found[number] += spans
        for number, text in enumerate(texts):
            if "PERSON" in self.min_score:
                if "@" in text:
                    found[number] += self._of_addresses(text)
                found[number] += find_other_names(text, self.lexicon)
        return found

    def _of_model(
        self, asked: Sequence[tuple[int, int, str]], texts: Sequence[str], kinds: Sequence[str]
    ) -> Iterator[tuple[int, list[Span]]]:
        """Yields (number of the text, spans) for segments (number, offset, text)."""
        if self.scores is None:
            docs = self.nlp.pipe((segment for _, _, segment in asked), batch_size=BATCH)
            for (number, offset, _), doc in zip(asked, docs):
                yield number, self._of_entities(doc, offset)
            return
        for first in range(0, len(asked), BATCH):
            batch = asked[first : first + BATCH]
            scored = self.scores.of([segment for _, _, segment in batch])
            for (number, offset, _), (tokens, scores) in zip(batch, scored):
                yield number, self._named(texts[number], kinds[number], tokens, scores, offset)

    def _of_entities(self, doc: Any, offset: int) -> list[Span]:
        return [
            Span(offset + e.start_char, offset + e.end_char, label, "ner", 1.0)
            for e in doc.ents
            if (label := _OTHER_LABELS.get(e.label_, e.label_)) in self.min_score
        ]

    def _segments(self, text: str) -> Iterator[tuple[int, int]]:
        """Yields the sentences and lines that may hold a name, with a short one before them."""
        start = 0
        bounds: list[tuple[int, int]] = []
        for match in _SEGMENT_END.finditer(text):
            bounds.append((start, match.start()))
            start = match.end()
        bounds.append((start, len(text)))
        previous = None
        for begin, end in bounds:
            if self.may_hold_name(text[begin:end]):
                if previous is not None and previous[1] - previous[0] < 40:
                    begin = previous[0]
                yield begin, end
                previous = None
            else:
                previous = (begin, end)

    def may_hold_name(self, text: str) -> bool:
        """Whether a text has a word that could be a name: unknown with a capital, or listed."""
        known = self._candidate
        for word in _WORD.findall(text):
            candidate = known.get(word)
            if candidate is None:
                candidate = known[word] = self._is_candidate(word)
                if len(known) > 200_000:
                    known.clear()
            if candidate:
                return True
        return False

    def _is_candidate(self, word: str) -> bool:
        """Whether a word alone is reason enough to ask the model about its sentence."""
        if len(word) < 2 or OTHER_WORD.match(word):
            return False
        low = word.lower()
        bits = self.lexicon.of(word)
        if low in FUNCTION_WORDS or (low in INTERFACE_WORDS and not bits & NAMES):
            return False
        known = bits & (COMMON | TECHNICAL)
        if not known and low.endswith("s"):
            known = self.lexicon.of(word[:-1]) & (COMMON | TECHNICAL)
        if not word.isascii() and (len(word) > 2 or not word.islower()):
            return True
        if word[0].isupper():
            if bits & NAMES:
                return True
            if word.isupper():
                return not known and len(word) > 4
            parts = _CAMEL.split(word)
            if len(parts) > 1:
                return any(self.lexicon.of(part) & NAMES for part in parts if len(part) > 2)
            return not known
        if known:
            return False
        return bool(bits & (NAMES | PLACE)) or (
            not bits & ENGLISH and len(word) >= 4 and self.lexicon.sound(word) >= 3
        )

    def _named(
        self, text: str, kind: str, tokens: Sequence[tuple[str, int]], scores: Any, offset: int
    ) -> list[Span]:
        """The names of a segment, of the tokens whose scores reach their bars."""
        labels = self.scores.labels
        raised = RAISED.get(kind, 0.0)
        least = {label: score + raised for label, score in self.min_score.items()}
        chosen: list[tuple[int, int, str, float]] = []
        doubtful = (scores[:, labels.index("O")] <= 1 - LEAST_SCORE).nonzero()[0]
        for i in doubtful.tolist():
            word, start = tokens[i]
            if not word[0].isalnum():
                continue
            start += offset
            end = start + len(word)
            beside = self._beside_name(tokens, i)
            # Of the labels that reach their own bar the most likely one; others do not compete.
            best: tuple[str, float] | None = None
            for label, score in zip(labels, scores[i].tolist()):
                if score >= LEAST_LISTED and label in least and (best is None or score > best[1]):
                    bar = least[label]
                    if score >= needed_score(
                        word, label, bar, beside, self.lexicon, text, start, end
                    ):
                        best = (label, score)
            if best is not None:
                chosen.append((start, end, *best))
        spans = []
        for start, end, label, score in self._joined(text, chosen):
            start, end = _without_possessive(text, start, end)
            if label == "USERNAME" and not any(map(str.isalpha, text[start:end])):
                continue
            if label == "ADDRESS" and not _ADDRESS_WORD.search(text, start, end):
                continue
            cue = label == "PERSON" and is_cued(text, start, end)
            spans.append(Span(start, end, label, "cue" if cue else "ner", round(score, 3)))
        return spans

    def _beside_name(self, tokens: Sequence[tuple[str, int]], i: int) -> bool:
        """Whether the token before or behind one looks like a name."""
        return (i > 0 and looks_like_name(tokens[i - 1][0], self.lexicon)) or (
            i + 1 < len(tokens) and looks_like_name(tokens[i + 1][0], self.lexicon)
        )

    def _joined(
        self, text: str, chosen: Sequence[tuple[int, int, str, float]]
    ) -> Iterator[tuple[int, int, str, float]]:
        """Joins neighbours of one label over initials, particles, dots and hyphens."""
        current: tuple[int, int, str, float] | None = None
        for start, end, name, score in chosen:
            if current is not None and name == current[2]:
                between = text[current[1] : start]
                words = _WORD.findall(between)
                if (
                    len(between) <= 14
                    and (not between or _JOINERS.fullmatch(between) or between.isspace())
                ) or (
                    words
                    and len(between) <= 14
                    and "," not in between
                    and all(w.lower() in _PARTICLES or len(w) == 1 for w in words)
                ):
                    current = (current[0], end, name, max(score, current[3]))
                    continue
            if current is not None:
                yield current
            current = (start, end, name, score)
        if current is not None:
            yield current

    def _of_addresses(self, text: str) -> list[Span]:
        """Words that an e-mail address of the same text repeats: the names of its owner."""
        parts: set[str] = set()
        for match in EMAIL.finditer(text):
            parts |= set(name_parts(match.group().split("@")[0], self.lexicon))
        return [
            Span(match.start(), match.end(), "PERSON", "cue", 1.0)
            for match in _WORD.finditer(text)
            if parts and match.group()[0].isupper() and match.group().lower() in parts
        ]


def _without_possessive(text: str, start: int, end: int) -> tuple[int, int]:
    """A span without a final "'s"."""
    if end - start > 3 and text[end - 2 : end] in ("'s", "’s", "'S"):
        return start, end - 2
    return start, end


_OTHER_LABELS = {
    "PER": "PERSON",
    "GPE": "LOCATION",
    "LOC": "LOCATION",
    "FAC": "LOCATION",
    "ORG": "ORGANIZATION",
}
"""Labels of other spaCy models → ours."""


def load_model(name: str) -> Any:
    """Loads the model of the rules: the bundled one, or a path or package that spaCy knows."""
    if name == "bundled":
        from transforms.privacy.name_model import load_bundled

        return load_bundled(BUNDLED)
    import spacy

    try:
        return spacy.load(name, exclude=["parser", "lemmatizer", "tagger", "attribute_ruler"])
    except (OSError, ValueError) as error:
        raise ScrubberConfigError(
            "scrubber.yaml", 1, f"names.model {name!r} cannot be loaded: {type(error).__name__}"
        ) from None
