"""Bodies, headers and nested values of requests and events, rewritten value by value.

What a body is decides how it is taken apart: JSON and forms by key, HTML and the rest as text.
Structure and keys stay as they are, but for keys that are data (``{"jo@example.org": 3}``), and a
body in which nothing was found stays byte for byte.
"""

from __future__ import annotations

import json
import re
from typing import Any, Protocol
from urllib.parse import quote_plus, unquote_plus

from transforms.privacy.fields import readable

MAX_DEPTH = 60

_IDENTIFIER_KEY = re.compile(
    r"(?:.* )?(?:id|ids|uuid|guid|hash|etag|checksum|sha\d*|md5|type|kind|role|tag|class|selector|"
    r"xpath|version|code|status|format|mime ?type|content ?type|encoding|method|locale|lang|color|"
    r"colour|icon|currency|timezone|created( at)?|updated( at)?|timestamp|time|date)"
)
_URL_VALUE = re.compile(r"(?:https?|wss?|ftp|file|mailto)://?\S+\Z|/[\w%\-.~/]*\?\S*\Z")
_FORM = re.compile(r"[\w.\-%\[\]+]+=[^\s&]*(?:&[\w.\-%\[\]+]+=[^\s&]*)*")
_MARKUP = re.compile(r"<[A-Za-z!/][^>]*>")
_PROGRAMMERS_KEY = re.compile(r"@?(?:[A-Za-z_$.\-/:\[\]]|\d(?!(?:.*\d){6})){1,40}", re.DOTALL)


class Rewriter(Protocol):
    """Turns one text into what is published of it (or only looks at it)."""

    def value(self, text: str, kind: str) -> str:
        """A value, of a kind of :data:`transforms.privacy.finder.KINDS`."""
        ...

    def whole(self, text: str, entity: str, key: str = "") -> str:
        """A text that is sensitive from end to end, whatever it looks like."""
        ...


class KeyRules(Protocol):
    """Says what the values under keys and headers are."""

    def of_key(self, key: str) -> str | None:
        """The entity that the value under a key is."""
        ...

    def of_header(self, name: str) -> str | None:
        """The entity that the value of a header is."""
        ...


def rewrite_nested(value: Any, rules: KeyRules, to: Rewriter, key: str = "", depth: int = 0) -> Any:
    """Rewrites every text inside nested lists and mappings; keys and shapes stay."""
    if isinstance(value, str):
        return _rewrite_value(value, rules, to, key, depth)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        written = str(value)
        entity = rules.of_key(key) if key else None
        if entity is not None:
            return to.whole(written, entity, key)
        if len(written) < 7 or _IDENTIFIER_KEY.fullmatch(readable(key)):
            return value
        new = to.value(written, "url")
        return value if new == written else new
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, dict):
        if _is_pair(value):
            name = "name" if "name" in value else "key"
            new = rewrite_nested(value["value"], rules, to, str(value[name]), depth + 1)
            return {**value, "value": new}
        made: dict[Any, Any] = {}
        for old, inner in value.items():
            made[_rewrite_key(old, made, to)] = rewrite_nested(
                inner, rules, to, str(old), depth + 1
            )
        return made
    if isinstance(value, list | tuple):
        return [rewrite_nested(item, rules, to, key, depth + 1) for item in value]
    return value


def is_data_key(key: str) -> bool:
    """Whether a key of a mapping looks like something that was said, not like a field's name."""
    if len(key) >= 20 and any(char.isdigit() for char in key):
        return True
    return _PROGRAMMERS_KEY.fullmatch(key) is None


def _rewrite_key(key: Any, taken: dict[Any, Any], to: Rewriter) -> Any:
    """A key without what is sensitive in it; one that is taken by then gets a number."""
    if not isinstance(key, str) or not is_data_key(key):
        return key
    new = to.value(key, "code" if key.isascii() and " " not in key else "ui")
    if new == key or new not in taken:
        return new
    return f"{new} {len(taken)}"


def _is_pair(value: dict) -> bool:
    """Whether a mapping is one entry of a list of fields: {"name": …, "value": …}."""
    return (
        len(value) <= 4
        and "value" in value
        and isinstance(value.get("name", value.get("key")), str)
        and isinstance(value["value"], str | int | float)
    )


def _rewrite_value(text: str, rules: KeyRules, to: Rewriter, key: str, depth: int) -> str:
    if not text:
        return text
    entity = rules.of_key(key) if key else None
    if entity is not None:
        return to.whole(text, entity, key)
    if text[0] in "{[" and text[-1] in "}]" and depth < MAX_DEPTH:
        new = rewrite_json(text, rules, to, depth + 1)
        if new is not None:
            return new
    return to.value(text, kind_of_value(text, key))


def kind_of_value(text: str, key: str) -> str:
    """Returns the kind under which a value of a body or an event is searched."""
    if _URL_VALUE.match(text):
        return "url"
    if key and " " not in text and _IDENTIFIER_KEY.fullmatch(readable(key)):
        return "id"
    if len(text) > 200 and len(_MARKUP.findall(text[:4000])) > 3:
        return "code"
    return "prose"


