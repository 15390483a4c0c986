"""What of a crop is ink, and where it holds ink that nobody read."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

INK_THRESHOLD = 24
"""Levels of 255 that ink differs from its background by."""
INK_PAD = 3
"""Pixels around the ink that belong to a crop."""
STRETCH = 1.5
"""Of the ink's height: two characters of a script that is as wide as high are longer."""
HALF_CHARACTER = 0.4
"""Of the ink's height, left and right of a character's centre."""
FILLED = 0.4
"""Share of its columns that hold ink in a stretch of text, and of the ink's height that it has:
rules, leaders and bullets have less."""
DENSE_ROW = 0.1
"""Share of ink in the rows that give a stretch its height."""


def ink_of(crop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns which pixels are ink, and which columns are nearly of one colour."""
    import numpy as np

    background = np.median(crop.reshape(-1, 3)[::3], axis=0)
    ink = _difference(crop, background.astype(np.uint8)) > INK_THRESHOLD
    flat = (_difference(crop, crop[len(crop) // 2]) <= INK_THRESHOLD).mean(0) >= 0.9
    return ink, flat


def _difference(crop: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns the largest difference of any channel, 0-255."""
    import cv2
    import numpy as np

    red, green, blue = cv2.split(
        cv2.absdiff(crop, np.ascontiguousarray(np.broadcast_to(other, crop.shape)))
    )
    return cv2.max(cv2.max(red, green), blue)


def is_text_between(crop: np.ndarray) -> bool:
    """Whether what stands between two pieces of a line is text: ink in most columns, and none that
    goes on above and below, as in pictures."""
    ink, flat = ink_of(crop)
    letters = ink & ~flat
    return bool(
        letters.any(0).mean() >= FILLED
        and max(letters[0].mean(), letters[-1].mean()) < DENSE_ROW
        and _extent(letters.mean(1) >= DENSE_ROW) >= FILLED * len(crop)
    )


def unread_stretches(crop: np.ndarray, centres: Sequence[float]) -> list[tuple[int, int]]:
    """Returns (first, last + 1) column of what looks like text but was not read.

    Args:
      crop: one line of text.
      centres: columns of the characters that were read, left to right.
    """
    import numpy as np

    height, width = crop.shape[:2]
    gaps = [
        (start, end)
        for start, end in itertools.pairwise((0.0, *centres, float(width)))
        if end - start >= STRETCH * (height - 2 * INK_PAD)
    ]
    if not gaps:
        return []
    ink, flat = ink_of(crop)
    letters = ink & ~flat
    tall = _extent(letters.any(1))
    found = []
    for start, end in gaps:
        first = 0 if start == 0 else round(start + HALF_CHARACTER * tall)
        last = width if end == width else round(end - HALF_CHARACTER * tall)
        part = letters[:, first : max(first, last)]
        columns = np.nonzero(part.any(0))[0]
        long = _extent(part.any(0))
        if (
            long >= max(1, STRETCH * tall)
            and len(columns) >= FILLED * long
            and _extent(part[:, columns[0] : columns[-1] + 1].mean(1) >= DENSE_ROW) >= FILLED * tall
        ):
            found.append((first + int(columns[0]), first + int(columns[-1]) + 1))
    return found


def _extent(flags: np.ndarray) -> int:
    """Returns the length from the first true flag to the last."""
    import numpy as np

    at = np.nonzero(flags)[0]
    return int(at[-1] - at[0]) + 1 if len(at) else 0
