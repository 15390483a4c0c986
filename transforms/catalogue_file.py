"""Entries of a catalogue file, each of which knows where it stands.

YAML and JSON become plain mappings; :class:`Entry` reads typed values out of one and raises
:class:`CatalogueError` with the file, the line (YAML), the entry's path and what is allowed.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from typing import Any, NoReturn

import yaml


class CatalogueError(ValueError):
    """A catalogue that can't be used; the message names the file, the entry and the remedy."""


class Entry:
    """One mapping of the file, with its path from the top (``suites[2].actions[1] 'send'``)."""

    def __init__(self, source: Source, data: Any, path: str, keys: Iterable[str]) -> None:
        self.source = source
        self.path = path
        self.line = source.lines.get(id(data))
        if not isinstance(data, dict):
            self.fail(f"expected a mapping with {_listed(keys)}, found {_shown(data)}")
        self.data: dict[str, Any] = data
        name = data.get("name")
        if isinstance(name, str) and name:
            self.path = f"{path} '{name}'" if path else f"'{name}'"
        self._refuse_unknown(keys)

    def _refuse_unknown(self, keys: Iterable[str]) -> None:
        known = sorted(keys)
        for key in self.data:
            if key in known:
                continue
            close = difflib.get_close_matches(str(key), known, 1)
            remedy = f"did you mean '{close[0]}'?" if close else f"allowed: {', '.join(known)}"
            self.fail(f"unknown key '{key}'; {remedy}")

    def fail(self, problem: str) -> NoReturn:
        """Raises CatalogueError: file, line, path, problem."""
        place = self.source.name if self.line is None else f"{self.source.name}:{self.line}"
        raise CatalogueError(
            f"{place}: {self.path}: {problem}" if self.path else f"{place}: {problem}"
        )

    def has(self, key: str) -> bool:
        """Whether the key is there with a value."""
        return self.data.get(key) is not None

    def text(self, key: str, default: str | None = None) -> str:
        """A non-empty text; ``default`` (when not None) stands in for a missing one."""
        value = self.data.get(key)
        if value is None and default is not None:
            return default
        if value is None:
            self.fail(f"'{key}' is missing")
        if not isinstance(value, str):
            quote = "; YAML reads yes, no, on, off and numbers as such: put it in quotes"
            self.fail(f"'{key}': expected a text, found {_shown(value)}{quote}")
        if not value.strip() and default is None:
            self.fail(f"'{key}' is empty")
        return value

    def optional_text(self, key: str) -> str | None:
        """A text, or None when the key is missing."""
        return self.text(key) if self.has(key) else None

    def flag(self, key: str) -> bool:
        """A boolean; False when missing."""
        value = self.data.get(key, False)
        if not isinstance(value, bool):
            self.fail(f"'{key}': expected true or false, found {_shown(value)}")
        return value

    def one_of(self, key: str, allowed: tuple[str, ...], default: str) -> str:
        """One of the allowed words, whatever its case."""
        value = self.text(key, default)
        if value.upper() not in allowed:
            self.fail(f"'{key}': '{value}' is not known; allowed: {', '.join(allowed)}")
        return value.upper()

    def texts(self, key: str) -> tuple[str, ...]:
        """A text or a list of texts, as a tuple."""
        value = self.data.get(key)
        values = value if isinstance(value, list) else [] if value is None else [value]
        for item in values:
            if not isinstance(item, str) or not item.strip():
                self.fail(f"'{key}': expected a text or a list of texts, found {_shown(item)}")
        return tuple(values)

    def entries(self, key: str, keys: Iterable[str], single: bool = False) -> list[Entry]:
        """The mappings listed under ``key``; with ``single`` one mapping may stand alone."""
        value = self.data.get(key)
        if value is None:
            return []
        if single and isinstance(value, dict):
            value = [value]
        if not isinstance(value, list):
            self.fail(f"'{key}': expected a list, found {_shown(value)}")
        prefix = f"{self.path}.{key}" if self.path else key
        return [
            Entry(self.source, item, f"{prefix}[{number}]", keys)
            for number, item in enumerate(value)
        ]


class Source:
    """A parsed file: its name for messages, its content and the line of every mapping."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        self.lines: dict[int, int] = {}
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise CatalogueError(f"{name}: byte {error.start} is not UTF-8") from None
        self.content = self._json(text) if name.lower().endswith(".json") else self._yaml(text)

    def _json(self, text: str) -> Any:
        def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            result = dict(pairs)
            if len(result) < len(pairs):
                seen: set[str] = set()
                twice = next(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]
                raise CatalogueError(f"{self.name}: the key '{twice}' stands twice in one mapping")
            return result

        try:
            return json.loads(text, object_pairs_hook=mapping)
        except json.JSONDecodeError as error:
            raise CatalogueError(
                f"{self.name}:{error.lineno}: not JSON: {error.msg} (column {error.colno})"
            ) from None

    def _yaml(self, text: str) -> Any:
        source = self

        class Loader(yaml.SafeLoader):
            def mapping(self, node: yaml.MappingNode) -> Any:
                data: dict[Any, Any] = {}
                yield data
                seen = set()
                for key, _ in node.value:
                    if key.tag != "tag:yaml.org,2002:merge" and key.value in seen:
                        raise CatalogueError(
                            f"{source.name}:{key.start_mark.line + 1}: the key '{key.value}' "
                            "stands twice in one mapping"
                        )
                    seen.add(str(key.value))
                data.update(self.construct_mapping(node))
                source.lines[id(data)] = node.start_mark.line + 1

        Loader.add_constructor("tag:yaml.org,2002:map", Loader.mapping)
        try:
            return yaml.load(text, Loader)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else "?"
            raise CatalogueError(f"{self.name}:{line}: not YAML: {error.problem}") from None
        except yaml.YAMLError as error:
            raise CatalogueError(f"{self.name}: not YAML: {str(error).splitlines()[0]}") from None


def _listed(keys: Iterable[str]) -> str:
    return ", ".join(sorted(keys))


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else repr(value)
