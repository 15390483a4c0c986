"""Names in scripts that the model does not read: by lists, and by two names side by side.

Scripts with capitals (Cyrillic, Greek, Armenian) take a capitalised listed word as a name; scripts
without (Arabic, Hebrew, Devanagari …) two listed words in a row; Chinese, Japanese and Korean,
which write no blanks, a listed family name followed by a listed given name. After words that
announce a person no list is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from schemas.findings import Span
from transforms.privacy.lexicon import FIRST, LAST, NAMES, Lexicon

OTHER_WORD = re.compile(r"[^\W\d_a-zA-Zª-ɏḀ-ỿ]+(?:['’\-][^\W\d_a-zA-Z]+)*")
"""A run of letters of a script other than Latin."""

_EAST_ASIAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af々]+")
_GAP = re.compile(r"[ \u00a0]{1,2}|-")


_ANNOUNCED = re.compile(
    r"(?:\b(?:contact|assigned to|dear|customer|owner|author|recipient|sender|assignee|signed by|"
    r"(?:message|mail|letter|call) from|(?:full |first |last |your )?name)\b\s?[:：]?|"
    r"(?:联系人|聯絡人|姓名|收件人|客户|お名前|氏名|宛先|担当者?|이름|성명|담당자|имя|фио|кому|контакт|клиент|"
    r"الاسم|اسم|جهة الاتصال|όνομα|επαφή)\s?[:：])\s{0,2}"
    r"(?P<name>[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af々]{2,5}(?!\w)|"
    + OTHER_WORD.pattern
    + r"(?:[ \u00a0]"
    + OTHER_WORD.pattern
    + r"){1,2}(?!\w))",
    re.IGNORECASE,
)


def find_other_names(text: str, lexicon: Lexicon) -> Iterator[Span]:
    """Yields people's names in other scripts than Latin."""
    if text.isascii():
        return
    for match in _ANNOUNCED.finditer(text):
        yield Span(*match.span("name"), "PERSON", "cue", 0.9)
    previous: tuple[int, int, int] | None = None
    for match in OTHER_WORD.finditer(text):
        word = match.group()
        if _EAST_ASIAN.fullmatch(word):
            yield from _without_blanks(word, match.start(), lexicon)
            previous = None
            continue
        bits = lexicon.of(word) & NAMES
        start, end = match.span()
        if word != word.lower() and word != word.upper():
            if bits and word[0].isupper():
                yield Span(start, end, "PERSON", "ner", 0.8)
        elif bits and previous and previous[2] and _GAP.fullmatch(text, previous[1], start):
            yield Span(previous[0], end, "PERSON", "cue", 0.9)
        previous = (start, end, bits)


def _without_blanks(run: str, offset: int, lexicon: Lexicon) -> Iterator[Span]:
    at = 0
    while at < len(run) - 1:
        end = _name_end(run, at, lexicon)
        if end:
            yield Span(offset + at, offset + end, "PERSON", "cue", 0.9)
            at = end
        else:
            at += 1


def _name_end(run: str, at: int, lexicon: Lexicon) -> int:
    for family in (3, 2, 1):
        if lexicon.of(run[at : at + family]) & LAST and at + family < len(run):
            for given in (3, 2, 1):
                name = run[at + family : at + family + given]
                if len(name) == given and lexicon.of(name) & FIRST and family + given > 2:
                    return at + family + given
    return 0
