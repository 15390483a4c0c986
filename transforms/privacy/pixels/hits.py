"""Sensitive stretches of lines of text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ANY_TEXT = "TEXT"
"""Entity of what is covered because nobody could read it."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A sensitive stretch of one line."""

    start: int
    end: int
    entity: str
    value: str
    origin: str


def merged_hits(hits: Iterable[Hit]) -> list[Hit]:
    """Joins overlapping stretches of one line; the longest names the entity."""
    merged: list[Hit] = []
    for hit in sorted(hits, key=lambda h: (h.start, -h.end, h.origin != "value", h.entity)):
        if hit.end <= hit.start:
            continue
        if merged and hit.start < merged[-1].end:
            last = merged[-1]
            longer = last if last.end - last.start >= hit.end - hit.start else hit
            end = max(last.end, hit.end)
            merged[-1] = Hit(last.start, end, longer.entity, longer.value, longer.origin)
        else:
            merged.append(hit)
    return merged
