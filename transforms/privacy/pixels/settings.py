"""What a person may choose about pixels; imports nothing heavy, so that options can read it."""

from __future__ import annotations

from dataclasses import dataclass

MODES = ("blur", "fill", "pixelate", "gaussian", "all_text", "withhold", "off")


@dataclass(frozen=True)
class PixelSettings:
    """How frames are searched and redacted.

    Every mode but ``gaussian`` destroys the pixels before anything is drawn over them: ``blur``
    looks like a Gaussian blur and ``pixelate`` like a mosaic, but both are made of pseudo-text
    that depends on the session's key and never on the picture. ``gaussian`` blurs the pixels
    themselves and CAN BE UNDONE by rendering candidates and comparing. ``all_text`` blurs every
    text region without reading it. ``withhold`` publishes no frame, ``off`` changes no pixel.
    """

    mode: str = "blur"
    keyframes: int = 4
    """Earlier frames that a new one is compared with."""
    full_pass_every: int = 50
    """Frames read incrementally before one is read whole, as a guard."""
    frames_at_once: int = 2000
    """Frames that share keyframes and remembered crops; then a session's reading begins anew."""
    timeout_s: float = 60.0
    """CPU seconds that reading one frame may take; above it, every text region is blurred."""
    max_det_pixels: int = 2_500_000
    """Pixels the detector gets at once; larger frames are read in overlapping bands."""
    max_pixels: int = 100_000_000
    """A larger picture is not decoded."""
    crop_cache: int = 8192
    """Recognised text crops remembered within one session."""

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"visual mode: found {self.mode!r}, allowed: {', '.join(MODES)}")
        if min(self.keyframes, self.full_pass_every, self.frames_at_once) < 1:
            raise ValueError("keyframes, full_pass_every and frames_at_once must be at least 1")
        if self.max_det_pixels < 64 * 64:
            raise ValueError("max_det_pixels must be at least 4096")
