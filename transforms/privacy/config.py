"""The rules of the text side, read from ``scrubber.yaml`` and checked before anything starts.

A mistake is one :class:`ScrubberConfigError` that names the file, the line, what was found and what
is allowed. What a file leaves out is taken from the packaged one. Nothing heavy is imported here:
the command line reads configurations too.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from transforms import storage
from transforms.keys import stable_hash
from transforms.privacy.entities import ENTITIES, PRESIDIO_ENTITIES

PACKAGED = Path(__file__).with_name("scrubber.yaml")
REPLACEMENTS = ("redacted", "placeholder", "surrogate")
MAX_CONFIG_BYTES = 1 << 20
_CUSTOM_ENTITY = re.compile(r"[A-Z][A-Z0-9_]{1,39}")


class ScrubberConfigError(ValueError):
    """The scrubber's rules are unusable; ``file`` and ``line`` (1-based) say where."""

    def __init__(self, file: str, line: int, problem: str) -> None:
        super().__init__(f"{file}:{line}: {problem}")
        self.file = file
        self.line = line


@dataclass(frozen=True)
class OwnPattern:
    """A regular expression of the configuration; ``near`` are words required before a match."""

    entity: str
    regex: re.Pattern[str]
    group: int = 0
    near: tuple[str, ...] = ()


@dataclass(frozen=True)
class FieldRule:
    """Which fields, keys and headers hold nothing but one entity; ``keep`` exempts a field."""

    entity: str
    input_type: frozenset[str] = frozenset()
    role: frozenset[str] = frozenset()
    autocomplete: frozenset[str] = frozenset()
    hint: re.Pattern[str] | None = None
    key: re.Pattern[str] | None = None
    header: re.Pattern[str] | None = None


@dataclass(frozen=True)
class NameRules:
    """Which model finds names, and from which score on they are redacted."""

    model: str = "bundled"
    min_score: Mapping[str, float] = field(default_factory=dict)
    propagate_score: float = 0.8


@dataclass(frozen=True)
class Thresholds:
    """Limits of the other finders; the packaged scrubber.yaml says what each means."""

    secret_entropy_bits: float = 3.6
    presidio_score: float = 0.3
    presidio_timeout_s: float = 2.0


@dataclass(frozen=True)
class Limits:
    """Bounds on work and memory."""

    text_chars: int = 20_000
    cache_mb: int = 64


@dataclass(frozen=True)
class ScrubberConfig:
    """Everything that decides what is redacted in text, and by what it is replaced."""

    replacement: str = "redacted"
    entities: frozenset[str] = frozenset()
    patterns: tuple[OwnPattern, ...] = ()
    allow: frozenset[str] = frozenset()
    """Case-folded."""
    deny: tuple[tuple[str, str], ...] = ()
    """(value, entity)."""
    fields: tuple[FieldRule, ...] = ()
    names: NameRules = NameRules()
    thresholds: Thresholds = Thresholds()
    limits: Limits = Limits()
    digest: str = ""
    """Of the text of both files: part of the fingerprint of what was prepared with it."""


def packaged_text() -> str:
    """Returns the packaged ``scrubber.yaml`` (what ``tracemill config scrubber`` prints)."""
    return PACKAGED.read_text(encoding="utf-8")


def load_scrubber_config(path: str | None = None) -> ScrubberConfig:
    """Reads a scrubber configuration over the packaged one.

    Args:
        path: local path or object-store URI of a YAML file; None takes the packaged rules alone.

    Raises:
        ScrubberConfigError: unreadable file, no YAML, an unknown key or entity, a bad regular
            expression, a value of the wrong kind or out of range.
    """
    packaged = packaged_text()
    values = _read_document(str(PACKAGED.name), packaged)
    text = ""
    if path is not None:
        try:
            text = storage.read_bytes(path, MAX_CONFIG_BYTES).decode("utf-8-sig")
        except FileNotFoundError:
            raise ScrubberConfigError(path, 1, "no such file") from None
        except UnicodeDecodeError as error:
            line = 1 + error.object[: error.start].count(b"\n")
            raise ScrubberConfigError(path, line, "not UTF-8") from None
        except (OSError, storage.StorageError) as error:
            raise ScrubberConfigError(path, 1, f"cannot be read: {error}") from None
        values = _merged(values, _read_document(path, text))
    own = {pattern.entity for pattern in values["patterns"]}
    return ScrubberConfig(
        **values
        | {
            "entities": values["entities"][0] | own | {entity for _, entity in values["deny"]},
            "names": NameRules(**values["names"]),
            "thresholds": Thresholds(**values["thresholds"]),
            "limits": Limits(**values["limits"]),
        },
        digest=stable_hash("scrubber", packaged, text),
    )


