"""User names by what stands around them: labels, prompts, home folders, mentions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from schemas.findings import Span
from transforms.privacy.words import FUNCTION_WORDS, INTERFACE_WORDS

EVERYBODY = frozenset(
    """root admin administrator user users guest test tester nobody ubuntu debian git www-data
    postgres mysql redis jenkins deploy daemon public default shared all me you none null true false
    username login name string value system service runner vagrant pi app web localhost example
    here everyone channel team support info""".split()
)
"""Accounts that are nobody's, and words that stand where one is asked for."""

_NAME = r"([A-Za-z][\w.\-]{2,38}[A-Za-z0-9_])"
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(?:user ?name|user[ _]?id|login(?: name)?|account name|screen ?name|benutzername|"
        r"nick ?name)[\"']?\s*[:=]\s*[\"']?" + _NAME + r"(?![\w@/\\(])",
        r"\b(?:logged|signed|log|sign) in as\s+[\"']?" + _NAME + r"(?![\w@])",
        r"(?:^|[\s\"'`(=:])(?:/home/|/Users/|[A-Z]:\\{1,2}Users\\{1,2})"
        + _NAME
        + r"(?=[/\\\s\"'`)]|$)",
        r"\b(?:accepted password|accepted publickey|session opened|authentication failed) for "
        r"(?:user )?[\"']?" + _NAME,
        r"\b(?:ssh|scp|sftp|rsync)\s+(?:-\S+\s+)*" + _NAME + r"@[\w.\-]+",
        r"(?:^|\n)" + _NAME + r"@[\w\-]+(?=:[~/])",
        r"\bsudo -u " + _NAME + r"\b",
        r"(?:^|[\s(>])@" + _NAME + r"(?=[\s,.:;!?)]|$)",
        r"\buser \"" + _NAME + r"\"",
        r"/(?:users?|people|members?|profiles?|u)/@?(?=[\w.\-]*(?:\d|[._\-]))"
        + _NAME
        + r"(?=[/?#]|$)",
    )
)
_PROFILE = re.compile(
    r"/(?:users?|people|members?|profiles?|u)/@?(?=[\w.\-]*[\d_.])" + _NAME + r"(?=[/?#&]|$)",
    re.IGNORECASE,
)
_HEXADECIMAL = re.compile(r"[0-9a-f\-]{12,}", re.IGNORECASE)
_HINTS = ("user", "log", "sign", "home", "ssh", "sudo", "scp", "rsync", "nick", "screen", "account")
_VERSION = re.compile(
    r"v?\d[\d.]*|[\w\-]+\.(?:py|js|ts|md|txt|html?|json|ya?ml|org|com|net|io|dev)"
)


def find_user_names(text: str) -> Iterator[Span]:
    """Yields the user names that their surroundings give away."""
    if "@" not in text and "/" not in text:
        low = text.lower()
        if not any(hint in low for hint in _HINTS):
            return
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            name = match[1]
            low = name.lower()
            if low in EVERYBODY or low in INTERFACE_WORDS or low in FUNCTION_WORDS:
                continue
            if _VERSION.fullmatch(low) or low.startswith(("your", "my_", "<")):
                continue
            yield Span(*match.span(1), "USERNAME", "cue", 0.9)


def find_profiles(url: str) -> Iterator[Span]:
    """Yields user names in the paths of URLs (``/users/jo_wren7``); as sure as a guess."""
    for match in _PROFILE.finditer(url):
        name = match[1].lower()
        if name in EVERYBODY or _VERSION.fullmatch(name) or _HEXADECIMAL.fullmatch(name):
            continue
        yield Span(*match.span(1), "USERNAME", "ner", 0.7)
