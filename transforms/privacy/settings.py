"""What the PrivacyFilter must know of a run."""

from __future__ import annotations

import dataclasses

from transforms.privacy.config import ScrubberConfig
from transforms.privacy.pixels.settings import PixelSettings


@dataclasses.dataclass(frozen=True)
class PrivacySettings:
    """How the PrivacyFilter works in this run; ``scrubber`` None is ``--privacy=off``."""

    scrubber: ScrubberConfig | None
    pixels: PixelSettings = PixelSettings()

    @property
    def enabled(self) -> bool:
        """Whether anything is filtered at all."""
        return self.scrubber is not None


@dataclasses.dataclass(frozen=True)
class PublishSettings:
    """Where frames go, and in which form."""

    output: str
    frame_format: str = "keep"
    max_frame_px: int | None = None
