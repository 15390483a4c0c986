"""Lines of text as crops of a frame, and what was recognised in crops like them before."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from transforms.privacy.pixels.engine import Box, Line, is_upright, overlap
from transforms.privacy.pixels.ink import INK_PAD, ink_of, is_text_between

if TYPE_CHECKING:
    import numpy as np

LIKE = 0.15
"""Of a crop's contrast: two crops of which no pixel differs by more show the same text."""
LIKE_MOST = 16
"""Levels; however strong the contrast, compression changes pixels by no more."""
BORDER = 3
"""Pixels; a wider line is no border between cells."""
BESIDE = 0.25
"""Share of ink in the columns beside a border at most."""
TRIM = 0.12
"""Of a box's height, at its upper and lower end."""
SAME_ROW, LOST = 0.7, 12
"""Of the height of boxes in one row: what they share, and the longest text lost between them."""
COMPARED = 24
"""Crops of one size that a new one is compared with, the latest first."""


class KnownCrops:
    """What was recognised in a session so far, by the pixels of the crop wherever it stood."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._known: OrderedDict[bytes, tuple[np.ndarray, Line]] = OrderedDict()
        self._by_shape: dict[tuple[int, ...], list[bytes]] = {}

    def find(self, key: bytes, crop: np.ndarray, x: int, y: int) -> Line | None:
        """Returns the line that a crop at (x, y) shows, if an earlier crop showed the same; ``key``
        is the crop's."""
        if key not in self._known:
            similar = self._similar(crop)
            if similar is None:
                return None
            key = similar
        self._known.move_to_end(key)
        return self._known[key][1].moved(x, y)

    def add(self, key: bytes, crop: np.ndarray, x: int, y: int, line: Line) -> None:
        """Remembers the line that was recognised in a crop at (x, y) that was not known."""
        self._known[key] = (crop.copy(), line.moved(-x, -y))
        self._by_shape.setdefault(crop.shape, []).append(key)
        if len(self._known) > self._size:
            oldest, (gone, _) = self._known.popitem(last=False)
            self._by_shape[gone.shape].remove(oldest)

    def _similar(self, crop: np.ndarray) -> bytes | None:
        import cv2

        keys = self._by_shape.get(crop.shape)
        if not keys:
            return None
        limit = min(LIKE_MOST, LIKE * (int(crop.max()) - int(crop.min())))
        for key in keys[: -COMPARED - 1 : -1]:
            if cv2.norm(self._known[key][0], crop, cv2.NORM_INF) <= limit:
                return key
        return None


def key_of(crop: np.ndarray) -> bytes:
    """Returns what crops of equal pixels and size have in common."""
    content = crop.tobytes() + f"{crop.shape[1]}x{crop.shape[0]}".encode()
    return hashlib.blake2b(content, digest_size=16).digest()


def bridged(image: np.ndarray, boxes: Sequence[Box]) -> list[Box]:
    """Joins boxes of one row between which text stands: now and then the detector loses the middle
    of a long line."""
    joined: list[Box] = []
    for box in sorted(boxes):
        for number, left in enumerate(joined):
            height = box[3] - box[1]
            gap = (left[2], max(left[1], box[1]), box[0], min(left[3], box[3]))
            if (
                gap[3] - gap[1] > SAME_ROW * max(height, left[3] - left[1])
                and height < gap[2] - gap[0] < LOST * height
                and not any(overlap(gap, other) for other in boxes)
                and is_text_between(_crop(image, gap))
            ):
                joined[number] = (
                    left[0],
                    min(left[1], box[1]),
                    max(left[2], box[2]),
                    max(left[3], box[3]),
                )
                break
        else:
            joined.append(box)
    return joined


def _crop(image: np.ndarray, box: Box) -> np.ndarray:
    x0, y0, x1, y1 = _whole_box(image, box)
    return image[y0:y1, x0:x1]


