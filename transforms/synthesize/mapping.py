"""ActionToolMap lookup: from a classified segment to a call of one tool."""

from __future__ import annotations

from typing import Any

from schemas.catalogue import ActionToolMap, CanonicalAction, Catalogue, Suite, Tool, ToolMapping
from schemas.classifications import Classification
from schemas.examples import ToolCall
from schemas.outcomes import Failure
from transforms.keys import stable_hash
from transforms.synthesize.arguments import Unconvertible, convert, holds_redaction

STAGE = "SynthesizeExamples"
JSON_TYPES = {
    "STRING": "string",
    "NUMBER": "number",
    "BOOLEAN": "boolean",
    "OBJECT": "object",
    "ARRAY": "array",
}


def call_for(
    classification: Classification,
    suite: Suite,
    tool_map: ActionToolMap,
    catalogue: Catalogue,
    *,
    example_id: str = "",
    session_id: str = "",
) -> ToolCall | Failure:
    """Returns the tool call that an accepted classification means under one map.

    Arguments are in the tool's order and types; an action parameter without a value gives its
    catalogue default or nothing. The call id is a hash of example, segment and tool. Failure codes:
    ``unmapped_action``, ``missing_argument`` (a required one), ``unconvertible_argument`` and
    ``redacted_parameter`` (a replacement where the tool wants no text; the Example waits for it).
    """

    def failure(code: str, message: str) -> Failure:
        return Failure(session_id=session_id, stage=STAGE, code=code, message=message)

    found = _lookup(classification.action, suite, tool_map, catalogue)
    if found is None:
        # A label that the Suite doesn't have may be a model's own words: not repeated here.
        known = any(a.name == classification.action for a in suite.actions)
        name = f"the action '{classification.action}'" if known else "a label outside the Suite"
        return failure("unmapped_action", f"{name} has no tool in the map '{tool_map.name}'")
    action, tool, mapping = found
    sources = {m.tool_parameter_id: m.action_parameter_id for m in mapping.parameter_mappings}
    parameters = {p.id: p for p in action.parameters}
    arguments: dict[str, Any] = {}
    for wanted in tool.parameters:
        source = parameters.get(sources.get(wanted.id, ""))
        value = classification.parameters.get(source.name) if source else None
        if value is None and source:
            value = source.default
        where = f"'{wanted.name}' of the tool '{tool.name}'"
        if value is None:
            if wanted.required:
                return failure("missing_argument", f"no value for the required argument {where}")
            continue
        if wanted.type != "STRING" and holds_redaction(value):
            return failure(
                "redacted_parameter", f"{where} is a {wanted.type}, but its value is redacted"
            )
        try:
            arguments[wanted.name] = convert(value, wanted.type)
        except Unconvertible as error:
            return failure("unconvertible_argument", f"{where}: found {error}")
    digest = stable_hash(example_id, classification.segment.id, tool.name, size=12)
    return ToolCall(id=f"call_{digest}", name=tool.name, arguments=arguments)


def unmapped_parameters(
    classification: Classification, suite: Suite, tool_map: ActionToolMap, catalogue: Catalogue
) -> tuple[str, ...]:
    """Returns the names of known parameters that the map gives no place in the tool call."""
    found = _lookup(classification.action, suite, tool_map, catalogue)
    if found is None:
        return ()
    action, _, mapping = found
    used = {m.action_parameter_id for m in mapping.parameter_mappings}
    return tuple(
        p.name
        for p in action.parameters
        if p.id not in used and classification.parameters.get(p.name) is not None
    )


def tool_schemas(tool_map: ActionToolMap, catalogue: Catalogue) -> tuple[dict[str, Any], ...]:
    """Returns function declarations (OpenAI form, JSON Schema) of the map's tools.

    In the catalogue's order; tools that no action maps to are left out.
    """
    used = {m.tool_id for m in tool_map.tool_mappings}
    return tuple(
        _declaration(tool)
        for server in catalogue.mcp_servers
        if server.id == tool_map.mcp_server_id
        for tool in server.tools
        if tool.id in used
    )


def _declaration(tool: Tool) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for parameter in tool.parameters:
        schema: dict[str, Any] = {"type": JSON_TYPES[parameter.type]}
        if parameter.description:
            schema["description"] = parameter.description
        if parameter.type == "ARRAY":
            schema["items"] = {}  # OpenAI refuses an array schema without it
        properties[parameter.name] = schema
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": {
                "type": "object",
                "properties": properties,
                "required": [p.name for p in tool.parameters if p.required],
            },
        },
    }


def _lookup(
    name: str | None, suite: Suite, tool_map: ActionToolMap, catalogue: Catalogue
) -> tuple[CanonicalAction, Tool, ToolMapping] | None:
    action = next((a for a in suite.actions if a.name == name), None)
    if action is None:
        return None
    mapping = next((m for m in tool_map.tool_mappings if m.action_id == action.id), None)
    if mapping is None:
        return None
    for server in catalogue.mcp_servers:
        for tool in server.tools:
            if tool.id == mapping.tool_id:
                return action, tool, mapping
    return None
