"""From lines of text to the rectangles that must go.

Two things are looked for: what the recognisers of the text side find in the lines (their rules for
OCR are tolerant: never a checksum as a gate), and values that were found elsewhere in the session,
compared folded for look-alikes. Lines are searched one by one, as rows (a label and its value are
two lines to the detector), and joined with the next where a long token wraps.
"""

from __future__ import annotations

import bisect
import itertools
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from schemas.findings import Found, Region, Span
from transforms.privacy.pixels.crops import INK_PAD
from transforms.privacy.pixels.engine import Line, overlap
from transforms.privacy.pixels.lookalikes import (
    allowed_errors,
    fold,
    prefix_like,
)

MIN_VALUE = 4
"""Folded characters from which on a value is searched for in pixels."""
FREE_OF_BOUNDARIES = 8
"""Folded characters from which on one token boundary is enough: OCR drops spaces."""
MAX_CANDIDATES = 400_000
"""Places looked at for values with errors in one search; about as many microseconds times ten."""
MIN_PART_DIGITS, MIN_PART = 4, 6
"""Of a value that is only partly on screen: folded characters that count as it."""
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
_MAIL_DOMAIN = re.compile(r"@((?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,})")
_DOTTED = re.compile(r"(?<![\w@/:.-])[\w.+-]+\.[A-Za-z]{2,}(?![\w@])")
BREAKS = tuple("-_/.@=&?")
"""Characters after which a browser may break a token."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A sensitive stretch of one line."""

    start: int
    end: int
    entity: str
    value: str
    origin: str


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

    An IBAN of which one digit is misread has no valid checksum, and the @ of an address may be read
    as a letter; then the domain tells, if others in the session have it.
    """
    spans = [Span(*m.span(), "IBAN") for m in _IBAN.finditer(text)]
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


class ValueIndex:
    """Values found elsewhere in the session, searched for in lines of text."""

    def __init__(self, values: Iterable[Found]) -> None:
        self._values: dict[str, Found] = {}
        for found in values:
            folded = fold(found.value).text
            if found.propagates and len(folded) >= MIN_VALUE:
                self._values.setdefault(folded, found)
        self._starts: dict[str, str] = {}
        self._ends: dict[str, str] = {}
        for folded, found in self._values.items():
            least = MIN_PART_DIGITS if _has_digits(found.value) else MIN_PART
            for length in range(least, len(folded)):
                self._starts.setdefault(folded[:length], folded)
                self._ends.setdefault(folded[-length:], folded)

    def __len__(self) -> int:
        return len(self._values)

    def canonical(self, text: str) -> str:
        """Returns the known value that a text is a reading of, else the text."""
        found = self._values.get(fold(text).text)
        return found.value if found is not None else text

    def search(self, texts: Sequence[str], joined: bool = False) -> dict[str, list[Hit]]:
        """Returns the hits in each text that has any.

        In texts joined from two lines only whole values count, from token to token.
        """
        hits: dict[str, list[Hit]] = {}
        folded_texts = [fold(text) for text in texts]
        offsets, whole = [], []
        position = 0
        for folded in folded_texts:
            offsets.append(position)
            whole.append(folded.text)
            position += len(folded.text) + 1
        haystack = "\n".join(whole)
        budget = [MAX_CANDIDATES]
        for value, found in self._values.items():
            for start, end in _occurrences(haystack, value, budget):
                number = bisect.bisect_right(offsets, start) - 1
                folded = folded_texts[number]
                first, last = start - offsets[number], end - offsets[number]
                if not _at_boundaries(folded, first, last, 0 if joined else len(value)):
                    continue
                hits.setdefault(texts[number], []).append(
                    _whole_token(texts[number], folded.at[first], folded.at[last - 1] + 1, found)
                )
        for text, folded in zip(texts, folded_texts, strict=True):
            if joined:
                break
            for hit in self._partial(text, folded):
                hits.setdefault(text, []).append(hit)
        return hits

    def _partial(self, text: str, folded) -> Iterable[Hit]:
        """Finds a value that is half typed (its beginning ends the line) or scrolled sideways
        (its end is the whole line)."""
        end = len(folded.text)
        for start in sorted(folded.starts):
            value = self._starts.get(folded.text[start:end])
            if value is not None and (start == 0 or end - start >= len(value) / 2):
                found = self._values[value]
                yield Hit(folded.at[start], len(text), found.entity, found.value, "value")
                return
        value = self._ends.get(folded.text)
        if value is not None and end >= len(value) / 2:
            found = self._values[value]
            yield Hit(0, len(text), found.entity, found.value, "value")


def _whole_token(text: str, start: int, end: int, found: Found) -> Hit:
    """Takes in the few characters around a reading with errors that belong to the same token."""
    for _ in range(3):
        if start > 0 and _same_kind(text[start - 1], text[start]):
            start -= 1
        if end < len(text) and _same_kind(text[end - 1], text[end]):
            end += 1
    return Hit(start, end, found.entity, found.value, "value")


def _same_kind(a: str, b: str) -> bool:
    return (a.isalpha() and b.isalpha()) or (a.isdigit() and b.isdigit())


def _has_digits(value: str) -> bool:
    return sum(c.isdigit() for c in value) >= 3


def _at_boundaries(folded, start: int, end: int, length: int) -> bool:
    opens, closes = start in folded.starts, end in folded.ends
    if length >= FREE_OF_BOUNDARIES:
        return opens or closes
    return opens and closes


def _occurrences(haystack: str, value: str, budget: list[int]) -> Iterable[tuple[int, int]]:
    """Yields where a value stands, read with at most the errors allowed for it.

    With n errors at least one of n + 1 pieces of the value is read as it is. Every look around a
    piece is taken off the budget; when it is used up, values are only found as they are.
    """
    errors = allowed_errors(value) if budget[0] > 0 else 0
    size = len(value) // (errors + 1)
    matches: dict[tuple[int, int], int] = {}
    for piece in range(errors + 1):
        first = piece * size
        last = first + size if piece < errors else len(value)
        at = haystack.find(value[first:last])
        while at >= 0:
            stretch = _around(haystack, value, at, first, last, errors)
            if stretch is not None:
                start, end, wrong = stretch
                matches[start, end] = min(wrong, matches.get((start, end), wrong))
            budget[0] -= 1
            at = haystack.find(value[first:last], at + 1)
    taken: list[tuple[int, int]] = []
    for start, end in sorted(matches, key=lambda found: (matches[found], found)):
        if all(end <= other[0] or start >= other[1] for other in taken):
            taken.append((start, end))
    yield from sorted(taken)


def _around(
    haystack: str, value: str, at: int, first: int, last: int, errors: int
) -> tuple[int, int, int] | None:
    """Returns (start, end, errors) of a reading of ``value`` around ``value[first:last]``, which
    stands at ``at``."""
    before = haystack[max(0, at - first - errors) : at].rpartition("\n")[2]
    back, wrong = prefix_like(before[::-1], value[:first][::-1], errors)
    if wrong > errors:
        return None
    end = at + last - first
    after = haystack[end : end + len(value) - last + errors].partition("\n")[0]
    ahead, more = prefix_like(after, value[last:], errors - wrong)
    if wrong + more > errors:
        return None
    return at - back, end + ahead, wrong + more


def hits_by_value(pages: Sequence[Sequence[Line]], index: ValueIndex) -> list[list[list[Hit]]]:
    """Returns, for every line of every page, the known values in it and in what it wraps into."""
    neighbours = [_neighbours(lines) for lines in pages]
    single = index.search(list(dict.fromkeys(line.text for lines in pages for line in lines)))
    joined = index.search(
        list(
            dict.fromkeys(
                _side_by_side(lines, pair)
                for lines, pairs in zip(pages, neighbours, strict=True)
                for pair in pairs
            )
        ),
        joined=True,
    )
    hits = []
    for lines, pairs in zip(pages, neighbours, strict=True):
        page = [list(single.get(line.text, ())) for line in lines]
        for first, second in pairs:
            head = len(lines[first].text)
            for hit in joined.get(_side_by_side(lines, (first, second)), ()):
                if hit.start < head - 1 and hit.end > head + 2:
                    page[first].append(replace(hit, end=head))
                    page[second].append(replace(hit, start=0, end=hit.end - head - 1))
        hits.append(page)
    return hits


def _neighbours(lines: Sequence[Line]) -> list[tuple[int, int]]:
    """Returns pairs of lines that a value may span: wrapped, or side by side."""
    pairs = wraps_of(lines)
    for row in rows_of(lines):
        for left, right in itertools.pairwise(row):
            if lines[right].x0 - lines[left].x1 < 2 * (lines[left].y1 - lines[left].y0):
                pairs.append((left, right))
    return pairs


def _side_by_side(lines: Sequence[Line], pair: tuple[int, int]) -> str:
    return lines[pair[0]].text + " " + lines[pair[1]].text


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
