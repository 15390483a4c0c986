"""Pictures from strangers: recognised by their bytes, measured before they are decoded.

What a file is called does not matter. A picture is refused (:class:`ImageDefect`) before memory is
spent on it: dimensions are read from headers, and a PNG reaches the decoder only with the chunks
that make its first image (no text, colour profile or animation chunks to hide a bomb in).
Formats: PNG (ISO/IEC 15948), JPEG (ITU-T T.81), WebP (RFC 9649).
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from PIL import Image

MAX_SIDE = 65_535
MAX_SCANS = 200
"""A progressive JPEG has about ten scans; thousands are made to burn time."""
STRIP_ROWS = 256
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_OTHER_FORMATS = (b"GIF8", b"BM", b"II*\0", b"MM\0*", b"\0\0\1\0", b"8BPS", b"\x76\x2f\x31\x01")


class ImageDefect(Exception):
    """A picture that is not used; ``code`` says why.

    Codes: zero_bytes, not_an_image, unsupported_format, truncated, too_many_pixels,
    decompression_bomb, undecodable.
    """

    def __init__(self, code: str):
        super().__init__(code)
        self.code = code


class ImageInfo(msgspec.Struct, frozen=True):
    """What the header says; width and height in pixels."""

    format: str
    """png, jpeg or webp."""
    width: int
    height: int


def probe_image(data: bytes, max_pixels: int) -> ImageInfo:
    """Reads format and size from a picture's bytes and checks that its end is there.

    Raises ImageDefect. Costs no decoding; a picture that passes may still be undecodable.
    """
    if not data:
        raise ImageDefect("zero_bytes")
    if data.startswith(PNG_MAGIC):
        info = _probe_png(data)
    elif data.startswith(b"\xff\xd8\xff"):
        info = _probe_jpeg(data)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        info = _probe_webp(data)
    elif data.startswith(_OTHER_FORMATS) or data[4:8] == b"ftyp":
        raise ImageDefect("unsupported_format")
    elif PNG_MAGIC.startswith(data) or b"\xff\xd8\xff".startswith(data):
        raise ImageDefect("truncated")
    else:
        raise ImageDefect("not_an_image")
    if not info.width or not info.height:
        raise ImageDefect("undecodable")
    if info.width * info.height > max_pixels or max(info.width, info.height) > MAX_SIDE:
        raise ImageDefect("too_many_pixels")
    _check_whole(data, info.format)
    return info


def _check_whole(data: bytes, format: str) -> None:
    """Looks for the picture's end; after the limits, since bombs often stop after their header."""
    if format == "png":
        if not any(kind == b"IDAT" for kind, _, _ in _png_chunks(data)):
            raise ImageDefect("undecodable")
    elif format == "jpeg":
        # Some writers pad the file; the end marker is then a little before the end.
        if data.rfind(b"\xff\xd9", max(2, len(data) - 4096)) < 0:
            raise ImageDefect("truncated")
        if data.count(b"\xff\xda") > MAX_SCANS:
            raise ImageDefect("decompression_bomb")
    elif int.from_bytes(data[4:8], "little") + 8 > len(data):
        raise ImageDefect("truncated")


def _png_chunks(data: bytes) -> list[tuple[bytes, int, int]]:
    """Returns (type, start, end) of every chunk up to IEND; ImageDefect when that is missing."""
    chunks = []
    position = len(PNG_MAGIC)
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind = data[position + 4 : position + 8]
        end = position + 12 + length
        if end > len(data):
            break
        chunks.append((kind, position, end))
        if kind == b"IEND":
            return chunks
        position = end
    raise ImageDefect("truncated")


def _probe_png(data: bytes) -> ImageInfo:
    if len(data) < 33:
        raise ImageDefect("truncated")
    if data[12:16] != b"IHDR":
        raise ImageDefect("undecodable")
    width, height = struct.unpack_from(">II", data, 16)
    return ImageInfo("png", width, height)


_NO_LENGTH = {0x01, *range(0xD0, 0xD9)}
_FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


def _probe_jpeg(data: bytes) -> ImageInfo:
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            raise ImageDefect("undecodable")
        marker = data[position + 1]
        if marker == 0xFF or marker in _NO_LENGTH:
            position += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        if marker in _FRAME_HEADERS:
            if position + 9 > len(data):
                break
            height, width = struct.unpack_from(">HH", data, position + 5)
            return ImageInfo("jpeg", width, height)
        if marker in (0xDA, 0xD9):
            raise ImageDefect("undecodable")
        position += 2 + length
    raise ImageDefect("truncated")


