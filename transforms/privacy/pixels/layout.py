"""How the lines of a picture stand to one another: side by side, or one wrapping into the next."""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Sequence

from transforms.privacy.pixels.engine import Line

BREAKS = tuple("-_/.@=&?")
"""Characters after which a browser may break a token."""
BOX_GAP = 3
"""Of a line's height: boxes that one number is typed into stand no further apart."""
MOST_IN_BOX = 6
_CARD_START = re.compile(r"[3-6]|2[2-7]")
"""Of cards of known issuers; years side by side begin otherwise."""
_IN_BOXES = (
    ("CARD", {(4, 4, 4, 4), (4, 4, 4, 4, 3), (4, 6, 5)}, None),
    ("SSN", {(3, 2, 4)}, re.compile(r"\b(?:ssn|itin|social|tax id|tin)\b", re.I)),
    (
        "PHONE",
        {(3, 3, 4), (1, 3, 3, 4), (2, 3, 3, 4), (3, 4)},
        re.compile(r"phone|mobile|\b(?:tel|cell|fax|sms)\b", re.I),
    ),
    (
        "IP",
        {tuple(sizes) for sizes in itertools.product((1, 2, 3), repeat=4)},
        re.compile(r"\b(?:ip|ipv4|address|gateway|dns|host|server)\b", re.I),
    ),
)


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
    """Returns pairs (upper, lower) of lines where a paragraph may have wrapped inside a value."""
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
            # The next token had no room behind the upper line, whose column is at least as wide
            # as the lower one.
            token = len(other.text.partition(" ")[0]) + 1
            room = (other.x1 - other.x0) / max(1, len(other.text)) * token
            full = line.x1 + room > other.x1 or line.text.endswith(BREAKS)
            if full and abs(other.x0 - line.x0) < 2 * height:
                pairs.append((upper, lower))
    return pairs


def numbers_in_boxes(lines: Sequence[Line]) -> list[tuple[list[int], str]]:
    """Returns numbers typed into several boxes side by side: (lines, entity).

    Four times four digits may be a card number; what others are, a label above or before must tell.
    """
    found = []
    for row in rows_of(lines):
        digits = [i for i in row if lines[i].text.isdigit() and len(lines[i].text) <= MOST_IN_BOX]
        for group in _close_together(lines, digits):
            shape = tuple(len(lines[i].text) for i in group)
            for entity, shapes, cue in _IN_BOXES:
                if shape not in shapes:
                    continue
                is_card = cue is None and _CARD_START.match(lines[group[0]].text) is not None
                if is_card or (cue is not None and _has_cue(lines, group, cue)):
                    found.append((group, entity))
                    break
    return found


def _close_together(lines: Sequence[Line], row: Sequence[int]) -> list[list[int]]:
    groups: list[list[int]] = []
    for index in row:
        line = lines[index]
        height = line.y1 - line.y0
        if groups and line.x0 - lines[groups[-1][-1]].x1 < BOX_GAP * height:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


def _has_cue(lines: Sequence[Line], group: Sequence[int], cue: re.Pattern[str]) -> bool:
    first, last = lines[group[0]], lines[group[-1]]
    height = first.y1 - first.y0
    return any(
        cue.search(line.text) is not None
        and first.y0 - 4 * height < line.y1 < first.y1 + height
        and line.x0 < last.x1
        and line.x1 > first.x0 - 20 * height
        for line in lines
    )


def neighbours(lines: Sequence[Line]) -> list[tuple[int, int]]:
    """Returns pairs of lines that a value may span: wrapped, or side by side."""
    pairs = wraps_of(lines)
    for row in rows_of(lines):
        for left, right in itertools.pairwise(row):
            if lines[right].x0 - lines[left].x1 < 2 * (lines[left].y1 - lines[left].y0):
                pairs.append((left, right))
    return pairs