def text_areas(image: np.ndarray, box: Box) -> list[tuple[int, int, int, int]]:
    """Returns what a detected box holds, snapped to the ink: the same text gives the same crop
    wherever it stands. Borders between cells cut it into several.

    Where cells are narrow, the detector takes several for one line, and what two of them hold would
    be read as one word.
    """
    x0, y0, x1, y1 = _whole_box(image, box)
    if is_upright(box):
        return [(x0, y0, x1, y1)]
    ink, flat = ink_of(image[y0:y1, x0:x1])
    borders = _borders(ink, flat)
    if not borders:
        return [_snapped((x0, y0, x1, y1), ink, flat, image.shape)]
    starts = [0, *(right for _, right in borders)]
    ends = [*(left for left, _ in borders), x1 - x0]
    areas = []
    for start, end in zip(starts, ends, strict=True):
        part = (x0 + start, y0, x0 + end, y1)
        left, top, right, bottom = _snapped(part, ink[:, start:end], flat[start:end], image.shape)
        areas.append((max(left, part[0]), top, min(right, part[2]), bottom))
    return areas


def _borders(ink: np.ndarray, flat: np.ndarray) -> list[tuple[int, int]]:
    """Returns (first, last + 1) column of every border between cells."""
    import numpy as np

    height, width = ink.shape
    if width < 4 * height:
        return []
    # The rules above and below a row lie in the box too.
    trim = max(1, round(TRIM * height))
    inner = ink[trim:-trim]
    columns = np.nonzero(flat & inner.all(0))[0]
    if not len(columns):
        return []
    borders = []
    for run in np.split(columns, np.nonzero(np.diff(columns) > 1)[0] + 1):
        left, right = int(run[0]), int(run[-1]) + 1
        if right - left > BORDER or left < height // 2 or right > width - height // 2:
            continue
        # A rule between rows may still be in the box; a letter that is this high has more near it.
        if inner[:, [left - 1, right]].mean() <= BESIDE:
            borders.append((left, right))
    return borders


def _snapped(
    area: tuple[int, int, int, int], ink: np.ndarray, flat: np.ndarray, shape: Sequence[int]
) -> tuple[int, int, int, int]:
    import numpy as np

    # The border of a pane or a cell crosses the box from top to bottom; no letter is that high.
    # Over a photo every column is ink, but none is of one colour.
    letters = ink & ~(flat & (ink.mean(0) >= 0.95))
    ink = letters if letters.any() else ink
    rows = _rows_of_line(ink)
    columns = np.nonzero(ink[rows].any(0))[0]
    if len(rows) < 3 or len(columns) < 2:
        return area
    x0, y0 = area[:2]
    return (
        max(0, x0 + int(columns[0]) - INK_PAD),
        max(0, y0 + int(rows[0]) - INK_PAD),
        min(shape[1], x0 + int(columns[-1]) + 1 + INK_PAD),
        min(shape[0], y0 + int(rows[-1]) + 1 + INK_PAD),
    )


def _whole_box(image: np.ndarray, box: Box) -> tuple[int, int, int, int]:
    height, width = image.shape[:2]
    x0, y0 = max(0, int(box[0])), max(0, int(box[1]))
    x1, y1 = min(width, int(box[2] + 1)), min(height, int(box[3] + 1))
    return x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)


def _rows_of_line(ink: np.ndarray) -> np.ndarray:
    """Returns the rows with ink, without what the box cuts from the lines above and below, and
    without the rules between rows of a table."""
    import numpy as np

    height, width = ink.shape
    rows = np.nonzero(ink.any(1))[0]
    kept = []
    for run in np.split(rows, np.nonzero(np.diff(rows) > 1)[0] + 1):
        if not len(run):
            continue
        cut = (run[0] == 0 and run[-1] < 0.3 * height) or (
            run[-1] == height - 1 and run[0] > 0.7 * height
        )
        rule = len(run) <= 3 and bool((ink[run].sum(1) > 0.9 * width).all())
        if not cut and not rule:
            kept.append(run)
    return np.concatenate(kept) if kept else rows
