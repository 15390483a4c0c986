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
from transforms.privacy.recovery import MIN_WORDS, is_phrase, is_recovery_word

MAX_DEPTH = 60

_IDENTIFIER_KEY = re.compile(
    r"(?:.* )?(?:id|ids|uuid|guid|hash|etag|checksum|sha\d*|md5|type|kind|role|tag|class|selector|"
    r"xpath|version|code|status|format|mime ?type|content ?type|encoding|method|locale|lang|color|"
    r"colour|icon|currency|timezone|created( at)?|updated( at)?|timestamp|time|date)"
)
_HOLDS_SECRETS = re.compile(r"(?:.* )?(?:credentials?|secrets?|passwords?|passwd)")
"""Keys of mappings in which a value that looks chosen is one of those."""
_CALLED = re.compile(r"(?:.* )?(?:mobile|cell|handy|whats ?app)")
_DIGITS_OF_PHONE = re.compile(r"\+?\d[\d ().\-/]{5,18}\d")
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

    def unfinished(self, text: str, entity: str, key: str = "") -> str:
        """A part of something sensitive that says nothing by itself."""
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
        if entity is None and key and _is_phone(key, written):
            entity = "PHONE"
        if entity is not None:
            return to.whole(written, entity, key)
        if len(written) < 7 or _IDENTIFIER_KEY.fullmatch(readable(key)):
            return value
        new = to.value(written, "url")
        return value if new == written else new
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, dict):
        name = _name_of_pair(value, rules)
        made: dict[Any, Any] = {}
        for old, inner in value.items():
            under = str(old)
            if name is not None and old in ("value", name):  # what names a value is a key itself
                under = value[name] if old == "value" else ""
            elif _HOLDS_SECRETS.fullmatch(readable(key)) and _is_secret_of(under, inner, rules):
                under = key
            made[_rewrite_key(old, made, to)] = rewrite_nested(inner, rules, to, under, depth + 1)
        return made
    if isinstance(value, list | tuple):
        if len(value) >= MIN_WORDS and all(map(_is_phrase_word, value)) and is_phrase(value):
            return [to.unfinished(word, "SECRET", key) for word in value]
        return [rewrite_nested(item, rules, to, key, depth + 1) for item in value]
    return value


def _is_secret_of(key: str, value: Any, rules: KeyRules) -> bool:
    """Whether a value inside ``"credentials": {…}`` is one, by its form and for want of a rule."""
    return (
        isinstance(value, str)
        and 6 <= len(value) <= 256
        and " " not in value
        and any(map(str.isdigit, value))
        and any(map(str.isalpha, value))
        and rules.of_key(key) is None
        and _IDENTIFIER_KEY.fullmatch(readable(key)) is None
        and _URL_VALUE.match(value) is None
    )


def _is_phone(key: str, written: str) -> bool:
    """Whether what stands under a key that is also other things (``mobile``) is a number."""
    return (
        len(written) >= 7
        and _DIGITS_OF_PHONE.fullmatch(written) is not None
        and _CALLED.fullmatch(readable(key)) is not None
    )


def _is_phrase_word(value: Any) -> bool:
    return isinstance(value, str) and is_recovery_word(value)


def is_data_key(key: str) -> bool:
    """Whether a key of a mapping looks like something that was said, not like a field's name."""
    if len(key) >= 20 and any(char.isdigit() for char in key):
        return True
    return _PROGRAMMERS_KEY.fullmatch(key) is None


def _rewrite_key(key: Any, taken: dict[Any, Any], to: Rewriter) -> Any:
    """A key without what is sensitive in it; one that is taken by then gets a number."""
    if not isinstance(key, str):
        return key
    new = _said_key(key, to)
    if new == key or new not in taken:
        return new
    return f"{new} {len(taken)}"


def _said_key(key: str, to: Rewriter) -> str:
    if not is_data_key(key):
        return key
    return to.value(key, "code" if key.isascii() and " " not in key else "ui")


def _name_of_pair(value: dict, rules: KeyRules) -> str | None:
    """What names the value of one entry of a list of fields: {"name": …, "value": …}.

    Other names than these two count where they say that the value is sensitive.
    """
    if len(value) > 8 or not isinstance(value.get("value"), str | int | float):
        return None
    name = "name" if "name" in value else "key"
    if isinstance(value.get(name), str):
        return name if len(value) <= 4 else None
    for name in ("label", "field", "title", "id"):
        said = value.get(name)
        if isinstance(said, str) and len(said) <= 40 and rules.of_key(said) is not None:
            return name
    return None


