"""Reading a session's frames in order, only where they changed.

A frame is compared with the last few key frames. What is pixel for pixel the same keeps its lines,
what scrolled moves them, and only the rest is detected again; a line of text whose crop was
recognised before, wherever it stood, is not recognised again. All caches belong to one pass over
one session and are filled in the order of its frames, so that how work is bundled changes nothing.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transforms.privacy.pixels.engine import Box, Deadline, Line, OcrEngine, overlap

if TYPE_CHECKING:
    import numpy as np

Area = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels, right/bottom exclusive."""

TILE = 16
STRIP = 64
"""Columns that are searched for a scroll as one."""
FULL_SHARE = 0.7
"""Read a frame whole when more of it than this must be detected again."""
SCROLL_SHARE = 0.1
"""Look for a scroll when more tiles than this changed."""
CLOSER = 0.6
"""An older key frame is taken only if it differs in less than this share of the tiles."""
MARGIN_X, MARGIN_Y = 48, 24
INK_THRESHOLD = 24
INK_PAD = 3


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


@dataclass(frozen=True)
class Link:
    """What one frame shares with an earlier one, pixel for pixel."""

    source: int
    """Number of the earlier frame, as passed to ``read``."""
    equal: RowFlags | None = None
    """Pixels equal in place; None when the frames are equal."""
    inked: RowFlags | None = None
    """Pixels of the later frame that are not of one colour."""
    dy: int = 0
    """Pixels that part of the content moved by; down when positive."""
    moved: RowFlags | None = None
    """Pixels of the later frame that are those ``dy`` rows higher up in the earlier one."""


@dataclass(frozen=True)
class Reading:
    """What one frame says."""

    lines: tuple[Line, ...]
    link: Link | None = None


@dataclass
class _KeyFrame:
    number: int
    size: tuple[int, int]
    pixels: np.ndarray
    """Padded to whole tiles and strips."""
    lines: tuple[Line, ...]


