"""Patterns in recognised text, where characters are confused and dots are lost.

Recognition takes 0 for O, 1 for l or I, 5 for S, 8 for B, drops dots and doubles blanks. So the
shapes of values are matched on a text in which look-alikes of digits count as digits, never gated
on checksums.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from schemas.findings import Span
from transforms.privacy.numbers import find_numbers

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
_IPV4 = re.compile(r"(?<![\w.])[\dOoIl|]{1,3}(?:\s?[.,·]\s?[\dOoIl|]{1,3}){3}(?![\w.])")
_TOKEN = re.compile(r"(?<!\w)(?:sk|pk|rk|gh[opusr]|xox[abp]|AKIA|A[K1lI]{2}A)[-_ ]?[\w\-]{12,}")


def find_misread(text: str) -> Iterator[Span]:
    """Yields values of recognised text that are spelt with look-alikes."""
    for regex, entity in (
        (_EMAIL, "EMAIL"),
        (_DOTLESS_EMAIL, "EMAIL"),
        (_TOKEN, "SECRET"),
    ):
        for match in regex.finditer(text):
            yield Span(*match.span(), entity, "pattern", 0.7)
    for match in _IPV4.finditer(text):
        parts = re.split(r"[.,·]", match.group().translate(_AS_DIGIT).replace(" ", ""))
        if all(part.isdigit() and int(part) < 256 for part in parts) and "." in match.group():
            yield Span(*match.span(), "IP", "pattern", 0.7)
    for match in _SHAPED.finditer(text):
        value = match.group()
        digits = sum(char.isdigit() for char in value)
        if digits * 2 < sum(char.isalnum() for char in value):
            continue
        for span in find_numbers(value.translate(_AS_DIGIT), "ocr"):
            start = match.start() + span.start
            yield Span(start, match.start() + span.end, span.entity, "pattern", 0.7)
