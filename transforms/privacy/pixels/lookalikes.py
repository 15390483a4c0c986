"""Text folded so that what OCR confuses is equal: 0/O, 1/l/I, accents, case, dropped spaces."""

from __future__ import annotations

import functools
import unicodedata
from dataclasses import dataclass

_ALIKE = str.maketrans(
    {
        **dict.fromkeys("0oq", "o"),
        **dict.fromkeys("1li|!ı", "l"),
        **dict.fromkeys("5s$§", "s"),
        **dict.fromkeys("8bß", "b"),
        **dict.fromkeys("2z", "z"),
        **dict.fromkeys("@a", "a"),
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "æ": "a",
        "œ": "o",
    }
)


@dataclass(frozen=True, slots=True)
class Folded:
    """A text folded for look-alikes, with the way back."""

    text: str
    """Letters and digits only, each replaced by the representative of its look-alikes."""
    at: tuple[int, ...]
    """Index in the original text of every character of ``text``."""
    starts: frozenset[int]
    """Indices in ``text`` where a token of the original begins."""
    ends: frozenset[int]
    """Indices in ``text`` (exclusive) where a token of the original ends."""


@functools.lru_cache(maxsize=16384)
def fold(text: str) -> Folded:
    """Folds a text; tokens begin and end at characters that are no letters or digits, where lower
    case turns into upper case, and between letters and digits."""
    folded: list[str] = []
    at: list[int] = []
    starts: set[int] = set()
    ends: set[int] = set()
    before = ""
    for index, character in enumerate(text):
        for part in unicodedata.normalize("NFKD", character).lower().translate(_ALIKE):
            if not part.isalnum():
                continue
            folded.append(part)
            at.append(index)
        if not (character.isalnum() or character in "@|!$§") or not at or at[-1] != index:
            ends.add(len(folded))
            before = ""
            continue
        first = next(i for i in range(len(at) - 1, -1, -1) if i == 0 or at[i - 1] != index)
        if (
            not before
            or (before.islower() and character.isupper())
            or before.isdigit() != character.isdigit()
        ):
            starts.add(first)
            ends.add(first)
        before = character
    ends.add(len(folded))
    return Folded("".join(folded), tuple(at), frozenset(starts), frozenset(ends))


def allowed_errors(folded: str) -> int:
    """Returns how many characters of a value may be read wrongly and it is still the value.

    Values of digits get fewer: the next order number must not count as this one.
    """
    if sum(c in "olsbz" or c.isdigit() for c in folded) > 0.6 * len(folded):
        return 0 if len(folded) < 12 else 1
    return 0 if len(folded) < 8 else 1 if len(folded) < 16 else 2


def approximate_end(text: str, value: str, start: int, errors: int) -> tuple[int, int]:
    """Returns (end, errors) of the stretch of ``text`` from ``start`` on that is most like
    ``value``; errors are insertions, deletions and substitutions, more than allowed if none is."""
    window = text[start : start + len(value) + errors]
    row = list(range(len(window) + 1))
    for i, expected in enumerate(value, 1):
        previous, row[0] = row[0], i
        for j, found in enumerate(window, 1):
            previous, row[j] = (
                row[j],
                min(row[j] + 1, row[j - 1] + 1, previous + (found != expected)),
            )
        if min(row) > errors:
            return start, errors + 1
    best = min(range(len(row)), key=lambda j: (row[j], j))
    return start + best, row[best]
