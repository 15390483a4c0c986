"""What looks at the texts of a session, and what replaces them, on the walk over all of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from schemas.findings import Span
from transforms.privacy.dom_pieces import MAX_CHARS, replaced_in_pieces, worth_a_search
from transforms.privacy.encoded import find_encoded
from transforms.privacy.escapes import as_written, unescaped
from transforms.privacy.finder import TextFinder
from transforms.privacy.folding import folded
from transforms.privacy.patterns import EMAIL
from transforms.privacy.replace import Replacer
from transforms.privacy.session_fields import SessionFields
from transforms.privacy.spans import merged, shifted
from transforms.privacy.urls import in_url, url_parts
from transforms.privacy.values import ValueIndex

_TITLE_PART = re.compile(r"[^\s–—|·•-](?:(?!\s[–—|·•-]\s).)*")
NO_VALUES = ValueIndex(())


class Looker:
    """Collects every text of a session by kind, and the values of sensitive fields."""

    def __init__(self) -> None:
        self.place = ""
        self.texts: dict[str, dict[str, Counter]] = {}
        self.wholes: dict[tuple[str, str], int] = {}
        self.said: set[tuple[str, str]] = set()
        """Those of them that stand elsewhere than in what a server sent."""

    def text(self, text: str, kind: str) -> str:
        """Notes a text and where it stands."""
        if kind == "typing":
            return text
        self.texts.setdefault(kind, {}).setdefault(text, Counter())[self.place] += 1
        return text

    value = text

    def pieces(self, parts: Sequence[str], joiner: str) -> Sequence[str]:
        """Notes what several elements say together."""
        joined = joiner.join(parts)
        if worth_a_search(joined):
            self.text(joined, "split")
        return parts

    def unfinished(self, text: str, entity: str, key: str = "") -> str:
        """What a sensitive field holds in the end is known from the runs."""
        return text

    def whole(self, text: str, entity: str, key: str = "") -> str:
        """Notes a text that is sensitive from end to end."""
        entity = entity_of_value(text, entity)
        self.wholes[text, entity] = self.wholes.get((text, entity), 0) + 1
        if self.place != "response":
            self.said.add((text, entity))
        return text


class Redactor:
    """Replaces what the finder sees and every value of the session."""

    def __init__(
        self,
        finder: TextFinder,
        values: ValueIndex,
        halves: Mapping[str, tuple[int, str]],
        fields: SessionFields,
        replacer: Replacer,
    ) -> None:
        self.place = ""
        self.local = NO_VALUES
        """Values that were typed in the run whose event is walked; names that go no further."""
        self.own_names: frozenset[str] = frozenset()
        """What the application calls itself, folded: no name found in a text."""
        self.finder = finder
        self.values = values
        self.halves = halves
        self.fields = fields
        self.replacer = replacer
        self.counts: Counter = Counter()
        self._done: dict[tuple[str, str, bool], tuple[Span, ...]] = {}

    def spans(self, text: str, kind: str, halves: bool = False) -> tuple[Span, ...]:
        """Returns what is replaced in a text, disjoint and in order."""
        if kind == "typing" and self.local:
            return tuple(merged((*self._spans(text, kind, halves), *self.local.find(text))))
        return self._spans(text, kind, halves)

    def _spans(self, text: str, kind: str, halves: bool) -> tuple[Span, ...]:
        known = self._done.get((kind, text, halves))
        if known is None:
            found = without_own_names(text, self.finder.find(text, kind), self.own_names)
            found += self._known_values(text, kind)
            if halves:
                found += self._half(text)
            if kind == "title":
                for part in _TITLE_PART.finditer(text):
                    found += shifted(self._half(part.group()), part.start())
            if kind == "url":
                found += self._named_parameters(text, halves)
            known = self._done[kind, text, halves] = tuple(merged(found))
        return known

    def _known_values(self, text: str, kind: str) -> list[Span]:
        allowed = self.finder.config.allow
        found = self.values.find(text)
        read = unescaped(text)
        if read is not None:
            found += as_written(self.values.find(read[0]), read[1])
        if kind == "url" and ("%" in text or "+" in text):
            for part in url_parts(text):
                found += in_url(self.values.find(part.text), part)
        if kind == "id":
            found += self.finder.find_certain(text)  # what the check after the fact would object to
        else:
            found += find_encoded(text, self.values.find)
        return [s for s in found if text[s.start : s.end].casefold() not in allowed]

    def _half(self, text: str) -> list[Span]:
        half = self.halves.get(folded(text))
        return [Span(half[0], len(text), half[1], "value")] if half is not None else []

    def _named_parameters(self, text: str, halves: bool) -> list[Span]:
        """Parameters named like a sensitive field of this session, and half-typed ones."""
        found: list[Span] = []
        for part in url_parts(text):
            entity = self.fields.of_key(part.key) if part.key else None
            if entity is not None and part.text:
                found += in_url([Span(0, len(part.text), entity, "field")], part)
            elif part.kind == "value" and (half := self._half(part.text)):
                found += in_url(half, part)
        return found

    def text(self, text: str, kind: str) -> str:
        """A text without what is sensitive in it."""
        return self._replaced(text, self.spans(text, kind), kind)

    def value(self, text: str, kind: str) -> str:
        """A value, which may be half of one that was being typed."""
        return self._replaced(text, self.spans(text, kind, halves=True), kind)

    def pieces(self, parts: Sequence[str], joiner: str) -> Sequence[str]:
        """Texts of several elements without what they hold together."""
        joined = joiner.join(parts)
        if len(joined) > MAX_CHARS:
            return parts
        spans = self.finder.find(joined, "split") if worth_a_search(joined) else []
        spans = merged((*spans, *self.values.find(joined)))
        if not spans:
            return parts
        self.counts.update(span.entity for span in spans)
        new = [self.replacer.replacement(joined[s.start : s.end], s.entity) for s in spans]
        return replaced_in_pieces(parts, joiner, spans, new)

    def _replaced(self, text: str, spans: Sequence[Span], kind: str) -> str:
        if not spans:
            return text
        self.counts.update(span.entity for span in spans)
        return self.replacer.apply(text, spans, kind == "url")

    def whole(self, text: str, entity: str, key: str = "") -> str:
        """What stands for a text that is sensitive from end to end."""
        if text.casefold() in self.finder.config.allow:
            return text
        entity = entity_of_value(text, entity)
        self.counts[entity] += 1
        return self.replacer.replacement(text, entity)

    unfinished = whole


def without_own_names(text: str, spans: Sequence[Span], own_names: frozenset[str]) -> list[Span]:
    """Returns spans without names that are what the application calls itself, or a part of it."""
    named = [span for span in spans if span.origin in ("ner", "cue")]
    if not own_names or not named:
        return list(spans)
    low = folded(text)
    own = [
        (match.start(), match.end())
        for name in own_names
        if name in low
        for match in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", low)
    ]
    return [
        span
        for span in spans
        if span.origin not in ("ner", "cue")
        or not any(start <= span.start and span.end <= end for start, end in own)
    ]


def entity_of_value(value: str, entity: str) -> str:
    """Returns EMAIL for an address that somebody signs in with, else the field's own entity."""
    return "EMAIL" if entity == "USERNAME" and EMAIL.fullmatch(value.strip()) else entity
