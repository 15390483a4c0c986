"""How the lines of a picture stand to one another: side by side, or one wrapping into the next."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence

from transforms.privacy.pixels.engine import Line

BREAKS = tuple("-_/.@=&?")
"""Characters after which a browser may break a token."""


def rows_of(lines: Sequence[Line]) -> list[list[int]]:
    """Returns the lines that stand side by side, left to right, as indices."""
    rows: list[list[int]] = []
    order = sorted(range(len(lines)), key=lambda i: (lines[i].y0 + lines[i].y1, lines[i].x0))
    for index in order:
        line = lines[index]
        for row in reversed(rows[-8:]):
            last = lines[row[-1]]
            shared = min(line.y1, last.y1) - max(line.y0, last.y0)
            heights = sorted((line.y1 - line.y0, last.y1 - last.y0))
            if shared > 0.5 * heights[0] and heights[1] < 2 * heights[0]:
                row.append(index)
                break
        else:
            rows.append([index])
    return [sorted(row, key=lambda i: (lines[i].x0, i)) for row in rows]


def wraps_of(lines: Sequence[Line]) -> list[tuple[int, int]]:
    """Returns pairs (upper, lower) of lines where a paragraph may have wrapped inside a token."""
    pairs = []
    order = sorted(range(len(lines)), key=lambda i: lines[i].y0)
    tops = [lines[i].y0 for i in order]
    for upper, line in enumerate(lines):
        height = line.y1 - line.y0
        start = bisect.bisect_left(tops, line.y1 - 0.4 * height)
        end = bisect.bisect_right(tops, line.y1 + 0.7 * height)
        for lower in order[start:end]:
            other = lines[lower]
            if lower == upper or not 0.5 * height < other.y1 - other.y0 < 2 * height:
                continue
            # A long token goes to the next line as a whole; only a part with a hyphen stays.
            full = line.x1 > other.x1 - 2 * height or line.text.endswith(BREAKS)
            if full and abs(other.x0 - line.x0) < 2 * height:
                pairs.append((upper, lower))
    return pairs


def neighbours(lines: Sequence[Line]) -> list[tuple[int, int]]:
    """Returns pairs of lines that a value may span: wrapped, or side by side."""
    pairs = wraps_of(lines)
    for row in rows_of(lines):
        for left, right in itertools.pairwise(row):
            if lines[right].x0 - lines[left].x1 < 2 * (lines[left].y1 - lines[left].y0):
                pairs.append((left, right))
    return pairs
