"""Examples: what a session teaches, before and after it is written in a target format."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.classifications import Usage

STATUSES = ("PENDING", "PROCESSING", "COMPLETED", "FAILED")


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call, mapped to a tool and type-converted. ``arguments`` keys are tool parameter
    names."""

    id: str
    name: str
    arguments: dict[str, Any]


class Turn(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What was seen, thought and called for one accepted segment."""

    call: ToolCall
    segment_id: str
    action: str
    frame: str | None = None
    """Published frame (``<id>.<ext>``) to be seen before the segment's first step."""
    frame_size: tuple[int, int] | None = None
    window: str | None = None
    url: str | None = None
    thought: str | None = None
    raw_event_ids: tuple[str, ...] = ()
    steps: tuple[int, ...] = ()


class Conversation(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A conversation without a format; targets render it."""

    example_id: str
    part: int
    """0, or the number of the piece under ``--partial_examples=split``."""
    session_id: str
    system: str
    request: str
    turns: tuple[Turn, ...]
    tools: tuple[dict[str, Any], ...] = ()
    """JSON-schema function declarations (OpenAI form) of the map's tools."""


class Example(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The Example record of the entity table, and what it reaches back to."""

    id: str
    session_id: str
    task: int
    suite_id: str | None
    model_id: str
    model: str
    action_tool_map_id: str | None
    model_configuration: dict[str, Any]
    status: str
    storage_path: str = ""
    example_path: str | None = None
    """``examples/<id>/messages.jsonl`` inside the version, for COMPLETED ones."""
    request_source: str | None = None
    """description, model or template."""
    review_reasons: tuple[str, ...] = ()
    error_code: str | None = None
    confidence: float | None = None
    usage: Usage = Usage()
    """What its classifications, its request and its thoughts cost."""
    code_version: str = ""
    prompt_version: str = ""
    segment_ids: tuple[str, ...] = ()
    raw_event_ids: tuple[str, ...] = ()
    frame_ids: tuple[str, ...] = ()
    conversations: tuple[Conversation, ...] = ()
