"""Recorded text in a prompt: fenced as data, unable to close the fence or to hide.

Recorded text reaches a prompt only through :func:`fenced`: as JSON strings in which ``<``, ``>``,
backticks and every invisible character are escapes. So no recorded text can close the fence, open
another, form a chat template's control tokens, or carry writing that a person would not see.
"""

from __future__ import annotations

import json
import re
from typing import Any

OPEN = "<recorded_data>"
CLOSE = "</recorded_data>"

_ESCAPED = re.compile(
    "[<>`\x7f-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202f"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\ue000-\uf8ff"
    "\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)


def fenced(data: Any) -> str:
    """Returns JSON between the fence's tags, safe against everything in it."""
    return f"{OPEN}\n{safe_json(data)}\n{CLOSE}"


def safe_json(data: Any) -> str:
    """Encodes as JSON without angle brackets, backticks or invisible characters."""
    return escaped(json.dumps(data, ensure_ascii=False, separators=(",", ":")))


def escaped(text: str) -> str:
    """Writes as escapes what could look like a fence or markup, or not be seen at all.

    In JSON it means the same; in other text it can still be read.
    """
    return _ESCAPED.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))


CUT_END = " more characters]"


def cut(text: str, limit: int) -> str:
    """Shortens a text, saying by how much."""
    return text if len(text) <= limit else f"{text[:limit]}… [{len(text) - limit}{CUT_END}"
