"""Recovery phrases of wallets: words of one published list (BIP-39, English), twelve or more.

Each word is ordinary and so is every pair of them; a dozen in a row is nothing that anyone says.
Where the text announces a phrase, a few are enough: it may be cut off or half typed.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from schemas.findings import Span
from transforms.dom import DomNode
from transforms.privacy.words import FUNCTION_WORDS

MIN_WORDS = 12
MIN_ANNOUNCED = 3
MIN_DIFFERENT = 8
"""Of a dozen drawn at random hardly two are the same; of words repeated for a demo all are."""
_LIST = Path(__file__).with_name("recovery_words.txt")
_GAP = r"[\s\d.,;:)\"'|+&_\-]{1,8}"
_MANY = re.compile(rf"(?<![A-Za-z])(?:[A-Za-z]{{3,8}}+{_GAP}+){{{MIN_WORDS - 1}}}+[A-Za-z]{{3,8}}")
_WORD = re.compile(r"[A-Za-z]{3,8}(?![A-Za-z])")
_ANY_WORD = re.compile(r"[A-Za-z]{3,12}(?![A-Za-z])")
_BETWEEN = re.compile(_GAP)
_CUE = re.compile(
    r"(?:recovery|seed|secret|backup|mnemonic|wallet)[ _\-](?:recovery[ _\-])?(?:phrase|words?)|"
    r"mnemonic|pass[ \-]?phrase|\b(?:12|15|18|21|24|twelve) words",
    re.IGNORECASE,
)
_CUES = ("phrase", "mnemonic", " words", "_words", "-words")
_ANNOUNCED = re.compile(r"(?:\s+(?:is|are))?\s{0,4}[:=\-–—]?[\s\"'“`\d.)]{1,8}")
_BACKUP_CODES = re.compile(r"\b(?:backup|recovery|scratch|emergency) codes\b", re.IGNORECASE)
_BACKUP_CODE = re.compile(r"(?=(?:\D*\d){2})[0-9A-Za-z]{4,6}(?:[ \-]?[0-9A-Za-z]{4,6}){1,2}")
_NUMBER = re.compile(r"[#(\s]*\d{1,2}[\s.:)]*")


@functools.lru_cache(1)
def recovery_words() -> frozenset[str]:
    """Returns the words that phrases are made of."""
    return frozenset(_LIST.read_text("ascii").split())


def is_recovery_word(text: str) -> bool:
    """Whether a text is nothing but one of the words, numbered or not."""
    return len(text) <= 16 and _NUMBER.sub("", text, 1).strip().lower() in recovery_words()


def find_recovery_phrases(text: str, lowered: str) -> Iterator[Span]:
    """Yields the stretches of a text that are phrases, or what is there of an announced one."""
    if len(text) >= 4 * MIN_WORDS:
        at = 0
        while (match := _MANY.search(text, at)) is not None:
            said, end = _run(text, match.start())
            if is_phrase(said):
                yield Span(match.start(), end, "SECRET", "secret", 0.9)
            at = max(end, match.start() + 1)
            following = _WORD.search(text, at)
            if following is None:
                break
            at = following.start()
    if not any(cue in lowered for cue in _CUES):
        return
    for cue in _CUE.finditer(text):
        announced = _ANNOUNCED.match(text, cue.end())
        if announced is not None:
            end = _end_of_announced(text, announced.end())
            if end:
                yield Span(announced.end(), end, "SECRET", "secret", 0.9)


def _end_of_announced(text: str, start: int) -> int:
    """Where the words after an announcement end, 0 if they are no phrase.

    There are other lists, so one in three may be unknown, but no word that joins others.
    """
    words = recovery_words()
    known = unknown = end = 0
    at = start
    while (match := _ANY_WORD.match(text, at)) is not None and known + unknown < 48:
        word = match.group().lower()
        if word in FUNCTION_WORDS and word not in words:
            break
        known, unknown = known + (word in words), unknown + (word not in words)
        if unknown > 1 + known // 2:
            break
        end = match.end()
        gap = _BETWEEN.match(text, end)
        if gap is None:
            break
        at = gap.end()
    return end if known >= MIN_ANNOUNCED else 0


def is_phrase(said: Sequence[str]) -> bool:
    """Whether words of the list are as many and as different as those of a phrase."""
    return len(said) >= MIN_WORDS and len({word.lower() for word in said}) >= MIN_DIFFERENT


def _run(text: str, start: int) -> tuple[list[str], int]:
    """The words of the list that stand in a row from a place on, and where they end."""
    words = recovery_words()
    said: list[str] = []
    end = at = start
    while (match := _WORD.match(text, at)) is not None and match.group().lower() in words:
        said.append(match.group())
        end = match.end()
        gap = _BETWEEN.match(text, end)
        if gap is None:
            break
        at = gap.end()
    return said, end


def phrase_nodes(nodes: Iterable[DomNode]) -> frozenset[int]:
    """Returns the ids (of Python) of the elements that hold a phrase, a word each.

    Numbers between them do not interrupt it; any other text does. Codes to get in with when all
    else is lost, one to an element, are found by their form on a page that speaks of them.
    """
    found: set[int] = set()
    run: list[DomNode] = []
    codes: list[int] = []
    announced = False
    words = recovery_words()
    for node in nodes:
        said = node.text or node.value
        if not said:
            continue
        if len(said) <= 16:
            if said.lower() in words or (said[0] in "#(123456789" and is_recovery_word(said)):
                run.append(node)
                continue
            if len(said) >= 8 and _BACKUP_CODE.fullmatch(said):
                codes.append(id(node))
        if not announced and "codes" in said:
            announced = _BACKUP_CODES.search(said) is not None
        if run and (len(said) > 5 or _NUMBER.fullmatch(said) is None):
            if is_phrase([node.text or node.value or "" for node in run]):
                found.update(map(id, run))
            run.clear()
    if is_phrase([node.text or node.value or "" for node in run]):
        found.update(map(id, run))
    return frozenset((*found, *codes) if announced else found)
