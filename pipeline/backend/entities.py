"""Catalogue entities of the API as the content of a catalogue file.

The API may nest what belongs to an entity or list it apart, and may send fields that no catalogue
has; both end here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from pipeline.backend.client import BackendClient, RequestRefused

_KEPT = {
    "suite": ("id", "name", "description"),
    "action": ("id", "name", "description"),
    "parameter": ("id", "name", "type", "required", "description", "default"),
    "server": ("id", "name", "description"),
    "tool": ("id", "name", "description"),
    "tool_parameter": ("id", "name", "type", "required", "description"),
    "map": ("id", "name", "suite_id", "mcp_server_id"),
    "mapping": ("id", "action_id", "tool_id"),
    "parameter_mapping": ("id", "action_parameter_id", "tool_parameter_id"),
}
Entity = dict[str, Any]


class Fetched(NamedTuple):
    """A catalogue's content, and what the API doesn't have."""

    content: Entity
    missing: frozenset[str]
    """Ids of Suites and maps."""


def fetch_catalogue(client: BackendClient, suites: Iterable[str], maps: Iterable[str]) -> Fetched:
    """Returns a catalogue with these Suites and maps, and all that they refer to.

    A Suite for which no map is named brings those it has. Raises BackendDown and KeyRefused, and
    RequestRefused where an answer makes no sense.
    """
    missing: set[str] = set()
    chosen = _all(client, "action-tool-maps", set(maps), missing)
    covered = {str(given.get("suite_id")) for given in chosen.values()}
    found = _all(client, "suites", {*suites, *covered}, missing)
    for id_ in sorted(set(found) - covered):
        for given in _maps_of(client, id_, found[id_]):
            chosen[str(given["id"])] = given
    chosen = {id_: given for id_, given in chosen.items() if str(given.get("suite_id")) in found}
    servers = sorted({str(given.get("mcp_server_id")) for given in chosen.values()})
    content = {
        "suites": [_suite(_with(found[id_], client, "actions")) for id_ in sorted(found)],
        "mcp_servers": [
            _server(_with(client.get("mcp-servers", id_), client, "tools")) for id_ in servers
        ],
        "action_tool_maps": [_map(chosen[id_]) for id_ in sorted(chosen)],
    }
    return Fetched(content, frozenset(missing))


def _all(
    client: BackendClient, kind: str, wanted: set[str], missing: set[str]
) -> dict[str, Entity]:
    found = {}
    for id_ in sorted(wanted):
        try:
            found[id_] = client.get(kind, id_)
        except RequestRefused as error:
            if error.status not in (404, 422):
                raise
            missing.add(id_)
    return found


def _with(entity: Entity, client: BackendClient, members: str) -> Entity:
    """Fills in a list of members that the API did not nest."""
    if entity.get(members):
        return entity
    path = ("suites" if members == "actions" else "mcp-servers", str(entity.get("id")), members)
    return {**entity, members: list(client.pages(*path))}


def _maps_of(client: BackendClient, suite_id: str, suite: Entity) -> list[Entity]:
    """Returns a Suite's maps: nested, by id, or from the list; none where the API has none."""
    nested = suite.get("action_tool_maps")
    if isinstance(nested, list):
        ids = [str(m["id"]) for m in nested if isinstance(m, dict) and "id" in m]
        full = [m for m in nested if isinstance(m, dict) and m.get("tool_mappings")]
        if len(full) == len(nested):
            return [{"suite_id": suite_id, **m} for m in full]
        return [client.get("action-tool-maps", id_) for id_ in ids]
    try:
        listed = list(client.pages("action-tool-maps", suite_id=suite_id))
    except RequestRefused:
        return []
    ids = [str(m["id"]) for m in listed if str(m.get("suite_id")) == suite_id]
    return [client.get("action-tool-maps", id_) for id_ in ids]


def _take(kind: str, entity: Entity, **members: list[Entity]) -> Entity:
    taken = {k: entity[k] for k in _KEPT[kind] if entity.get(k) is not None}
    if isinstance(taken.get("type"), str):
        taken["type"] = taken["type"].upper()
    return {**taken, **members}


def _suite(entity: Entity) -> Entity:
    actions = [
        _take("action", a, parameters=[_take("parameter", p) for p in _list(a, "parameters")])
        for a in _list(entity, "actions")
    ]
    return _take("suite", entity, actions=actions)


def _server(entity: Entity) -> Entity:
    tools = [
        _take("tool", t, parameters=[_take("tool_parameter", p) for p in _list(t, "parameters")])
        for t in _list(entity, "tools")
    ]
    return _take("server", entity, tools=tools)


def _map(entity: Entity) -> Entity:
    mappings = []
    for mapping in _list(entity, "tool_mappings"):
        bound = [_take("parameter_mapping", p) for p in _list(mapping, "parameter_mappings")]
        mappings.append(_take("mapping", mapping, parameter_mappings=bound))
    return _take("map", entity, tool_mappings=mappings)


def _list(entity: Entity, name: str) -> list[Entity]:
    return [item for item in entity.get(name) or [] if isinstance(item, dict)]
