"""Suites, tools and the maps between them, resolved: every reference is an id that exists."""

from __future__ import annotations

from typing import Any

import msgspec

PARAMETER_TYPES = ("STRING", "NUMBER", "BOOLEAN", "OBJECT", "ARRAY")
PROVIDERS = ("OPENAI", "ANTHROPIC", "VERTEXAI", "CUSTOM")


class Hint(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One ``match:`` entry of a canonical action; all its conditions must hold on one step."""

    event: tuple[str, ...] = ()
    role: str | None = None
    name: str | None = None
    keys: tuple[str, ...] = ()
    url: str | None = None
    window: str | None = None
    request: str | None = None
    """``METHOD path-glob``."""
    weight: float = 1.0


class ActionParameter(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A parameter of a canonical action."""

    id: str
    action_id: str
    name: str
    type: str = "STRING"
    required: bool = False
    description: str = ""
    default: Any = None
    source: dict[str, str] = msgspec.field(default_factory=dict)
    """The catalogue's ``from:``: {field: glob} | {request: json.path} | {element: name|text}."""


class CanonicalAction(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The entity *Action*: one canonical action of one Suite."""

    id: str
    suite_id: str
    name: str
    description: str = ""
    parameters: tuple[ActionParameter, ...] = ()
    match: tuple[Hint, ...] = ()


class Suite(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The application a person worked in."""

    id: str
    name: str
    description: str = ""
    actions: tuple[CanonicalAction, ...] = ()
    hosts: tuple[str, ...] = ()
    """``match.hosts`` globs."""
    windows: tuple[str, ...] = ()
    """``match.windows`` globs."""


class ToolParameter(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A parameter of a tool."""

    id: str
    tool_id: str
    name: str
    type: str = "STRING"
    required: bool = False
    description: str = ""


class Tool(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What an agent may call."""

    id: str
    mcp_server_id: str
    name: str
    description: str = ""
    parameters: tuple[ToolParameter, ...] = ()


class McpServer(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An agent-facing tool server."""

    id: str
    name: str
    tools: tuple[Tool, ...] = ()


class ParameterMapping(msgspec.Struct, frozen=True, kw_only=True):
    """The entity *ActionToolParameterMapping*."""

    id: str
    action_tool_mapping_id: str
    action_parameter_id: str
    tool_parameter_id: str


class ToolMapping(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The entity *ActionToolMapping*: one canonical action to one tool."""

    id: str
    action_tool_map_id: str
    action_id: str
    tool_id: str
    parameter_mappings: tuple[ParameterMapping, ...] = ()


class ActionToolMap(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Binds a Suite to one tool surface."""

    id: str
    name: str
    suite_id: str
    mcp_server_id: str
    tool_mappings: tuple[ToolMapping, ...] = ()


class Model(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Which model made a classification; its configuration is kept per Example."""

    id: str
    provider: str
    name: str


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """All entries of the ``--suite`` file; built by ``transforms.catalogue.load_catalogue``."""

    suites: tuple[Suite, ...]
    mcp_servers: tuple[McpServer, ...] = ()
    action_tool_maps: tuple[ActionToolMap, ...] = ()
    fingerprint: str = ""
    """Hash of the resolved content; part of every result key."""
