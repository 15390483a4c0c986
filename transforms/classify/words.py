"""Words of names, labels, paths and descriptions, made comparable.

Tokens are folded (case, accents), split at ``camelCase`` and ``snake_case``, and stemmed lightly
(English inflections only). A small thesaurus of what interfaces call the same thing (``basket`` and
``cart``, ``delete`` and ``remove``) gives a weaker match than the word itself.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable

_SPLIT = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")

STOPWORDS = frozenset(
    "a an the of to in on at for from by with and or is are be it its this that these those your "
    "you my our their his her who which whose as into onto than then so such not no all any some "
    "one has have had do does can will was were been there here how what when where e g etc via "
    "new_ please http https www com org net test example api rest v1 v2 v3 json html php aspx "
    "index".split()
)
"""Words that tell nothing apart: function words and the furniture of URLs."""

_GROUPS = (
    # What is done.
    "create add new make insert register compose write put open start",
    "delete remove discard trash bin erase drop destroy clear",
    "update edit change modify set adjust alter revise amend save",
    "send submit deliver dispatch publish post",
    "save store keep apply",
    "search find query lookup seek q look",
    "filter narrow limit restrict show only",
    "sort order arrange rank sorting",
    "cancel abort withdraw revoke",
    "confirm approve accept acknowledge",
    "reject decline deny refuse",
    "assign allocate delegate responsible assignee owner",
    "move transfer relocate file shift reassign lane column stage status",
    "archive shelve",
    "copy duplicate clone",
    "share invite collaborate",
    "comment note remark annotate memo",
    "reply respond answer response",
    "rate rating review score star stars grade",
    "favourite favorite like star bookmark wishlist starred remember pin",
    "tag label",
    "upload attach import attachment",
    "download export",
    "login signin logon authenticate session",
    "logout signout logoff",
    "pay payment checkout purchase buy order",
    "schedule plan book reserve booking reservation",
    "enable disable activate deactivate switch toggle turn on off enabled disabled active",
    "block blocked unblock flag flagged hold",
    "rename retitle name title",
    "complete finish done close resolve complete",
    "open view show display read",
    "close dismiss",
    "join enrol enroll subscribe follow",
    "leave unsubscribe unfollow unenrol unenroll drop quit",
    "estimate effort points size",
    "redeem apply use",
    "record log track enter",
    "merge combine join",
    "lock freeze",
    "pause suspend",
    "resume continue",
    # What it is done to.
    "email mail message letter",
    "cart basket bag",
    "coupon voucher code promo promotion discount",
    "product item article goods",
    "card issue ticket task todo",
    "quantity count amount number pieces qty",
    "user person member account people",
    "date day due deadline when until",
    "time hour slot",
    "folder directory mailbox label destination",
    "title name subject heading headline caption summary",
    "body text message content description note details",
    "phone telephone mobile cell tel",
    "address street location place",
    "price cost amount value fee",
    "recipient to addressee",
    "sender from",
    "file document attachment",
    "customer client contact buyer",
    "meeting event appointment",
    "word term keyword query text words",
    "order sort sorting",
    "highest maximum max upper ceiling most",
    "lowest minimum min lower floor least",
    "vacation holiday away absence leave",
    "picture image photo",
    "priority urgency importance severity",
    "category kind type class",
    "group team",
    "room space",
    "company organisation organization firm employer",
    "reason cause why",
    "start begin from",
    "end finish until to",
    "username user login account email",
    "invoice bill",
    "employee staff worker",
    "patient",
    "project board",
    "language locale",
    "currency",
    "hours duration length",
    "settings preferences options configuration",
)


def stem(word: str) -> str:
    """Strips English inflections, so that ``archived``, ``archiving`` and ``archive`` are one."""
    if len(word) <= 3 or not word.isascii() or not word.isalpha():
        return word
    for ending, least in (("ings", 3), ("ing", 3), ("edly", 3), ("ied", 2), ("ies", 2), ("ed", 3)):
        if word.endswith(ending) and len(word) - len(ending) >= least:
            root = word[: -len(ending)]
            if ending in ("ied", "ies"):
                return root + "i"
            if not re.search(r"[aeiouy]", root):
                break
            if len(root) > 3 and root[-1] == root[-2] and root[-1] not in "lsz":
                root = root[:-1]
            return _without_e(root)
    if word.endswith(("sses", "xes", "ches", "shes", "zzes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    if word.endswith("y") and len(word) > 3 and word[-2] not in "aeiou":
        return word[:-1] + "i"
    return _without_e(word)


def _without_e(word: str) -> str:
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


def fold(text: str) -> str:
    """Lower case, compatibility forms, no accents."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()