def _probe_webp(data: bytes) -> ImageInfo:
    if len(data) < 30:
        raise ImageDefect("truncated")
    kind = data[12:16]
    if kind == b"VP8X":
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
    elif kind == b"VP8L" and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = (v & 0x3FFF for v in struct.unpack_from("<HH", data, 26))
    else:
        raise ImageDefect("undecodable")
    return ImageInfo("webp", width, height)


def decode_image(data: bytes, max_pixels: int) -> Image.Image:
    """Decodes a picture to RGB; raises ImageDefect for anything that is not a whole picture.

    Of an animation the first image counts. Transparency is laid on white, as viewers show it.
    """
    from PIL import Image

    info = probe_image(data, max_pixels)
    if info.format == "png":
        data = _plain_png(data)
    try:
        with Image.open(io.BytesIO(data), formats=[info.format.upper()]) as image:
            if image.width * image.height > max_pixels:
                raise ImageDefect("too_many_pixels")
            image.load()
            return _as_rgb(image)
    except ImageDefect:
        raise
    except Image.DecompressionBombError:
        raise ImageDefect("too_many_pixels") from None
    except Exception as error:
        # Decoders raise whatever they like (OSError, SyntaxError, struct.error, zlib.error …).
        code = "truncated" if "truncated" in str(error).lower() else "undecodable"
        raise ImageDefect(code) from None


def _on_white(image: Image.Image) -> Image.Image:
    """Lays a picture on white, some rows at a time: each layer takes four bytes a pixel."""
    from PIL import Image

    flat = Image.new("RGB", image.size)
    for top in range(0, image.height, STRIP_ROWS):
        rows = image.crop((0, top, image.width, min(top + STRIP_ROWS, image.height)))
        layer = rows.convert("RGBA")
        if layer.getchannel("A").getextrema()[0] < 255:
            layer = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
        flat.paste(layer.convert("RGB"), (0, top))
    return flat


def is_rgb(data: bytes) -> bool:
    """Whether a picture's pixels are RGB or RGBA: no palette, no grey, no CMYK; from its header."""
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as image:
        return image.mode in ("RGB", "RGBA")


def _plain_png(data: bytes) -> bytes:
    """Keeps only the chunks that make the first image."""
    parts = [data[start:end] for kind, start, end in _png_chunks(data) if kind in _PNG_KEPT]
    return b"".join([PNG_MAGIC, *parts])


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image.copy()
    if image.mode.startswith("I"):
        # 16-bit grey: Pillow would clip instead of scaling.
        return image.convert("I").point(lambda value: value / 256).convert("L").convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return _on_white(image)
    return image.convert("RGB")


def encode_image(image: Image.Image, format: str = "png") -> bytes:
    """Encodes pixels as ``png`` or lossless ``webp``: no metadata, equal bytes for equal pixels."""
    if format not in ("png", "webp"):
        raise ValueError(f"format {format!r}: png or webp")
    if format == "png":
        return _png(image)
    from PIL import Image

    plain = Image.frombytes(image.mode, image.size, image.tobytes())
    out = io.BytesIO()
    plain.save(out, "WEBP", lossless=True, quality=20, method=2, exact=True)
    return out.getvalue()


def _png(image: Image.Image) -> bytes:
    """Writes a PNG of unfiltered rows: of screens it is smaller than a filtered one, and made in
    half the time."""
    pixels = (image if image.mode == "RGB" else image.convert("RGB")).tobytes()
    row = 3 * image.width
    rows = b"".join(b"\0" + pixels[start : start + row] for start in range(0, len(pixels), row))
    header = struct.pack(">IIBBBBB", *image.size, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 3)), (b"IEND", b""))
    return PNG_MAGIC + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def resize_image(image: Image.Image, max_width: int, max_height: int) -> tuple[Image.Image, float]:
    """Shrinks a picture to fit, keeping its proportions; returns (picture, scale ≤ 1).

    ``scale`` is new pixels per old pixel; sides are rounded and at least 1.
    """
    from PIL import Image

    scale = min(max_width / image.width, max_height / image.height, 1.0)
    if scale == 1.0:
        return image, 1.0
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0), scale
