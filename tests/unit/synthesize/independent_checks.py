"""Readers of the two formats, written from their rules alone; they share no code with the targets.

``openai_reader`` follows the fine-tuning guides, ``llamafactory_reader`` what LLaMA-Factory does to
a ShareGPT row: align, count pictures, take calls apart.
"""

from __future__ import annotations

import json
import re


class Refused(Exception):
    """The consumer would refuse, skip or silently spoil the row."""


def need(condition: object, why: str) -> None:
    if not condition:
        raise Refused(why)


def openai_reader(line: bytes) -> list[tuple[str, dict]]:
    """Checks one JSONL line as a fine-tuning file's reader does; returns (tool, arguments)."""
    need(b"\n" not in line, "one line")
    row = json.loads(line)
    need(set(row) <= {"messages", "tools", "parallel_tool_calls"}, "unknown column")
    names = []
    for tool in row.get("tools", []):
        need(set(tool) == {"type", "function"} and tool["type"] == "function", "tool type")
        name = tool["function"]["name"]
        need(re.match(r"^[a-zA-Z0-9_-]{1,64}$", name), "tool name")
        need(name not in names, "tool twice")
        names.append(name)
        parameters = tool["function"]["parameters"]
        need(parameters["type"] == "object", "schema")
        need(all("items" in p for p in parameters["properties"].values() if p["type"] == "array"),
             "items")  # fmt: skip
        need(len(tool["function"].get("description", "")) <= 1024, "description")
    need(len(names) <= 128, "tools")
    calls: list[tuple[str, dict]] = []
    unanswered: list[str] = []
    ids: set[str] = set()
    pictures, last = 0, None
    for message in row["messages"]:
        role, content = message["role"], message.get("content")
        need(role in ("system", "user", "assistant", "tool"), "role")
        if role == "tool":
            need(message["tool_call_id"] in unanswered, "answers no call")
            unanswered.remove(message["tool_call_id"])
        else:
            need(not unanswered, "call without answer")
        need(not (role == "assistant" and last == "assistant"), "two assistants in a row")
        for part in content if isinstance(content, list) else []:
            if part["type"] == "image_url":
                pictures += 1
                need(role == "user", "picture outside a user message")
                need(isinstance(part["image_url"]["url"], str), "picture url")
            else:
                need(part["type"] == "text" and part["text"], "part")
        need(content or (role == "assistant" and message.get("tool_calls")), "no content")
        for call in message.get("tool_calls", []):
            need(role == "assistant" and call["type"] == "function", "call")
            need(call["id"] not in ids, "call id twice")
            ids.add(call["id"])
            unanswered.append(call["id"])
            need(isinstance(call["function"]["arguments"], str), "arguments are no string")
            need(call["function"]["name"] in names, "unknown tool")
            arguments = json.loads(call["function"]["arguments"])
            need(isinstance(arguments, dict), "arguments are no object")
            calls.append((call["function"]["name"], arguments))
        last = role
    need(last == "assistant", "last message")
    need(pictures <= 10, "pictures")
    return calls


def llamafactory_reader(line: bytes) -> list[tuple[str, dict, str]]:
    """Aligns one row; returns (tool, arguments, thought) for each call that would be trained."""
    row = json.loads(line)
    turns = row["conversations"]
    for i, turn in enumerate(turns):
        allowed = ("gpt", "function_call") if i % 2 else ("human", "observation")
        need(turn["from"] in allowed, "invalid role tag")
    need(turns and len(turns) % 2 == 0, "invalid message count")
    images = row["images"] or []
    for kind, media in (("image", images), ("video", []), ("audio", [])):
        count = sum(turn["value"].count(f"<{kind}>") for turn in turns)
        need(count == len(media), f"number of {kind} tokens")
    for path in images:
        need(not path.startswith("/") and ".." not in path, "media path")
    tools = json.loads(row["tools"])
    by_name = {}
    for tool in tools:
        tool = tool["function"] if tool.get("type") == "function" else tool
        by_name[tool["name"]] = tool["parameters"]["properties"]
        need(tool["parameters"].get("required") is not None, "required")
    calls = []
    for turn in turns:
        if turn["from"] != "function_call":
            continue
        content, thought = turn["value"], ""
        found = re.search(r"<think>(.*?)</think>", content, re.DOTALL)
        if found:
            thought = found.group(1).strip()
            content = content.replace(found.group(0), "")
        try:
            call = json.loads(content)
        except ValueError:
            raise Refused("invalid JSON format in function message") from None
        call = call[0] if isinstance(call, list) else call
        need(set(call["arguments"]) <= set(by_name[call["name"]]), "arguments")
        calls.append((call["name"], call["arguments"], thought))
    return calls
