"""Rectangles of a frame that are read again, grown so that they cut no line of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from transforms.privacy.pixels.engine import Box, Line
from transforms.privacy.pixels.ink import INK_PAD
from transforms.privacy.pixels.likeness import TILE

if TYPE_CHECKING:
    import numpy as np

EMPTY_TILES, EMPTY_KEPT = 5, 2
"""Tiles without ink side by side at which a picture is cut, and that are kept on either side."""
NEAR = 2
"""Rows of pixels above and below a change that are read again with it."""
MARGIN_X, MARGIN_Y = 48, 24
"""Pixels around an area that the detector sees too."""
WORTH_CUTTING = 0.85
"""Of the picture: parts that are larger together are not worth their context."""

Area = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels, right/bottom exclusive."""


def areas_around(changed: np.ndarray, width: int, height: int) -> list[Area]:
    """Returns rectangles around connected changes, in pixels.

    ``changed`` has a flag for every TILE pixels of a row.
    """
    import cv2
    import numpy as np

    near = cv2.dilate(changed.astype(np.uint8), np.ones((2 * NEAR + 1, 5), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(near, connectivity=8)
    return [
        (int(x) * TILE, int(y), min(width, int(x + w) * TILE), min(height, int(y + h)))
        for x, y, w, h, _ in stats[1:count]
        if x * TILE < width and y < height
    ]


def parts_with_ink(inked: np.ndarray, width: int, height: int) -> list[Area]:
    """Returns the parts of a picture that hold all flagged tiles, cut along wide empty stripes; the
    whole picture where that would save little."""
    rows, columns = inked.shape
    parts = [
        (
            max(0, (x0 - EMPTY_KEPT) * TILE),
            max(0, (y0 - EMPTY_KEPT) * TILE),
            min(width, (x1 + EMPTY_KEPT) * TILE),
            min(height, (y1 + EMPTY_KEPT) * TILE),
        )
        for x0, y0, x1, y1 in _cells_with_ink(inked, (0, 0, columns, rows))
    ]
    parts = [part for part in parts if part[0] < width and part[1] < height]
    size = sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in parts)
    return parts if size < WORTH_CUTTING * width * height else [(0, 0, width, height)]


def with_ink(areas: Sequence[Area], inked: np.ndarray) -> list[Area]:
    """Returns parts of areas that hold all of their flagged tiles, cut along wide empty stripes.

    Where something vanished nothing is left to be read.
    """
    parts = []
    for left, top, right, bottom in areas:
        tiles = (left // TILE, top // TILE, -(-right // TILE), -(-bottom // TILE))
        parts += [
            (
                max(left, x0 * TILE),
                max(top, y0 * TILE),
                min(right, x1 * TILE),
                min(bottom, y1 * TILE),
            )
            for x0, y0, x1, y1 in _cells_with_ink(inked, tiles)
        ]
    return parts


def _cells_with_ink(
    inked: np.ndarray, cell: tuple[int, int, int, int]
) -> list[tuple[int, int, int, int]]:
    """Cuts a cell along rows first, then along columns, then along rows again (an XY cut, Nagy &
    Seth, 1984)."""
    cells = [cell]
    for along_rows in (True, False, True):
        cells = [part for cell in cells for part in _cut(inked, cell, along_rows)]
    return cells


def _cut(
    inked: np.ndarray, cell: tuple[int, int, int, int], along_rows: bool
) -> list[tuple[int, int, int, int]]:
    """Returns the parts of a cell (x0, y0, x1, y1 in tiles) between wide empty stripes."""
    import numpy as np

    x0, y0, x1, y1 = cell
    filled = np.nonzero(inked[y0:y1, x0:x1].any(1 if along_rows else 0))[0]
    if not len(filled):
        return []
    gaps = np.nonzero(np.diff(filled) > EMPTY_TILES)[0] + 1
    parts = []
    for run in np.split(filled, gaps):
        first, last = int(run[0]), int(run[-1]) + 1
        if along_rows:
            parts.append((x0, y0 + first, x1, y0 + last))
        else:
            parts.append((x0 + first, y0, x0 + last, y1))
    return parts


def whole_line_areas(
    areas: list[Area], lines: Sequence[Line], width: int, height: int
) -> list[Area]:
    """Grows areas until they cut none of the lines, and joins those that nearly touch or that the
    detector reads faster together than each with its margins."""
    cores = [core_of(line) for line in lines]
    while True:
        grown = _merged([_grown_to_lines(area, cores, width, height) for area in areas])
        if grown == areas:
            return areas
        areas = grown


def _grown_to_lines(area: Area, cores: Sequence[Box], width: int, height: int) -> Area:
    waiting = list(cores)
    while True:
        touched = [core for core in waiting if touch(core, area, margin=1)]
        if not touched:
            return area
        waiting = [core for core in waiting if not touch(core, area, margin=1)]
        area = (
            max(0, min(area[0], *(int(core[0]) - 4 for core in touched))),
            max(0, min(area[1], *(int(core[1]) for core in touched))),
            min(width, max(area[2], *(int(core[2]) + 5 for core in touched))),
            min(height, max(area[3], *(int(core[3]) + 1 for core in touched))),
        )


def _belong_together(area: Area, other: Area) -> bool:
    return touch(area, other, margin=8) or (
        _cost(_around([area, other])) <= _cost(area) + _cost(other)
    )


def _cost(area: Area) -> int:
    return (area[2] - area[0] + 2 * MARGIN_X) * (area[3] - area[1] + 2 * MARGIN_Y)


def _around(areas: Sequence[Area]) -> Area:
    return (
        min(a[0] for a in areas),
        min(a[1] for a in areas),
        max(a[2] for a in areas),
        max(a[3] for a in areas),
    )


def _merged(areas: Sequence[Area]) -> list[Area]:
    waiting = list(areas)
    done: list[Area] = []
    while waiting:
        area = waiting.pop(0)
        near = [other for other in waiting if _belong_together(area, other)]
        if not near:
            done.append(area)
            continue
        waiting = [other for other in waiting if other not in near]
        waiting.append(_around([area, *near]))
    return sorted(done)


def whole_blocks(part: Area, width: int, height: int) -> Area:
    """Widens a part to multiples of 32 pixels, as the detector takes them, inside the picture."""
    x0, x1 = _whole_range(part[0], part[2], width)
    y0, y1 = _whole_range(part[1], part[3], height)
    return x0, y0, x1, y1


def _whole_range(start: int, end: int, limit: int) -> tuple[int, int]:
    start, end = max(0, start), min(limit, end)
    end = min(limit, start + math.ceil((end - start) / 32) * 32)
    return max(0, end - math.ceil((end - start) / 32) * 32), end


def core_of(line: Line) -> Box:
    """Returns a line's rectangle without its pad, so that neighbouring lines do not touch."""
    pad = min(INK_PAD + 1, (line.y1 - line.y0) / 4)
    return (line.x0, line.y0 + pad, line.x1, line.y1 - pad)


def touches_changes(box: Box, changed: np.ndarray) -> bool:
    """Whether a box has a pixel in, or right beside, a flagged row of TILE pixels."""
    x0, y0 = max(0, int(box[0]) - 1) // TILE, max(0, int(box[1]) - 1)
    return bool(changed[y0 : int(box[3]) + 2, x0 : int(box[2] + 1) // TILE + 1].any())


def touch(box: Sequence[float], area: Sequence[float], margin: int = 0) -> bool:
    """Whether two rectangles overlap, or come nearer to each other than a margin."""
    return (
        box[2] > area[0] - margin
        and box[0] < area[2] + margin
        and box[3] > area[1] - margin
        and box[1] < area[3] + margin
    )
