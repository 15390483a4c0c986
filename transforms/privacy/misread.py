"""Patterns in recognised text, where characters are confused and dots are lost.

Recognition takes 0 for O, 1 for l or I, 5 for S, 8 for B, drops dots and doubles blanks. So the
shapes of values are matched on a text in which look-alikes of digits count as digits, never gated
on checksums.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from schemas.findings import Span
from transforms.privacy.numbers import find_numbers, is_version

_AS_DIGIT = str.maketrans("OoQDIl|!ıZzSsBGg", "0000111112255869")
_SHAPED = re.compile(
    r"(?<!\w)[\dOoQDIl|!ıZzSsBGg](?:[ .\-/:()]{0,2}[\dOoQDIl|!ıZzSsBGg]){6,22}(?!\w)"
)
_EMAIL = re.compile(
    r"(?<![\w@])[\w.%+\-]{1,64}\s?(?:@|\(at\)|©|®|\(@\))\s?[\w\-]{2,}(?:\s?[.,·]\s?[\w\-]{2,}){0,4}"
)
_DOTLESS_EMAIL = re.compile(
    r"(?<!\w)[\w.\-]{2,64}\s?[@©®]\s?[\w\-]{3,}(?:com|org|net|de|edu|gov|io|co|uk)(?!\w)", re.I
)
_IPV4 = re.compile(r"(?<![\w.])[\dOoIl|]{1,3}(?:(?:\s?[.·]\s?|,)[\dOoIl|]{1,3}){3}(?![\w.])")
_DECIMALS = re.compile(r"\w+\.\w+,\w+\.\w+")
_TOKEN = re.compile(r"(?<!\w)(?:[spr]k[-_ ]|(?:gh[opusr]|xox[abp])[-_ ]?|A[K1lI]{2}A)[\w\-]{12,}")
_RANDOM = re.compile(r"(?=[A-Za-z|!]*\d+[A-Za-z|!])[A-Za-z\d|!]{10,}|\d{9,}|(?:[a-z]+[A-Z]+){3}")


def is_random(token: str) -> bool:
    """Whether a token that begins like a key holds a stretch that is no word or its number."""
    return _RANDOM.search(token) is not None


def find_misread(text: str) -> Iterator[Span]:
    """Yields values of recognised text that are spelt with look-alikes."""
    for regex, entity in (
        (_EMAIL, "EMAIL"),
        (_DOTLESS_EMAIL, "EMAIL"),
        (_TOKEN, "SECRET"),
    ):
        for match in regex.finditer(text):
            if entity != "SECRET" or is_random(match.group()):
                yield Span(*match.span(), entity, "pattern", 0.7)
    for match in _IPV4.finditer(text):
        value = match.group()
        if value.count(".") < 2 or _DECIMALS.fullmatch(value):
            continue
        if is_version(text, match.start(), "ocr"):
            continue
        parts = re.split(r"[.,·]", value.translate(_AS_DIGIT).replace(" ", ""))
        if all(part.isdigit() and int(part) < 256 for part in parts):
            yield Span(*match.span(), "IP", "pattern", 0.7)
    for match in _SHAPED.finditer(text):
        value = match.group()
        digits = sum(char.isdigit() for char in value)
        if digits * 2 < sum(char.isalnum() for char in value):
            continue
        for span in find_numbers(value.translate(_AS_DIGIT), "ocr"):
            start = match.start() + span.start
            if span.entity == "IP" and is_version(text, start, "ocr"):
                continue
            score = min(span.score, 0.7)
            yield Span(start, match.start() + span.end, span.entity, "pattern", score)
