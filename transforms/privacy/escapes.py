"""Texts as a reader sees them: character references and backslash escapes undone, offsets kept."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from schemas.findings import Span

MAX_LEVELS = 16
"""How often escapes are looked for inside escapes; nothing honest comes near."""

_ESCAPE = re.compile(
    r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});|"
    r"\\(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[nrt\"'/\\])"
)
_SHORT = {"n": "\n", "r": "\r", "t": "\t"}

Read = tuple[str, list[tuple[int, int]]]
"""A text, and for each of its characters where it was written."""


def unescaped(text: str) -> Read | None:
    """Returns a text with its escapes undone; None when there is nothing to undo.

    What stands for a character is undone once more where that gives another escape
    (``&amp;#64;``), but no more than MAX_LEVELS times: ``is_escaped`` tells what goes deeper.
    """
    read = None
    for _ in range(MAX_LEVELS):
        step = _undone(text)
        if step is None:
            break
        text, inner = step
        places = inner if read is None else [(read[1][a][0], read[1][b - 1][1]) for a, b in inner]
        read = text, places
    return read


def is_escaped(text: str) -> bool:
    """Whether anything in a text stands for another character."""
    return _undone(text) is not None


def _undone(text: str) -> Read | None:
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
    if not at:
        return None
    chars += text[at:]
    places += [(i, i + 1) for i in range(at, len(text))]
    return "".join(chars), places


def _meaning(escape: str) -> str | None:
    if escape[0] == "&":
        char = html.unescape(escape)
        return char if char != escape else None
    if len(escape) == 2:
        return _SHORT.get(escape[1], escape[1])
    code = int(escape[2:], 16)
    return None if 0xD800 <= code < 0xE000 else chr(code)


def as_written(spans: Sequence[Span], places: Sequence[tuple[int, int]]) -> list[Span]:
    """Returns spans of an unescaped text as spans of the text as it was written."""
    return [
        Span(places[s.start][0], places[s.end - 1][1], s.entity, s.origin, s.score)
        for s in spans
        if s.end > s.start
    ]
