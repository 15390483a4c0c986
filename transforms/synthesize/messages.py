"""Tracepipe's form of an Example: ``examples/<id>/messages.jsonl``, one message a line."""

from __future__ import annotations

from typing import Any

from schemas.examples import Conversation, ToolCall
from transforms.synthesize.control_tokens import json_text


def messages_lines(conversation: Conversation, nested: bool = True) -> list[bytes]:
    """Returns the conversation's messages as JSON lines (without newline), UTF-8.

    system (the Suite), user (the request), then one assistant message per call with ``tool_calls``:
    ``{id, type: "function", function: {name, arguments: "<JSON string>"}}``, or ``{name,
    arguments: {…}}`` when ``nested`` is False. Tools keep their catalogue names.
    """
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": conversation.system},
        {"role": "user", "content": conversation.request},
    ]
    for turn in conversation.turns:
        call = _nested(turn.call) if nested else _flat(turn.call)
        messages.append({"role": "assistant", "content": turn.thought, "tool_calls": [call]})
    return [json_text(m).encode() for m in messages]


def _nested(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": json_text(call.arguments)}
    return {"id": call.id, "type": "function", "function": function}


def _flat(call: ToolCall) -> dict[str, Any]:
    return {"name": call.name, "arguments": call.arguments}
