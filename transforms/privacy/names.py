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
from transforms.privacy.patterns import EMAIL
from transforms.privacy.words import FUNCTION_WORDS, INTERFACE_WORDS

BUNDLED = Path(__file__).with_name("ner_model")
BATCH = 256
LEAST_SCORE = 0.02
"""Words whose chance of being any name is below this are not looked at."""
LEAST_CUED = 0.1
"""What a word scores at least to be a name behind a cue."""
LEAST_LISTED = 0.05
"""What a capitalised word scores at least that is known as a name and as nothing else."""

_WORD = re.compile(r"[^\W\d_]+")
_SEGMENT_END = re.compile(r"(?<=[.!?…])\s+(?=[^a-z\s])|\n+|\t+|\s[|·•]\s")
_JOINERS = re.compile(r"[ ]?[.'’\-][ ]?|[ _+]|, ?(?=[A-Z])")
_PARTICLES = frozenset(
    "van von de der den del della di da dos du la le el bin ibn al ter zu af".split()
)

_CUE_BEFORE = re.compile(
    r"(?:\b(?:dear|hi|hello|hey|hallo|bonjour|hola|thanks|thank you|thx|cheers|regards|sincerely|"
    r"yours|love|mr|mrs|ms|miss|dr|prof|sir|madam|herr|frau|mme|signed|sig|user|owner|author|"
    r"assignee|reporter|reviewer|approver|customer|client|contact(?: person)?|recipient|sender|"
    r"name|surname|patient|passenger|guest|employee|attendees?|participants?|members?|host|"
    r"organi[sz]er|cardholder|card ?holder|from|to|cc|bcc|by|with|call|ask|tell|invite|remind|meet|"
    r"mention|assign(?:ed)? to|signed in as|logged in as|welcome(?: back)?|message|chat with|"
    r"reply to|created by|posted by|written by|sent by|shared by|on behalf of|attn|c/o|i am|i'm|"
    r"my name is|this is|named|called)\b[.:,]?|[@✉])\s*[\"“(<]?\s*$",
    re.IGNORECASE,
)
_CUE_AFTER = re.compile(
    r"\s*(?:<[^<>\s]+@|\([^()\s]+@|[,·\-–|]?\s*[\w.+\-]+@[\w\-]+\.|\(@|['’]s (?:profile|calendar|"
    r"account|inbox|birthday|address|phone)\b|(?:wrote|said|says|writes|asked|replied|joined|"
    r"commented|mentioned|assigned|invited|added|shared|reacted|is typing|left the)\b)",
    re.IGNORECASE,
)
_USER_CUE = re.compile(
    r"(?:\b(?:user(?:s| ?name| ?id)?|login|(?:log(?:ged)?|sign(?:ed)?) in(?: as)?|account|handle|"
    r"accepted password for|authentication failed for|ssh|sudo -u|author|owner|by|name)\b"
    r"[\"']?\s*[:=]?\s*[\"']?|@|/home/|/Users/|\\\\?Users\\\\?|/users?/|/u/|~|<[^<>]{0,4})"
    r"[\w.\-]{0,30}$",
    re.IGNORECASE,
)
"""What stands before a user name: nothing else makes one of a word."""

