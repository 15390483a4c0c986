"""Finds what is sensitive in single texts: patterns, numbers, secrets and names, cached.

What a text is decides how it is searched (its *kind*):

- ``prose``: running text, values of bodies, thoughts, descriptions, visible text of a page;
- ``title``: of a window or a page;
- ``key``: what somebody typed; ``typing``: the same while it is being typed, where half words
  would look like names;
- ``ui``: labels and buttons, which are the program's own words more often than a person's;
- ``url``: taken apart and decoded first; ``path``: file names and segments of paths;
- ``code``: bodies that are no JSON, scripts, logs; long numbers in it mean nothing;
- ``id``: identifiers, where only patterns count that are certain (addresses, numbers by their form
  or checksum, tokens that say what they are);
- ``split``: the texts of several elements in one, in which patterns count and numbers only if they
  say what they are;
- ``ocr``: recognised from pixels, so digits and letters are confused and dots are missing.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import regex

from schemas.findings import Span
from transforms.privacy import numbers
from transforms.privacy.config import OwnPattern, ScrubberConfig
from transforms.privacy.encoded import find_encoded
from transforms.privacy.escapes import as_written, is_escaped, unescaped
from transforms.privacy.fields import FieldRules
from transforms.privacy.folding import ascii_width, folded, plain, without_invisible
from transforms.privacy.keyed_code import find_keyed
from transforms.privacy.misread import find_misread
from transforms.privacy.patterns import EMAIL, PresidioPatterns, PresidioTimeout
from transforms.privacy.personal_facts import find_personal_facts
from transforms.privacy.secrets import (
    find_links,
    find_secrets,
    find_url_credentials,
    is_key_like,
)
from transforms.privacy.spans import mapped, merged, shifted, without_doubtful
from transforms.privacy.urls import EMBEDDED, in_url, url_parts
from transforms.privacy.usernames import find_profiles, find_user_names
from transforms.privacy.values import ValueIndex

KINDS = frozenset("prose title key typing ui url path code id split ocr".split())

UNREAD = "unread"
"""Origin of a span that stands for a text which could not be searched to its end."""
_SAID_AS_IT_IS = frozenset("id typing split ocr".split())
"""Kinds of text in which nothing is written in Base64."""
_PARTS_OF_URLS = frozenset(("url", "path"))
"""Kinds of what `url_parts` yields, which has taken apart what lies inside already."""

_OVERLAP = 256
"""Characters that two pieces of a huge text share, so that nothing is cut in two."""

_PHONE_RUN = re.compile(r"(?<![\w.,:/\-+])[+(]?\d[\d ().\-/]{5,24}\d(?![\w:/%\-]|[.,]\d)")


_BEFORE_NUMBER = re.compile(r"(?<=[A-Za-z])[_\-#=](?=[+\d])")
"""What joins a word and a number in an identifier (``row-078-05-1120``)."""
_KEY = re.compile(
    r"(?:[\w\-]*[_\-])?key|app_?id|code|ticket|token_?hash|\w*[_\-]token", re.IGNORECASE
)
"""Parameters of URLs that hold a key if it looks like one."""
_PHONE_CUE = re.compile(
    r"\b(?:phone|tel|telephone|mobile|cell|call|fax|sms|whats ?app|contact|telefon|handy|mob)\b",
    re.IGNORECASE,
)
_FILE_NAME = re.compile(r"[^\s/\\]{6,200}")
_ENDS_AS_FILE = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}\Z")
MAX_FILE_NAME = 400
"""Longer texts are no names of files."""
_NO_TEXT = re.compile(
    r"<(?!!\[CDATA\[|!--)[A-Za-z!/][^<>]{0,2000}>|[\"'][\w\-. $]{1,64}[\"'](?=\s*:)"
)
"""Tags and keys, in which names are not looked for."""


def _blank(match: re.Match[str]) -> str:
    return "\n" + " " * (len(match.group()) - 1)


class NameSource(Protocol):
    """What finds names, places and organisations."""

    def find_many(self, texts: Sequence[str], kinds: Sequence[str]) -> list[list[Span]]:
        """Returns the spans of each text."""
        ...


class TextFinder:
    """Finds spans in texts, for one configuration; one per worker, never shared by threads."""

    def __init__(self, config: ScrubberConfig, names: NameSource | None = None) -> None:
        """Loads the recognizers and, unless ``names`` is given, the model the rules name."""
        self.config = config
        self.fields = FieldRules(config)
        self.names = load_names(config) if names is None else names
        self._presidio = PresidioPatterns(
            config.entities,
            config.thresholds.presidio_score,
            config.thresholds.presidio_timeout_s,
        )
        self._own = [
            (pattern, regex.compile(pattern.regex.pattern, pattern.regex.flags & regex.IGNORECASE))
            for pattern in config.patterns
        ]
        self._denied = ValueIndex((value, entity) for value, entity in config.deny)
        self._cache: OrderedDict[tuple[str, str], tuple[Span, ...]] = OrderedDict()
        self._cached_chars = 0

    def find(self, text: str, kind: str = "prose") -> list[Span]:
        """Returns the sensitive spans of a text, disjoint and in order.

        Args:
            text: any text; offsets of the result are its code points.
            kind: one of :data:`KINDS`; anything else is searched as prose.
        """
        return self.find_many((text,), kind)[0]

    def find_many(self, texts: Sequence[str], kind: str = "prose") -> list[list[Span]]:
        """Returns the spans of each text; names are looked for in all new texts at once."""
        kind = kind if kind in KINDS else "prose"
        missing: dict[str, None] = {}
        for text in texts:
            if (kind, text) in self._cache:
                self._cache.move_to_end((kind, text))
            else:
                missing[text] = None
        found = dict(zip(missing, self._find_new(list(missing), kind)))
        result = [list(found[text] if text in found else self._cache[kind, text]) for text in texts]
        for text, spans in found.items():
            self._remember(kind, text, tuple(spans))
        return result

    def forget(self) -> None:
        """Empties the cache.

        Scores depend in their last bits on which texts were searched together; a session that
        starts with an empty cache gives the same result whatever was searched before it.
        """
        self._cache.clear()
        self._cached_chars = 0
        forget = getattr(self.names, "forget", None)
        if forget is not None:
            forget()

    def find_certain(self, text: str) -> list[Span]:
        """Returns what is sensitive beyond doubt, whatever kind of text this is; no names.

        Checks of finished output use it: what it sees must have been redacted.
        """
        seen, origin = without_invisible(text)
        seen = plain(seen)
        try:
            spans = self._in_text(seen, "id") + self._own_patterns(seen)
            spans += numbers.find_numbers(seen, "code")
        except (PresidioTimeout, TimeoutError):
            return [_all_of(text)]
        return self._kept(text, spans if origin is None else mapped(spans, origin))

    def _remember(self, kind: str, text: str, spans: tuple[Span, ...]) -> None:
        self._cache[kind, text] = spans
        self._cached_chars += len(text) + 100
        while self._cached_chars > self.config.limits.cache_mb << 20 and self._cache:
            (_, old), _ = self._cache.popitem(last=False)
            self._cached_chars -= len(old) + 100

    def _find_new(self, texts: list[str], kind: str) -> list[list[Span]]:
        """Searches texts that are not in the cache; huge ones in pieces."""
        pieces: list[str] = []
        owners: list[tuple[int, int]] = []
        for number, text in enumerate(texts):
            for start, end in _pieces(text, self.config.limits.text_chars):
                pieces.append(text[start:end])
                owners.append((number, start))
        named = self._names(pieces, kind)
        spans: list[list[Span]] = [[] for _ in texts]
        for piece, names, (number, offset) in zip(pieces, named, owners):
            spans[number] += shifted(self._in_piece(piece, kind) + names, offset)
        return [self._kept(text, found) for text, found in zip(texts, spans)]

    def _names(self, pieces: list[str], kind: str) -> list[list[Span]]:
        if self.names is None or kind in ("id", "typing", "split"):
            return [[] for _ in pieces]
        if kind == "code":
            pieces = [_NO_TEXT.sub(_blank, piece) for piece in pieces]
        if kind != "url":
            seen = [without_invisible(ascii_width(piece)) for piece in pieces]
            found = self.names.find_many([text for text, _ in seen], [kind] * len(pieces))
            return [
                names if origin is None else mapped(names, origin)
                for names, (_, origin) in zip(found, seen)
            ]
        parts = [
            (number, part)
            for number, piece in enumerate(pieces)
            for part in url_parts(piece)
            if part.kind not in ("userinfo", "host") and any(c.isalpha() for c in part.text)
        ]
        said = self.names.find_many([part.text for _, part in parts], ["path"] * len(parts))
        spans: list[list[Span]] = [[] for _ in pieces]
        for (number, part), names in zip(parts, said):
            spans[number] += in_url(names, part)
        return spans

    def _in_piece(self, text: str, kind: str) -> list[Span]:
        seen, origin = without_invisible(text)
        seen = plain(seen)
        try:
            spans = self._in_url(seen) if kind == "url" else self._as_read(seen, kind)
        except (PresidioTimeout, TimeoutError):
            return [_all_of(text)]
        return spans if origin is None else mapped(spans, origin)

    def _as_read(self, text: str, kind: str) -> list[Span]:
        """Spans of a text as it is written and as it reads, its escapes and Base64 undone."""
        spans = self._in_text(text, kind)
        read = unescaped(text)
        if read is not None:
            if is_escaped(read[0]):
                return [_all_of(text)]
            spans += as_written(self._in_text(read[0], kind), read[1])
        if kind not in _SAID_AS_IT_IS:
            spans += find_encoded(text, self._in_decoded)
        return spans

    def _in_decoded(self, text: str) -> list[Span]:
        return self._in_text(plain(text), "code" if text[:1] in "{[<" else "prose")

    def _in_text(self, text: str, kind: str) -> list[Span]:
        spans = [] if kind == "id" else self._own_patterns(text)
        spans += self._denied.find(text, folded(text))
        if "_" in text and kind not in ("code", "typing") and len(text) <= MAX_FILE_NAME:
            spans += _in_file_names(text)
        if "@" in text:
            spans += [
                Span(match.start(), match.end(), "EMAIL", "pattern")
                for match in EMAIL.finditer(text, timeout=self.config.thresholds.presidio_timeout_s)
            ]
        if kind == "id":
            if len(text) >= 7:
                spans += numbers.find_numbers(text, "id")
                if (parted := _BEFORE_NUMBER.sub(" ", text)) != text:
                    spans += numbers.find_numbers(parted, "id")
                spans += [s for s in find_secrets(text, "id", 9.0) if s.score >= 1.0]
            return spans
        if len(text) >= 6:
            if kind != "ocr" or len(text) < 4096:
                spans += self._presidio.find(text)
            spans += self._numbers(text, kind)
            spans += find_secrets(text, kind, self.config.thresholds.secret_entropy_bits)
            if kind != "code":
                spans += find_user_names(text)
            spans += find_personal_facts(text)
        if kind == "ocr":
            spans += find_misread(text)
        if kind not in _PARTS_OF_URLS and ("%" in text or "://" in text):
            for match in EMBEDDED.finditer(text):
                spans += shifted(self._in_url(match.group()), match.start())
        if kind == "code":
            spans += find_keyed(text, self.fields)
        return spans

    def _numbers(self, text: str, kind: str) -> list[Span]:
        spans = numbers.find_numbers(text, kind)
        if kind == "code" and len(numbers.DIGITS.findall(text)) >= 7:
            spans += _called_numbers(text)
        if kind in (*numbers.IDENTIFIER_KINDS, "split") or len(numbers.DIGITS.findall(text)) < 8:
            return spans
        for match in _PHONE_RUN.finditer(text):
            value = match.group()
            digits = sum(char.isdigit() for char in value)
            if not 9 <= digits <= 15 or any(
                s.start <= match.start() and match.end() <= s.end for s in spans
            ):
                continue
            if value.isdigit() and (digits != 10 or value[0] in "01"):
                continue
            if numbers.is_date(value) or (" " in value and not _phone_blanks(value)):
                continue
            if self._presidio.is_phone(value):
                spans.append(Span(match.start(), match.end(), "PHONE", "pattern", 0.4))
        return spans

    def _in_url(self, url: str) -> list[Span]:
        """Spans of a URL: parameters by name, every part by what it says."""
        spans: list[Span] = [*find_profiles(url), *find_links(url)]
        if "@" in url or "hooks" in url:
            spans += find_url_credentials(url)
        for part in url_parts(url):
            entity = self.fields.of_key(part.key) if part.key else None
            if part.kind == "userinfo":
                entity = "SECRET" if ":" in part.text else "USERNAME"
            if entity is not None and part.text:
                whole = [Span(0, len(part.text), entity, "field")]
                spans += in_url(whole, part)
                continue
            if len(part.text) < 3:
                continue
            if part.key and _KEY.fullmatch(part.key) and is_key_like(part.text):
                spans += in_url([Span(0, len(part.text), "SECRET", "field")], part)
                continue
            if part.kind == "host":
                inner = self._in_host(part.text)
            else:
                # A segment with blanks is something that was said, and no identifier.
                kind = "url" if part.kind == "segment" and " " not in part.text else "path"
                inner = self._as_read(plain(part.text), kind)
                if "://" in part.text[:12]:
                    inner += find_profiles(part.text)
                if part.text[:1] in "{[":
                    inner += find_keyed(part.text, self.fields)
            spans += in_url(inner, part)
        return spans

    def _in_host(self, host: str) -> list[Span]:
        """A host is public, but for addresses of machines and values that are always redacted."""
        addresses = numbers.find_addresses_of_machines(host, "url")
        return [*addresses, *self._denied.find(host)]

    def _own_patterns(self, text: str) -> list[Span]:
        spans = []
        for pattern, compiled in self._own:
            for match in compiled.finditer(text, timeout=self.config.thresholds.presidio_timeout_s):
                start, end = match.span(pattern.group)
                if end > start and _is_near(pattern, text, start):
                    spans.append(Span(start, end, pattern.entity, "pattern"))
        return spans

    def _kept(self, text: str, spans: Iterable[Span]) -> list[Span]:
        """Merged spans of entities that are switched on, without what is allowed."""
        config = self.config
        return merged(
            without_doubtful(
                span
                for span in spans
                if (span.entity in config.entities or span.origin == UNREAD)
                and text[span.start : span.end].strip(" .,;:").casefold() not in config.allow
            )
        )


def _in_file_names(text: str) -> Iterator[Span]:
    """What names of files say with ``_`` for a blank: ``Date_of_birth_1968-05-27.pdf``."""
    for match in _FILE_NAME.finditer(text):
        ending = _ENDS_AS_FILE.search(match.group())
        if ending is None or sum(map(str.isdigit, match.group()[: ending.start()])) < 2:
            continue
        said = match.group()[: ending.start()].replace("_", " ")
        found = [*numbers.find_numbers(said, "prose"), *find_personal_facts(said)]
        yield from shifted([*found, *find_secrets(said, "id", 9.0)], match.start())


def _called_numbers(text: str) -> Iterator[Span]:
    """Phone numbers in code and markup, where only those count that are written and named so."""
    for cue in _PHONE_CUE.finditer(text):
        match = _PHONE_RUN.search(text, cue.end(), cue.end() + 50)
        if match is None or match.start() > cue.end() + 20 or match.group().isdigit():
            continue
        yield from shifted(
            numbers.find_phones(text[cue.start() : match.end()], "prose"), cue.start()
        )


def _all_of(text: str) -> Span:
    """Closes a text that could not be searched, whatever is switched on."""
    return Span(0, len(text), "SECRET", UNREAD)


def load_names(config: ScrubberConfig) -> NameSource | None:
    """Returns the finder of names that the rules name, None for ``none``."""
    if config.names.model == "none":
        return None
    from transforms.privacy.names import NameFinder

    return NameFinder(config)


def _is_near(pattern: OwnPattern, text: str, start: int) -> bool:
    before = text[max(0, start - 40) : start].casefold()
    return not pattern.near or any(word in before for word in pattern.near)


def _phone_blanks(value: str) -> bool:
    """Whether blanks stand where they do in phone numbers, not in columns of numbers."""
    groups = value.split()
    return len(groups) <= 5 and all(len(group) <= 11 for group in groups) and value.count("  ") == 0


def _pieces(text: str, size: int) -> list[tuple[int, int]]:
    """Cuts a text into overlapping pieces, at white space where there is some."""
    if len(text) <= size:
        return [(0, len(text))]
    pieces = []
    start = 0
    while True:
        end = min(start + size, len(text))
        if end < len(text):
            cut = max(
                text.rfind(" ", start + size // 2, end), text.rfind("\n", start + size // 2, end)
            )
            end = cut + 1 if cut > 0 else end
        pieces.append((start, end))
        if end >= len(text):
            return pieces
        start = max(start + 1, end - _OVERLAP)
