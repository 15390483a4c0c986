"""Found values, searched for in other texts of the session by the rules of propagation.

Values match at token boundaries, folded for case, diacritics and look-alikes, with any blanks
between their words. Passwords and secrets are also found inside longer strings and in the encodings
that an echo may have (percent, JSON, HTML, Base64). A text that ends in the middle of a value, as
clipped names and half-typed fields do, is found too.
"""

from __future__ import annotations

import base64
import html
import json
import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from urllib.parse import quote, quote_plus

from schemas.findings import Found, Span
from transforms.privacy.entities import HIDDEN_ENTITIES, OTHER_PRIORITY, PRIORITY
from transforms.privacy.folding import folded
from transforms.privacy.patterns import LiteralGate

MIN_CHARS = 4
"""Shorter values are looked for in their own field only."""
MIN_INSIDE_CHARS = 8
"""Passwords and secrets from here on are found inside longer strings as well."""
MIN_CLIPPED_CHARS = 6
"""At least as much of a value must stand at the end of a text to count as clipped."""
MAX_CLIPPED_CHARS = 80
FEW_VALUES = 32
"""Up to so many are looked for one by one, more of them all at once."""
MAX_ALIKE = 64
"""Values that begin alike and are compared with the end of a text."""
WINDOW_TOKENS = 6
"""Any so many tokens in a row of a longer value are searched for as well: it may be quoted."""

TOKEN = re.compile(r"[^\W_]+")
_BLANKS = re.compile(r" +")


class ValueIndex:
    """An index of values by one of their tokens: one pass over a text finds all of them."""

    def __init__(self, values: Iterable[tuple[str, str]]) -> None:
        """Takes (value, entity) pairs; of equal values the first one names the entity."""
        self._by_token: dict[str, list[tuple[str, int, str]]] = {}
        self._inside: dict[str, str] = {}
        self._starts: list[tuple[str, int, int, str]] = []
        """(needle, rank, how much of it counts as clipped, entity), sorted: looked up by what a
        text ends in."""
        seen: set[str] = set()
        for value, entity in values:
            for form in _forms(value, entity):
                self._add(form, entity, seen)
        for entries in self._by_token.values():
            entries.sort(key=lambda entry: -len(entry[0]))
        self._starts.sort()
        self._longest = max((len(needle) for needle, *_ in self._starts), default=0)
        self._gate = LiteralGate(self._inside) if len(self._inside) > FEW_VALUES else None

    def _add(self, value: str, entity: str, seen: set[str]) -> None:
        needle = _BLANKS.sub(" ", folded(value).strip())
        if not needle or needle in seen:
            return
        seen.add(needle)
        token = TOKEN.search(needle)
        if token is not None:
            # Signs that stand alone before the first word are no part of what is searched for.
            needle = needle[needle.rfind(" ", 0, token.start()) + 1 :]
            token = TOKEN.search(needle)
        hidden = entity in HIDDEN_ENTITIES
        if token is None or (hidden and len(needle) >= MIN_INSIDE_CHARS and not needle.isalpha()):
            self._inside[needle] = entity
        if token is not None:
            if hidden and " " not in needle:  # secrets of one kind begin alike
                token = max(TOKEN.finditer(needle), key=lambda found: len(found.group()))
            self._by_token.setdefault(token.group(), []).append((needle, token.start(), entity))
            self._add_windows(needle, entity, seen)
        first_word = needle.partition(" ")[0]
        least = max(MIN_CLIPPED_CHARS, len(first_word) + 2 if " " in needle else 0)
        if least < len(needle):
            clipped = needle[:MAX_CLIPPED_CHARS]
            self._starts.append((clipped, len(self._starts), least, entity))

    def _add_windows(self, needle: str, entity: str, seen: set[str]) -> None:
        tokens = [match.span() for match in TOKEN.finditer(needle)]
        if len(tokens) <= WINDOW_TOKENS:
            return
        for (start, first_end), (_, end) in zip(tokens, tokens[WINDOW_TOKENS - 1 :]):
            window = needle[start:end]
            if window not in seen:
                seen.add(window)
                self._by_token.setdefault(needle[start:first_end], []).append((window, 0, entity))

    def __bool__(self) -> bool:
        return bool(self._by_token or self._inside)

    def find(self, text: str, folded_text: str | None = None) -> list[Span]:
        """Returns the spans of all values in a text; ``folded_text`` saves folding it again."""
        if not self:
            return []
        low = folded(text) if folded_text is None else folded_text
        spans: list[Span] = []
        by_token = self._by_token
        done = 0
        for token in TOKEN.finditer(low):
            entries = by_token.get(token.group())
            if entries is None or token.start() < done:
                continue
            for needle, lead, entity in entries:
                end = _match(low, needle, token.start() - lead)
                if end:
                    spans.append(Span(token.start() - lead, end, entity, "value"))
                    done = end
                    break
        needles = self._inside if self._gate is None else self._gate.occurring(low)
        for needle in needles:
            at = low.find(needle)
            while at >= 0:
                spans.append(Span(at, at + len(needle), self._inside[needle], "value"))
                at = low.find(needle, at + len(needle))
        tail = self._clipped_tail(low)
        if tail is not None:
            spans.append(tail)
        return spans

    def _clipped_tail(self, low: str) -> Span | None:
        """A value of which the text ends in the middle, three dots or a quote behind it or not."""
        end = len(low.rstrip(" .…\"')]»"))
        start = max(0, end - self._longest)
        for token in TOKEN.finditer(low, start, end):
            if token.start() and low[token.start() - 1].isalnum():
                continue
            entity = self._clipped(low[token.start() : end])
            if entity is not None:
                return Span(token.start(), end, entity, "value")
        return None

    def _clipped(self, tail: str) -> str | None:
        """The entity of the first value that begins so and goes on."""
        if len(tail) < MIN_CLIPPED_CHARS:
            return None
        best: tuple[int, str] | None = None
        at = bisect_left(self._starts, (tail,))
        for needle, rank, least, entity in self._starts[at : at + MAX_ALIKE]:
            if not needle.startswith(tail):
                break
            if least <= len(tail) < len(needle) and (best is None or rank < best[0]):
                best = rank, entity
        return best[1] if best is not None else None