_RAISED = {"title": 0.0, "prose": 0.0, "ocr": 0.0, "key": 0.05, "ui": 0.15, "path": 0.1}
"""How much more a name must score where the program speaks rather than a person."""


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
        self.labels: tuple[str, ...] | None = None
        if "name_scorer" in self.nlp.pipe_names:
            self.labels = tuple(self.nlp.get_pipe("name_scorer").labels)
        self._candidate: dict[str, bool] = {}

    def find_many(self, texts: Sequence[str], kinds: Sequence[str]) -> list[list[Span]]:
        """Returns the names of each text; only texts with a candidate are given to the model."""
        found: list[list[Span]] = [[] for _ in texts]
        if not self.min_score:
            return found
        asked: list[tuple[int, int, str]] = []
        for number, text in enumerate(texts):
            asked += [(number, start, text[start:end]) for start, end in self._segments(text)]
        docs = self.nlp.pipe((segment for _, _, segment in asked), batch_size=BATCH)
        for (number, offset, _), doc in zip(asked, docs):
            found[number] += self._names(texts[number], kinds[number], doc, offset)
        for number, text in enumerate(texts):
            if "@" in text and "PERSON" in self.min_score:
                found[number] += self._of_addresses(text)
        return found

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
        if len(word) < 2:
            return False
        low = word.lower()
        bits = self.lexicon.of(word)
        if low in FUNCTION_WORDS or (low in INTERFACE_WORDS and not bits & NAMES):
            return False
        if word[0].isupper() or not word.isascii():
            return bool(bits & NAMES) or not bits & (COMMON | TECHNICAL)
        if bits & (COMMON | TECHNICAL):
            return False
        return bool(bits & (NAMES | PLACE)) or (
            not bits & ENGLISH and len(word) >= 4 and self.lexicon.sound(word) >= 3
        )

    def _names(self, text: str, kind: str, doc: Any, offset: int) -> list[Span]:
        if self.labels is None:
            return [
                Span(offset + e.start_char, offset + e.end_char, label, "ner", 1.0)
                for e in doc.ents
                if (label := _OTHER_LABELS.get(e.label_, e.label_)) in self.min_score
            ]
        from transforms.privacy.name_model import SCORES

        scores = doc.user_data.get(SCORES)
        if scores is None or not len(doc):
            return []
        other = self.labels.index("O")
        chosen: list[tuple[int, int, str, float]] = []
        for token, row in zip(doc, scores.tolist()):
            if row[other] > 1 - LEAST_SCORE or not token.text[0].isalnum():
                continue
            start = offset + token.idx
            end = start + len(token)
            # Of the labels that reach their own bar the most likely one; others do not compete.
            best = None
            for label, score in zip(self.labels, row):
                if label in self.min_score and (best is None or score > best[1]):
                    needed = self._needed(token.text, label, kind, text, start, end)
                    if score >= needed:
                        best = (label, score)
            if best is not None:
                chosen.append((start, end, *best))
        spans = []
        for start, end, label, score in self._joined(text, chosen):
            start, end = _without_possessive(text, start, end)
            if label in ("USERNAME", "ADDRESS") and not any(map(str.isalpha, text[start:end])):
                continue
            cue = label == "PERSON" and is_cued(text, start, end)
            spans.append(Span(start, end, label, "cue" if cue else "ner", round(score, 3)))
        return spans

    def _needed(self, word: str, label: str, kind: str, text: str, start: int, end: int) -> float:
        """The score that makes a word a name: lower behind a cue, higher for other words."""
        needed = self.min_score[label] + _RAISED.get(kind, 0.0)
        if not word[0].isalpha():
            return needed if label in ("USERNAME", "ADDRESS") else 2.0
        low = word.lower()
        bits = self.lexicon.of(word)
        if label == "USERNAME":
            return needed if _USER_CUE.search(text[max(0, start - 60) : start]) else 2.0
        if label == "ADDRESS":
            return needed
        if low in FUNCTION_WORDS:
            return 2.0
        if low in INTERFACE_WORDS:
            return 0.9
        if label != "PERSON" or len(word) == 1:
            return max(needed, 0.5)
        plain = bits & (COMMON | TECHNICAL)
        if not bits & NAMES:
            if plain or (word.isupper() and len(word) <= 4):
                return 0.9
            if bits & ENGLISH:
                return 0.7
        if word.islower():
            if plain:
                return 0.9
            return LEAST_CUED if is_cued(text, start, end) else needed
        if bits & NAMES and not plain and not bits & PLACE:
            needed = min(needed, LEAST_LISTED + _RAISED.get(kind, 0.0))
        if not plain and is_cued(text, start, end):
            needed = min(needed, LEAST_CUED)
        return needed

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


def is_cued(text: str, start: int, end: int) -> bool:
    """Whether what stands around a word says that it is somebody's name."""
    if _CUE_BEFORE.search(text[max(0, start - 24) : start]):
        return True
    return _CUE_AFTER.match(text, end) is not None


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
