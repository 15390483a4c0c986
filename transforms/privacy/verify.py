"""After the fact: searches what was written, before it is published, and reports places only.

Two questions are asked of every decoded value. Does a recogniser see something certain in it (an
address, a card, a secret)? And does any stretch of 1–6 tokens hash to something that was found in
the session? The second needs no values: digests under the session's key are enough. Replacements
come from reserved ranges and are exempt, identifiers and hashes by the schema.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

from schemas.findings import Found
from transforms.privacy.bodies import is_data_key
from transforms.privacy.finder import TextFinder
from transforms.privacy.folding import folded
from transforms.privacy.replace import PASSWORD_MARK, USER_MARK, is_replacement
from transforms.privacy.values import MIN_CHARS, TOKEN, WINDOW_TOKENS

DIGEST_BYTES = 8

_BLANKS = re.compile(r"[ _]+")
_IN_QUERY = re.compile(r"\+(?=[^\s@]*@)|%[0-9A-Fa-f]{2}")
_DIGITS_BEFORE = re.compile(r"9999[\d \-]*\Z")
_MARK = re.compile(r"<(?:REDACTED|[A-Z][A-Z0-9_]*_\d+)>")

EXEMPT_COLUMNS = frozenset(
    """session_id event_id user_id suite_id segment_id example_id task_id step_id model_id id ids
    action_tool_map_id first_event_id last_event_id raw_event_ids frame_id frame_ids segment_ids
    storage_path example_path screenshot_path config_hash digest sha256 key fingerprint run_id
    code_version prompt_version timestamp timestamp_us start_us end_us created_at shape type
    disposition reason status stage code model model_configuration version tool_call_id""".split()
)
"""Columns and keys that hold identifiers, hashes and words of ours, in every table."""

_IDENTIFIER_KEY = re.compile(r"(?:.*_)?(?:id|ids|hash|sha256|digest|selector|tag|role|input_type)")


@functools.lru_cache(4096)
def _is_exempt(key: str) -> bool:
    return key in EXEMPT_COLUMNS or bool(_IDENTIFIER_KEY.fullmatch(key.lower()))


class Hit(NamedTuple):
    """Something that should not have been written: what kind of thing, and where; never itself."""

    entity: str
    table: str
    column: str
    how: str
    """``pattern`` (a recogniser saw it) or ``value`` (the session's findings hold it)."""


def _digest(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode("utf-8", "replace"), hashlib.blake2b).digest()[:DIGEST_BYTES]


def _windows(text: str, firsts: Collection[bytes] | None, key: bytes) -> Iterator[str]:
    """Yields every stretch of 1–6 tokens, normalised: folded, blanks as one.

    With ``firsts`` only stretches whose first token is in there are made.
    """
    low = folded(text)
    tokens = [match.span() for match in TOKEN.finditer(low)]
    first_of = functools.lru_cache(4096)(lambda token: _digest(key, f"first {token}"))
    for number, (start, end) in enumerate(tokens):
        if firsts is not None and first_of(low[start:end]) not in firsts:
            continue
        for _, stop in tokens[number : number + WINDOW_TOKENS]:
            yield _BLANKS.sub(" ", low[start:stop])


def value_digests(values: Iterable[Found], key: bytes) -> frozenset[bytes]:
    """Returns digests of the values that nothing published may hold.

    A value of more than six tokens is represented by all its stretches of six. First tokens have
    digests of their own, so that a search hashes little.

    Args:
        values: of one session; those that stay in their own field are left out.
        key: of that session.
    """
    digests: set[bytes] = set()
    for found in values:
        low = folded(found.value.strip())
        spans = [match.span() for match in TOKEN.finditer(low)]
        if not found.propagates or len(found.value) < MIN_CHARS or not spans:
            continue
        for number in range(max(1, len(spans) - WINDOW_TOKENS + 1)):
            start, end = spans[number]
            stop = spans[min(number + WINDOW_TOKENS, len(spans)) - 1][1]
            if stop - start < MIN_CHARS or (low[start:stop].isalpha() and low[start:stop] != low):
                continue  # "+49 (0)" is not told by its digits, nor "Summer!" by a word
            digests.add(_digest(key, _BLANKS.sub(" ", low[start:stop])))
            digests.add(_digest(key, f"first {low[start:end]}"))
    return frozenset(digests)


class OutputChecker:
    """Checks the decoded values of one session's output."""

    def __init__(
        self, finder: TextFinder, digests: Collection[bytes] = frozenset(), key: bytes = b""
    ) -> None:
        """Takes the recognisers, and the digests of the session's values with their key."""
        self.finder = finder
        self.digests = digests
        self.key = key
        self._known: dict[bytes, tuple[tuple[str, str], ...]] = {}
        """What texts hold, by their digest: steps, rows and messages repeat pages and prompts."""

    def check(self, value: Any, table: str, column: str) -> list[Hit]:
        """Returns the hits in a value of a column: a text, or JSON in a text, or nested values."""
        if column in EXEMPT_COLUMNS:
            return []
        hits: list[Hit] = []
        for key, text in _texts(value, column):
            if not _is_exempt(key):
                hits += self._check_text(text, table, column)
        return list(dict.fromkeys(hits))

    def _check_text(self, text: str, table: str, column: str) -> list[Hit]:
        name = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = tuple(self._search(text))
        return [Hit(entity, table, column, how) for entity, how in found]

    def _search(self, text: str) -> Iterator[tuple[str, str]]:
        """Yields (entity, how) of what a text holds."""
        for span in self.finder.find_certain(text):
            # In a URL an address may seem to begin with the words before it: ``to+jo@example.org``,
            # and what stands for credentials to make one with the host behind it.
            value = _IN_QUERY.split(text[span.start : span.end])[-1]
            who = value.partition("@")[0]
            marked = who.startswith((PASSWORD_MARK, USER_MARK)) and is_replacement(who)
            # "0060 0203 5095" is no phone behind "9999", which begins no card of anyone's.
            lead = _DIGITS_BEFORE.search(text[max(0, span.start - 24) : span.start])
            wider = f"{lead.group() if lead else ''}{value}"
            if not (marked or is_replacement(value) or is_replacement(wider)):
                yield span.entity, "pattern"
        if self.digests:
            # What stands where something was removed is no place for a value to go on.
            for part in _MARK.split(text):
                for window in _windows(part, self.digests, self.key):
                    if _digest(self.key, window) in self.digests and not is_replacement(window):
                        yield "value", "value"
                        break


def _texts(value: Any, key: str) -> Iterator[tuple[str, str]]:
    """Yields (key, text) of a value and all that is nested in it, JSON in texts and keys too."""
    stack: list[tuple[str, Any]] = [(key, value)]
    while stack:
        key, value = stack.pop()
        if isinstance(value, str):
            inner = _parsed(value)
            if inner is None:
                yield key, value
            else:
                stack.append((key, inner))
        elif isinstance(value, dict):
            for inner_key, inner in value.items():
                stack.append((str(inner_key), inner))
                if isinstance(inner_key, str) and is_data_key(inner_key):
                    yield key, inner_key
        elif isinstance(value, list | tuple):
            stack += [(key, v) for v in value]


def _parsed(text: str) -> Any:
    if text[:1] not in "{[" or text[-1:] not in "}]":
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None
