"""From lines of text to the rectangles that must go.

What the recognisers of the text side find is looked for in the lines one by one, in rows (a label
and its value are two lines to the detector), and joined with the next where a long token wraps.
Their rules for OCR are tolerant: never a checksum as a gate.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable, Sequence

from schemas.findings import Region, Span
from transforms.privacy.pixels.engine import Line, overlap
from transforms.privacy.pixels.hits import Hit
from transforms.privacy.pixels.ink import INK_PAD
from transforms.privacy.pixels.layout import BREAKS, numbers_in_boxes, rows_of, wraps_of
from transforms.privacy.pixels.reading_errors import (
    NUMBERS,
    SURE,
    begins_like_secret,
    find_cut,
    holds_secret_prefix,
)

PAD_Y = 0.15
"""Of the line's height, above and below; the pad that lines have around their ink counts."""
PAD_X = 0.35
"""Of a character's width, left and right."""
WRAP_CONTEXT = 64
"""Characters before and after the end of a line that are searched together."""
WRAP_WIDTH = 12
"""Of a line's height: a shorter one is no line of a paragraph."""
WORD_GAP, NUMBER_GAP = 0.6, 0.1
"""Of a line's height: words of one value stand no further apart, and groups of digits."""
NAME_ORIGINS = ("ner", "cue")
EDGE = 3
"""Pixels from the picture's edge at which text is cut off."""
WORDS_BEFORE = 3
"""Letters before a number at the end of a line: then it is part of a sentence and may wrap."""


_DATED = re.compile(r"(?:19|20)\d{2}[-/.]\d{1,2}[-/.]\d{1,2}")
_VERSION = re.compile(r"v?\d+(?:\.\d+)+")
_CARD_GROUPS = re.compile(r"(?:\d{4}[ -]?){3}\d{1,7}|\d{4}[ -]?\d{6}[ -]?\d{4,5}")

Find = Callable[[str], Sequence[Span]]


def hits_by_pattern(lines: Sequence[Line], find: Find, width: int | None = None) -> list[list[Hit]]:
    """Returns, for every line, what the recognisers find in it, in its row and where it wraps.

    ``width`` is that of the picture; where it is given, values that its edges cut count too.
    """
    hits: list[list[Hit]] = [[] for _ in lines]
    for index, line in enumerate(lines):
        for span in find(line.text):
            _add(hits, [(index, 0, len(line.text))], line.text, span)
        left, right = _cut_by_edge(line, width)
        for span in find_cut(line.text, left, right):
            _add(hits, [(index, 0, len(line.text))], line.text, span)
    for row in rows_of(lines):
        if len(row) > 1:
            _add_row(hits, lines, row, find)
    _add_wrapped(hits, lines, find)
    for group, entity in numbers_in_boxes(lines):
        value = " ".join(lines[index].text for index in group)
        for index in group:
            hits[index].append(Hit(0, len(lines[index].text), entity, value, "pattern"))
    return hits


def _cut_by_edge(line: Line, width: int | None) -> tuple[bool, bool]:
    if width is None:
        return False, False
    return line.x0 <= EDGE, line.x1 >= width - EDGE


def _add_row(hits: list[list[Hit]], lines: Sequence[Line], row: Sequence[int], find: Find) -> None:
    text, pieces = _joined(lines, row, [" "] * (len(row) - 1))
    for span in find(text):
        # Cells side by side are no sentence: only names of people are worth the doubt.
        if span.origin == "ner" and span.entity != "PERSON":
            continue
        if _crosses_no_gap(lines, pieces, span):
            _add(hits, pieces, text, span)


