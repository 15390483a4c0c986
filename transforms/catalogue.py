"""The catalogue file (``--suite``): Suites, tools and the maps between them, resolved and checked.

People write names, not UUIDs. A missing id is the uuid5 of the path of names, so the same file
gives the same ids everywhere; references may be names or ids. Whatever could go wrong later in
each session (a dangling reference, a required tool parameter that nothing maps to) is an error
here, before anything starts. The nested wire form (``action_tool_maps`` inside a suite, ids and
``*_id`` references) is read too.
"""

from __future__ import annotations

import difflib
import uuid
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

import msgspec

from schemas.catalogue import (
    PARAMETER_TYPES,
    ActionParameter,
    ActionToolMap,
    CanonicalAction,
    Catalogue,
    Hint,
    McpServer,
    ParameterMapping,
    Suite,
    Tool,
    ToolMapping,
    ToolParameter,
)
from schemas.classifications import NONE_ACTION
from schemas.trajectories import ACTION_TYPES
from transforms import storage
from transforms.catalogue_file import CatalogueError, Entry, Source
from transforms.keys import derived_uuid, stable_hash

__all__ = ["CatalogueError", "given_id", "load_catalogue", "parse_catalogue"]

MAX_CATALOGUE_BYTES = 64 << 20

_TOP = ("suites", "mcp_servers", "action_tool_maps")
_SUITE = ("id", "name", "description", "match", "actions", "action_tool_maps")
_ACTION = ("id", "suite_id", "suite", "name", "description", "parameters", "match")
_PARAMETER = ("id", "action_id", "name", "type", "required", "description", "default", "from")
_HINT = ("event", "role", "name", "keys", "url", "window", "request", "weight")
_SERVER = ("id", "name", "description", "tools")
_TOOL = ("id", "mcp_server_id", "name", "description", "parameters")
_TOOL_PARAMETER = ("id", "tool_id", "name", "type", "required", "description")
_MAP = ("id", "name", "suite", "suite_id", "mcp_server", "mcp_server_id", "tool_mappings")
_MAPPING = (
    *("id", "action_tool_map_id", "action", "action_id", "tool", "tool_id"),
    "parameter_mappings",
)
_PARAMETER_MAPPING = (
    *("id", "action_tool_mapping_id", "action_parameter", "action_parameter_id"),
    *("tool_parameter", "tool_parameter_id"),
)
_FROM = {"field": None, "request": None, "element": ("name", "text")}

Item = TypeVar("Item", Suite, CanonicalAction, ActionParameter, McpServer, Tool, ToolParameter)


class _Known(NamedTuple):
    """Entities that a reference may mean: by id and by name."""

    kind: str
    items: tuple[Any, ...]

    def find(self, entry: Entry, *keys: str) -> Any:
        """The entity that ``entry`` names under one of ``keys``."""
        key = next((k for k in keys if entry.has(k)), keys[0])
        wanted = entry.text(key)
        for item in self.items:
            if item.id == given_id(wanted):
                return item
        for item in self.items:
            if item.name == wanted:
                return item
        names = [item.name for item in self.items]
        close = difflib.get_close_matches(wanted, names, 1)
        remedy = f"did you mean '{close[0]}'?" if close else f"allowed: {', '.join(names)}"
        entry.fail(f"'{key}': there is no {self.kind} '{wanted}'; {remedy}")


def load_catalogue(path: str) -> Catalogue:
    """Reads and resolves a catalogue file, YAML or JSON, local or in a bucket.

    Raises CatalogueError, whose message names the file, the line (YAML) and the entry.
    """
    try:
        data = storage.read_bytes(path, MAX_CATALOGUE_BYTES)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise CatalogueError(f"{path}: {error.strerror or 'no such file'}") from None
    return parse_catalogue(data, path)


def parse_catalogue(data: bytes, name: str) -> Catalogue:
    """Resolves a catalogue's content; ``name`` stands in messages and tells JSON from YAML."""
    source = Source(name, data)
    content = source.content
    if isinstance(content, dict) and "actions" in content:
        content = {"suites": [content]}
    elif isinstance(content, list):
        content = {"suites": content}
    top = Entry(source, content, "", _TOP)
    ids = _Ids()

    entries = top.entries("suites", _SUITE)
    if not entries:
        top.fail("'suites' is missing or empty; a catalogue needs at least one suite")
    suites = tuple(_suite(entry, ids) for entry in entries)
    _refuse_twins(entries, "suites")

    server_entries = top.entries("mcp_servers", _SERVER)
    servers = tuple(_server(entry, ids) for entry in server_entries)
    _refuse_twins(server_entries, "MCP servers")

    known_servers = _Known("MCP server", servers)
    maps: list[ActionToolMap] = []
    for entry, suite in zip(entries, suites):
        for nested in entry.entries("action_tool_maps", _MAP):
            maps.append(_map(nested, suite, _Known("suite", suites), known_servers, ids))
    for entry in top.entries("action_tool_maps", _MAP):
        maps.append(_map(entry, None, _Known("suite", suites), known_servers, ids))
    catalogue = Catalogue(suites=suites, mcp_servers=servers, action_tool_maps=tuple(maps))
    fingerprint = stable_hash(msgspec.to_builtins(catalogue))
    return msgspec.structs.replace(catalogue, fingerprint=fingerprint)


