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


def prefix_like(text: str, value: str, errors: int) -> tuple[int, int]:
    """Returns (length, errors) of the beginning of ``text`` that is most like ``value``.

    Errors are insertions, deletions and substitutions; when the best has more than ``errors``, the
    result says ``errors + 1``. Only cells near the diagonal are computed (Ukkonen, 1985).
    """
    beyond = errors + 1
    size = 2 * errors + 1
    # row[k] is the cost of value[:i] against text[: i + k - errors].
    row = [k - errors if k >= errors else beyond for k in range(size)]
    for i, expected in enumerate(value, 1):
        current = []
        for k in range(size):
            j = i + k - errors
            if j < 0 or j > len(text):
                current.append(beyond)
                continue
            cost = row[k] + (text[j - 1] != expected) if j else i
            if k + 1 < size and row[k + 1] + 1 < cost:
                cost = row[k + 1] + 1
            if k and current[k - 1] + 1 < cost:
                cost = current[k - 1] + 1
            current.append(cost)
        row = current
        if min(row) > errors:
            return 0, beyond
    best = min(range(size), key=lambda k: (row[k], abs(k - errors)))
    return len(value) + best - errors, min(row[best], beyond)
