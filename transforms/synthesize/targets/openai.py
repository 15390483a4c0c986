"""Target ``openai``: chat fine-tuning rows, ``{messages, tools, parallel_tool_calls}``.

Rules: OpenAI's and Azure's fine-tuning guides (chat, tool calls, vision) and the function
definition of the API (names of a-z, A-Z, 0-9, underscore and dash, at most 64). Only the format's
own top-level keys are written: validators that read this format refuse unknown columns. A row
reaches back through its call ids, which ``messages.jsonl`` of its Example holds too.

Pictures may stand in user messages only, so what is seen after a call follows the tool's message
as a user message. The recording shows no answer after the last call: a conversation ends with it.
"""

from __future__ import annotations

import json
import re
from typing import Any

from schemas.examples import Conversation, Turn
from transforms.keys import stable_hash
from transforms.synthesize.control_tokens import has_control_token, json_text
from transforms.synthesize.targets.declarations import call_faults, declaration_faults
from transforms.synthesize.targets.pictures import picture_fault
from transforms.synthesize.targets.target import ImageSource, observed_state

MAX_IMAGES = 10
MAX_TOOLS = 128
MAX_DESCRIPTION_CHARS = 1024
AFTER_CALL = "Screenshot after the call."

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_TOP = frozenset(["messages", "tools", "parallel_tool_calls"])
_KEYS = {
    "system": frozenset(["role", "content"]),
    "user": frozenset(["role", "content"]),
    "assistant": frozenset(["role", "content", "tool_calls", "weight"]),
    "tool": frozenset(["role", "content", "tool_call_id"]),
}


def function_names(names: list[str]) -> dict[str, str]:
    """Returns a name the API allows for each tool name; distinct ones stay distinct.

    Other characters become ``_`` (``mail.send`` → ``mail_send``); where that is too long or taken,
    8 digits of a hash follow.
    """
    allowed = {n: n for n in names if _NAME.fullmatch(n)}
    taken = set(allowed.values())
    for name in sorted(set(names) - set(allowed)):
        plain = re.sub(r"[^a-zA-Z0-9_-]", "_", name)
        if not plain or len(plain) > 64 or plain in taken:
            plain = f"{plain[:55]}_{stable_hash(name, size=4)}"
        taken.add(plain)
        allowed[name] = plain
    return allowed


