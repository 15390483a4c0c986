"""What a word must score to count as a name: less behind a cue, more when it is an ordinary word.

The bars were chosen on held-out names and on technical prose (``benchmarks/text_privacy.py`` prints
the curve): a list alone decides little, since "Olive", "Mark" and "Brown" are names and words.
"""

from __future__ import annotations

import re

from transforms.privacy.lexicon import COMMON, ENGLISH, NAMES, PLACE, TECHNICAL, Lexicon
from transforms.privacy.scripts import OTHER_WORD
from transforms.privacy.words import FUNCTION_WORDS, INTERFACE_WORDS

NEVER = 2.0
LEAST_CUED = 0.06
"""What a word scores at least to be a name behind a cue."""
LEAST_LISTED = 0.03
"""What a capitalised word scores at least that is known as a name and as nothing else."""
ORDINARY = 0.97
"""What a word scores at least that is only known as an ordinary one."""
ALONE = 0.9
"""What an ordinary word that is a name too scores at least where no name stands beside it."""
LOWER = 0.6
"""What a word in lower case scores at least that is on no list."""

RAISED = {"key": 0.05, "path": 0.1, "code": 0.1, "ui": 0.15}
"""How much more a name must score where the program speaks rather than a person."""

_CUE_BEFORE = re.compile(
    r"(?:\b(?:dear|hi|hello|hey|hallo|bonjour|hola|thanks|thank you|thx|cheers|regards|sincerely|"
    r"yours|love|mr|mrs|ms|miss|dr|prof|sir|madam|herr|frau|mme|signed|sig|user|owner|author|"
    r"assignee|reporter|reviewer|approver|customer|client|contact(?: person)?|recipient|sender|"
    r"name|surname|patient|passenger|guest|employee|attendees?|participants?|members?|host|"
    r"organi[sz]er|cardholder|card ?holder|from|to|cc|bcc|by|with|call|ask|tell|invite|remind|meet|"
    r"mention|assign(?:ed)? to|signed in as|logged in as|welcome(?: back)?|message|chat with|"
    r"reply to|created by|posted by|written by|sent by|shared by|on behalf of|attn|c/o|i am|i'm|"
    r"my name is|this is|named|called)\b[.:,]?|[@✉])\s*[\"“(<]?\s*$",
    re.IGNORECASE,
)
_CUE_AFTER = re.compile(
    r"\s*(?:<[^<>\s]+@|\([^()\s]+@|[,·\-–|]?\s*[\w.+\-]+@[\w\-]+\.|\(@|['’]s (?:profile|calendar|"
    r"account|inbox|birthday|address|phone)\b|(?:wrote|said|says|writes|asked|replied|joined|"
    r"commented|mentioned|assigned|invited|added|shared|reacted|is typing|left the)\b)",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"\s?#?\d{1,4}(?![-.\d])")
"""Behind a word that tells which of many is meant: "Room 512"."""
_USER_CUE = re.compile(
    r"(?:\b(?:user(?:s| ?name| ?id)?|login|(?:log(?:ged)?|sign(?:ed)?) in(?: as)?|account|handle|"
    r"accepted password for|authentication failed for|ssh|sudo -u|author|owner|by|name)\b"
    r"[\"']?\s*[:=]?\s*[\"']?|@|/home/|/Users/|\\\\?Users\\\\?|/users?/|/u/|~|<[^<>]{0,4})"
    r"[\w.\-]{0,30}$",
    re.IGNORECASE,
)
"""What stands before a user name: nothing else makes one of a word."""


def is_cued(text: str, start: int, end: int) -> bool:
    """Whether what stands around a word says that it is somebody's name."""
    if _CUE_BEFORE.search(text[max(0, start - 24) : start]):
        return True
    return _CUE_AFTER.match(text, end) is not None


def looks_like_name(word: str, lexicon: Lexicon) -> bool:
    """Whether a word beside another makes it likely that both are one person's name."""
    if len(word) < 2 or not word[0].isupper():
        return False
    bits = lexicon.of(word)
    return bool(bits & NAMES) or not bits & (COMMON | TECHNICAL | ENGLISH)


def needed_score(
    word: str,
    label: str,
    least: float,
    beside_name: bool,
    lexicon: Lexicon,
    text: str,
    start: int,
    end: int,
) -> float:
    """Returns the score from which a word of a text is a name of a label.

    Args:
        word: as it is written; ``text[start:end]``.
        label: PERSON, USERNAME, LOCATION, ORGANIZATION or ADDRESS.
        least: the rules' threshold for the label in this kind of text.
        beside_name: whether a word next to it looks like a name.
        lexicon: lists of names and words.
        text, start, end: where the word stands, for cues.
    """
    if OTHER_WORD.match(word):
        return NEVER
    if label == "USERNAME":
        return least if _USER_CUE.search(text[max(0, start - 60) : start]) else NEVER
    if label == "ADDRESS":
        return least
    if not word[0].isalpha() or word.lower() in FUNCTION_WORDS:
        return NEVER
    if word.lower() in INTERFACE_WORDS:
        return ORDINARY
    if label != "PERSON" or len(word) == 1:
        return max(least, 0.5)
    return _needed_by_person(word, least, beside_name, lexicon.of(word), text, start, end)


def _needed_by_person(
    word: str, least: float, beside_name: bool, bits: int, text: str, start: int, end: int
) -> float:
    plain = bits & (COMMON | TECHNICAL)
    named = bits & NAMES
    cued = is_cued(text, start, end)
    if plain:
        if not named or (not beside_name and _NUMBERED.match(text, end)):
            return ORDINARY
        if word.islower():
            return ORDINARY if not cued else ALONE
        return max(least, 0.5) if beside_name or cued else ALONE
    if not named and (bits & ENGLISH or (word.isupper() and len(word) <= 4)):
        return ALONE if not cued else 0.5
    if cued:
        return min(least, LEAST_CUED)
    if word.islower():
        return least if named else max(least, LOWER)
    if named and not bits & (PLACE | ENGLISH):
        return min(least, LEAST_LISTED)
    return least