def _merged(base: dict, own: dict) -> dict:
    """Own values over the packaged ones; entities, scores and thresholds one by one."""
    merged = {**base, **own}
    if "entities" in own:
        on, off = own["entities"]
        merged["entities"] = ((base["entities"][0] - off) | on, off)
    if "names" in own:
        names = {**base["names"], **own["names"]}
        names["min_score"] = {**base["names"]["min_score"], **names["min_score"]}
        merged["names"] = names
    for part in ("thresholds", "limits"):
        if part in own:
            merged[part] = {**base[part], **own[part]}
    return merged


@functools.lru_cache(8)
def _parsed(file: str, text: str) -> dict:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ScrubberConfigError(
            file, mark.line + 1 if mark else 1, f"no valid YAML: {error.problem}"
        ) from None
    except yaml.YAMLError as error:
        raise ScrubberConfigError(file, 1, f"no valid YAML: {error}") from None
    return _Reader(file).document(node) if node is not None else {}


def _read_document(file: str, text: str) -> dict:
    return dict(_parsed(file, text))


class _Reader:
    """Reads nodes of the YAML tree, which still know their lines."""

    def __init__(self, file: str) -> None:
        self.file = file

    def fail(self, node: yaml.Node, problem: str) -> ScrubberConfigError:
        return ScrubberConfigError(self.file, node.start_mark.line + 1, problem)

    def document(self, node: yaml.Node) -> dict:
        readers = {
            "replacement": self.replacement,
            "entities": self.entities,
            "patterns": lambda n: tuple(self.pattern(x) for x in self.items(n)),
            "allow": lambda n: frozenset(self.text(x).casefold() for x in self.items(n)),
            "deny": lambda n: tuple(self.denied(x) for x in self.items(n)),
            "fields": lambda n: tuple(self.field_rule(x) for x in self.items(n)),
            "names": self.names,
            "thresholds": lambda n: self.numbers(n, Thresholds()),
            "limits": lambda n: self.numbers(n, Limits()),
        }
        return {key.value: readers[key.value](value) for key, value in self.pairs(node, readers)}

    def pairs(self, node: yaml.Node, allowed) -> list[tuple[yaml.Node, yaml.Node]]:
        """The pairs of a mapping whose keys are all allowed (None: any) and given once."""
        if not isinstance(node, yaml.MappingNode):
            raise self.fail(node, "expected a mapping (key: value)")
        seen: set[str] = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            if name in seen:
                raise self.fail(key, f"{name!r} is given twice")
            seen.add(name)
            if allowed is not None and name not in allowed:
                raise self.fail(key, f"unknown key {name!r}; allowed: {', '.join(allowed)}")
        return node.value

    def items(self, node: yaml.Node) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode):
            raise self.fail(node, "expected a list")
        return node.value

    def text(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode) or not node.value:
            raise self.fail(node, "expected a text")
        return node.value

    def number(self, node: yaml.Node, like: int | float) -> int | float:
        try:
            number = type(like)(self.text(node))
        except ValueError:
            raise self.fail(node, f"expected a number, found {node.value!r}") from None
        if not 0 <= number < 1e9:
            raise self.fail(node, f"{node.value} is out of range (0 or more)")
        return number

    def flag(self, node: yaml.Node) -> bool:
        if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:bool":
            raise self.fail(node, "expected true or false")
        return node.value.lower() in ("true", "yes", "on")

    def entity(self, node: yaml.Node, own: bool = False) -> str:
        """A known entity; own patterns and denied values may name a new one in capitals."""
        name = self.text(node)
        if name in ENTITIES or name in PRESIDIO_ENTITIES:
            return name
        if own and _CUSTOM_ENTITY.fullmatch(name):
            return name
        raise self.fail(
            node,
            f"unknown entity {name!r}; allowed: {', '.join(sorted(ENTITIES))}, names of "
            "presidio-analyzer" + (", or an own one in capitals (EMPLOYEE_ID)" if own else ""),
        )

    def regex(self, node: yaml.Node, flags: int = 0) -> re.Pattern[str]:
        try:
            pattern = re.compile(self.text(node), flags)
        except re.error as error:
            raise self.fail(node, f"bad regular expression {node.value!r}: {error}") from None
        if pattern.match(""):
            raise self.fail(node, f"regular expression {node.value!r} matches the empty text")
        return pattern

    def replacement(self, node: yaml.Node) -> str:
        value = self.text(node)
        if value not in REPLACEMENTS:
            raise self.fail(
                node, f"unknown replacement {value!r}; allowed: {', '.join(REPLACEMENTS)}"
            )
        return value

    def entities(self, node: yaml.Node) -> tuple[frozenset[str], frozenset[str]]:
        switched = {self.entity(k): self.flag(v) for k, v in self.pairs(node, None)}
        return (
            frozenset(name for name, on in switched.items() if on),
            frozenset(name for name, on in switched.items() if not on),
        )

    def pattern(self, node: yaml.Node) -> OwnPattern:
        pairs = self.pairs(node, ("entity", "regex", "ignore_case", "group", "near"))
        parts = {key.value: value for key, value in pairs}
        for name in ("entity", "regex"):
            if name not in parts:
                raise self.fail(node, f"a pattern needs {name!r}")
        ignore = "ignore_case" in parts and self.flag(parts["ignore_case"])
        regex = self.regex(parts["regex"], re.IGNORECASE if ignore else 0)
        group = int(self.number(parts["group"], 0)) if "group" in parts else 0
        if group > regex.groups:
            raise self.fail(parts["group"], f"group {group}: the regex has {regex.groups}")
        near = (
            tuple(self.text(x).casefold() for x in self.items(parts["near"]))
            if ("near" in parts)
            else ()
        )
        return OwnPattern(self.entity(parts["entity"], own=True), regex, group, near)

    def denied(self, node: yaml.Node) -> tuple[str, str]:
        parts = {key.value: value for key, value in self.pairs(node, ("value", "entity"))}
        if set(parts) != {"value", "entity"}:
            raise self.fail(node, "a denied value needs 'value' and 'entity'")
        return self.text(parts["value"]), self.entity(parts["entity"], own=True)

    def field_rule(self, node: yaml.Node) -> FieldRule:
        regexes, sets = ("hint", "key", "header"), ("input_type", "role", "autocomplete")
        parts = {k.value: v for k, v in self.pairs(node, ("entity", *sets, *regexes))}
        if "entity" not in parts or len(parts) < 2:
            raise self.fail(node, "a field rule needs 'entity' and at least one thing to match")
        keep = isinstance(parts["entity"], yaml.ScalarNode) and parts["entity"].value == "keep"
        values: dict[str, Any] = {
            name: frozenset(self.text(x).lower().replace(" ", "") for x in self.items(parts[name]))
            for name in sets
            if name in parts
        }
        values |= {n: self.regex(parts[n], re.IGNORECASE) for n in regexes if n in parts}
        return FieldRule("keep" if keep else self.entity(parts["entity"], own=True), **values)

    def names(self, node: yaml.Node) -> dict:
        values: dict = {"min_score": {}}
        for key, value in self.pairs(node, ("model", "min_score", "propagate_score")):
            if key.value == "model":
                values["model"] = self.text(value)
            elif key.value == "propagate_score":
                values["propagate_score"] = self.number(value, 0.0)
            else:
                values["min_score"] = {
                    self.entity(k): self.number(v, 0.0) for k, v in self.pairs(value, None)
                }
        return values

    def numbers(self, node: yaml.Node, like: Thresholds | Limits) -> dict:
        allowed = tuple(like.__dataclass_fields__)
        return {
            key.value: self.number(value, getattr(like, key.value))
            for key, value in self.pairs(node, allowed)
        }