class OpenAiTarget:
    """Chat fine-tuning. ``images`` decides the shape of ``content``: parts, or text alone."""

    name = "openai"

    def __init__(self, images: str = "reference", max_images: int = MAX_IMAGES):
        self.parts = images != "none"
        self.max_images = max_images

    def for_images(self, images: str) -> OpenAiTarget:
        """Returns the format for a run: content is a list of parts, or text when no pictures."""
        return OpenAiTarget(images, self.max_images)

    def render(self, conversation: Conversation, images: ImageSource) -> dict[str, Any]:
        """Returns ``{messages, tools, parallel_tool_calls}``; one call per assistant message."""
        names = function_names([t["function"]["name"] for t in conversation.tools])
        turns = conversation.turns
        shown = self.parts and images.form != "none"
        first = turns[0].frame if turns and shown else None
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": self._content(conversation.system)},
            {"role": "user", "content": self._content(conversation.request, first, images)},
        ]
        for turn, following in zip(turns, (*turns[1:], None)):
            messages.append(self._call(turn, names))
            if following is None:
                break
            state = self._content(observed_state(following))
            messages.append({"role": "tool", "tool_call_id": turn.call.id, "content": state})
            if following.frame and shown:
                seen = self._content(AFTER_CALL, following.frame, images)
                messages.append({"role": "user", "content": seen})
        tools = [_allowed(tool, names) for tool in conversation.tools]
        return {"messages": messages, "tools": tools, "parallel_tool_calls": False}

    def _content(
        self, text: str, frame: str | None = None, images: ImageSource | None = None
    ) -> Any:
        if not self.parts:
            return text
        content: list[dict[str, Any]] = [{"type": "text", "text": text}]
        if frame and images:
            content.append({"type": "image_url", "image_url": {"url": images.url(frame)}})
        return content

    def _call(self, turn: Turn, names: dict[str, str]) -> dict[str, Any]:
        function = {
            "name": names.get(turn.call.name, turn.call.name),
            "arguments": json_text(turn.call.arguments),
        }
        return {
            "role": "assistant",
            "content": self._content(turn.thought) if turn.thought else None,
            "tool_calls": [{"id": turn.call.id, "type": "function", "function": function}],
        }

    def check(self, row: dict[str, Any]) -> list[str]:
        """Returns every rule of OpenAI's fine-tuning format that the row breaks."""
        if not isinstance(row, dict) or not isinstance(row.get("messages"), list):
            return ["messages: the row has no list of messages"]
        faults = []
        if set(row) - _TOP:
            faults.append("top_level_keys: only messages, tools and parallel_tool_calls may stand")
        if "parallel_tool_calls" in row and (
            not isinstance(row["parallel_tool_calls"], bool) or not row.get("tools")
        ):
            faults.append("parallel_tool_calls: a boolean beside tools")
        declared, tool_faults = self._declared(row.get("tools", []))
        check = _MessageCheck(self, declared)
        return [*faults, *tool_faults, *check.run(row["messages"])]

    def _declared(self, tools: Any) -> tuple[dict[str, dict[str, Any]], list[str]]:
        if not isinstance(tools, list):
            return {}, ["tools: they are no list"]
        faults = [] if len(tools) <= MAX_TOOLS else [f"tools: more than {MAX_TOOLS}"]
        declared: dict[str, dict[str, Any]] = {}
        for i, tool in enumerate(tools):
            place = f"tool {i}"
            if not isinstance(tool, dict) or tool.get("type") != "function":
                faults.append(f"tool_declaration: {place} is not of type function")
                continue
            function = tool.get("function")
            faults += declaration_faults(function, place)
            if not isinstance(function, dict):
                continue
            name = function.get("name")
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                faults.append(f"tool_name: {place}: a-z, A-Z, 0-9, _ and -, at most 64 characters")
            elif name in declared:
                faults.append(f"tool_name: {place} has the name of another")
            if len(str(function.get("description", ""))) > MAX_DESCRIPTION_CHARS:
                faults.append(
                    f"tool_description: {place}: more than {MAX_DESCRIPTION_CHARS} characters"
                )
            declared[str(name)] = function
        return declared, faults

    def columns(self, row: dict[str, Any]) -> dict[str, Any]:
        """Returns the row with ``tools`` as a JSON string: Arrow has no type for free objects."""
        return {**row, "tools": json_text(row["tools"]) if "tools" in row else None}

    def arrow_schema(self) -> Any:
        """Returns messages (typed), tools (JSON string), parallel_tool_calls."""
        import pyarrow as pa

        text = pa.string()
        part = pa.struct(
            [("type", text), ("text", text), ("image_url", pa.struct([("url", text)]))]
        )
        function = pa.struct([("name", text), ("arguments", text)])
        call = pa.struct([("id", text), ("type", text), ("function", function)])
        message = pa.struct(
            [
                ("role", text),
                ("content", pa.list_(part) if self.parts else text),
                ("tool_calls", pa.list_(call)),
                ("tool_call_id", text),
            ]
        )
        return pa.schema(
            [
                ("messages", pa.list_(message)),
                ("tools", text),
                ("parallel_tool_calls", pa.bool_()),
            ]
        )