def given_id(text: str) -> str:
    """The published id for an id that somebody wrote: a UUID stays, other text is derived from."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return derived_uuid("id", text)


class _Ids:
    """Gives entities their ids and refuses the same id for two."""

    def __init__(self) -> None:
        self.seen: dict[str, str] = {}

    def of(self, entry: Entry, *path: str) -> str:
        value = given_id(entry.text("id")) if entry.has("id") else derived_uuid(*path)
        if value in self.seen:
            entry.fail(f"the id {value} is already that of {self.seen[value]}")
        self.seen[value] = entry.path
        return value


def _refuse_twins(entries: Iterable[Entry], what: str) -> None:
    seen: dict[str, str] = {}
    for entry in entries:
        name = entry.text("name")
        if name in seen:
            entry.fail(f"two {what} of one name; the first is {seen[name]}; rename one")
        seen[name] = entry.path


def _refuse_foreign_parent(entry: Entry, key: str, allowed: tuple[str, ...]) -> None:
    if entry.has(key) and entry.text(key) not in allowed:
        if given_id(entry.text(key)) in allowed:
            return
        entry.fail(f"'{key}' is {entry.text(key)}, but it stands under {allowed[0]}")


def _suite(entry: Entry, ids: _Ids) -> Suite:
    name = entry.text("name")
    suite_id = ids.of(entry, "suite", name)
    hosts: tuple[str, ...] = ()
    windows: tuple[str, ...] = ()
    for match in entry.entries("match", ("hosts", "windows"), single=True):
        hosts, windows = hosts + match.texts("hosts"), windows + match.texts("windows")
    entries = entry.entries("actions", _ACTION)
    if not entries:
        entry.fail("'actions' is missing or empty; a suite needs at least one action")
    _refuse_twins(entries, "actions")
    return Suite(
        id=suite_id,
        name=name,
        description=entry.text("description", ""),
        actions=tuple(_action(e, suite_id, name, ids) for e in entries),
        hosts=hosts,
        windows=windows,
    )


def _action(entry: Entry, suite_id: str, suite: str, ids: _Ids) -> CanonicalAction:
    name = entry.text("name")
    if name.lower() == NONE_ACTION:
        entry.fail(f"'{NONE_ACTION}' means that a segment is no action; choose another name")
    _refuse_foreign_parent(entry, "suite_id", (suite_id, suite))
    action_id = ids.of(entry, "suite", suite, "action", name)
    entries = entry.entries("parameters", _PARAMETER)
    _refuse_twins(entries, "parameters")
    return CanonicalAction(
        id=action_id,
        suite_id=suite_id,
        name=name,
        description=entry.text("description", ""),
        parameters=tuple(_parameter(e, action_id, (suite, name), ids) for e in entries),
        match=tuple(_hint(e) for e in entry.entries("match", _HINT, single=True)),
    )


def _parameter(entry: Entry, action_id: str, path: tuple[str, str], ids: _Ids) -> ActionParameter:
    name = entry.text("name")
    _refuse_foreign_parent(entry, "action_id", (action_id, path[1]))
    kind = entry.one_of("type", PARAMETER_TYPES, "STRING")
    default = entry.data.get("default")
    if default is not None and not _fits(default, kind):
        entry.fail(f"'default': expected a value of type {kind}, found {default!r}")
    source: dict[str, str] = {}
    for place in entry.entries("from", tuple(_FROM), single=True):
        for key in place.data:
            value = place.text(key)
            allowed = _FROM[key]
            if allowed and value not in allowed:
                place.fail(f"'{key}': '{value}' is not known; allowed: {', '.join(allowed)}")
            source[key] = value
    return ActionParameter(
        id=ids.of(entry, "suite", path[0], "action", path[1], "parameter", name),
        action_id=action_id,
        name=name,
        type=kind,
        required=entry.flag("required"),
        description=entry.text("description", ""),
        default=default,
        source=source,
    )


def _fits(value: Any, kind: str) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return {
        "STRING": isinstance(value, str),
        "NUMBER": number,
        "BOOLEAN": isinstance(value, bool),
        "OBJECT": isinstance(value, dict),
        "ARRAY": isinstance(value, list),
    }[kind]


def _hint(entry: Entry) -> Hint:
    weight = entry.data.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight <= 1:
        entry.fail(f"'weight': expected a number above 0 and at most 1, found {weight!r}")
    events = entry.texts("event")
    for event in events:
        if event not in ACTION_TYPES:
            close = difflib.get_close_matches(event, ACTION_TYPES, 1)
            remedy = (
                f"did you mean '{close[0]}'?" if close else f"allowed: {', '.join(ACTION_TYPES)}"
            )
            entry.fail(f"'event': '{event}' is no action type; {remedy}")
    request = entry.optional_text("request")
    if request is not None and len(request.split()) != 2:
        entry.fail(f"'request': expected METHOD and a path pattern, found {request!r}")
    if not set(entry.data) - {"weight"}:
        entry.fail(f"a hint needs a condition; allowed: {', '.join(_HINT)}")
    return Hint(
        event=events,
        role=entry.optional_text("role"),
        name=entry.optional_text("name"),
        keys=entry.texts("keys"),
        url=entry.optional_text("url"),
        window=entry.optional_text("window"),
        request=request,
        weight=float(weight),
    )


def _server(entry: Entry, ids: _Ids) -> McpServer:
    name = entry.text("name")
    server_id = ids.of(entry, "mcp_server", name)
    tools = []
    entries = entry.entries("tools", _TOOL)
    _refuse_twins(entries, "tools")
    for tool in entries:
        tool_name = tool.text("name")
        path = ("mcp_server", name, "tool", tool_name)
        _refuse_foreign_parent(tool, "mcp_server_id", (server_id, name))
        tool_id = ids.of(tool, *path)
        parameters = tool.entries("parameters", _TOOL_PARAMETER)
        _refuse_twins(parameters, "parameters")
        tools.append(
            Tool(
                id=tool_id,
                mcp_server_id=server_id,
                name=tool_name,
                description=tool.text("description", ""),
                parameters=tuple(_tool_parameter(p, tool_id, path, ids) for p in parameters),
            )
        )
    return McpServer(id=server_id, name=name, tools=tuple(tools))


def _tool_parameter(entry: Entry, tool_id: str, path: tuple[str, ...], ids: _Ids) -> ToolParameter:
    name = entry.text("name")
    _refuse_foreign_parent(entry, "tool_id", (tool_id, path[-1]))
    return ToolParameter(
        id=ids.of(entry, *path, "parameter", name),
        tool_id=tool_id,
        name=name,
        type=entry.one_of("type", PARAMETER_TYPES, "STRING"),
        required=entry.flag("required"),
        description=entry.text("description", ""),
    )


def _map(
    entry: Entry, parent: Suite | None, suites: _Known, servers: _Known, ids: _Ids
) -> ActionToolMap:
    suite = (
        suites.find(entry, "suite", "suite_id")
        if parent is None or (entry.has("suite") or entry.has("suite_id"))
        else parent
    )
    if parent is not None and suite.id != parent.id:
        entry.fail(f"it stands under the suite '{parent.name}', but refers to '{suite.name}'")
    server = servers.find(entry, "mcp_server", "mcp_server_id")
    name = entry.text("name", f"{suite.name} - {server.name}")
    path = ("action_tool_map", suite.name, name)
    map_id = ids.of(entry, *path)
    mappings: list[ToolMapping] = []
    actions, tools = _Known("action", suite.actions), _Known("tool", server.tools)
    for mapping in entry.entries("tool_mappings", _MAPPING):
        action = actions.find(mapping, "action", "action_id")
        tool = tools.find(mapping, "tool", "tool_id")
        mapping.path += f" ({action.name} to {tool.name})"
        _refuse_foreign_parent(mapping, "action_tool_map_id", (map_id, name))
        if any(m.action_id == action.id for m in mappings):
            mapping.fail(f"the action '{action.name}' is mapped twice in one map")
        mapping_id = ids.of(mapping, *path, "action", action.name)
        mappings.append(
            ToolMapping(
                id=mapping_id,
                action_tool_map_id=map_id,
                action_id=action.id,
                tool_id=tool.id,
                parameter_mappings=_parameter_mappings(
                    mapping, mapping_id, (*path, "action", action.name), action, tool, ids
                ),
            )
        )
    return ActionToolMap(
        id=map_id,
        name=name,
        suite_id=suite.id,
        mcp_server_id=server.id,
        tool_mappings=tuple(mappings),
    )


def _parameter_mappings(
    entry: Entry,
    mapping_id: str,
    path: tuple[str, ...],
    action: CanonicalAction,
    tool: Tool,
    ids: _Ids,
) -> tuple[ParameterMapping, ...]:
    sources = _Known(f"parameter of the action '{action.name}' named", action.parameters)
    targets = _Known(f"parameter of the tool '{tool.name}' named", tool.parameters)
    found: list[ParameterMapping] = []
    for item in entry.entries("parameter_mappings", _PARAMETER_MAPPING):
        source = sources.find(item, "action_parameter", "action_parameter_id")
        target = targets.find(item, "tool_parameter", "tool_parameter_id")
        _refuse_foreign_parent(item, "action_tool_mapping_id", (mapping_id,))
        if any(m.tool_parameter_id == target.id for m in found):
            item.fail(f"two values for the tool parameter '{target.name}'")
        found.append(
            ParameterMapping(
                id=ids.of(item, *path, "parameter", source.name, target.name),
                action_tool_mapping_id=mapping_id,
                action_parameter_id=source.id,
                tool_parameter_id=target.id,
            )
        )
    mapped = {m.tool_parameter_id for m in found}
    for parameter in tool.parameters:
        if parameter.required and parameter.id not in mapped:
            names = ", ".join(p.name for p in action.parameters) or "(the action has none)"
            entry.fail(
                f"nothing maps to the required tool parameter '{parameter.name}'; "
                f"map one of: {names}"
            )
    return tuple(found)