class IncrementalReader:
    """Reads the frames of one session in time order."""

    def __init__(
        self,
        engine: OcrEngine,
        keyframes: int = 4,
        full_pass_every: int = 50,
        crop_cache: int = 8192,
    ) -> None:
        self._engine = engine
        self._keyframes = keyframes
        self._full_pass_every = full_pass_every
        self._crop_cache = crop_cache
        self._frames: OrderedDict[bytes, _KeyFrame] = OrderedDict()
        self._crops: OrderedDict[bytes, tuple[str, tuple[float, ...], float]] = OrderedDict()
        self._since_full = 0
        self.counts: Counter[str] = Counter()
        """full, changed, repeated and scrolled frames; lines_read, lines_known; guard_missed."""

    def read(
        self, image: np.ndarray, number: int, scale: float = 1.0, deadline: Deadline | None = None
    ) -> Reading:
        """Returns the lines of one RGB picture; raises RecognitionTimeout and remembers nothing
        of that frame then."""
        height, width = image.shape[:2]
        key = hashlib.blake2b(
            image.tobytes() + f"{width}x{height}".encode(), digest_size=16
        ).digest()
        known = self._frames.get(key)
        if known is not None:
            self._frames.move_to_end(key)
            self.counts["repeated"] += 1
            return Reading(known.lines, Link(known.number, None))
        pixels = _padded(image)
        reading = self._read_changed(image, pixels, scale, deadline)
        self._frames[key] = _KeyFrame(number, (height, width), pixels, reading.lines)
        while len(self._frames) > self._keyframes:
            self._frames.popitem(last=False)
        return reading

    def _read_changed(
        self, image: np.ndarray, pixels: np.ndarray, scale: float, deadline: Deadline | None
    ) -> Reading:
        base, changed = self._closest(pixels, image.shape[:2])
        link, lines = None, None
        if base is not None:
            dy, moved = _find_scroll(pixels, base.pixels, changed)
            lines = self._update(image, base, changed, dy, moved, scale, deadline)
            link = Link(
                base.number,
                RowFlags(_equal_rows(pixels, base.pixels)),
                RowFlags(_inked_rows(pixels)),
                dy,
                RowFlags(moved) if moved is not None else None,
            )
        if lines is not None and self._since_full + 1 < self._full_pass_every:
            self._since_full += 1
            self.counts["changed"] += 1
            return Reading(tuple(lines), link)
        self._since_full = 0
        self.counts["full"] += 1
        whole = self._recognise(image, self._engine.detect(image, scale), deadline)
        if lines is None:
            return Reading(tuple(whole), link)
        known = [line.box for line in lines]
        self.counts["guard_missed"] += sum(_is_apart(line.box, known) for line in whole)
        boxes = [line.box for line in whole]
        return Reading((*whole, *(k for k in lines if _is_apart(k.box, boxes))), link)

    def _closest(
        self, pixels: np.ndarray, size: tuple[int, int]
    ) -> tuple[_KeyFrame | None, np.ndarray | None]:
        best: tuple[float, _KeyFrame, np.ndarray] | None = None
        for frame in reversed(self._frames.values()):
            if frame.size != size:
                continue
            tiles = _changed_tiles(pixels, frame.pixels)
            share = float(tiles.mean())
            if best is None or share < CLOSER * best[0]:
                best = (share, frame, tiles)
            if share < 0.02:
                break
        return (None, None) if best is None else (best[1], best[2])

    def _update(
        self,
        image: np.ndarray,
        base: _KeyFrame,
        changed: np.ndarray,
        dy: int,
        moved: np.ndarray | None,
        scale: float,
        deadline: Deadline | None,
    ) -> list[Line] | None:
        """Reads what differs from ``base``; None when that is nearly everything."""
        height, width = image.shape[:2]
        kept = [line for line in base.lines if not _touches_tiles(line.box, changed)]
        known: Sequence[Line] = base.lines
        if moved is not None:
            self.counts["scrolled"] += 1
            still = set(kept)
            elsewhere = [line.moved(0, dy) for line in base.lines if line not in still]
            known = [*kept, *elsewhere]
            arrived = {line for line in elsewhere if _has_moved(line.box, moved)}
            kept += [line for line in elsewhere if line in arrived]
            lost = [line for line in elsewhere if line not in arrived]
            changed = (changed & ~_tiles_within(moved)) | _tiles_of(lost, moved)
        areas = _whole_line_areas(_areas(changed, width, height), known, width, height)
        if sum((a[2] - a[0]) * (a[3] - a[1]) for a in areas) > FULL_SHARE * width * height:
            return None
        new: list[Box] = []
        for area in areas:
            if deadline is not None:
                deadline.check()
            new += self._detect_around(image, area, scale)
            kept = [line for line in kept if not _touch(_core(line), area)]
        boxes: list[Box] = []
        for box in sorted(new, key=lambda b: (-(b[2] - b[0]) * (b[3] - b[1]), b)):
            if not any(overlap(box, other) > 0.7 for other in boxes):
                boxes.append(box)
        kept = [line for line in kept if not any(overlap(line.box, b) > 0.6 for b in boxes)]
        return [*kept, *self._recognise(image, boxes, deadline)]

    def _detect_around(self, image: np.ndarray, area: Area, scale: float) -> list[Box]:
        """Detects in a part of the picture with context, widened while it cuts a line."""
        height, width = image.shape[:2]
        margin_x, margin_y = int(MARGIN_X / scale), int(MARGIN_Y / scale)
        part = _whole_blocks(
            (area[0] - margin_x, area[1] - margin_y, area[2] + margin_x, area[3] + margin_y),
            width,
            height,
        )
        touching: list[Box] = []
        for _ in range(3):
            x0, y0, x1, y1 = part
            self.counts["detected_pixels"] += (x1 - x0) * (y1 - y0)
            touching = [
                box
                for box in (
                    (b[0] + x0, b[1] + y0, b[2] + x0, b[3] + y0)
                    for b in self._engine.detect(image[y0:y1, x0:x1], scale)
                )
                if _touch(box, area)
            ]
            wider = (
                x0 - 320 if any(b[0] <= x0 + 3 for b in touching) else x0,
                y0 - 32 if any(b[1] <= y0 + 2 for b in touching) else y0,
                x1 + 320 if any(b[2] >= x1 - 3 for b in touching) else x1,
                y1 + 32 if any(b[3] >= y1 - 2 for b in touching) else y1,
            )
            wider = _whole_blocks(wider, width, height)
            if wider == part:
                break
            part = wider
        return touching

    def _recognise(
        self, image: np.ndarray, boxes: Sequence[Box], deadline: Deadline | None
    ) -> list[Line]:
        """Recognises what no earlier crop of this session was equal to."""
        found: dict[int, Line] = {}
        unknown: list[tuple[int, Box, bytes]] = []
        for index, box in enumerate(boxes):
            x0, y0, x1, y1 = ink_box(image, box)
            crop = image[y0:y1, x0:x1]
            key = hashlib.blake2b(
                crop.tobytes() + f"{x1 - x0}x{y1 - y0}".encode(), digest_size=16
            ).digest()
            known = self._crops.get(key)
            if known is None:
                unknown.append((index, (x0, y0, x1, y1), key))
                continue
            self._crops.move_to_end(key)
            text, xs, score = known
            found[index] = Line(x0, y0, x1, y1, text, tuple(x + x0 for x in xs), score)
        self.counts["lines_known"] += len(found)
        self.counts["lines_read"] += len(unknown)
        read = self._engine.recognize(image, [box for _, box, _ in unknown], deadline)
        for (index, box, key), line in zip(unknown, read, strict=True):
            found[index] = line
            self._crops[key] = (line.text, tuple(x - box[0] for x in line.xs), line.score)
            if len(self._crops) > self._crop_cache:
                self._crops.popitem(last=False)
        return [found[i] for i in range(len(boxes)) if found[i].text]