class _MessageCheck:
    """One pass over a row's messages, in order."""

    def __init__(self, target: OpenAiTarget, declared: dict[str, dict[str, Any]]):
        self.target, self.declared = target, declared
        self.faults: list[str] = []
        self.open: list[Any] = []
        self.seen: set[Any] = set()
        self.images = 0
        self.previous: str | None = None

    def fault(self, rule: str, i: int, what: str) -> None:
        self.faults.append(f"{rule}: message {i} {what}")

    def run(self, messages: list[Any]) -> list[str]:
        if not messages:
            return ["messages: there are none"]
        for i, message in enumerate(messages):
            role = message.get("role") if isinstance(message, dict) else None
            if not isinstance(role, str) or role not in _KEYS:
                self.fault("role", i, "has no role of system, user, assistant, tool")
                self.previous = None
                continue
            if set(message) - _KEYS[role]:
                self.fault("message_keys", i, f"has keys that a {role} message may not have")
            self.order(i, role)
            self.content(i, role, message)
            if role == "assistant":
                self.assistant(i, message)
            elif role == "tool":
                self.tool(i, message)
            self.previous = role
        if self.previous != "assistant":
            self.faults.append("last_message: the last message is not the assistant's")
        if not any(isinstance(m, dict) and m.get("role") == "user" for m in messages):
            self.faults.append("role_order: there is no user message")
        if self.images > self.target.max_images:
            self.faults.append(f"image_count: more than {self.target.max_images} pictures")
        return self.faults

    def order(self, i: int, role: str) -> None:
        if role == "system" and i:
            self.fault("role_order", i, "is a system message, but not the first")
        if role == "assistant" and self.previous in (None, "system", "assistant"):
            self.fault("role_order", i, "is the assistant's, but answers nobody")
        if role == "tool" and self.previous not in ("assistant", "tool"):
            self.fault("role_order", i, "is a tool's, but follows no call")
        if role != "tool" and self.open:
            self.fault("tool_answer", i, "comes before every call was answered")
            self.open = []

    def content(self, i: int, role: str, message: dict[str, Any]) -> None:
        content = message.get("content")
        if content is None:
            if role != "assistant" or not message.get("tool_calls"):
                self.fault("content", i, "has no content")
            return
        if isinstance(content, str) == self.target.parts or not isinstance(content, str | list):
            shape = "a list of parts" if self.target.parts else "text"
            self.fault("content_shape", i, f"has content that is not {shape} as everywhere else")
            return
        if not content:
            self.fault("content", i, "has empty content")
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for part in parts:
            self.part(i, role, part)

    def part(self, i: int, role: str, part: Any) -> None:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text" and set(part) == {"type", "text"}:
            text = part["text"]
            if not isinstance(text, str) or not text:
                self.fault("content", i, "has a text part without text")
            elif has_control_token(text):
                self.fault("control_token", i, "holds a chat template's control token")
        elif kind == "image_url" and set(part) == {"type", "image_url"}:
            self.images += 1
            if role != "user":
                self.fault("image_place", i, f"is a {role} message with a picture")
            picture = part["image_url"]
            if not isinstance(picture, dict) or set(picture) - {"url", "detail"}:
                self.fault("image_url", i, "has a picture that is no {url, detail}")
            elif fault := picture_fault(picture.get("url")):
                self.fault(fault.partition(":")[0], i, f"has a picture:{fault.partition(':')[2]}")
        else:
            self.fault("content", i, "has a part that is neither text nor image_url")

    def assistant(self, i: int, message: dict[str, Any]) -> None:
        weight = message.get("weight", 1)
        if isinstance(weight, bool) or weight not in (0, 1):
            self.fault("weight", i, "has a weight other than 0 or 1")
        if "tool_calls" not in message:
            return
        calls = message["tool_calls"]
        if not isinstance(calls, list) or not calls:
            self.fault("tool_calls", i, "has tool_calls that are no list of calls")
            return
        for call in calls:
            if not isinstance(call, dict) or set(call) != {"id", "type", "function"}:
                self.fault("tool_calls", i, "has a call that is no {id, type, function}")
                continue
            if call["type"] != "function" or not isinstance(call["function"], dict):
                self.fault("tool_calls", i, "has a call that is not of type function")
                continue
            if not isinstance(call["id"], str) or not call["id"] or call["id"] in self.seen:
                self.fault("tool_call_id", i, "has a call without an id of its own")
            self.seen.add(str(call["id"]))
            self.open.append(str(call["id"]))
            self.arguments(i, call["function"])

    def arguments(self, i: int, function: dict[str, Any]) -> None:
        text = function.get("arguments")
        if not isinstance(text, str):
            self.fault("arguments", i, "has arguments that are no JSON string")
            return
        if has_control_token(text):
            self.fault("control_token", i, "holds a chat template's control token")
        try:
            arguments = json.loads(text)
        except ValueError:
            self.fault("arguments", i, "has arguments that are no JSON")
            return
        place = f"message {i}"
        self.faults += call_faults(function.get("name"), arguments, self.declared, place)

    def tool(self, i: int, message: dict[str, Any]) -> None:
        answered = message.get("tool_call_id")
        if answered not in self.open:
            self.fault("tool_answer", i, "answers no open call")
            return
        self.open.remove(answered)


def _allowed(tool: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """The declaration with a name and a length of description that the API takes."""
    function = tool["function"]
    told = function["description"]
    if len(told) > MAX_DESCRIPTION_CHARS:
        told = told[: MAX_DESCRIPTION_CHARS - 1] + "…"
    return {**tool, "function": {**function, "name": names[function["name"]], "description": told}}
