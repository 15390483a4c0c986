"""Checks of pictures that rows hold or point to."""

from __future__ import annotations

import base64
import binascii
import io
import re

MAX_BYTES = 10 * 1000 * 1000
"""OpenAI and Azure: at most 10 MB a picture."""
_FRAME = re.compile(r"frames/[0-9a-f]{2}/[0-9a-f]{8,128}\.(png|jpe?g|webp)")
_DATA = re.compile(r"data:image/(png|jpeg|webp);base64,")
_WEB = re.compile(r"https?://[^\s\"<>]+\.(png|jpe?g|webp)", re.IGNORECASE)


def is_frame_path(path: object) -> bool:
    """Whether a path is that of a published frame, relative to OUTPUT."""
    return isinstance(path, str) and _FRAME.fullmatch(path) is not None


def picture_fault(url: object) -> str | None:
    """Returns why OpenAI would refuse a picture, or None.

    A published frame's path passes: it stands for the picture until somebody uploads the frames
    (``base_url``) or embeds them (``data_url``).
    """
    if not isinstance(url, str):
        return "image_url: it is no text"
    if is_frame_path(url) or _WEB.fullmatch(url):
        return None
    head = _DATA.match(url)
    if head is None:
        return "image_url: it is neither an http(s) or data URL nor a published frame"
    if (len(url) - head.end()) * 3 // 4 > MAX_BYTES:
        return "image_size: the picture is above 10 MB"
    try:
        data = base64.b64decode(url[head.end() :], validate=True)
    except binascii.Error:
        return "image_url: the data URL is no base64"
    return _content_fault(data, head.group(1))


def _content_fault(data: bytes, kind: str) -> str | None:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as image:
            if (image.format or "").lower() != kind:
                return "image_format: the bytes are not what the data URL says"
            if image.mode not in ("RGB", "RGBA"):
                return "image_mode: the picture is neither RGB nor RGBA"
    except (OSError, ValueError, Image.DecompressionBombError):
        return "image_format: the bytes are no PNG, JPEG or WebP"
    return None
