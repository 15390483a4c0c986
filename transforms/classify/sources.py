"""Where the value of a parameter may have been seen: every place, with the words that name it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from schemas.traces import Request
from transforms.classify.entries import FieldEntry
from transforms.classify.facts import (
    StepFacts,
    answer_of,
    body_of,
    is_mutating,
    path_ids,
    query_of,
    split_url,
)
from transforms.classify.values import comparable
from transforms.classify.words import head_tokens, name_tokens, similarity, tokens

MAX_DEPTH = 12
MAX_LEAVES = 2_000
PRIORS = {
    "field": 1.0,
    "select": 1.0,
    "request": 0.85,
    "query": 0.85,
    "keys": 0.8,
    "drop": 0.85,
    "choice": 0.8,
    "capture": 0.85,
    "named": 0.5,
    "remainder": 0.75,
    "element": 0.75,
    "entity": 0.7,
    "row": 0.65,
    "heading": 0.6,
    "window": 0.5,
    "url": 0.45,
}
"""How much a place is worth when the words fit equally well."""
ID_WORDS = frozenset({"id", "_id", "uuid", "guid", "key", "ref", "number", "slug"})


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One value seen, and where."""

    kind: str
    """A key of ``PRIORS``."""
    detail: str
    """Field label, JSON path or element name."""
    words: tuple[str, ...]
    """Stemmed tokens that name the value; the nearest name first."""
    head: tuple[str, ...] = ()
    """Those of them that say what the value is (``title`` of ``Card title``)."""
    alias: tuple[str, ...] = ()
    """Tokens of the key under which a request sent the same value."""
    value: Any
    inner: str | None = None
    noun: tuple[str, ...] = ()
    """What thing it is a property of (``card`` for a card's title)."""
    role: str = ""
    event_ids: tuple[str, ...] = ()
    request_id: str | None = None


class Entities:
    """Objects with an id that the server has told so far: who ``/cards/12`` is."""

    def __init__(self, requests: Sequence[Request]) -> None:
        self.told: dict[str, list[tuple[int, str, dict[str, Any], str]]] = {}
        for request in sorted(requests, key=lambda r: (r.started_us, r.id)):
            answer = answer_of(request)
            if answer is None:
                continue
            _, path = split_url(request.url)
            noun = next((s for s in reversed(path) if s != "*"), "")
            at = request.started_us + int(request.duration_ms * 1000)
            for name, item in _objects(answer, noun):
                for key, value in item.items():
                    if isinstance(value, str | int) and key.lower() in ID_WORDS:
                        entry = (at, name, item, request.id)
                        self.told.setdefault(str(value), []).append(entry)

    def find(
        self, number: str, noun: str, before_us: int
    ) -> tuple[str, dict[str, Any], str] | None:
        """The latest object of that id told before a time: its noun, itself, the request's id."""
        known = [e for e in self.told.get(number, ()) if e[0] <= before_us]
        if not known:
            return None
        words = set(tokens(noun))
        best = max(known, key=lambda e: (bool(words & set(tokens(e[1]))), e[0]))
        return best[1], best[2], best[3]


