"""Screens drawn with Pillow in milliseconds, where a browser would be too slow."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from schemas.traces import Frame

FONT = "DejaVuSans.ttf"


def draw(
    texts: Sequence[tuple[int, int, str]],
    size: tuple[int, int] = (480, 160),
    font_px: int = 15,
    ink: str = "#1f2328",
    paper: str = "#ffffff",
    font: str = FONT,
) -> np.ndarray:
    """Returns an RGB picture with texts at (x, y) of their top left corner."""
    image = Image.new("RGB", size, paper)
    pen = ImageDraw.Draw(image)
    face = ImageFont.truetype(font, font_px)
    for x, y, text in texts:
        pen.text((x, y), text, font=face, fill=ink)
    return np.asarray(image)


def ink_rect(x: int, y: int, text: str, font_px: int = 15, font: str = FONT) -> tuple[int, ...]:
    """Returns where the ink of a drawn text is: x0, y0, x1, y1."""
    return tuple(
        int(v)
        for v in ImageDraw.Draw(Image.new("L", (1, 1))).textbbox(
            (x, y), text, font=ImageFont.truetype(font, font_px)
        )
    )


def png(image: np.ndarray, **options) -> bytes:
    """Encodes a picture."""
    out = io.BytesIO()
    Image.fromarray(image).save(out, "PNG", **options)
    return out.getvalue()


def frames_of(images: Sequence[np.ndarray]) -> list[Frame]:
    """Returns references to pictures, one second apart."""
    return [
        Frame(
            file=f"{number:04}.png",
            timestamp_us=number * 1_000_000,
            width=image.shape[1],
            height=image.shape[0],
            format="png",
            size_bytes=1,
        )
        for number, image in enumerate(images)
    ]
