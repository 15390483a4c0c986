"""Where published things lie below OUTPUT; other programs rely on these paths."""

from __future__ import annotations


def frame_path(frame: str) -> str:
    """Returns where a published frame (``<id>.<ext>``) lies, relative to OUTPUT."""
    return f"frames/{frame[:2]}/{frame}"


def messages_path(example_id: str) -> str:
    """Returns where an example's messages lie, relative to its version."""
    return f"examples/{example_id}/messages.jsonl"