def ink_box(image: np.ndarray, box: Box) -> tuple[int, int, int, int]:
    """Returns a detected box snapped to the ink inside it: the same text gives the same crop
    wherever it stands."""
    import numpy as np

    height, width = image.shape[:2]
    x0, y0 = max(0, int(box[0])), max(0, int(box[1]))
    x1, y1 = min(width, int(box[2] + 1)), min(height, int(box[3] + 1))
    x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
    crop = image[y0:y1, x0:x1].astype(np.int16)
    background = np.median(crop.reshape(-1, 3)[::3], axis=0).astype(np.int16)
    ink = np.abs(crop - background).max(2) > INK_THRESHOLD
    rows = _rows_of_line(ink)
    columns = np.nonzero(ink[rows].any(0))[0]
    if len(rows) < 3 or len(columns) < 2:
        return x0, y0, x1, y1
    return (
        max(0, x0 + int(columns[0]) - INK_PAD),
        max(0, y0 + int(rows[0]) - INK_PAD),
        min(width, x0 + int(columns[-1]) + 1 + INK_PAD),
        min(height, y0 + int(rows[-1]) + 1 + INK_PAD),
    )


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


def _padded(image: np.ndarray) -> np.ndarray:
    import numpy as np

    height, width = image.shape[:2]
    rows, columns = -height % TILE, -width % STRIP
    return np.ascontiguousarray(np.pad(image, ((0, rows), (0, columns), (0, 0))))


def _words(pixels: np.ndarray) -> np.ndarray:
    """Views rows of pixels as 8-byte words: comparing those is much cheaper."""
    import numpy as np

    return pixels.reshape(pixels.shape[0], -1).view(np.uint64)


