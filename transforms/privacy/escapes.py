"""Texts as a reader sees them: character references and backslash escapes undone, offsets kept."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from schemas.findings import Span

_ESCAPE = re.compile(
    r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}"
)


def unescaped(text: str) -> tuple[str, list[tuple[int, int]]] | None:
    """Returns a text with its escapes undone, and for each character where it was written.

    None when there is nothing to undo. What stands for a character is undone once more where that
    gives another escape (``&amp;#64;``).
    """
    if ("&" not in text and "\\" not in text) or _ESCAPE.search(text) is None:
        return None
    chars: list[str] = []
    places: list[tuple[int, int]] = []
    at = 0
    for match in _ESCAPE.finditer(text):
        char = _meaning(match.group())
        if char is None:
            continue
        chars += text[at : match.start()]
        places += [(i, i + 1) for i in range(at, match.start())]
        chars += char
        places += [match.span()] * len(char)
        at = match.end()
    chars += text[at:]
    places += [(i, i + 1) for i in range(at, len(text))]
    made = "".join(chars)
    if made == text:
        return None
    deeper = unescaped(made) if len(made) < len(text) else None
    if deeper is None:
        return made, places
    inner, inner_places = deeper
    return inner, [(places[a][0], places[b - 1][1]) for a, b in inner_places]


def _meaning(escape: str) -> str | None:
    if escape[0] == "&":
        char = html.unescape(escape)
        return char if char != escape else None
    code = int(escape[2:], 16)
    return None if 0xD800 <= code < 0xE000 else chr(code)


def as_written(spans: Sequence[Span], places: Sequence[tuple[int, int]]) -> list[Span]:
    """Returns spans of an unescaped text as spans of the text as it was written."""
    return [
        Span(places[s.start][0], places[s.end - 1][1], s.entity, s.origin, s.score)
        for s in spans
        if s.end > s.start
    ]
