"""URLs taken apart without losing offsets, so that only values in them are replaced.

The names of query parameters and the structure stay; user info, host, path segments, query
values and the fragment are decoded, searched, and what is found is mapped back to the encoded text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from schemas.findings import Span
from transforms.privacy.bodies import is_data_key

EMBEDDED = re.compile(
    r"\b(?:https?|ftp|wss?|mailto|file)://?[^\s<>\"'`|\\^{}]+|\bmailto:[^\s<>\"']+"
)
"""URLs inside other text."""

_PARTS = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*):)?(?://(?P<authority>[^/?#]*))?"
    r"(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?\Z",
    re.DOTALL,
)
_PAIR = re.compile(r"(?:\A|[&;])(?P<key>[^=&;]*)(?:=(?P<value>[^&;]*))?")
_SEGMENT = re.compile(r"[^/]+")
_NESTED = re.compile(
    r"%[0-9A-Fa-f]{2}|://|\A/[^\s?]*\?|\A[\w.\-\[\]]+=[^&\s]*(?:&|\Z)|[&?][\w.\-]+="
)
MAX_DEPTH = 8
"""How often URLs are looked for inside URLs."""


class UrlPart(NamedTuple):
    """One value of a URL: what it says, and where each of its characters starts."""

    kind: str
    """userinfo, host (with its port), segment or value (of a query or fragment parameter)."""
    key: str
    """Name of the parameter; empty for other parts."""
    text: str
    origin: list[int]
    """Offsets in the whole URL, one more than characters."""
    length: list[int]
    """How many characters of the URL each character takes."""


def decoded(raw: str, offset: int, plus: bool = False) -> tuple[str, list[int], list[int]]:
    """Percent-decodes a part as UTF-8 with the offset and length of each character.

    Bytes that are no UTF-8 stay as they are written.
    """
    chars: list[str] = []
    origin: list[int] = []
    length: list[int] = []
    i = 0
    while i < len(raw):
        char = raw[i]
        taken = 1
        if char == "%":
            char, taken = _escape(raw, i)
        elif char == "+" and plus:
            char = " "
        chars.append(char)
        origin.append(offset + i)
        length.append(taken)
        i += taken
    origin.append(offset + len(raw))
    return "".join(chars), origin, length


def _escape(raw: str, i: int) -> tuple[str, int]:
    """The character that starts at the ``%`` at i, and how long it is written."""
    data = bytearray()
    j = i
    while len(data) < 4 and raw[j : j + 1] == "%":
        try:
            data.append(int(raw[j + 1 : j + 3], 16) if len(raw[j + 1 : j + 3]) == 2 else -1)
        except ValueError:
            break
        j += 3
        try:
            return data.decode("utf-8"), j - i
        except UnicodeDecodeError:
            continue
    return raw[i], 1


def url_parts(url: str, depth: int = MAX_DEPTH) -> Iterator[UrlPart]:
    """Yields the parts of a URL that hold values; relative URLs and bare queries are fine too.

    A value that is a URL itself, or encoded once more (``next=%2Ffind%3Fq%3Da%2540b.example``), is
    followed by its own parts.
    """
    for part in _parts_of(url):
        yield part
        if depth and part.kind != "host" and _NESTED.search(part.text):
            for inner in url_parts(part.text, depth - 1):
                if inner.text != part.text:
                    yield _inside(part, inner)


def _inside(part: UrlPart, inner: UrlPart) -> UrlPart:
    """A part of a part, with offsets in the URL around both."""
    origin = [part.origin[at] for at in inner.origin]
    length = []
    for at, taken in zip(inner.origin, inner.length):
        last = at + taken - 1
        length.append(part.origin[last] + part.length[last] - part.origin[at])
    return UrlPart(inner.kind, inner.key, inner.text, origin, length)


def _parts_of(url: str) -> Iterator[UrlPart]:
    match = _PARTS.match(url)
    if match is None:  # pragma: no cover - the expression matches every text
        return
    authority = match["authority"]
    if authority:
        start, end = match.span("authority")
        host = start + authority.rfind("@") + 1
        if host > start:
            yield _part("userinfo", "", url, start, host - 1)
        if host < end:
            yield _part("host", "", url, host, end)
    start = match.start("path")
    for segment in _SEGMENT.finditer(match["path"] or ""):
        yield _part("segment", "", url, start + segment.start(), start + segment.end())
    if match["query"]:
        yield from _pairs(url, match.start("query"), match.end("query"))
    if match["fragment"]:
        yield from _fragment(url, match.start("fragment"), match.end("fragment"))


def _fragment(url: str, start: int, end: int) -> Iterator[UrlPart]:
    """A fragment is a route of a single-page application (``#/people?q=…``) or parameters."""
    raw = url[start:end]
    route, mark, query = raw.partition("?")
    if not mark and "=" in raw:
        yield from _pairs(url, start, end)
        return
    for segment in _SEGMENT.finditer(route):
        yield _part("segment", "", url, start + segment.start(), start + segment.end())
    if query:
        yield from _pairs(url, start + len(route) + 1, end)


def _pairs(url: str, start: int, end: int) -> Iterator[UrlPart]:
    """Parameters; a name that is data (``?jo@example.org=1``) is a part of its own."""
    raw = url[start:end]
    for match in _PAIR.finditer(raw):
        key = decoded(match["key"], 0, plus=True)[0]
        if key and (match["value"] is None or is_data_key(key)):
            yield _part(
                "segment", "", url, start + match.start("key"), start + match.end("key"), True
            )
        if match["value"] is not None:
            yield _part(
                "value", key, url, start + match.start("value"), start + match.end("value"), True
            )


def _part(kind: str, key: str, url: str, start: int, end: int, plus: bool = False) -> UrlPart:
    text, origin, length = decoded(url[start:end], start, plus)
    return UrlPart(kind, key, text, origin, length)


def in_url(spans: Iterable[Span], part: UrlPart) -> list[Span]:
    """Returns spans of a decoded part as spans of the URL it is written in."""
    return [
        Span(
            part.origin[s.start],
            part.origin[s.end - 1] + part.length[s.end - 1],
            s.entity,
            s.origin,
            s.score,
        )
        for s in spans
        if s.end > s.start
    ]