def _rewrite_value(text: str, rules: KeyRules, to: Rewriter, key: str, depth: int) -> str:
    if not text:
        return text
    entity = rules.of_key(key) if key else None
    if entity is None and key and _is_phone(key, text):
        entity = "PHONE"
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
        # "code" is that of an error or a country, and what a sign-in is redeemed with.
        return "prose" if len(text) >= 20 and readable(key).endswith("code") else "id"
    if len(text) > 200 and len(_MARKUP.findall(text[:4000])) > 3:
        return "code"
    return "prose"


_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
"""What begins an escaped half of a character; one without its other half can't be written."""


def rewrite_json(text: str, rules: KeyRules, to: Rewriter, depth: int = 0) -> str | None:
    """Rewrites a JSON text; None when it is none. Unchanged values leave it as it was written."""
    repeats: list[str] = []

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            repeats.append(text)
        return made

    try:
        value = json.loads(text, object_pairs_hook=mapping)
        if _HALF_CHARACTER.search(text):
            whole = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
            value = json.loads(whole)
    except (ValueError, RecursionError):
        return None
    new = rewrite_nested(value, rules, to, depth=depth)
    if new == value and not repeats:  # of a key that repeats only the last value was searched
        return text
    return json.dumps(new, ensure_ascii=False, separators=(",", ":"))


def rewrite_form(text: str, rules: KeyRules, to: Rewriter) -> str:
    """Rewrites ``a=1&b=2``, keys and values decoded, and encoded again where they changed."""
    parts = []
    for pair in text.split("&"):
        key, sign, raw = pair.partition("=")
        name, value = unquote_plus(key), unquote_plus(raw)
        said = _said_key(name, to) if sign else _rewrite_value(name, rules, to, "", 0)
        new = _rewrite_value(value, rules, to, name, 0)
        parts.append(f"{_form_text(key, name, said)}{sign}{_form_text(raw, value, new)}")
    return "&".join(parts)


def _form_text(raw: str, old: str, new: str) -> str:
    if new == old:
        return raw
    return new if new.startswith("<") else quote_plus(new)


_BOUNDARY = re.compile(r"\bboundary=(?:\"([^\"]+)\"|([^\s;\"]+))", re.IGNORECASE)
_PART_HEAD = re.compile(r"(?:\r?\n[^\r\n]+)*\r?\n\r?\n")
_NAMED = re.compile(
    r"(?P<sign>\b(?P<file>file)?name\*?=\"?)(?P<said>(?<=\")[^\"\r\n]*|[^\s;\"]+)", re.IGNORECASE
)


def rewrite_multipart(text: str, mime: str, rules: KeyRules, to: Rewriter) -> str:
    """Rewrites the parts of ``multipart/form-data`` by their names; what has none is code."""
    given = _BOUNDARY.search(mime)
    boundary = (given[1] or given[2]) if given else text.strip().partition("\n")[0].strip()[2:]
    border = re.compile(rf"((?:\A|\r?\n)--{re.escape(boundary)}(?:--)?[ \t]*(?=\r?\n|\Z))")
    pieces = border.split(text)
    pieces[::2] = [_rewrite_part(piece, rules, to) for piece in pieces[::2]]
    return "".join(pieces)


def _rewrite_part(part: str, rules: KeyRules, to: Rewriter) -> str:
    head = _PART_HEAD.match(part)
    if head is None:
        return to.value(part, "code") if part.strip() else part
    name = next((m["said"] for m in _NAMED.finditer(head[0]) if not m["file"]), "")
    rest = part[head.end() :]
    said = _rewrite_value(rest, rules, to, name, 0) if name else rest and to.value(rest, "code")
    return "\n".join(_rewrite_head(line, to) for line in head[0].split("\n")) + said


def _rewrite_head(line: str, to: Rewriter) -> str:
    def said(match: re.Match[str]) -> str:
        text = match["said"]
        if match["file"]:
            return match["sign"] + to.value(text, "url" if "%" in text else "path")
        return match["sign"] + _said_key(text, to)

    if _NAMED.search(line):
        return _NAMED.sub(said, line)
    return to.value(line, "code") if line.strip() else line


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
    given, mime = mime or "", (mime or "").lower()
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
    if mime.startswith("multipart/"):
        return rewrite_multipart(text, given, rules, to)
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
