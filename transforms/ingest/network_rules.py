"""Rules that say which requests of a recording matter, read from YAML.

The bundled ``network_rules.yaml`` documents the format and drops assets, telemetry and ads.
"""

from __future__ import annotations

import fnmatch
import functools
import re
from pathlib import Path
from typing import Any

import msgspec

from transforms import storage

DEFAULT_RULES = Path(__file__).with_name("network_rules.yaml")
CONDITIONS = ("hosts", "paths", "methods", "types", "mimes")
SECTIONS = ("keep", "drop", "max_body_bytes", "remove_headers")
MAX_RULES_BYTES = 1 << 20


class ConfigError(ValueError):
    """A configuration file that cannot be used; the message names file, line and remedy."""


class NetworkRule(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One rule: all its conditions must hold; a condition without values always does."""

    name: str
    hosts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    mimes: tuple[str, ...] = ()

    def fits(self, host: str, path: str, method: str, kind: str, mime: str) -> bool:
        """Whether a request is one of those the rule means."""
        return (
            (not self.hosts or _matches_host(self.hosts, host))
            and (not self.paths or matches(self.paths, path))
            and (not self.methods or matches(self.methods, method))
            and (not self.types or matches(self.types, kind))
            and (not self.mimes or matches(self.mimes, mime))
        )


class NetworkRules(msgspec.Struct, frozen=True, kw_only=True):
    """All rules of a file; ``drop`` applies to what ``keep`` does not keep."""

    keep: tuple[NetworkRule, ...] = ()
    drop: tuple[NetworkRule, ...] = ()
    max_body_bytes: int = 65_536
    remove_headers: tuple[str, ...] = ()

    def reason_to_drop(self, host: str, path: str, method: str, kind: str, mime: str) -> str | None:
        """Returns the name of the rule that drops a request, or None when it is kept."""
        request = (host.lower(), path.lower(), method.lower(), kind.lower(), mime.lower())
        if any(rule.fits(*request) for rule in self.keep):
            return None
        return next((rule.name for rule in self.drop if rule.fits(*request)), None)


@functools.lru_cache(maxsize=256)
def _pattern(globs: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(fnmatch.translate(g.lower()) for g in globs))


def matches(globs: tuple[str, ...], text: str) -> bool:
    """Whether a lower-case text fits any of the globs."""
    return bool(_pattern(globs).match(text))


def _matches_host(globs: tuple[str, ...], host: str) -> bool:
    return matches(globs, host) or any(g.lower() == f"*.{host}" for g in globs)


def load_network_rules(path: str | None = None) -> NetworkRules:
    """Reads rules from a YAML file; None means the bundled ones. Raises ConfigError."""
    import yaml

    place = str(DEFAULT_RULES) if path is None else path
    try:
        text = storage.read_bytes(place, MAX_RULES_BYTES).decode("utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{place}: there is no such file") from None
    except (UnicodeDecodeError, IsADirectoryError):
        raise ConfigError(f"{place}: not a UTF-8 text file") from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"{mark.line + 1}: " if mark else ""
        raise ConfigError(f"{place}:{line} not valid YAML") from None
    return _Reader(place).rules(node)


class _Reader:
    """Walks the YAML nodes, which know their lines."""

    def __init__(self, place: str):
        self.place = place

    def error(self, node: Any, message: str) -> ConfigError:
        return ConfigError(f"{self.place}:{node.start_mark.line + 1}: {message}")

    def rules(self, node: Any) -> NetworkRules:
        if node is None:
            return NetworkRules()
        fields: dict[str, Any] = {}
        for key, value in self.entries(node, SECTIONS):
            if key.value == "max_body_bytes":
                if value.tag != "tag:yaml.org,2002:int" or int(value.value) < 0:
                    raise self.error(value, "max_body_bytes: expected a number of bytes, 0 or more")
                fields[key.value] = int(value.value)
            elif key.value == "remove_headers":
                fields[key.value] = self.globs(key.value, value)
            else:
                if value.tag != "tag:yaml.org,2002:seq":
                    raise self.error(value, f"{key.value}: expected a list of rules")
                fields[key.value] = tuple(self.rule(item) for item in value.value)
        return NetworkRules(**fields)

    def rule(self, node: Any) -> NetworkRule:
        fields: dict[str, Any] = {}
        for key, value in self.entries(node, ("name", *CONDITIONS)):
            if key.value == "name":
                if value.tag != "tag:yaml.org,2002:str" or not re.fullmatch(
                    r"[A-Za-z0-9_-]{1,64}", value.value
                ):
                    raise self.error(value, "name: expected letters, digits, - and _")
                fields["name"] = value.value
            else:
                fields[key.value] = self.globs(key.value, value)
        if "name" not in fields:
            raise self.error(node, "a rule needs a name; it is the reason in the ledger")
        if not any(fields.get(c) for c in CONDITIONS):
            raise self.error(
                node, f"the rule {fields['name']} has no condition; use {', '.join(CONDITIONS)}"
            )
        return NetworkRule(**fields)

    def entries(self, node: Any, allowed: tuple[str, ...]) -> list[tuple[Any, Any]]:
        import difflib

        if node.tag != "tag:yaml.org,2002:map":
            raise self.error(node, f"expected entries out of {', '.join(allowed)}")
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name not in allowed:
                close = difflib.get_close_matches(name, allowed, 1)
                hint = f"did you mean {close[0]}?" if close else f"allowed: {', '.join(allowed)}"
                raise self.error(key, f"unknown key {name!r}; {hint}")
            if name in seen:
                raise self.error(key, f"{name} is given twice")
            seen.add(name)
        return list(node.value)

    def globs(self, name: str, node: Any) -> tuple[str, ...]:
        items = node.value if node.tag == "tag:yaml.org,2002:seq" else [node]
        found = []
        for item in items:
            if item.tag != "tag:yaml.org,2002:str" or not item.value.strip():
                raise self.error(item, f"{name}: expected a glob or a list of globs")
            if "://" in item.value or (name == "hosts" and "/" in item.value):
                raise self.error(item, f"{name}: {item.value!r} is a URL; give host and path apart")
            if item.value.count("[") > item.value.count("]"):
                raise self.error(item, f"{name}: {item.value!r} is a bad glob: [ is never closed")
            found.append(item.value)
        return tuple(found)
