"""Destruction of sensitive rectangles, and of everything in a picture file that is not pixels.

The rectangle is first replaced by the colour around it; what is then drawn depends on the session's
key and the value (or the place), never on the pixels that were there, so that nothing is left to be
compared with rendered candidates. Widths grow to whole multiples of the height and edges to a
4-pixel grid: the rectangle does not tell how long the text was or whether it had descenders. The
background is taken from published pixels only.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from schemas.findings import Region
from transforms.images import decode_image, encode_image, probe_image
from transforms.keys import keyed_hex
from transforms.privacy.pixels.lookalikes import fold
from transforms.privacy.pixels.settings import PixelSettings

if TYPE_CHECKING:
    import numpy as np

Rectangle = tuple[int, int, int, int]

RECENT = 8
PATCH_BYTES = 32 << 20
GRID = 4
RING = 3
BLUR_PER_HEIGHT = 0.6
TALL, ROW = 48, 28
"""A rectangle higher than TALL holds several lines, drawn as rows of about ROW pixels."""
CONTRAST = 0.6
EXTENSIONS = {"png": "png", "jpeg": "jpg", "webp": "webp"}


def redact_frame(
    data: bytes, regions: Sequence[Region], settings: PixelSettings, session_key: bytes
) -> tuple[bytes, str]:
    """Returns a frame's publishable bytes and their extension (png, webp or jpg).

    A frame without regions is copied byte for byte when the file holds nothing but the picture;
    with metadata, a thumbnail, further images, transparency or trailing bytes it is encoded anew.
    Redacted frames are lossless: PNG, or WebP where the recording was JPEG or WebP.

    Raises transforms.images.ImageDefect when the picture cannot be decoded.
    """
    kind = probe_image(data, settings.max_pixels).format
    if settings.mode == "off":
        regions = ()
    if not regions and holds_only_pixels(data, kind):
        return data, EXTENSIONS[kind]
    # Two frames in five of a recording repeat an earlier one.
    key = hashlib.blake2b(data, key=session_key[:64])
    key.update(repr((settings, tuple(regions))).encode("utf-8", "surrogatepass"))
    made = _recent.get(key.digest())
    if made is None:
        image = decode_image(data, settings.max_pixels)
        if regions:
            image = _redacted(image, regions, settings.mode, session_key)
        target = "png" if kind == "png" else "webp"
        made = encode_image(image, target), target
        _recent[key.digest()] = made
        if len(_recent) > RECENT:
            _recent.popitem(last=False)
    return made


_recent: OrderedDict[bytes, tuple[bytes, str]] = OrderedDict()
"""Redacted frames by what they were made from: results are equal with and without it."""


def _redacted(image, regions: Sequence[Region], mode: str, session_key: bytes):
    import numpy as np
    from PIL import Image

    pixels = np.array(image)
    height, width = pixels.shape[:2]
    covered = np.zeros((height, width), bool)
    places = []
    for region in regions:
        if min(region.x1, width) <= max(region.x0, 0) or min(region.y1, height) <= max(
            region.y0, 0
        ):
            continue
        box, unit = _quantised(region, width, height)
        covered[box[1] : box[3], box[0] : box[2]] = True
        places.append((region, box, unit))
    if mode == "gaussian":
        return _blurred(image, places)
    drawn = []
    for region, box, unit in places:
        background = _colour_around(pixels, covered, box)
        seed = _seed(session_key, region)
        drawn.append((box, _patches.replacement(mode, box, unit, background, seed)))
    for (x0, y0, x1, y1), patch in drawn:
        pixels[y0:y1, x0:x1] = patch
    return Image.fromarray(pixels)


def _seed(session_key: bytes, region: Region) -> bytes:
    folded = fold(region.value).text
    place = f"{region.x0},{region.y0},{region.x1},{region.y1}"
    kind, what = ("value", folded) if folded else ("place", place)
    return bytes.fromhex(keyed_hex(session_key, "pixels", kind, what, size=32))


def _quantised(region: Region, width: int, height: int) -> tuple[Rectangle, int]:
    """Returns the rectangle to destroy, inside the picture, and the height of one row of it."""
    x0, y0 = max(0, region.x0) // GRID * GRID, max(0, region.y0) // GRID * GRID
    y1 = min(height, -(-region.y1 // GRID) * GRID)
    x1 = min(width, max(region.x1, x0 + 1))
    tall = max(1, y1 - y0)
    unit = tall if tall <= TALL else tall // round(tall / ROW)
    x1 = x0 + -(-(x1 - x0) // unit) * unit
    if x1 > width:
        x0, x1 = max(0, x0 - (x1 - width)), width
    return (x0, y0, x1, max(y1, y0 + 1)), unit


def _colour_around(pixels: np.ndarray, covered: np.ndarray, box: Rectangle) -> np.ndarray:
    """Returns the median colour of the uncovered pixels in a thin ring around the box."""
    import numpy as np

    x0, y0, x1, y1 = box
    top, left = max(0, y0 - RING), max(0, x0 - RING)
    around = pixels[top : y1 + RING, left : x1 + RING]
    ring = ~covered[top : y1 + RING, left : x1 + RING]
    ring[y0 - top : y1 - top, x0 - left : x1 - left] = False
    if ring.sum() < 16:
        around, ring = pixels[::8, ::8], ~covered[::8, ::8]
        if not ring.any():
            return np.full(3, 128, np.uint8)
    return np.median(around[ring], axis=0).astype(np.uint8)


class Patches:
    """What was drawn lately: the same value comes back in many frames."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._drawn: OrderedDict[tuple, np.ndarray] = OrderedDict()
        self.size = 0
        """Bytes of all that is kept."""

    def replacement(
        self, mode: str, box: Rectangle, unit: int, background: np.ndarray, seed: bytes
    ) -> np.ndarray:
        """Returns what stands in the box afterwards: rows x columns x 3."""
        width, height = box[2] - box[0], box[3] - box[1]
        key = (mode, width, height, unit, background.tobytes(), seed)
        patch = self._drawn.pop(key, None)
        if patch is None:
            patch = _replacement(mode, width, height, unit, background, seed)
            self.size += patch.nbytes
        self._drawn[key] = patch
        while self.size > self._most:
            _, oldest = self._drawn.popitem(last=False)
            self.size -= oldest.nbytes
        return patch