@functools.lru_cache(1 << 15)
def tokens(text: str) -> tuple[str, ...]:
    """Stemmed tokens of a text without stop words; digits stay, CJK runs become pairs."""
    found: list[str] = []
    for run in _SPLIT.findall(text):
        for part in _CAMEL.split(run):
            word = fold(part)
            if _CJK.fullmatch(word):
                found += [word[i : i + 2] for i in range(max(len(word) - 1, 1))]
            elif word not in STOPWORDS:
                found.append(stem(word))
    return tuple(found)


@functools.lru_cache(1 << 15)
def name_tokens(text: str) -> tuple[str, ...]:
    """Tokens of a name or label; one of stop words only (``To``, ``From``) keeps them."""
    return tokens(text) or tuple(
        stem(fold(part)) for run in _SPLIT.findall(text) for part in _CAMEL.split(run)
    )


_AFTER_HEAD = re.compile(r"(?i)\s+(of|for|in|to|by|with|on|at|per)\s+|[(\[,:…*?]")


@functools.lru_cache(1 << 15)
def head_tokens(text: str) -> tuple[str, ...]:
    """The token that a name is about: ``title`` of ``Title of the card`` and of ``card_title``."""
    words = name_tokens(_AFTER_HEAD.split(text.strip(), maxsplit=1)[0]) or name_tokens(text)
    return words[-1:]


def plain_words(text: str) -> tuple[str, ...]:
    """Folded words as they stand, stop words included: for comparing values."""
    return tuple(fold(word) for word in _SPLIT.findall(text))


def _groups() -> dict[str, frozenset[int]]:
    members: dict[str, set[int]] = {}
    for number, group in enumerate(_GROUPS):
        for word in group.split():
            members.setdefault(stem(word), set()).add(number)
    return {word: frozenset(groups) for word, groups in members.items()}


_CONCEPTS = _groups()
SYNONYM_STRENGTH = 0.6
"""What a word of the same group counts, when the word itself counts 1."""


@functools.lru_cache(1 << 15)
def likeness(a: str, b: str) -> float:
    """How alike two stemmed tokens are: 1 equal, ``SYNONYM_STRENGTH`` one group, 0 else.

    A long common beginning (``organic``/``organics``, ``pay``/``payment``) counts too.
    """
    if a == b:
        return 1.0
    if _CONCEPTS.get(a, frozenset()) & _CONCEPTS.get(b, frozenset()):
        return SYNONYM_STRENGTH
    short, long = sorted((a, b), key=len)
    if len(short) >= 4 and long.startswith(short) and len(long) - len(short) <= 4:
        return 0.8
    return 0.0


def best_likeness(word: str, others: Iterable[str]) -> float:
    """The likeness of a token to the most alike of several."""
    best = 0.0
    for other in others:
        found = likeness(word, other)
        if found > best:
            if found == 1.0:
                return found
            best = found
    return best


@functools.lru_cache(1 << 15)
def coverage(wanted: tuple[str, ...], present: tuple[str, ...]) -> float:
    """Share (0–1) of the ``wanted`` tokens that ``present`` holds, synonyms at their strength."""
    if not wanted or not present:
        return 0.0
    return sum(best_likeness(word, present) for word in wanted) / len(wanted)


@functools.lru_cache(1 << 15)
def similarity(a: tuple[str, ...], b: tuple[str, ...]) -> float:
    """Symmetric likeness (0–1) of two short token lists: the mean of both coverages."""
    if not a or not b:
        return 0.0
    return (coverage(a, b) + coverage(b, a)) / 2
