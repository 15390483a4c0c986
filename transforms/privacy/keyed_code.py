"""Values in code and markup by the name they stand under: ``"phone": "…"``, ``<phone>…</phone>``.

For bodies that are neither JSON nor a form: cut-off JSON, GraphQL, scripts, XML, HTML.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Protocol

from schemas.findings import Span

_PAIR = re.compile(
    r"(?:[\"']([\w\-. \[\]]{1,64})[\"']|(?<![\w\"'.$\-])([A-Za-z_]\w{0,63}))\s*:\s*"
    r"(?:[\"']((?:[^\"'\\]|\\.){1,4096})|(\d[\d.]{2,30}))"
)
_ELEMENT = re.compile(
    r"<(?:[\w.\-]{1,32}:)?([A-Za-z_][\w.\-]{0,63})(?:\s[^<>]{0,2000})?>([^<>]{1,4096})</"
)
_INPUT = re.compile(r"<(?:input|meta|param|option|property)\b[^<>]{0,4000}>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"\b(name|id|type|key|value|content)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")


class KeyRules(Protocol):
    """Says what stands under keys and in fields."""

    def of_key(self, key: str) -> str | None:
        """The entity that the value under a key is."""
        ...


def find_keyed(text: str, rules: KeyRules) -> Iterator[Span]:
    """Yields the values that a name before them says are sensitive."""
    for match in _PAIR.finditer(text):
        entity = rules.of_key(match[1] or match[2])
        if entity is not None:
            yield Span(*match.span(3 if match[3] is not None else 4), entity, "field")
    if "</" in text:
        for match in _ELEMENT.finditer(text):
            entity = rules.of_key(match[1])
            if entity is not None and not match[2].isspace():
                yield Span(*match.span(2), entity, "field")
    if "<" in text:
        for match in _INPUT.finditer(text):
            yield from _of_input(match, rules)


def _of_input(tag: re.Match[str], rules: KeyRules) -> Iterator[Span]:
    named = {
        attribute[1].lower(): attribute
        for attribute in _ATTRIBUTE.finditer(tag.string, tag.start(), tag.end())
    }
    value = named.get("value") or named.get("content")
    if value is None or not (value[2] or value[3]):
        return
    entity = None
    for name in ("name", "id", "key", "type"):
        if name in named and entity is None:
            entity = rules.of_key(html.unescape(named[name][2] or named[name][3] or ""))
    if entity is not None:
        yield Span(*value.span(2 if value[2] is not None else 3), entity, "field")
