"""What two frames of a session share: row by row, and after a scroll.

Flags are of TILE pixels of a row: rows of pixels x columns of tiles. Pixels that differ by a few
levels show the same: recorders that compress to JPEG or reduce colours to a palette change every
frame a little. Frames are padded to whole tiles and strips.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from transforms.privacy.pixels.ink import INK_THRESHOLD

if TYPE_CHECKING:
    import numpy as np

TILE = 16
STRIP = 64
"""Columns that are searched for a scroll as one."""
TOLERANCE = 16
"""Levels of 255 by which a channel may differ; text with less contrast nobody can read."""
SCROLL_SHARE = 0.1
"""Look for a scroll when more tiles than this changed."""


class RowFlags:
    """A flag for every TILE pixels of every row of a frame, packed to bits."""

    def __init__(self, flags: np.ndarray) -> None:
        import numpy as np

        self._shape = flags.shape
        self._bits = np.packbits(flags)

    def rows(self) -> np.ndarray:
        """Returns the flags: rows of pixels x columns of tiles."""
        import numpy as np

        count = self._shape[0] * self._shape[1]
        return np.unpackbits(self._bits, count=count).reshape(self._shape).astype(bool)


def padded(image: np.ndarray) -> np.ndarray:
    """Returns a picture grown to whole tiles and strips, with black."""
    import numpy as np

    height, width = image.shape[:2]
    rows, columns = -height % TILE, -width % STRIP
    if not rows and not columns:
        return np.ascontiguousarray(image)
    return np.pad(image, ((0, rows), (0, columns), (0, 0)))


def _words(pixels: np.ndarray) -> np.ndarray:
    """Views rows of pixels as 8-byte words: comparing those is much cheaper."""
    import numpy as np

    return pixels.reshape(pixels.shape[0], -1).view(np.uint64)


def equal_rows(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns which pixels show the same."""
    import cv2
    import numpy as np

    differs = _words(cv2.compare(cv2.absdiff(a, b), TOLERANCE, cv2.CMP_GT))
    same = np.ones((len(a), a.shape[1] // TILE), bool)
    rows = np.nonzero(differs.any(1))[0]
    if len(rows):
        same[rows] = ~differs[rows].reshape(len(rows), -1, TILE * 3 // 8).any(2)
    return same


def with_changes(before: np.ndarray, after: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """Returns ``after`` with the pixels of ``before`` where they show the same.

    Later frames are compared with what was read, not with what only looked like it, so that slow
    fades add up to a change.
    """
    import cv2
    import numpy as np

    mask = cv2.resize(changed.astype(np.uint8), after.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    return cv2.copyTo(after, mask, before.copy())


def inked_rows(pixels: np.ndarray) -> np.ndarray:
    """Returns which TILE pixels of a row are not of one colour."""
    import cv2
    import numpy as np

    window = np.ones((1, TILE), np.uint8)
    high = cv2.dilate(pixels, window, anchor=(0, 0))[:, ::TILE]
    low = cv2.erode(pixels, window, anchor=(0, 0))[:, ::TILE]
    return (high - low).max(2) > INK_THRESHOLD


def tiles_of(rows: np.ndarray) -> np.ndarray:
    """Returns which tiles have a flagged row: rows x columns of TILE x TILE pixels."""
    return rows.reshape(len(rows) // TILE, TILE, -1).any(1)


def find_scroll(
    pixels: np.ndarray, before: np.ndarray, changed: np.ndarray
) -> tuple[int, np.ndarray | None]:
    """Returns how far content moved and which pixels are moved ones; ``changed`` says which are
    not what they were.

    Rows vote with a hash of each strip of columns, so that a scroll bar or a pane that stands
    still beside the scrolled one does not hide the scroll.
    """
    import numpy as np

    tiles = tiles_of(changed)
    if tiles.mean() <= SCROLL_SHARE:
        return 0, None
    tile_rows = np.nonzero(tiles.any(1))[0]
    strips = changed.reshape(changed.shape[0], -1, STRIP // TILE).any((0, 2))
    y0, y1 = int(tile_rows[0]) * TILE, (int(tile_rows[-1]) + 1) * TILE
    per_strip = STRIP * 3 // 8
    new = _words(pixels)[y0:y1].reshape(y1 - y0, -1, per_strip)
    old = _words(before)[y0:y1].reshape(y1 - y0, -1, per_strip)
    weights = np.random.RandomState(5).randint(1, 2**62, per_strip).astype(np.uint64) | np.uint64(1)
    votes: Counter[int] = Counter()
    comparable = 0
    for strip in np.nonzero(strips)[0]:
        hashes_new = (new[:, strip] * weights).sum(1, dtype=np.uint64)
        hashes_old = (old[:, strip] * weights).sum(1, dtype=np.uint64)
        values, first, count = np.unique(hashes_old, return_index=True, return_counts=True)
        unique = dict(zip(values[count == 1].tolist(), first[count == 1].tolist()))
        values, first, count = np.unique(hashes_new, return_index=True, return_counts=True)
        for value, row in zip(values[count == 1].tolist(), first[count == 1].tolist()):
            comparable += 1
            if value in unique:
                votes[row - unique[value]] += 1
    votes.pop(0, None)
    if not votes:
        return 0, None
    dy, count = max(votes.items(), key=lambda vote: (vote[1], -abs(vote[0]), vote[0]))
    if count < 0.2 * comparable or count < 8:
        return 0, None
    moved = np.zeros((pixels.shape[0], pixels.shape[1] // TILE), bool)
    top, bottom = max(0, dy), min(y1 - y0, y1 - y0 + dy)
    moved[y0 + top : y0 + bottom] = equal_rows(
        pixels[y0 + top : y0 + bottom], before[y0 + top - dy : y0 + bottom - dy]
    )
    moved &= changed.any(0)
    return dy, moved
