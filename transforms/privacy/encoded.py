"""Texts written in Base64: what is sensitive in one makes all of it sensitive."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from schemas.findings import Span

MIN_CHARS = 24
MAX_CHARS = 16_384
"""Of a longer run only so much is read: it is a file, and its beginning says what is in it."""
MAX_RUNS = 100
"""Runs of one text that are read."""

_RUN = re.compile(rf"(?<![\w+/\-])[A-Za-z0-9+/_\-]{{{MIN_CHARS},}}={{0,2}}(?![\w+/\-])")
_PROBE = 24
"""Characters that tell whether a run is a text, so that pictures and hashes cost nothing."""


def find_encoded(text: str, spans_of: Callable[[str], Sequence[Span]]) -> Iterator[Span]:
    """Yields the runs of Base64 (the URL-safe kind too) in which ``spans_of`` finds something."""
    if len(text) < MIN_CHARS:
        return
    for run in islice(_RUN.finditer(text), MAX_RUNS):
        said = decoded(run.group())
        if said is not None:
            for span in spans_of(said):
                yield Span(run.start(), run.end(), span.entity, "pattern", span.score)


def decoded(run: str) -> str | None:
    """Returns the text that a run of Base64 stands for; None when it stands for none."""
    run = run.rstrip("=")[:MAX_CHARS].replace("-", "+").replace("_", "/")
    if _text_of(run[:_PROBE]) is None:
        return None
    return _text_of(run)


def _text_of(run: str) -> str | None:
    """Decodes all whole characters of a run: one that is cut off ends in a half of one."""
    try:
        data = base64.b64decode(run + "=" * (-len(run) % 4))
    except binascii.Error:  # one character more than whole bytes
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(data) - 3:
            return None
        text = data[: error.start].decode("utf-8")
    return text if all(char.isprintable() or char in "\n\r\t" for char in text) else None
