"""What the PrivacyFilter must know of a run."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class PrivacySettings:
    """How the PrivacyFilter works in this run."""

    enabled: bool = True


@dataclasses.dataclass(frozen=True)
class PublishSettings:
    """Where frames go, and in which form."""

    output: str
    frame_format: str = "keep"
    max_frame_px: int | None = None
