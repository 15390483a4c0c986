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
from transforms.privacy.pixels.crops import INK_PAD
from transforms.privacy.pixels.engine import Line, overlap
from transforms.privacy.pixels.hits import Hit
from transforms.privacy.pixels.layout import BREAKS, rows_of, wraps_of

PAD_Y = 0.15
"""Of the line's height, above and below; the pad that lines have around their ink counts."""
PAD_X = 0.35
"""Of a character's width, left and right."""
WRAP_CONTEXT = 40
"""Characters before and after the end of a line that are searched together."""
WRAP_WIDTH = 12
"""Of a line's height: a shorter one is no line of a paragraph."""
WORD_GAP = 0.6
"""Of a line's height: words of one value stand no further apart."""
NAME_ORIGINS = ("ner", "cue")
READ_FOR_AT = "aeqgo0©®&"
COMMON_DOMAINS = frozenset(
    """gmail.com googlemail.com outlook.com hotmail.com live.com yahoo.com icloud.com me.com
    proton.me protonmail.com gmx.de gmx.net web.de aol.com mail.ru qq.com""".split()
)
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}[0-9OIlSB]{2} ?(?:[A-Z0-9lo]{4} ?){2,6}[A-Z0-9lo]{1,4}(?!\w)")
_CARD = re.compile(r"(?<![\w.-])(?=[3-6])\d{4}(?:[ -]?\d{4}){1,2}(?:[ -]\d{4})(?:\d{4})?(?![\w-])")
_MAIL_DOMAIN = re.compile(r"@((?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,})")
_DOTTED = re.compile(r"(?<![\w@/:.-])[\w.+-]+\.[A-Za-z]{2,}(?![\w@])")


Find = Callable[[str], Sequence[Span]]


def hits_by_pattern(lines: Sequence[Line], find: Find) -> list[list[Hit]]:
    """Returns, for every line, what the recognisers find in it, in its row and where it wraps."""
    hits: list[list[Hit]] = [[] for _ in lines]
    for index, line in enumerate(lines):
        for span in find(line.text):
            _add(hits, [(index, 0, len(line.text))], line.text, span)
    for row in rows_of(lines):
        if len(row) > 1:
            text, pieces = _joined(lines, row)
            for span in find(text):
                # Cells side by side are no sentence: only names of people are worth the doubt.
                if span.origin == "ner" and span.entity != "PERSON":
                    continue
                if _crosses_no_gap(lines, pieces, span):
                    _add(hits, pieces, text, span)
    for upper, lower in wraps_of(lines):
        first = lines[upper]
        # Cells of a table stand over one another too, but are short.
        is_long = first.x1 - first.x0 > WRAP_WIDTH * (first.y1 - first.y0)
        joints = []
        tail = lines[lower].text.partition(" ")[0]
        if (is_long or first.text.endswith(BREAKS)) and _is_no_word(tail):
            joints.append((first.text.rpartition(" ")[2], tail))
        if is_long:
            joints.append((first.text[-WRAP_CONTEXT:] + " ", lines[lower].text[:WRAP_CONTEXT]))
        for head, tail in joints:
            text = head + tail
            offset = len(first.text) - len(head.rstrip())
            pieces = [(upper, -offset, len(head)), (lower, len(head), len(text))]
            for span in find(text):
                crosses = span.start < len(head.rstrip()) and span.end > len(head)
                if crosses and span.origin not in NAME_ORIGINS:
                    _add(hits, pieces, text, span)
    return hits


def _is_no_word(token: str) -> bool:
    """Whether a token may be the rest of a key or an address, rather than the next word."""
    inside = token.strip(".,;:!?()")[1:]
    return any(c.isdigit() or c.isupper() or c in "@._-/=" for c in inside)


def find_misread(text: str, domains: frozenset[str]) -> list[Span]:
    """Finds what recognisers of patterns miss in text from pixels.

    An IBAN of which one digit is misread has no valid checksum. Blanks between the groups of a card
    number are dropped. The @ of an address may be read as a letter; then the domain tells, if
    others in the session have it.
    """
    spans = [Span(*m.span(), "IBAN") for m in _IBAN.finditer(text)]
    for match in _CARD.finditer(text):
        if sum(c.isdigit() for c in match[0]) == 16:
            spans.append(Span(*match.span(), "CARD"))
    for match in _DOTTED.finditer(text):
        token = match[0].rstrip(".").lower()
        for domain in domains:
            at = len(token) - len(domain) - 1
            if at >= 2 and token.endswith(domain) and token[at] in READ_FOR_AT:
                spans.append(Span(match.start(), match.start() + len(token), "EMAIL"))
                break
    return spans


def mail_domains(texts: Iterable[str]) -> frozenset[str]:
    """Returns the domains of all e-mail addresses in some texts."""
    return COMMON_DOMAINS | {m[1].lower() for text in texts for m in _MAIL_DOMAIN.finditer(text)}


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


def _joined(lines: Sequence[Line], row: Sequence[int]) -> tuple[str, list[tuple[int, int, int]]]:
    text, pieces = "", []
    for index in row:
        if text:
            text += " "
        pieces.append((index, len(text), len(text) + len(lines[index].text)))
        text += lines[index].text
    return text, pieces


def _crosses_no_gap(
    lines: Sequence[Line], pieces: Sequence[tuple[int, int, int]], span: Span
) -> bool:
    """Whether a span of a row stays within one line or crosses only a gap like a word space."""
    touched = [index for index, start, end in pieces if start < span.end and end > span.start]
    return all(
        lines[right].x0 - lines[left].x1 < WORD_GAP * (lines[left].y1 - lines[left].y0)
        for left, right in itertools.pairwise(touched)
    )


def region_of(line: Line, hit: Hit, width: int, height: int) -> Region:
    """Returns the rectangle of a stretch of a line, padded, inside the picture."""
    xs, size = line.xs, line.y1 - line.y0
    start, end = max(0, hit.start), min(len(xs), hit.end)
    character = (line.x1 - line.x0) / max(1, len(xs))
    x0 = line.x0 if start == 0 else (xs[start - 1] + xs[start]) / 2
    x1 = line.x1 if end >= len(xs) else (xs[end - 1] + xs[end]) / 2
    pad_x, pad_y = PAD_X * character + 1, max(1.0, PAD_Y * size - INK_PAD)
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
