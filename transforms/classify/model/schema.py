"""The JSON schema of an answer, made for one Suite: a variant for each action, and ``none``.

It stays within what strict structured output takes: every key required, no other allowed, no
defaults; an optional parameter is one that may be null. Keys are in the order in which they are
best written: evidence, then choice, then confidence.
"""

from __future__ import annotations

from typing import Any

from schemas.catalogue import ActionParameter, CanonicalAction, Suite
from schemas.classifications import NONE_ACTION

_SCALAR = {"STRING": "string", "NUMBER": "number", "BOOLEAN": "boolean"}


def strict_object(properties: dict[str, Any]) -> dict[str, Any]:
    """Returns an object schema with every key required and no other allowed."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def answer_schema(suite: Suite) -> dict[str, Any]:
    """Returns the schema of the answer about one segment."""
    variants = [_variant(action) for action in suite.actions]
    variants.append(strict_object({"action": {"type": "string", "enum": [NONE_ACTION]}}))
    return strict_object(
        {
            "evidence": {
                "type": "array",
                "items": {"type": "string"},
                "description": "ids of the rows that prove the choice",
            },
            "choice": {"anyOf": variants},
            "confidence": {
                "type": "number",
                "description": "how likely the choice is right, from 0 to 1",
            },
        }
    )


def rows_schema(suite: Suite) -> dict[str, Any]:
    """Returns the schema of the answer about several segments."""
    one = answer_schema(suite)["properties"]
    row = strict_object({"id": {"type": "string"}, **one})
    return strict_object({"items": {"type": "array", "items": row}})


def _variant(action: CanonicalAction) -> dict[str, Any]:
    parameters = {p.name: _parameter(p) for p in action.parameters}
    return strict_object(
        {
            "action": {"type": "string", "enum": [action.name]},
            "parameters": strict_object(parameters),
        }
    )


def _parameter(parameter: ActionParameter) -> dict[str, Any]:
    cited = strict_object(
        {
            "value": _value(parameter.type),
            "from": {"type": "array", "items": {"type": "string"}},
        }
    )
    # Even a required parameter may be absent from the recording; null is better than invention.
    return {"anyOf": [cited, {"type": "null"}]}


def _value(kind: str) -> dict[str, Any]:
    if kind in _SCALAR:
        return {"type": _SCALAR[kind]}
    if kind == "ARRAY":
        scalars = [{"type": t} for t in _SCALAR.values()]
        return {"type": "array", "items": {"anyOf": scalars}}
    return {"type": "string", "description": "the object as JSON text"}