def _equal_rows(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns which pixels are equal: rows x columns of TILE pixels."""
    equal = _words(a) == _words(b)
    return equal.reshape(len(equal), -1, TILE * 3 // 8).all(2)


def _changed_tiles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns which tiles differ: rows x columns of TILE x TILE pixels."""
    rows = _equal_rows(a, b)
    return ~rows.reshape(len(rows) // TILE, TILE, -1).all(1)


def _inked_rows(pixels: np.ndarray) -> np.ndarray:
    """Returns which TILE pixels of a row are not of one colour."""
    import cv2
    import numpy as np

    window = np.ones((1, TILE), np.uint8)
    high = cv2.dilate(pixels, window, anchor=(0, 0))[:, ::TILE]
    low = cv2.erode(pixels, window, anchor=(0, 0))[:, ::TILE]
    return (high - low).max(2) > INK_THRESHOLD


def _find_scroll(
    pixels: np.ndarray, before: np.ndarray, changed: np.ndarray
) -> tuple[int, np.ndarray | None]:
    """Returns how far content moved and which pixels are moved ones: rows x columns of tiles.

    Rows vote with a hash of each strip of columns, so that a scroll bar or a pane that stands
    still beside the scrolled one does not hide the scroll.
    """
    import numpy as np

    if changed.mean() <= SCROLL_SHARE:
        return 0, None
    tile_rows = np.nonzero(changed.any(1))[0]
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
    moved[y0 + top : y0 + bottom] = _equal_rows(
        pixels[y0 + top : y0 + bottom], before[y0 + top - dy : y0 + bottom - dy]
    )
    moved &= changed.any(0)
    return dy, moved


def _tiles_within(moved: np.ndarray) -> np.ndarray:
    """Returns the tiles all of whose pixels have moved."""
    return moved.reshape(-1, TILE, moved.shape[1]).all(1)


def _has_moved(box: Box, moved: np.ndarray) -> bool:
    x0, y0 = math.floor(box[0] / TILE), math.floor(box[1]) - 1
    x1, y1 = math.ceil(box[2] / TILE), math.ceil(box[3]) + 1
    if y0 < 0 or y1 > moved.shape[0]:
        return False
    return bool(moved[y0:y1, x0:x1].all())


def _tiles_of(lines: Sequence[Line], moved: np.ndarray) -> np.ndarray:
    """Returns the tiles of lines that moved in part: what became of them must be read again."""
    import numpy as np

    tiles = np.zeros((moved.shape[0] // TILE, moved.shape[1]), bool)
    for line in lines:
        x0, x1 = max(0, int(line.x0)) // TILE, int(line.x1) // TILE + 1
        y0, y1 = max(0, int(line.y0)), max(0, int(line.y1) + 1)
        if moved[y0:y1, x0:x1].any():
            tiles[y0 // TILE : y1 // TILE + 1, x0:x1] = True
    return tiles


def _core(line: Line) -> Box:
    """Returns a line's rectangle without its pad, so that neighbouring lines do not touch."""
    pad = min(INK_PAD + 1, (line.y1 - line.y0) / 4)
    return (line.x0, line.y0 + pad, line.x1, line.y1 - pad)


def _is_apart(box: Box, others: Sequence[Box]) -> bool:
    return all(overlap(box, other) < 0.3 for other in others)


def _touches_tiles(box: Box, tiles: np.ndarray) -> bool:
    x0, y0 = max(0, int(box[0]) - 1) // TILE, max(0, int(box[1]) - 1) // TILE
    return bool(tiles[y0 : int(box[3] + 1) // TILE + 1, x0 : int(box[2] + 1) // TILE + 1].any())


def _touch(box: Sequence[float], area: Sequence[float], margin: int = 0) -> bool:
    return (
        box[2] > area[0] - margin
        and box[0] < area[2] + margin
        and box[3] > area[1] - margin
        and box[1] < area[3] + margin
    )


def _areas(changed: np.ndarray, width: int, height: int) -> list[Area]:
    """Returns rectangles around connected changed tiles, in pixels."""
    import cv2
    import numpy as np

    near = cv2.dilate(changed.astype(np.uint8), np.ones((3, 5), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(near, connectivity=8)
    return [
        (
            int(x) * TILE,
            int(y) * TILE,
            min(width, int(x + w) * TILE),
            min(height, int(y + h) * TILE),
        )
        for x, y, w, h, _ in stats[1:count]
        if x * TILE < width and y * TILE < height
    ]


def _whole_line_areas(
    areas: list[Area], lines: Sequence[Line], width: int, height: int
) -> list[Area]:
    """Grows areas until they cut none of the lines, and joins those that nearly touch."""
    cores = [_core(line) for line in lines]
    while True:
        grown = _merged([_grown_to_lines(area, cores, width, height) for area in areas])
        if grown == areas:
            return areas
        areas = grown


def _grown_to_lines(area: Area, cores: Sequence[Box], width: int, height: int) -> Area:
    waiting = list(cores)
    while True:
        touched = [core for core in waiting if _touch(core, area, margin=1)]
        if not touched:
            return area
        waiting = [core for core in waiting if not _touch(core, area, margin=1)]
        area = (
            max(0, min(area[0], *(int(core[0]) - 4 for core in touched))),
            max(0, min(area[1], *(int(core[1]) for core in touched))),
            min(width, max(area[2], *(int(core[2]) + 5 for core in touched))),
            min(height, max(area[3], *(int(core[3]) + 1 for core in touched))),
        )


def _merged(areas: Sequence[Area]) -> list[Area]:
    waiting = list(areas)
    done: list[Area] = []
    while waiting:
        area = waiting.pop(0)
        near = [other for other in waiting if _touch(other, area, margin=8)]
        if not near:
            done.append(area)
            continue
        waiting = [other for other in waiting if other not in near]
        group = [area, *near]
        waiting.append(
            (
                min(a[0] for a in group),
                min(a[1] for a in group),
                max(a[2] for a in group),
                max(a[3] for a in group),
            )
        )
    return sorted(done)


def _whole_blocks(
    part: tuple[int, int, int, int], width: int, height: int
) -> tuple[int, int, int, int]:
    """Widens a part to multiples of 32 pixels, as the detector takes them, inside the picture."""
    x0, x1 = _whole_range(part[0], part[2], width)
    y0, y1 = _whole_range(part[1], part[3], height)
    return x0, y0, x1, y1


def _whole_range(start: int, end: int, limit: int) -> tuple[int, int]:
    start, end = max(0, start), min(limit, end)
    end = min(limit, start + math.ceil((end - start) / 32) * 32)
    return max(0, end - math.ceil((end - start) / 32) * 32), end
