"""Texts made comparable one code point at a time, so that offsets stay those of the text itself."""

from __future__ import annotations

import unicodedata

INVISIBLE = frozenset(
    "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
    "\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\ufeff"
)
"""Characters that show nothing: a value that they are sprinkled over is still the value."""

_CONFUSABLE = dict(
    zip(
        "аеорсухіјѕԁһкмтвнАВЕЅКМНОРСТУХІЈαοερτυνικΑΒΕΖΗΙΚΜΝΟΡΤΥΧ‐‑‒–—−―’‘ʼ`´′“”„«»",
        "aeopcyxijsdhkmtbhABESKMHOPCTYXIJaoeptuvikABEZHIKMNOPTYX-------''''''\"\"\"\"\"",
    )
)
"""Look-alikes of other scripts, dashes and quotes → ASCII (after Unicode's TR39, abridged)."""


def plain_char(char: str) -> str:
    """Returns the compatibility form of one character where that is one character, else itself."""
    if char in _CONFUSABLE:
        return _CONFUSABLE[char]
    if "\ud800" <= char <= "\udfff":
        return "\ufffd"
    if char.isspace():
        return char if char in "\n\t\r" else " "
    plain = unicodedata.normalize("NFKC", char)
    return plain if len(plain) == 1 else char


def _folded_char(char: str) -> str:
    plain = plain_char(char)
    base = unicodedata.normalize("NFKD", plain)[:1] or plain
    base = base.lower() if len(base.lower()) == 1 else base
    return {"0": "o", "1": "l", "i": "l", "|": "l", "ı": "l", "\n": " ", "\t": " ", "\r": " "}.get(
        base, base
    )


class _Table(dict):
    """A table for ``str.translate`` that fills itself, so that it covers all of Unicode."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def __missing__(self, code: int) -> str:
        self[code] = result = self.function(chr(code))
        return result


_PLAIN = _Table(plain_char)
_FOLDED = _Table(_folded_char)


def plain(text: str) -> str:
    """Returns a text in which full-width digits, exotic blanks, dashes and quotes are ASCII.

    As long as the text; case and diacritics stay. What patterns are searched in.
    """
    return text if text.isascii() else text.translate(_PLAIN)


_ASCII_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}


def ascii_width(text: str) -> str:
    """Returns a text with full-width forms of ASCII characters as those; as long as the text."""
    return text if text.isascii() else text.translate(_ASCII_WIDTH)


def folded(text: str) -> str:
    """Returns a text as long as ``text`` without case, diacritics and look-alikes (0/o, 1/l/i)."""
    return text.translate(_FOLDED)


def without_invisible(text: str) -> tuple[str, list[int] | None]:
    """Returns a text without characters that show nothing, and where each character came from.

    The list is one longer than the text; None when nothing had to go.
    """
    if text.isascii() or not any(char in INVISIBLE for char in text):
        return text, None
    origin = [i for i, char in enumerate(text) if char not in INVISIBLE]
    return "".join(text[i] for i in origin), [*origin, len(text)]
