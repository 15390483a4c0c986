"""presidio-analyzer's pattern recognizers, called directly behind a hyperscan gate.

The gate is one hyperscan database of every regular expression in prefilter mode: by definition it
matches wherever the expression itself would, and more. Only recognizers whose expressions it saw
are asked; without hyperscan all are. Nothing reaches the network. presidio passes over a pattern
that times out; here such a text counts as sensitive from end to end.
"""

from __future__ import annotations

import functools
import importlib
import logging
from collections.abc import Iterable
from typing import Any

import regex

from schemas.findings import Span
from transforms.privacy.entities import OURS_OF_PRESIDIO, PRESIDIO_ENTITIES

_FLAGS = regex.IGNORECASE | regex.DOTALL | regex.MULTILINE
"""What presidio compiles its patterns with."""

EMAIL = regex.compile(
    r"(?<![\w.%+'\-@])[\w.%+'\-]{1,64}(?<![.'])@(?:[\w](?:[\w\-]{0,61}[\w])?\.){1,8}[^\W\d_]{2,24}"
    r"(?![\w@])",
)
"""Looser than presidio's, which asks for a registered public suffix."""


class PresidioTimeout(Exception):
    """A recognizer took too long on a text; the caller treats all of it as sensitive."""


def keep_off_the_network() -> None:
    """Makes tldextract, which presidio asks for public suffixes, use its packaged snapshot."""
    import tldextract

    inner: Any = importlib.import_module("tldextract.tldextract")
    outer: Any = tldextract
    inner.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    outer.extract = functools.lru_cache(65536)(inner.TLD_EXTRACTOR.__call__)


def load_recognizers(entities: Iterable[str]) -> list[Any]:
    """Returns presidio's recognizer objects for (their or our names of) entities."""
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    keep_off_the_network()
    module = importlib.import_module("presidio_analyzer.predefined_recognizers")
    wanted = set(entities)
    names = [
        (name, recognizer)
        for name, recognizer in PRESIDIO_ENTITIES.items()
        if name in wanted or OURS_OF_PRESIDIO.get(name) in wanted
    ]
    return [getattr(module, recognizer)() for _, recognizer in names]


class PatternGate:
    """Says which of several sets of regular expressions can match in a text at all."""

    def __init__(self, patterns: Iterable[Iterable[str]]) -> None:
        self.sets = [list(expressions) for expressions in patterns]
        self.everything = frozenset(range(len(self.sets)))
        self.always: set[int] = set()
        self.owner: list[int] = []
        self.database: Any = None
        try:
            import hyperscan
        except ImportError:
            return
        self._build(hyperscan)

    def _build(self, hyperscan: Any) -> None:
        flags = (
            hyperscan.HS_FLAG_PREFILTER
            | hyperscan.HS_FLAG_SINGLEMATCH
            | hyperscan.HS_FLAG_CASELESS
            | hyperscan.HS_FLAG_DOTALL
            | hyperscan.HS_FLAG_MULTILINE
            | hyperscan.HS_FLAG_UTF8
            | hyperscan.HS_FLAG_UCP
            | hyperscan.HS_FLAG_ALLOWEMPTY
        )
        compiled: list[bytes] = []
        for number, expressions in enumerate(self.sets):
            for expression in expressions:
                try:
                    probe = hyperscan.Database()
                    probe.compile(
                        expressions=[expression.encode()], ids=[0], elements=1, flags=[flags]
                    )
                except (hyperscan.error, UnicodeEncodeError):
                    self.always.add(number)
                    continue
                compiled.append(expression.encode())
                self.owner.append(number)
        if compiled:
            database = hyperscan.Database()
            database.compile(
                expressions=compiled,
                ids=list(range(len(compiled))),
                elements=len(compiled),
                flags=[flags] * len(compiled),
            )
            database.scratch = hyperscan.Scratch(database)
            self.database = database

    def candidates(self, text: str) -> set[int] | frozenset[int]:
        """Returns the numbers of the sets that may match; all of them without hyperscan."""
        if self.database is None:
            return self.everything
        hit = set(self.always)
        owner = self.owner
        self.database.scan(
            text.encode("utf-8", "replace"),
            match_event_handler=lambda number, *_: hit.add(owner[number]),
        )
        return hit