def _objects(data: Any, noun: str, depth: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    if depth > MAX_DEPTH:
        return
    if isinstance(data, dict):
        yield noun, data
        for key, value in data.items():
            if isinstance(value, dict | list):
                yield from _objects(
                    value, noun if key in ("data", "items", "results") else key, depth + 1
                )
    elif isinstance(data, list):
        for value in data[:MAX_LEAVES]:
            yield from _objects(value, noun, depth + 1)


def leaves(data: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yields (dotted path, value) of every value in parsed JSON, lists and mappings included."""
    if depth > MAX_DEPTH:
        return
    if path:
        yield path, data
    if isinstance(data, dict):
        for key, value in data.items():
            yield from leaves(value, f"{path}.{key}" if path else str(key), depth + 1)
    elif isinstance(data, list):
        for number, value in enumerate(data[:50]):
            yield from leaves(value, f"{path}[{number}]", depth + 1)


def field_sources(entries: Sequence[FieldEntry]) -> Iterator[Source]:
    """What was entered into fields."""
    for entry in entries:
        if entry.value is None:
            continue
        yield Source(
            kind="select" if entry.kind == "select" else "field",
            detail=entry.label,
            words=entry.words,
            head=head_tokens(entry.label),
            value=entry.value,
            inner=entry.inner,
            role=entry.role,
            event_ids=entry.event_ids,
        )


def request_sources(
    request: Request, entities: Entities, event_ids: tuple[str, ...]
) -> Iterator[Source]:
    """What a request carried: its body, its ids, and what is known of the objects they name."""
    _, path = split_url(request.url)
    noun = tokens(next((s for s in reversed(path) if s != "*"), ""))
    body = body_of(request)
    if isinstance(body, dict) and isinstance(body.get("variables"), dict) and "query" in body:
        body = body["variables"]
    ids = list(path_ids(request.url))
    known: set[str] = set()
    for count, (where, value) in enumerate(leaves(body)):
        if count > MAX_LEAVES:
            break
        names = [name_tokens(part) for part in re.split(r"[.\[\]\d]+", where) if part]
        last = names[-1] if names else ()
        yield Source(
            kind="request",
            detail=where,
            words=last + tuple(w for name in names[:-1] for w in name),
            head=last[-1:],
            value=value,
            noun=noun,
            event_ids=event_ids,
            request_id=request.id,
        )
        if isinstance(value, str | int) and set(last) & ID_WORDS:
            owner = re.sub(r"(?i)[_-]?(uu|gu)?id$", "", where.rpartition(".")[2])
            ids.append((owner, str(value)))
    for owner, number in ids:
        yield Source(
            kind="url",
            detail=owner or "id",
            words=(*tokens(owner), "id"),
            value=number,
            event_ids=event_ids,
            request_id=request.id,
        )
        found = entities.find(number, owner, request.started_us)
        if found is None or number in known:
            continue
        known.add(number)
        name, item, told_by = found
        for where, value in leaves(item):
            if isinstance(value, dict | list) or value in (None, ""):
                continue
            keys = [name_tokens(part) for part in re.split(r"[.\[\]\d]+", where) if part]
            yield Source(
                kind="entity",
                detail=where,
                words=tuple(w for key in reversed(keys) for w in key),
                head=keys[-1][-1:] if keys else (),
                value=value,
                noun=tokens(owner) + tokens(name),
                event_ids=event_ids,
                request_id=told_by,
            )
    answer = answer_of(request) if is_mutating(request) else None
    if isinstance(answer, dict):
        for where, value in leaves(answer):
            if isinstance(value, dict | list) or value in (None, "") or "[" in where:
                continue
            yield Source(
                kind="entity",
                detail=where,
                words=tokens(where.rpartition(".")[2]),
                value=value,
                noun=noun,
                event_ids=event_ids,
                request_id=request.id,
            )


def query_sources(
    request: Request, before: Request | None, event_ids: tuple[str, ...]
) -> Iterator[Source]:
    """The query parameters in which a request differs from the one before to the same path."""
    for key, value in changed_query(request, before).items():
        yield Source(
            kind="query",
            detail=key,
            words=name_tokens(key),
            head=head_tokens(key),
            value=value,
            event_ids=event_ids,
            request_id=request.id,
        )


def changed_query(request: Request, before: Request | None) -> dict[str, str]:
    """Query parameters that are new or other than before; all non-empty ones without a before."""
    query = query_of(request.url)
    earlier = query_of(before.url) if before is not None else {}
    return {k: v for k, v in query.items() if v != earlier.get(k, "")}


def element_sources(facts: StepFacts, is_trigger: bool) -> Iterator[Source]:
    """What the pointed-at element itself says: an option's name, where a thing was dropped."""
    action = facts.action
    ids = action.raw_event_ids
    if facts.role in ("option", "radio", "menuitemradio", "tab", "menuitem") and facts.name:
        yield Source(
            kind="choice",
            detail=facts.name,
            words=(),
            value=facts.name,
            role=facts.role,
            event_ids=ids,
        )
    target = action.end_target
    if is_trigger and action.type == "drag" and target is not None and facts.role != "slider":
        for text in dict.fromkeys((target.label, target.name, target.text)):
            if text:
                words = tokens(target.role or "")
                yield Source(kind="drop", detail=text, words=words, value=text, event_ids=ids)
                break
        if facts.name:
            yield Source(
                kind="element", detail=facts.name, words=(), value=facts.name, event_ids=ids
            )


def window_sources(title: str | None, event_ids: tuple[str, ...]) -> Iterator[Source]:
    """The parts of a window's title, which often name the thing that is open."""
    for part in re.split(r"\s+[–—|·-]\s+|\s*:\s+", title or ""):
        if part.strip():
            yield Source(
                kind="window", detail=part, words=(), value=part.strip(), event_ids=event_ids
            )


def linked(sources: Sequence[Source]) -> list[Source]:
    """Ties fields to the request keys that sent their values; the field's value stands.

    The key (``sort``) says what a field means, the field (``Price: high to low``) what the person
    saw; the key's own source is dropped.
    """
    fields = [s for s in sources if s.kind in ("field", "select")]

    def telling(text: str, words: bool) -> bool:
        """Short values and placeholders (``<REDACTED>``) are too common to tell by themselves."""
        return words or (len(text) > 1 and not text.startswith("<"))

    alias: dict[int, list[str]] = {}
    dropped: set[int] = set()
    for source in sources:
        if source.kind not in ("request", "query") or isinstance(source.value, dict | list):
            continue
        sent = comparable(source.value)
        for field in fields:
            same = sent and sent in (comparable(field.value), comparable(field.inner or ""))
            if same and telling(sent, similarity(field.words, source.words) > 0.3):
                alias.setdefault(id(field), []).extend(source.words)
                if source.words:
                    dropped.add(id(source))
                break
    return [
        msgspec.structs.replace(s, alias=tuple(alias[id(s)])) if id(s) in alias else s
        for s in sources
        if id(s) not in dropped
    ]


def entered_values(entries: Sequence[FieldEntry]) -> set[str]:
    """Comparable forms of what was entered, for recognising it in requests."""
    values = {comparable(e.value) for e in entries if e.value not in (None, "")}
    return values | {comparable(e.inner) for e in entries if e.inner}