def _add_wrapped(hits: list[list[Hit]], lines: Sequence[Line], find: Find) -> None:
    """Adds what crosses the ends of lines that wrap: the last two lines before a break are searched
    with the two behind it, with a blank between them and without one."""
    pairs = wraps_of(lines)
    after: dict[int, int] = {}
    before: dict[int, int] = {}
    for upper, lower in pairs:
        after.setdefault(upper, lower)
        before.setdefault(lower, upper)
    for upper, lower in pairs:
        chain = [upper, lower]
        if before.get(upper, lower) not in chain:
            chain.insert(0, before[upper])
        if after.get(lower, upper) not in chain:
            chain.append(after[lower])
        here = chain.index(upper)
        breaks = [_may_break_inside(lines, chain, at) for at in range(len(chain) - 1)]
        apart = [" "] * len(breaks)
        glued = [*apart[:here], "", *apart[here + 1 :]]
        likely = ["" if may_break else " " for may_break in breaks]
        for blanks in (apart, glued, likely) if breaks[here] else (apart,):
            if blanks is likely and likely == glued:
                continue
            text, pieces = _joined(lines, chain, blanks)
            joint = pieces[here][2]
            first = max(0, joint - WRAP_CONTEXT * (here + 1))
            last = min(len(text), joint + WRAP_CONTEXT * 2)
            if not _may_hold_value(text[first:last]):
                continue
            pieces = [(index, start - first, end - first) for index, start, end in pieces]
            text, joint = text[first:last], joint - first
            for span in find(text):
                crosses = span.start < joint and span.end > joint + len(blanks[here])
                if not crosses or span.origin in NAME_ORIGINS:
                    continue
                if _wraps_in_sentence(lines[upper], text, span, joint):
                    _add(hits, pieces, text, span)


def _may_hold_value(text: str) -> bool:
    digits = sum(c.isdigit() for c in text)
    return digits >= 4 or any(c in text for c in "@©®-_") or holds_secret_prefix(text)


def _may_break_inside(lines: Sequence[Line], chain: Sequence[int], here: int) -> bool:
    """Whether a token may go on in the next line: that begins with no word, or the upper line is
    filled to its last character."""
    first, second = lines[chain[here]], lines[chain[here + 1]]
    if first.text.endswith(BREAKS) or _is_no_word(second.text):
        return True
    character = (first.x1 - first.x0) / max(1, len(first.text))
    is_filled = first.x1 + 1.3 * character > max(lines[index].x1 for index in chain)
    # A label that stands under a long value begins with a capital.
    return is_filled and second.text[:1].islower()


def _is_no_word(text: str) -> bool:
    """Whether a text begins with what may be the rest of a key or an address."""
    inside = text.partition(" ")[0].strip(".,;:!?()")[1:]
    return any(c.isdigit() or c.isupper() or c in "@._-/=" for c in inside)


def _wraps_in_sentence(upper: Line, text: str, span: Span, joint: int) -> bool:
    """Whether a value goes on in the next line, rather than cells of a table standing over one
    another."""
    is_long = upper.x1 - upper.x0 > WRAP_WIDTH * (upper.y1 - upper.y0)
    at_break = upper.text.endswith(BREAKS)
    if span.entity == "SECRET":
        # Words and numbers of two lines look as random as a key does.
        is_likely = is_long or begins_like_secret(text[span.start : span.end])
        return at_break or (is_likely and _is_no_word(text[joint:].lstrip()))
    if span.entity == "EMAIL" and _VERSION.fullmatch(text, span.start, joint):
        return False
    before = text[span.start - 1 : span.start]
    inside_token = before.isalnum() or before in tuple("-/._,")
    if span.entity == "IBAN" or span.entity not in NUMBERS:
        return not inside_token
    if span.score < SURE or inside_token or _DATED.search(text, span.start, span.end):
        return False
    if span.entity == "CARD" and _CARD_GROUPS.fullmatch(text[span.start : span.end]) is None:
        return False
    ahead = text[max(0, joint - len(upper.text)) : span.start]
    return is_long or at_break or sum(c.isalpha() for c in ahead) >= WORDS_BEFORE