def value_index(values: Sequence[Found]) -> ValueIndex:
    """Returns the values that are searched for everywhere, longest and most telling first."""
    spread = sorted((v for v in values if v.propagates), key=found_order)
    return ValueIndex((found.value, found.entity) for found in spread)


def found_order(found: Found) -> tuple:
    """Sorts findings: the most telling entity first, then the longest value."""
    return (
        PRIORITY.get(found.entity, OTHER_PRIORITY),
        -len(found.value),
        found.value,
        found.entity,
    )


def _forms(value: str, entity: str) -> list[str]:
    """A value and, if it is hidden, the ways in which an echo may write it."""
    forms = [value]
    if entity in HIDDEN_ENTITIES and len(value) >= MIN_CHARS:
        data = value.encode("utf-8", "replace")
        forms += [quote(value, safe="", errors="replace"), quote_plus(value, errors="replace")]
        forms += [quote(value, safe="!'()*", errors="replace"), quote(value, errors="replace")]
        forms += [html.escape(value), html.escape(value, False)]
        forms += [json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]]
        if len(value) >= 6:
            forms += [
                base64.b64encode(data).decode().rstrip("="),
                base64.urlsafe_b64encode(data).decode().rstrip("="),
                data.hex(),
            ]
    elif entity == "EMAIL":
        forms.append(quote(value, safe=""))
    elif entity in ("CARD", "SSN", "IBAN", "PHONE"):
        bare = re.sub(r"[^\w+]", "", value)
        if len(bare) >= 7:
            forms.append(bare)
    elif entity == "PERSON" and value.count(" ") == 1 and "," not in value:
        first, last = value.split(" ")
        forms.append(f"{last}, {first}")
    return forms


def _match(low: str, needle: str, start: int) -> int:
    """Where a needle that starts at ``start`` ends, 0 if it does not or not at a boundary."""
    if start < 0:
        return 0
    if low.startswith(needle, start):
        end = start + len(needle)
    elif " " in needle:
        end = _match_blanks(low, needle, start)
    else:
        return 0
    if not end or (start and low[start - 1].isalnum() and low[start].isalnum()):
        return 0
    if end < len(low) and low[end].isalnum() and low[end - 1].isalnum():
        return 0
    return end


def _match_blanks(low: str, needle: str, start: int) -> int:
    at = start
    for number, word in enumerate(needle.split(" ")):
        if number:
            start = at
            for gap in (" \u00a0", " \u00a0_+-."):
                at = _after(low, start, gap)
                if at > start and low.startswith(word, at):
                    break
            else:
                return 0
        elif not low.startswith(word, at):
            return 0
        at += len(word)
    return at


def _after(low: str, at: int, gap: str) -> int:
    """Where up to eight characters of a gap end."""
    end = min(at + 8, len(low))
    while at < end and low[at] in gap:
        at += 1
    return at