_patches = Patches(PATCH_BYTES)


def _replacement(
    mode: str, width: int, height: int, unit: int, background: np.ndarray, seed: bytes
) -> np.ndarray:
    import numpy as np

    luminance = float(background @ np.array([0.299, 0.587, 0.114]))
    ink = np.zeros(3) if luminance > 110 else np.full(3, 255.0)
    if mode == "fill":
        ink_there = np.full((height, width), 115, np.uint8)
    elif mode == "pixelate":
        ink_there = _mosaic(width, height, unit, seed)
    else:
        ink_there = _blurred_strokes(width, height, unit, seed)
    share = CONTRAST / 255 * np.arange(256)[:, None]
    colours = np.rint(background + (ink - background) * share).astype(np.uint8)
    return colours[ink_there]


def _noise(seed: bytes, row: int, count: int) -> np.ndarray:
    """Returns bytes that follow from the seed alone."""
    import numpy as np

    stream = hashlib.shake_256(seed + row.to_bytes(4, "big")).digest(count)
    return np.frombuffer(stream, np.uint8)


def _mosaic(width: int, height: int, unit: int, seed: bytes) -> np.ndarray:
    """Returns squares of random ink, 0-255."""
    import numpy as np

    cell = max(2, unit // 2)
    rows, columns = -(-height // cell), -(-width // cell)
    values = np.stack([_noise(seed, row, columns) for row in range(rows)])
    return np.repeat(np.repeat(values, cell, 0), cell, 1)[:height, :width]


def _blurred_strokes(width: int, height: int, unit: int, seed: bytes) -> np.ndarray:
    """Returns pseudo-text under a Gaussian blur: ink, 0-255."""
    import numpy as np
    from PIL import Image, ImageFilter

    margin = unit
    canvas = np.zeros((height + 2 * margin, width + 2 * margin), np.uint8)
    for row in range(max(1, height // unit)):
        top = margin + row * unit
        # Four bytes a stroke: gap, width, upper and lower end. A wide gap is a word space.
        noise = _noise(seed, row, 4 * (2 * width // max(2, unit // 4) + 8)).reshape(-1, 4)
        x = margin + unit // 8
        for gap, thick, upper, lower in noise.tolist():
            x += max(1, unit * (2 + gap % 3 + (8 if gap > 232 else 0)) // 24)
            end = x + max(1, unit * (3 + thick % 4) // 24)
            if end >= margin + width - unit // 8:
                break
            y0 = top + unit * (14 + upper % 20) // 100
            y1 = top + unit * (76 + lower % 14) // 100
            canvas[y0:y1, x:end] = 255
            x = end
    blurred = Image.fromarray(canvas).filter(ImageFilter.GaussianBlur(BLUR_PER_HEIGHT * unit))
    return np.asarray(blurred)[margin : margin + height, margin : margin + width]


def _blurred(image, places: Sequence[tuple[Region, Rectangle, int]]):
    """Blurs the pixels themselves. Reversible by comparing with rendered candidates."""
    from PIL import ImageFilter

    blurred = image.copy()
    for _, box, unit in places:
        patch = image.crop(box).filter(ImageFilter.GaussianBlur(BLUR_PER_HEIGHT * unit))
        blurred.paste(patch, box[:2])
    return blurred


def holds_only_pixels(data: bytes, kind: str) -> bool:
    """Whether a picture file holds its pixels and nothing else that could tell something."""
    try:
        if kind == "png":
            return _plain_png(data)
        if kind == "jpeg":
            return _plain_jpeg(data)
        return _plain_webp(data)
    except (struct.error, IndexError, zlib.error):
        return False


def _plain_png(data: bytes) -> bool:
    """One image, opaque, not interlaced, of exactly its size, no chunk beside it (ISO 15948).

    Of 16 bits a sample only the upper eight are read and searched; the others may hold anything.
    """
    width, height, depth, colour, _, _, interlace = struct.unpack_from(">IIBBBBB", data, 16)
    samples = {0: 1, 2: 3, 3: 1}.get(colour)
    if samples is None or interlace or depth > 8:
        return False
    position, parts, seen = 8, [], []
    while True:
        (length,) = struct.unpack_from(">I", data, position)
        kind = data[position + 4 : position + 8]
        body = data[position + 8 : position + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, position + 8 + length)
        if zlib.crc32(kind + body) != checksum:
            return False
        position += 12 + length
        if kind == b"IDAT":
            parts.append(body)
        elif kind in (b"IHDR", b"PLTE", b"IEND") or (kind == b"sRGB" and length == 1):
            if kind in seen:
                return False
        elif not (kind == b"gAMA" and body == b"\x00\x00\xb1\x8f"):
            return False
        seen.append(kind)
        if kind == b"IEND":
            break
    if position != len(data) or (colour == 3) != (b"PLTE" in seen):
        return False
    size = height * (1 + -(-width * depth * samples // 8))
    inflate = zlib.decompressobj()
    pixels = inflate.decompress(b"".join(parts), size + 1)
    return len(pixels) == size and inflate.eof and not inflate.unused_data


def _plain_jpeg(data: bytes) -> bool:
    """No application segment but a JFIF header without thumbnail and Adobe's, no comment (T.81)."""
    position = 2
    while True:
        if data[position] != 0xFF:
            return False
        marker = data[position + 1]
        if marker == 0xD9:
            return position + 2 == len(data)
        (length,) = struct.unpack_from(">H", data, position + 2)
        body = data[position + 4 : position + 2 + length]
        if marker == 0xE0:
            if body[:5] != b"JFIF\0" or body[12:14] != b"\0\0" or len(body) != 14:
                return False
        elif marker == 0xEE:
            if body[:5] != b"Adobe" or len(body) != 12:
                return False
        elif marker == 0xDA:
            position = _end_of_scan(data, position + 2 + length)
            continue
        elif marker not in (0xC0, 0xC1, 0xC2, 0xC4, 0xDB, 0xDD):
            return False
        position += 2 + length


def _end_of_scan(data: bytes, position: int) -> int:
    """Returns where the marker stands that ends entropy-coded data."""
    while True:
        position = data.find(b"\xff", position)
        if position < 0:
            raise IndexError("no marker ends the scan")
        if data[position + 1] != 0 and not 0xD0 <= data[position + 1] <= 0xD7:
            return position
        position += 2


def _plain_webp(data: bytes) -> bool:
    """A single chunk of opaque pixels (RFC 9649); extended files may hold anything."""
    (riff,) = struct.unpack_from("<I", data, 4)
    (length,) = struct.unpack_from("<I", data, 16)
    end = 20 + length + length % 2
    if riff + 8 != len(data) or end != len(data):
        return False
    if data[12:16] == b"VP8L":
        return not data[24] & 0x10
    return data[12:16] == b"VP8 "
