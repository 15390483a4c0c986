"""How well regions cover marked strings, and simple recognisers that stand in for the text side."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from schemas.findings import Region, Span
from tests.support.screens import Mark, Screen

COVERED = 0.95
"""Share of a string's ink that must be destroyed."""
TOUCHED = 0.3
"""Share of a look-alike's ink from which on it counts as hit."""

_RULES = (
    ("EMAIL", r"[\w.+-]{2,}\s?[@©]\s?[\w-]+(?:\s?\.\s?[\w-]+)*\.\s?(?:com|org|net|c0m|0rg)\b"),
    ("SECRET", r"\b(?:sk-|ghp_|AK[Il1]A|x[o0]xb-)[\w-]{8,}"),
    ("IBAN", r"\b[A-Z]{2}[0-9OIl]{2}(?:\s?[A-Z0-9]{4}){3,7}(?:\s?[A-Z0-9]{1,3})?\b"),
    ("CARD", r"(?<![\w-])(?:[0-9OoIlSB]{4}[ -]?){3}[0-9OoIlSB]{3,4}(?![\w-])"),
    ("SSN", r"(?<![\w-])[0-9OoIlSB]{3}[-–][0-9OoIlSB]{2}[-–][0-9OoIlSB]{4}(?![\w-])"),
    ("PHONE", r"(?:\+\d{1,3}[ .-]?)?(?:\(\d{3}\)\s?|\b\d{3}[-. ])\d{3}[-. ]\d{4}\b"),
    ("PHONE", r"\+\d{2} ?\d{2} ?\d{4} ?\d{4}\b"),
    ("IP", r"(?<![\w.])(?:\d{1,3}\s?[.,]\s?){3}\d{1,3}(?![\w.])"),
)
_COMPILED = [(entity, re.compile(rule)) for entity, rule in _RULES]


def find_patterns(text: str) -> list[Span]:
    """Finds the entities that ``screens`` invents; tolerant of what OCR confuses."""
    return [
        Span(match.start(), match.end(), entity)
        for entity, rule in _COMPILED
        for match in rule.finditer(text)
    ]


def covered_share(image: np.ndarray, mark: Mark, regions: Sequence[Region]) -> float:
    """Returns the share of a mark's ink that lies in the regions."""
    ink = inside = 0
    height, width = image.shape[:2]
    for rect in mark.rects:
        x0, y0 = max(0, round(rect[0])), max(0, round(rect[1]))
        x1, y1 = min(width, round(rect[2])), min(height, round(rect[3]))
        crop = image[y0:y1, x0:x1].astype(np.int16)
        if not crop.size:
            continue
        background = np.median(crop.reshape(-1, 3), axis=0)
        is_ink = np.abs(crop - background).max(2) > 40
        mask = np.zeros(is_ink.shape, bool)
        for r in regions:
            mask[max(0, r.y0 - y0) : max(0, r.y1 - y0), max(0, r.x0 - x0) : max(0, r.x1 - x0)] = 1
        ink += int(is_ink.sum())
        inside += int((is_ink & mask).sum())
    return inside / ink if ink else 1.0


class Score:
    """Adds up what was covered, by entity."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.covered: Counter[str] = Counter()
        self.missed: list[tuple[str, str, float, int]] = []

    def add(
        self, image: np.ndarray, screen: Screen, regions: Sequence[Region], number: int = 0
    ) -> None:
        """Scores one frame."""
        for mark in screen.marks:
            share = covered_share(image, mark, regions)
            kind = mark.kind
            if not mark.whole:
                kind += " in part" if mark.shown >= 0.5 else " in small part"
            self.seen[kind] += 1
            limit = TOUCHED if mark.kind == "NEGATIVE" else COVERED
            if share >= limit:
                self.covered[kind] += 1
            if (share >= limit) == (mark.kind == "NEGATIVE"):
                self.missed.append((kind, mark.text, round(share, 3), number))

    def join(self, other: Score) -> None:
        """Adds what another score has seen."""
        self.seen += other.seen
        self.covered += other.covered
        self.missed += other.missed

    def share(self, kinds: Sequence[str]) -> float:
        """Returns the covered share of all strings of some kinds."""
        seen = sum(self.seen[kind] for kind in kinds)
        return sum(self.covered[kind] for kind in kinds) / seen if seen else 1.0

    def table(self) -> str:
        """Returns one line per kind."""
        return "\n".join(
            f"{kind:18} {self.covered[kind]:5}/{seen:<5} {self.covered[kind] / seen:7.2%}"
            for kind, seen in sorted(self.seen.items())
        )