def rewrite_json(text: str, rules: KeyRules, to: Rewriter, depth: int = 0) -> str | None:
    """Rewrites a JSON text; None when it is none. Unchanged values leave it as it was written."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    new = rewrite_nested(value, rules, to, depth=depth)
    if new == value:
        return text
    return json.dumps(new, ensure_ascii=False, separators=(",", ":"))


def rewrite_form(text: str, rules: KeyRules, to: Rewriter) -> str:
    """Rewrites ``a=1&b=2``, values decoded and encoded again where they changed."""
    parts = []
    for pair in text.split("&"):
        key, sign, raw = pair.partition("=")
        value = unquote_plus(raw)
        new = _rewrite_value(value, rules, to, unquote_plus(key), 0)
        if new != value:
            raw = new if new.startswith("<") else quote_plus(new)
        parts.append(f"{key}{sign}{raw}")
    return "&".join(parts)


_PART = re.compile(
    r"(?P<head>content-disposition:[^\r\n]*?\bname=\"(?P<name>[^\"]*)\"[^\r\n]*(?:\r?\n[^\r\n]+)*"
    r"\r?\n\r?\n)(?P<value>.*?)(?=\r?\n--|\Z)",
    re.IGNORECASE | re.DOTALL,
)


def rewrite_multipart(text: str, rules: KeyRules, to: Rewriter) -> str:
    """Rewrites the parts of ``multipart/form-data`` by their names."""

    def part(match: re.Match[str]) -> str:
        value = match["value"]
        new = _rewrite_value(value, rules, to, match["name"], 0)
        return match["head"] + new

    head_done = re.sub(
        r'(\bfilename=")([^"]*)(")',
        lambda m: m[1] + to.value(m[2], "path") + m[3],
        text,
        flags=re.IGNORECASE,
    )
    return _PART.sub(part, head_done)


_CELL = re.compile(r'(?P<lead>\A|[,;\t])(?P<value>"(?:[^"]|"")*"|[^,;\t"]*)')


def rewrite_table(text: str, rules: KeyRules, to: Rewriter) -> str | None:
    """Rewrites comma-separated values by the names of their columns; None when there are none."""
    head, mark, rows = text.partition("\n")
    names = [match["value"].strip('" \r') for match in _CELL.finditer(head)]
    if not mark or not any(rules.of_key(name) for name in names):
        return None
    made = []
    for line in rows.split("\n"):
        cells = []
        for number, match in enumerate(_CELL.finditer(line)):
            cell = match["value"].rstrip("\r")
            quotes = '"' if cell[:1] == '"' else ""
            inner = cell.strip('"')
            key = names[number] if number < len(names) else ""
            new = _rewrite_value(inner, rules, to, key, 0)
            end = match["value"][len(cell) :]
            cells.append(f"{match['lead']}{quotes}{new}{quotes}{end}")
        made.append("".join(cells))
    return f"{to.value(head, 'code')}{mark}" + "\n".join(made)


def rewrite_body(text: str | None, mime: str | None, rules: KeyRules, to: Rewriter) -> str | None:
    """Rewrites a request's or response's body by its type; one cut off is searched as code."""
    if not text:
        return text
    mime = (mime or "").lower()
    stripped = text.lstrip("\ufeff \t\r\n")
    if "json" in mime or stripped[:1] in ("{", "["):
        new = rewrite_json(text, rules, to)
        if new is not None:
            return new
        lines = text.split("\n")
        if len(lines) > 1 and all(line[:1] in ("{", "[", "") for line in lines):
            made = [rewrite_json(line, rules, to) if line else line for line in lines]
            if all(line is not None for line in made):
                return "\n".join(made)  # type: ignore[arg-type]
        return to.value(text, "code")
    if "csv" in mime or "tab-separated" in mime:
        new = rewrite_table(text, rules, to)
        if new is not None:
            return new
    if "multipart/form-data" in mime:
        return rewrite_multipart(text, rules, to)
    if "urlencoded" in mime or re.fullmatch(
        r"[\w.\-%\[\]+]+=[^\s&]*(?:&[\w.\-%\[\]+]+=[^\s&]*)*", text
    ):
        return rewrite_form(text, rules, to)
    if mime.startswith("text/plain") or not mime:
        return to.value(text, "prose")
    return to.value(text, "code")


def rewrite_headers(
    headers: tuple[tuple[str, str], ...], rules: KeyRules, to: Rewriter
) -> tuple[tuple[str, str], ...]:
    """Rewrites header values; those that authenticate are sensitive from end to end."""
    return tuple((name, _rewrite_header(name, value, rules, to)) for name, value in headers)


def _rewrite_header(name: str, value: str, rules: KeyRules, to: Rewriter) -> str:
    if not value:
        return value
    entity = rules.of_header(name)
    if entity is not None:
        return to.whole(value, entity, name)
    lowered = name.lower()
    if lowered in ("referer", "origin", "location", "content-location", ":path", "refresh", "link"):
        return to.value(value, "url")
    if lowered in ("user-agent", "accept", "content-type", "server", "via", "date", "etag"):
        return to.value(value, "id")
    return to.value(value, "code")
