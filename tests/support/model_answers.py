"""What the fault server answers: derived from the request alone, so that all can be checked.

``expected_action`` and ``expected_probability`` are the oracle: a test calls them on what it
recorded, the server on what it was sent. If two answers were ever swapped, they would differ.
"""

from __future__ import annotations

import base64
import json
import math
import re
import zlib
from typing import Any

ALLOWED_KEYWORDS = frozenset(
    """type properties required additionalProperties items anyOf enum description title $defs $ref
    minimum maximum""".split()
)


def expected_action(marker: str, actions: list[str]) -> str:
    """The action of a segment whose first typed text is ``marker``."""
    return sorted(actions)[zlib.crc32(marker.encode()) % len(actions)]


def expected_probability(marker: str) -> float:
    """The probability that the server's token logprobs give to its action: 0.50–0.99."""
    return 0.5 + (zlib.crc32(b"p" + marker.encode()) % 50) / 100


def schema_fault(schema: Any, path: str = "$") -> str | None:
    """What a strict endpoint would refuse in a JSON schema, or None."""
    if not isinstance(schema, dict):
        return f"{path}: not an object"
    unknown = set(schema) - ALLOWED_KEYWORDS
    if unknown:
        return f"{path}: keyword {sorted(unknown)[0]} is not permitted"
    if path == "$" and schema.get("type") != "object":
        return "$: root must be an object"
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        if schema.get("additionalProperties") is not False:
            return f"{path}: additionalProperties must be false"
        if sorted(schema.get("required", [])) != sorted(properties):
            return f"{path}: required must list every key"
        for name, inner in properties.items():
            if fault := schema_fault(inner, f"{path}.{name}"):
                return fault
    for i, inner in enumerate(schema.get("anyOf", [])):
        if fault := schema_fault(inner, f"{path}|{i}"):
            return fault
    if "items" in schema:
        return schema_fault(schema["items"], f"{path}[]")
    return None


def recorded(body: dict[str, Any]) -> Any:
    """The JSON between the fence's tags in the last message that has a fence, or None."""
    for message in reversed(body["messages"]):
        content = message.get("content")
        parts = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
        text = "".join(p.get("text", "") for p in parts if p.get("type") == "text")
        if message["role"] == "user" and (
            found := re.search(r"<recorded_data>\n(.*?)\n</recorded_data>", text, re.S)
        ):
            return json.loads(found[1])
    return None


def pictures(body: dict[str, Any]) -> list[bytes]:
    """The decoded pictures of a request, in order."""
    found = []
    for message in body["messages"]:
        if isinstance(message.get("content"), list):
            for part in message["content"]:
                if part.get("type") == "image_url":
                    found.append(base64.b64decode(part["image_url"]["url"].partition(",")[2]))
    return found


def suite_actions(body: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Action → {parameter: type}, read from the ``<suite>`` block of the system message."""
    found = re.search(r"<suite>\n(.*?)\n</suite>", body["messages"][0]["content"], re.S)
    suite = json.loads(found[1]) if found else {"actions": []}
    return {
        a["name"]: {p["name"]: p["type"] for p in a.get("parameters", [])} for a in suite["actions"]
    }


def answer_for(body: dict[str, Any], steered: bool = False) -> str:
    """The text of the answer to a request in this project's prompt form."""
    data = recorded(body)
    if data is None:
        return "I do not understand."
    if steered and (found := re.search(r"ANSWER:(\{.*\})", _all_text(data))):
        return found[1]
    if "annotate" in data:
        return json.dumps(
            {"thoughts": [{"step": s["id"], "thought": _thought(s)} for s in data["annotate"]]}
        )
    if "done" in data:
        asked = [f"{d['about']} {' '.join(map(str, d['values'].values()))}" for d in data["done"]]
        return json.dumps({"request": "Please: " + "; ".join(asked)})
    if "boundaries" in data:
        ids = [s["id"] for s in data["boundaries"]]
        return json.dumps({"segments": [{"first": i, "last": i} for i in ids]})
    actions = suite_actions(body)
    if "segments" in data:
        rows = [{"id": s["id"], **_row(s["steps"], actions)} for s in data["segments"]]
        return json.dumps({"items": rows})
    return json.dumps(_row(data["steps"], actions))


def _all_text(data: Any) -> str:
    if isinstance(data, dict):
        return " ".join(_all_text(v) for v in data.values())
    if isinstance(data, list):
        return " ".join(_all_text(v) for v in data)
    return str(data)


def _thought(step: dict[str, Any]) -> str:
    return f"I {step['did']} because the task needs it."


def marker(body: dict[str, Any]) -> str:
    """The marker of the segment that a request is about; empty for other requests."""
    data = recorded(body)
    return marker_of(data["steps"])[0] if isinstance(data, dict) and data.get("steps") else ""


def marker_of(steps: list[dict[str, Any]]) -> tuple[str, str]:
    """(text, id) of the first step with a text; else of the first step's element."""
    for step in steps:
        if step.get("text"):
            return step["text"], step["id"]
    first = steps[0]
    return (first.get("element") or {}).get("name", ""), first["id"]


def _row(steps: list[dict[str, Any]], actions: dict[str, dict[str, str]]) -> dict[str, Any]:
    marker, step_id = marker_of(steps)
    if not actions:
        return {"evidence": [step_id], "choice": {"action": "none"}, "confidence": 0.9}
    name = expected_action(marker, list(actions))
    parameters = {}
    for parameter, kind in actions[name].items():
        value: Any = None
        if kind == "STRING":
            value = marker
        elif kind == "NUMBER" and (found := re.search(r"\d+", marker)):
            value = int(found[0])
        parameters[parameter] = None if value is None else {"value": value, "from": [step_id]}
    return {
        "evidence": [step_id],
        "choice": {"action": name, "parameters": parameters},
        "confidence": round(expected_probability(marker), 3),
    }


def tokens_of(text: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Token logprobs: pieces of 3 characters; those of each action value multiply to the oracle's
    probability."""
    data = recorded(body) or {}
    markers = [marker_of(s["steps"])[0] for s in data.get("segments", [])] or (
        [marker_of(data["steps"])[0]] if "steps" in data else []
    )
    spans = [m.span(1) for m in re.finditer(r'"action": "([^"]*)"', text)]
    pieces = [(i, text[i : i + 3]) for i in range(0, len(text), 3)]
    rows = []
    for start, piece in pieces:
        logprob = -1e-6
        for (first, last), marker in zip(spans, markers):
            if start < last and start + len(piece) > first:
                touching = sum(1 for s, p in pieces if s < last and s + len(p) > first)
                logprob = math.log(expected_probability(marker)) / touching
        rows.append({"token": piece, "logprob": logprob, "bytes": None, "top_logprobs": []})
    return rows
