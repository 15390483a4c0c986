"""Reading a session's frames in order, only where they changed.

A frame is compared with the last few key frames. What is pixel for pixel the same keeps its lines,
what scrolled moves them, and only the rest is detected again; a line of text whose crop was
recognised before, wherever it stood, is not recognised again. All caches belong to one pass over
one session and are filled in the order of its frames, so that how work is bundled changes nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transforms.privacy.pixels.areas import (
    MARGIN_X,
    MARGIN_Y,
    Area,
    areas_around,
    core_of,
    parts_with_ink,
    touch,
    touches_changes,
    whole_blocks,
    whole_line_areas,
    with_ink,
)
from transforms.privacy.pixels.crops import KnownCrops, bridged, key_of, text_areas
from transforms.privacy.pixels.engine import (
    Box,
    Deadline,
    Line,
    OcrEngine,
    in_reading_order,
    overlap,
    unread_boxes,
    without_duplicates,
)
from transforms.privacy.pixels.likeness import (
    TILE,
    RowFlags,
    equal_rows,
    find_scroll,
    inked_rows,
    padded,
    tiles_of,
    with_changes,
)

if TYPE_CHECKING:
    import numpy as np

FULL_SHARE = 0.7
"""Read a frame whole when more of it than this must be detected again."""
CLOSER = 0.6
"""An older key frame is taken only if it differs in less than this share of the tiles."""
ALIKE = 0.02
"""Share of the tiles: where no more differ, no older key frame is looked at."""


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


@dataclass(eq=False)
class _KeyFrame:
    number: int
    image: np.ndarray
    """As it was given."""
    pixels: np.ndarray
    """What was read, padded to whole tiles and strips."""
    lines: tuple[Line, ...]
    scene: int
    """Number of the frame that was read whole and that this one goes back to."""


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
        self._frames: list[_KeyFrame] = []
        self._crops = KnownCrops(crop_cache)
        self._since_full = 0
        self.counts: Counter[str] = Counter()
        """full, changed, repeated and scrolled frames; lines_read, lines_known; guard_missed."""

    def read(
        self, image: np.ndarray, number: int, scale: float = 1.0, deadline: Deadline | None = None
    ) -> Reading:
        """Returns the lines of one RGB picture, which must not be written to afterwards; raises
        RecognitionTimeout and remembers nothing of that frame then."""
        base = next((frame for frame in self._frames if frame.image is image), None)
        if base is not None:
            return self._repeated(base)
        pixels = padded(image)
        base, changed = self._closest(pixels, image.shape)
        if base is not None and not changed.any():
            return self._repeated(base)
        link, lines = None, None
        if base is not None:
            dy, moved = find_scroll(pixels, base.pixels, changed)
            inked = inked_rows(pixels)
            lines = self._update(image, base, changed, inked, dy, moved, scale, deadline)
            link = Link(
                base.number,
                RowFlags(~changed),
                RowFlags(inked),
                dy,
                RowFlags(moved) if moved is not None else None,
            )
        scene = number if lines is None else base.scene
        if lines is not None and self._since_full + 1 < self._full_pass_every:
            self._since_full += 1
            self.counts["changed"] += 1
            pixels = with_changes(base.pixels, pixels, changed)
        else:
            lines = self._read_whole(image, pixels, lines, scale, deadline)
        frame = _KeyFrame(number, image, pixels, tuple(lines), scene)
        self._remember(frame)
        return Reading(frame.lines, link)

    def _repeated(self, frame: _KeyFrame) -> Reading:
        self._frames.remove(frame)
        self._frames.append(frame)
        self.counts["repeated"] += 1
        return Reading(frame.lines, Link(frame.number, None))

    def _remember(self, frame: _KeyFrame) -> None:
        """Keeps a key frame; of those that go back to one another the oldest is forgotten first, so
        that a window that comes back after many steps in another one is known."""
        self._frames.append(frame)
        if len(self._frames) > self._keyframes:
            scenes = [kept.scene for kept in self._frames]
            left = (i for i, scene in enumerate(scenes) if scene in scenes[i + 1 :])
            del self._frames[next(left, 0)]

    def _read_whole(
        self,
        image: np.ndarray,
        pixels: np.ndarray,
        updated: Sequence[Line] | None,
        scale: float,
        deadline: Deadline | None,
    ) -> list[Line]:
        """Reads all of a frame, or counts what was missed by reading the ``updated`` lines."""
        self._since_full = 0
        self.counts["full"] += 1
        if updated is None:
            return self._recognise(image, self._detect_all(image, pixels, scale), deadline)
        # The guard takes no short cut.
        whole = self._recognise(image, self._engine.detect(image, scale), deadline)
        known = [line.box for line in updated]
        self.counts["guard_missed"] += sum(_is_apart(line.box, known) for line in whole)
        boxes = [line.box for line in whole]
        return [*whole, *(line for line in updated if _is_apart(line.box, boxes))]

    def _closest(
        self, pixels: np.ndarray, shape: tuple[int, ...]
    ) -> tuple[_KeyFrame | None, np.ndarray | None]:
        """Returns the key frame that differs least, and where."""
        best: tuple[float, _KeyFrame, np.ndarray] | None = None
        for frame in reversed(self._frames):
            if frame.image.shape != shape:
                continue
            changed = ~equal_rows(pixels, frame.pixels)
            share = float(tiles_of(changed).mean())
            if best is None or share < CLOSER * best[0]:
                best = (share, frame, changed)
            if share < ALIKE:
                break
        return (None, None) if best is None else (best[1], best[2])

    def _update(
        self,
        image: np.ndarray,
        base: _KeyFrame,
        changed: np.ndarray,
        inked: np.ndarray,
        dy: int,
        moved: np.ndarray | None,
        scale: float,
        deadline: Deadline | None,
    ) -> list[Line] | None:
        """Reads what differs from ``base``; None when that is nearly everything."""
        height, width = image.shape[:2]
        kept = [line for line in base.lines if not touches_changes(line.box, changed)]
        known: Sequence[Line] = base.lines
        if moved is not None:
            self.counts["scrolled"] += 1
            still = set(kept)
            elsewhere = [line.moved(0, dy) for line in base.lines if line not in still]
            known = [*kept, *elsewhere]
            arrived = {line for line in elsewhere if _has_moved(line.box, moved)}
            kept += [line for line in elsewhere if line in arrived]
            lost = [line for line in elsewhere if line not in arrived]
            changed = (changed & ~moved) | _rows_of(lost, moved)
        areas = whole_line_areas(areas_around(changed, width, height), known, width, height)
        read = with_ink(areas, tiles_of(inked))
        if sum((a[2] - a[0]) * (a[3] - a[1]) for a in read) > FULL_SHARE * width * height:
            return None
        for area in areas:
            kept = [line for line in kept if not touch(core_of(line), area)]
        new: list[Box] = []
        for area in read:
            if deadline is not None:
                deadline.check()
            new += self._detect_around(image, area, scale)
        boxes: list[Box] = []
        for box in sorted(new, key=lambda b: (-(b[2] - b[0]) * (b[3] - b[1]), b)):
            if not any(overlap(box, other) > 0.7 for other in boxes):
                boxes.append(box)
        kept = [line for line in kept if not any(overlap(line.box, b) > 0.6 for b in boxes)]
        return [*kept, *self._recognise(image, boxes, deadline)]

    def _detect_all(self, image: np.ndarray, pixels: np.ndarray, scale: float) -> list[Box]:
        """Detects wherever something is drawn: screens are empty to a great part."""
        height, width = image.shape[:2]
        parts = parts_with_ink(tiles_of(inked_rows(pixels)), width, height)
        boxes: list[Box] = []
        for x0, y0, x1, y1 in parts:
            self.counts["detected_pixels"] += (x1 - x0) * (y1 - y0)
            boxes += [
                (b[0] + x0, b[1] + y0, b[2] + x0, b[3] + y0)
                for b in self._engine.detect(image[y0:y1, x0:x1], scale)
            ]
        return boxes if len(parts) == 1 else in_reading_order(without_duplicates(boxes))

    def _detect_around(self, image: np.ndarray, area: Area, scale: float) -> list[Box]:
        """Detects in a part of the picture with context, widened while it cuts a line."""
        height, width = image.shape[:2]
        margin_x, margin_y = int(MARGIN_X / scale), int(MARGIN_Y / scale)
        part = whole_blocks(
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
                if touch(box, area)
            ]
            wider = (
                x0 - 320 if any(b[0] <= x0 + 3 for b in touching) else x0,
                y0 - 32 if any(b[1] <= y0 + 2 for b in touching) else y0,
                x1 + 320 if any(b[2] >= x1 - 3 for b in touching) else x1,
                y1 + 32 if any(b[3] >= y1 - 2 for b in touching) else y1,
            )
            wider = whole_blocks(wider, width, height)
            if wider == part:
                break
            part = wider
        return touching

    def _recognise(
        self, image: np.ndarray, boxes: Sequence[Box], deadline: Deadline | None
    ) -> list[Line]:
        """Recognises what no earlier crop of this session was equal to, equal crops once."""
        areas = [area for box in bridged(image, boxes) for area in text_areas(image, box)]
        found: dict[int, Line] = {}
        unknown: dict[bytes, list[int]] = {}
        for index, (x0, y0, x1, y1) in enumerate(areas):
            crop = image[y0:y1, x0:x1]
            key = key_of(crop)
            known = None if key in unknown else self._crops.find(key, crop, x0, y0)
            if known is None:
                unknown.setdefault(key, []).append(index)
            else:
                found[index] = known
        self.counts["lines_known"] += len(areas) - len(unknown)
        self.counts["lines_read"] += len(unknown)
        firsts = [areas[same[0]] for same in unknown.values()]
        read = self._engine.recognize(image, firsts, deadline)
        for (key, same), (x0, y0, x1, y1), line in zip(unknown.items(), firsts, read, strict=True):
            self._crops.add(key, image[y0:y1, x0:x1], x0, y0, line)
            for index in same:
                found[index] = line.moved(areas[index][0] - x0, areas[index][1] - y0)
        return [found[i] for i in range(len(areas)) if found[i].text or unread_boxes(found[i])]


def _has_moved(box: Box, moved: np.ndarray) -> bool:
    x0, y0 = math.floor(box[0] / TILE), math.floor(box[1]) - 1
    x1, y1 = math.ceil(box[2] / TILE), math.ceil(box[3]) + 1
    if y0 < 0 or y1 > moved.shape[0]:
        return False
    return bool(moved[y0:y1, x0:x1].all())


def _rows_of(lines: Sequence[Line], moved: np.ndarray) -> np.ndarray:
    """Returns the pixels of lines that moved in part: what became of them must be read again."""
    import numpy as np

    rows = np.zeros_like(moved)
    for line in lines:
        x0, x1 = max(0, int(line.x0)) // TILE, int(line.x1) // TILE + 1
        y0, y1 = max(0, int(line.y0)), max(0, int(line.y1) + 1)
        if moved[y0:y1, x0:x1].any():
            rows[y0:y1, x0:x1] = True
    return rows


def _is_apart(box: Box, others: Sequence[Box]) -> bool:
    return all(overlap(box, other) < 0.3 for other in others)
