"""Target ``sharegpt``: ``{id, conversations, system, tools, images}``, as LLaMA-Factory reads it.

Rules: LLaMA-Factory's ShareGPT converter and multimodal plugin. ``human`` and ``observation`` stand
at odd places, ``gpt`` and ``function_call`` at even ones, or the example is skipped with a warning;
a call is one JSON object, a thought before it stands in ``<think>``; the number of ``<image>`` must
equal the number of pictures, or training stops. ``images`` are paths relative to OUTPUT
(``media_dir``). ``id`` is the Example's; its trainers ignore it.
"""

from __future__ import annotations

import json
import re
from typing import Any

from schemas.examples import Conversation, Turn
from transforms.places import frame_path
from transforms.synthesize.control_tokens import has_control_token, json_text
from transforms.synthesize.targets.declarations import call_faults, declaration_faults
from transforms.synthesize.targets.pictures import is_frame_path
from transforms.synthesize.targets.target import ImageSource, observed_state

IMAGE = "<image>"
_ODD = ("human", "observation")
_EVEN = ("gpt", "function_call")
_THOUGHT = re.compile(r"<think>\n(?P<thought>.*?)\n</think>\n\n", re.DOTALL)
_KEYS = frozenset(["id", "conversations", "system", "tools", "images"])


class ShareGptTarget:
    """ShareGPT with ``function_call`` and ``observation`` turns."""

    name = "sharegpt"

    def for_images(self, images: str) -> ShareGptTarget:
        """Returns itself: rows have one shape whether they have pictures or not."""
        return self

    def render(self, conversation: Conversation, images: ImageSource) -> dict[str, Any]:
        """Returns the row; it ends with the last call, since no observation follows it."""
        paths: list[str] = []

        def shown(turn: Turn, text: str) -> str:
            if not turn.frame or images.form == "none":
                return text
            paths.append(frame_path(turn.frame))
            return f"{IMAGE}\n{text}"

        turns: list[dict[str, str]] = []
        for i, turn in enumerate(conversation.turns):
            tag, text = (
                ("human", conversation.request) if not i else ("observation", observed_state(turn))
            )
            turns.append({"from": tag, "value": shown(turn, text)})
            turns.append({"from": "function_call", "value": _call(turn)})
        part = f"-{conversation.part}" if conversation.part else ""
        return {
            "id": f"{conversation.example_id}{part}",
            "conversations": turns,
            "system": conversation.system,
            "tools": json_text([t["function"] for t in conversation.tools]),
            "images": paths,
        }

    def check(self, row: dict[str, Any]) -> list[str]:
        """Returns every rule of LLaMA-Factory's ShareGPT reader that the row breaks."""
        if not isinstance(row, dict) or not isinstance(row.get("conversations"), list):
            return ["conversations: the row has no list of turns"]
        faults = []
        if set(row) != _KEYS:
            faults.append("top_level_keys: id, conversations, system, tools and images must stand")
        for key in ("id", "system"):
            if not isinstance(row.get(key), str):
                faults.append(f"{key}: it is no text")
        if has_control_token(str(row.get("system", ""))):
            faults.append("control_token: the system text holds a chat template's control token")
        declared, tool_faults = _declared(row.get("tools"))
        faults += tool_faults
        turns = row["conversations"]
        if not turns or len(turns) % 2:
            faults.append("turn_count: the number of turns is not even, or zero")
        placeholders = 0
        previous = None
        for i, turn in enumerate(turns):
            tag = turn.get("from") if isinstance(turn, dict) else None
            value = turn.get("value") if isinstance(turn, dict) else None
            if set(turn if isinstance(turn, dict) else ()) != {"from", "value"}:
                faults.append(f"turn_keys: turn {i} is no {{from, value}}")
            if tag not in (_EVEN if i % 2 else _ODD):
                faults.append(f"alternation: turn {i} may not stand at its place")
            if (tag == "observation") != (previous == "function_call") and i % 2 == 0:
                faults.append(
                    f"alternation: turn {i}: an observation follows each call, only there"
                )
            previous = tag
            if not isinstance(value, str) or not value.strip():
                faults.append(f"value: turn {i} has no text")
                continue
            if tag == "function_call":
                faults += _call_faults(value, declared, i)
                text = value
            else:
                text = value.removeprefix(f"{IMAGE}\n") if tag in _ODD else value
                placeholders += len(text) != len(value)
                if has_control_token(text):
                    faults.append(f"control_token: turn {i} holds a chat template's control token")
        return [*faults, *_image_faults(row.get("images"), placeholders, turns)]

    def columns(self, row: dict[str, Any]) -> dict[str, Any]:
        """Returns the row: its values are columns already."""
        return row

    def arrow_schema(self) -> Any:
        """Returns id, conversations (list of {from, value}), system, tools, images."""
        import pyarrow as pa

        turn = pa.struct([("from", pa.string()), ("value", pa.string())])
        return pa.schema(
            [
                ("id", pa.string()),
                ("conversations", pa.list_(turn)),
                ("system", pa.string()),
                ("tools", pa.string()),
                ("images", pa.list_(pa.string())),
            ]
        )


def _call(turn: Turn) -> str:
    call = json_text({"name": turn.call.name, "arguments": turn.call.arguments})
    return f"<think>\n{turn.thought}\n</think>\n\n{call}" if turn.thought else call


def _declared(tools: Any) -> tuple[dict[str, dict[str, Any]], list[str]]:
    try:
        declarations = json.loads(tools) if isinstance(tools, str) else None
    except ValueError:
        declarations = None
    if not isinstance(declarations, list):
        return {}, ["tools: they are no JSON list in a string"]
    faults = [f for i, d in enumerate(declarations) for f in declaration_faults(d, f"tool {i}")]
    named = [d for d in declarations if isinstance(d, dict) and isinstance(d.get("name"), str)]
    declared = {d["name"]: d for d in named}
    if len(declared) < len(named):
        faults.append("tool_name: two tools of one name")
    return declared, faults


def _call_faults(value: str, declared: dict[str, dict[str, Any]], i: int) -> list[str]:
    thought = _THOUGHT.match(value)
    text = value[thought.end() :] if thought else value
    faults = []
    if has_control_token(text) or (thought and has_control_token(thought["thought"])):
        faults.append(f"control_token: turn {i} holds a chat template's control token")
    try:
        call = json.loads(text)
    except ValueError:
        return [*faults, f"function_call: turn {i} is no JSON"]
    if not isinstance(call, dict) or set(call) != {"name", "arguments"}:
        return [*faults, f"function_call: turn {i} is no {{name, arguments}}"]
    return faults + call_faults(call["name"], call["arguments"], declared, f"turn {i}")


def _image_faults(images: Any, placeholders: int, turns: list[Any]) -> list[str]:
    if not isinstance(images, list) or not all(is_frame_path(p) for p in images):
        return ["images: they are no list of published frames, relative to the output"]
    counted = sum(str(t.get("value", "")).count(IMAGE) for t in turns if isinstance(t, dict))
    if counted != len(images) or placeholders != counted:
        return ["image_count: the number of <image> is not that of images"]
    return []
