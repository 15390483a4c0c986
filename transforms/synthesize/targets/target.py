"""What a target format is, and what all of them need: pictures by reference, observed state."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

from schemas.examples import Conversation, Turn
from transforms.images import decode_image, encode_image, is_rgb
from transforms.places import frame_path
from transforms.synthesize.control_tokens import json_text

MEDIA_TYPES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp"}

MAX_PIXELS = 50_000_000
"""As many as a frame may have when it is read."""


class Target(Protocol):
    """One training format: how a conversation is written in it, and what is allowed there.

    Every row of a run has one shape, because loaders infer columns from the first rows.
    """

    name: str

    def for_images(self, images: str) -> Target:
        """Returns the format in the shape of a run's images: reference, data_url or none."""
        ...

    def render(self, conversation: Conversation, images: ImageSource) -> dict[str, Any]:
        """Returns the conversation as one row, JSON types only."""
        ...

    def check(self, row: dict[str, Any]) -> list[str]:
        """Returns every violation of the format's rules as ``rule: place``; empty when fine.

        Never repeats recorded text.
        """
        ...

    def columns(self, row: dict[str, Any]) -> dict[str, Any]:
        """Returns the row as values for :meth:`arrow_schema` (same columns)."""
        ...

    def arrow_schema(self) -> Any:
        """Returns the ``pyarrow.Schema`` of the Parquet twin."""
        ...


@dataclasses.dataclass(frozen=True)
class ImageSource:
    """How rows refer to published frames.

    ``reference``: the frame's path relative to OUTPUT, or under ``base_url`` (a bucket's https
    address). ``data_url``: the frame's bytes inside the row; ``read`` gets them by path.
    ``none``: no pictures.
    """

    form: str = "reference"
    read: Callable[[str], bytes] | None = None
    base_url: str = ""

    def url(self, frame: str) -> str:
        """Returns what stands for the frame in formats that take a URL."""
        path = frame_path(frame)
        if self.form != "data_url":
            return f"{self.base_url.rstrip('/')}/{path}" if self.base_url else path
        if self.read is None:
            raise ValueError("images as data URLs need a way to read frames")
        data, kind = _in_colour(self.read(path), frame.rpartition(".")[2].lower())
        return f"data:{MEDIA_TYPES[kind]};base64,{base64.b64encode(data).decode('ascii')}"


def _in_colour(data: bytes, kind: str) -> tuple[bytes, str]:
    """Returns a picture as RGB or RGBA, and its kind: trainers take no palette and no grey.

    A frame in which nothing was redacted is published as it was recorded, whatever its colours.
    """
    if data and not is_rgb(data):
        return encode_image(decode_image(data, MAX_PIXELS)), "png"
    return data, kind


def observed_state(following: Turn) -> str:
    """Returns what the recording shows after a call, as JSON: the next turn's observation.

    Window and URL as far as they are known; nothing is made up about what the tool answered.
    """
    state = {"window": following.window, "url": following.url}
    return json_text({k: v for k, v in state.items() if v} or {"observation": None})
