"""Checks that several targets share: tool declarations, and calls against them."""

from __future__ import annotations

from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}


def declaration_faults(declaration: Any, place: str) -> list[str]:
    """Returns what is wrong with ``{name, description, parameters}``."""
    if not isinstance(declaration, dict):
        return [f"tool_declaration: {place} is no object"]
    faults = []
    extra = set(declaration) - {"name", "description", "parameters", "strict"}
    if extra:
        faults.append(f"tool_declaration: {place} has keys that the format doesn't know")
    if not isinstance(declaration.get("name"), str) or not declaration["name"]:
        faults.append(f"tool_declaration: {place} has no name")
    if not isinstance(declaration.get("description", ""), str):
        faults.append(f"tool_declaration: the description of {place} is no text")
    schema = declaration.get("parameters")
    if (
        not isinstance(schema, dict)
        or schema.get("type") != "object"
        or not isinstance(schema.get("properties"), dict)
    ):
        return [*faults, f"tool_schema: the parameters of {place} are no object schema"]
    for prop in schema["properties"].values():
        kind = prop.get("type") if isinstance(prop, dict) else None
        if not isinstance(kind, str) or kind not in _TYPES:
            faults.append(f"tool_schema: a parameter of {place} has no JSON Schema type")
        elif kind == "array" and "items" not in prop:
            faults.append(f"tool_schema: an array parameter of {place} has no items")
    required = schema.get("required", [])
    if not isinstance(required, list) or any(r not in [*schema["properties"]] for r in required):
        faults.append(f"tool_schema: {place} requires what it doesn't declare")
    return faults


def call_faults(
    name: Any, arguments: Any, declarations: dict[str, dict[str, Any]], place: str
) -> list[str]:
    """Returns what is wrong with one call: unknown tool, missing, unknown or mistyped arguments."""
    if not isinstance(name, str) or name not in declarations:
        return [f"unknown_tool: {place} calls a tool that isn't declared"]
    if not isinstance(arguments, dict):
        return [f"arguments: {place} has arguments that are no JSON object"]
    if declaration_faults(declarations[name], place):
        return []  # named already, at the declaration
    schema = declarations[name]["parameters"]
    faults = []
    if set(schema.get("required", ())) - set(arguments):
        faults.append(f"arguments: {place} lacks a required argument")
    for key, value in arguments.items():
        declared = schema["properties"].get(key)
        if declared is None:
            faults.append(f"arguments: {place} has an argument that isn't declared")
        elif not _fits(value, declared["type"]):
            faults.append(f"arguments: {place} has an argument of another type than declared")
    return faults


def _fits(value: Any, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