class LiteralGate:
    """Says which of many texts occur in another one, looking for all of them at once."""

    def __init__(self, literals: Iterable[str]) -> None:
        self.literals = list(literals)
        self.database: Any = None
        try:
            import hyperscan
        except ImportError:
            return
        self.database = hyperscan.Database()
        self.database.compile(
            expressions=[
                b"".join(b"\\x%02x" % byte for byte in literal.encode("utf-8", "replace")[:64])
                for literal in self.literals
            ],
            ids=list(range(len(self.literals))),
            elements=len(self.literals),
            flags=[hyperscan.HS_FLAG_SINGLEMATCH] * len(self.literals),
        )
        self.database.scratch = hyperscan.Scratch(self.database)

    def occurring(self, text: str) -> list[str]:
        """Returns the literals that may occur in a text: their first 64 bytes do."""
        if self.database is None:
            return self.literals
        hit: set[int] = set()
        self.database.scan(
            text.encode("utf-8", "replace"),
            match_event_handler=lambda number, *_: hit.add(number),
        )
        return [self.literals[number] for number in sorted(hit)]


@functools.lru_cache(8)
def shared_gate(sets: tuple[tuple[str, ...], ...]) -> PatternGate:
    """Returns the gate of some sets of expressions; compiling takes half a second."""
    return PatternGate(sets)


class PresidioPatterns:
    """The recognizers of the entities that are switched on, run fast and failing closed."""

    OURS = frozenset(("EMAIL_ADDRESS", "IP_ADDRESS", "MAC_ADDRESS"))
    """Found by our own rules, which are a superset or know versions from addresses."""

    def __init__(self, entities: Iterable[str], min_score: float, timeout_s: float) -> None:
        self.min_score = min_score
        self.timeout_s = timeout_s
        self.recognizers = []
        self.phone = None
        for recognizer in load_recognizers(entities):
            name = recognizer.supported_entities[0]
            if name == "PHONE_NUMBER":
                self.phone = recognizer
            elif name not in self.OURS:
                self.recognizers.append(recognizer)
        self.compiled = [
            [
                (regex.compile(pattern.regex, _FLAGS), pattern.score)
                for pattern in recognizer.patterns
            ]
            for recognizer in self.recognizers
        ]
        self.gate = shared_gate(
            tuple(tuple(p.regex for p in recognizer.patterns) for recognizer in self.recognizers)
        )

    def find(self, text: str) -> list[Span]:
        """Returns what the recognizers find; raises PresidioTimeout when one does not end."""
        spans: list[Span] = []
        if not self.recognizers:
            return spans
        for number in self.gate.candidates(text):
            recognizer = self.recognizers[number]
            name = recognizer.supported_entities[0]
            entity = OURS_OF_PRESIDIO.get(name, name)
            for compiled, score in self.compiled[number]:
                try:
                    found = [m.span() for m in compiled.finditer(text, timeout=self.timeout_s)]
                except TimeoutError:
                    raise PresidioTimeout(name) from None
                for start, end in found:
                    value = text[start:end]
                    if not value:
                        continue
                    rating = _validated(recognizer, value, score)
                    if rating >= self.min_score:
                        spans.append(Span(start, end, entity, "pattern", rating))
        return spans

    def is_phone(self, candidate: str) -> bool:
        """Whether a stretch of digits is a valid phone number of one of presidio's regions."""
        return self.phone is not None and _is_phone(candidate, tuple(self.phone.supported_regions))


def _validated(recognizer: Any, value: str, score: float) -> float:
    """What presidio's own loop makes of a match: checksums raise or reject it."""
    valid = recognizer.validate_result(value)
    if valid is not None:
        score = 1.0 if valid else 0.0
    if recognizer.invalidate_result(value):
        score = 0.0
    return score


@functools.lru_cache(16384)
def _is_phone(candidate: str, regions: tuple[str, ...]) -> bool:
    import phonenumbers

    for region in regions:
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(candidate, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return False
