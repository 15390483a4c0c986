"""Values found elsewhere in the session, searched for in lines of text as OCR reads them."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import replace

from schemas.findings import Found
from transforms.privacy.pixels.engine import Line
from transforms.privacy.pixels.hits import Hit
from transforms.privacy.pixels.layout import neighbours
from transforms.privacy.pixels.lookalikes import Folded, allowed_errors, fold, prefix_like

MIN_VALUE = 4
"""Folded characters from which on a value is searched for in pixels."""
FREE_OF_BOUNDARIES = 8
"""Folded characters from which on one token boundary is enough: OCR drops spaces."""
KNOWN_LETTERS = 0x180
"""Code points below are Latin letters that the recogniser was built to tell apart."""
MAX_CANDIDATES = 400_000
"""Places looked at for values with errors in one search; about as many microseconds times ten."""
MIN_PART_DIGITS, MIN_PART = 4, 6
"""Of a value that is only partly on screen: folded characters that count as it."""
MOST_PART = 120
"""Folded characters of a part by which its value is looked up; tokens may have thousands."""


class ValueIndex:
    """Values found elsewhere in the session, searched for in lines of text."""

    def __init__(self, values: Iterable[Found]) -> None:
        self._values: dict[str, Found] = {}
        for found in values:
            if not found.propagates:
                continue
            for text in (found.value, _as_engines_read(found.value)):
                folded = fold(text).text
                if len(folded) >= MIN_VALUE:
                    self._values.setdefault(folded, found)
        self._starts: dict[str, str] = {}
        self._ends: dict[str, str] = {}
        for folded, found in self._values.items():
            words = [fold(word).text for word in found.value.split()]
            least = MIN_PART_DIGITS if _has_digits(found.value) else MIN_PART
            # One word of a name is no part of it that tells who is meant.
            first, last = (len(words[0]) + 2, len(words[-1]) + 2) if len(words) > 1 else (0, 0)
            if _has_digits(found.value):
                first = last = 0
            for length in range(least, min(len(folded) - 1, MOST_PART) + 1):
                if length >= first:
                    self._starts.setdefault(folded[:length], folded)
                if length >= last:
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

    def _partial(self, text: str, folded: Folded) -> Iterable[Hit]:
        """Finds a value that is half typed (its beginning ends the line) or scrolled sideways
        (its end is the whole line)."""
        end = len(folded.text)
        for start in sorted(folded.starts):
            part = folded.text[start:end]
            value = self._starts.get(part[:MOST_PART])
            if value is None or not value.startswith(part):
                continue
            if start == 0 or end - start >= len(value) / 2:
                found = self._values[value]
                yield Hit(folded.at[start], len(text), found.entity, found.value, "value")
                return
        value = self._ends.get(folded.text[-MOST_PART:])
        if value is not None and value.endswith(folded.text) and end >= len(value) / 2:
            found = self._values[value]
            yield Hit(0, len(text), found.entity, found.value, "value")


def _as_engines_read(value: str) -> str:
    """Returns a value without the letters that the recogniser does not know and leaves out, as most
    Vietnamese ones; unchanged where too little would be left."""
    known = "".join(c for c in value if ord(c) < KNOWN_LETTERS)
    return known if len(known) >= 0.6 * len(value) and len(known) >= MIN_PART else value


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


def _at_boundaries(folded: Folded, start: int, end: int, length: int) -> bool:
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
    beside = [neighbours(lines) for lines in pages]
    single = index.search(list(dict.fromkeys(line.text for lines in pages for line in lines)))
    joined = index.search(
        list(
            dict.fromkeys(
                _side_by_side(lines, pair)
                for lines, pairs in zip(pages, beside, strict=True)
                for pair in pairs
            )
        ),
        joined=True,
    )
    hits = []
    for lines, pairs in zip(pages, beside, strict=True):
        page = [list(single.get(line.text, ())) for line in lines]
        for first, second in pairs:
            head = len(lines[first].text)
            for hit in joined.get(_side_by_side(lines, (first, second)), ()):
                if hit.start < head - 1 and hit.end > head + 2:
                    page[first].append(replace(hit, end=head))
                    page[second].append(replace(hit, start=0, end=hit.end - head - 1))
        hits.append(page)
    return hits


def _side_by_side(lines: Sequence[Line], pair: tuple[int, int]) -> str:
    return lines[pair[0]].text + " " + lines[pair[1]].text