def _add(
    hits: list[list[Hit]], pieces: Sequence[tuple[int, int, int]], text: str, span: Span
) -> None:
    """Adds a span of a joined text to the lines it lies in.

    A piece is (line, where in the text the line's first character would be, where the piece ends).
    """
    value = text[span.start : span.end]
    for index, start, end in pieces:
        first, last = max(span.start, start, 0), min(span.end, end)
        if first < last:
            hits[index].append(Hit(first - start, last - start, span.entity, value, span.origin))


def _joined(
    lines: Sequence[Line], row: Sequence[int], blanks: Sequence[str]
) -> tuple[str, list[tuple[int, int, int]]]:
    text, pieces = "", []
    for index, blank in zip(row, ["", *blanks], strict=True):
        text += blank
        pieces.append((index, len(text), len(text) + len(lines[index].text)))
        text += lines[index].text
    return text, pieces


def _crosses_no_gap(
    lines: Sequence[Line], pieces: Sequence[tuple[int, int, int]], span: Span
) -> bool:
    """Whether a span of a row stays within one line or crosses only a gap like a word space."""
    touched = [index for index, start, end in pieces if start < span.end and end > span.start]
    most = NUMBER_GAP if span.entity in NUMBERS else WORD_GAP
    return all(
        lines[right].x0 - lines[left].x1 < most * (lines[left].y1 - lines[left].y0)
        for left, right in itertools.pairwise(touched)
    )


def region_of(line: Line, hit: Hit, width: int, height: int) -> Region:
    """Returns the rectangle of a stretch of a line, padded, inside the picture."""
    xs, size = line.xs, line.y1 - line.y0
    if line.upright:
        pad = math.ceil(PAD_X * (line.x1 - line.x0))
        return Region(
            max(0, math.floor(line.x0) - pad),
            max(0, math.floor(line.y0) - pad),
            min(width, math.ceil(line.x1) + pad),
            min(height, math.ceil(line.y1) + pad),
            hit.entity,
            hit.value,
        )
    start, end = max(0, hit.start), min(len(xs), hit.end)
    character = (line.x1 - line.x0) / max(1, len(xs))
    x0 = line.x0 if start == 0 else (xs[start - 1] + xs[start]) / 2
    x1 = line.x1 if end >= len(xs) else (xs[end - 1] + xs[end]) / 2
    pad_x, pad_y = PAD_X * character + 1, max(1.0, PAD_Y * size - INK_PAD)
    # What the edge of the picture cuts may go on with half a letter.
    left, right = _cut_by_edge(line, width)
    x0 = 0 if left and start == 0 else x0
    x1 = width if right and end >= len(xs) else x1
    return Region(
        max(0, math.floor(x0 - pad_x)),
        max(0, math.floor(line.y0 - pad_y)),
        min(width, math.ceil(x1 + pad_x)),
        min(height, math.ceil(line.y1 + pad_y)),
        hit.entity,
        hit.value,
    )


def united(regions: Iterable[Region]) -> tuple[Region, ...]:
    """Joins rectangles that mostly lie in one another, so that each place is drawn once."""
    waiting = sorted(
        set(regions), key=lambda r: (-(r.x1 - r.x0) * (r.y1 - r.y0), r.y0, r.x0, r.entity, r.value)
    )
    kept: list[Region] = []
    for region in waiting:
        if region.x1 <= region.x0 or region.y1 <= region.y0:
            continue
        for number, other in enumerate(kept):
            if overlap(_box(region), _box(other)) > 0.6:
                kept[number] = Region(
                    min(region.x0, other.x0),
                    min(region.y0, other.y0),
                    max(region.x1, other.x1),
                    max(region.y1, other.y1),
                    other.entity,
                    other.value or region.value,
                )
                break
        else:
            kept.append(region)
    return tuple(sorted(kept, key=lambda r: (r.y0, r.x0, r.y1, r.x1, r.entity)))


def _box(region: Region) -> tuple[float, float, float, float]:
    return (region.x0, region.y0, region.x1, region.y1)
