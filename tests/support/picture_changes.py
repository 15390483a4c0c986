"""What happens to screens on the way into a recording: scaled, compressed, laid over photos."""

from __future__ import annotations

import io
from collections.abc import Callable

Change = Callable[[bytes], tuple[bytes, float]]
"""picture → (picture, its scale)."""


def reencoded(quality: int, subsampling: int = 2, format: str = "JPEG"):
    def change(png: bytes) -> tuple[bytes, float]:
        from PIL import Image

        out = io.BytesIO()
        image = Image.open(io.BytesIO(png)).convert("RGB")
        if format == "JPEG":
            image.save(out, format, quality=quality, subsampling=subsampling)
        else:
            image.save(out, format, quality=quality)
        return out.getvalue(), 1.0

    return change


def scaled(scale: float, resample: str = "LANCZOS"):
    def change(png: bytes) -> tuple[bytes, float]:
        from PIL import Image

        image = Image.open(io.BytesIO(png)).convert("RGB")
        size = (round(image.width * scale), round(image.height * scale))
        out = io.BytesIO()
        image.resize(size, getattr(Image.Resampling, resample)).save(out, "PNG")
        return out.getvalue(), scale

    return change


def to_palette(png: bytes) -> tuple[bytes, float]:
    from PIL import Image

    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(64).save(out, "PNG")
    return out.getvalue(), 1.0


def to_grey(png: bytes) -> tuple[bytes, float]:
    from PIL import Image

    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("L").save(out, "PNG")
    return out.getvalue(), 1.0


def to_subpixels(png: bytes) -> tuple[bytes, float]:
    """Filters a picture of three times the size to coloured edges, as LCD text has them."""
    import numpy as np
    from PIL import Image

    image = Image.open(io.BytesIO(png)).convert("RGB")
    width, height = image.width // 3, image.height // 3
    wide = np.asarray(image.resize((3 * width, height), Image.Resampling.BOX)).astype(np.float32)
    padded = np.pad(wide, ((0, 0), (2, 2), (0, 0)), mode="edge")
    weights = (1 / 9, 2 / 9, 3 / 9, 2 / 9, 1 / 9)
    soft = sum(w * padded[:, i : i + 3 * width] for i, w in enumerate(weights))
    lcd = np.stack([soft[:, c::3, c] for c in range(3)], axis=2)
    out = io.BytesIO()
    Image.fromarray(np.rint(lcd).astype(np.uint8)).save(out, "PNG")
    return out.getvalue(), 1 / 3


def photo_background(seed: int) -> str:
    """Returns CSS of a background with light, dark and coloured patches, like a picture has."""
    import base64

    import numpy as np
    from PIL import Image, ImageFilter

    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8))
    photo = small.resize((720, 560)).filter(ImageFilter.GaussianBlur(6))
    grain = rng.normal(0, 9, (560, 720, 3))
    photo = Image.fromarray((np.asarray(photo) * 0.55 + grain).clip(0, 255).astype(np.uint8))
    out = io.BytesIO()
    photo.save(out, "JPEG", quality=80)
    data = base64.b64encode(out.getvalue()).decode()
    return f"body{{background:url(data:image/jpeg;base64,{data});color:#fff}}"
