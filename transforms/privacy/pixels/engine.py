"""Reading text in pictures: a text detector and a line recogniser, straight on onnxruntime.

The networks are the detector of PP-OCRv4 (a DBNet) and the recogniser of PP-OCRv6 (CTC), both
bundled in the rapidocr wheels, so nothing is downloaded. Screens are not rotated: boxes are axis
aligned, and what stands upright is read in both directions. Everything runs on one thread, because
worker processes scale better than threads do.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from transforms.privacy.pixels.ink import unread_stretches

if TYPE_CHECKING:
    import numpy as np

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels of the picture, right/bottom exclusive."""

RECOGNISER_HEIGHT = 48
BATCH = 8
MASK_THRESHOLD = 0.3
BOX_THRESHOLD = 0.5
UNCLIP = 1.6
"""DBNet predicts shrunken text; boxes grow by area * UNCLIP / perimeter (Liao et al., 2020)."""
BAND_OVERLAP = 96
UPRIGHT, UPRIGHT_PX = 2.0, 40
"""Boxes this many times higher than wide, and that high, are read in all TURNS."""
TURNS = (0, 1, 3)
"""Quarter turns against the clock."""
READABLE = 0.85
"""Score from which on a reading counts; text on screens scores 0.95 and more."""
READ = 0.5
"""Score from which on a single character counts as read."""
LINE_LIKE, CHARACTER, SPARSE = 2.0, 0.55, 0.3
"""Length of what must be text by its height, usual width of a character by the line's height, and
share of the expected characters that must be read."""


class RecognitionTimeout(Exception):
    """Reading one frame took longer than it may."""


class Deadline:
    """CPU seconds of this thread that one frame may take.

    CPU time, not wall time: a busy machine must not change what is published.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.thread_time) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def check(self) -> None:
        """Raises RecognitionTimeout once the time is used up."""
        if self._clock() >= self._end:
            raise RecognitionTimeout


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text as it was read."""

    x0: float
    y0: float
    x1: float
    y1: float
    text: str
    xs: tuple[float, ...]
    """Centre of every character of ``text``, pixels from the picture's left."""
    score: float
    upright: bool = False
    """Whether the text runs from top to bottom or back; then ``xs`` say nothing."""
    unread: tuple[tuple[float, float], ...] = ()
    """Stretches (x0, x1) of ink in which no character was read: another script, say."""

    @property
    def box(self) -> Box:
        """The line's rectangle."""
        return (self.x0, self.y0, self.x1, self.y1)

    def moved(self, dx: float, dy: float) -> Line:
        """Returns the same line elsewhere."""
        return replace(
            self,
            x0=self.x0 + dx,
            y0=self.y0 + dy,
            x1=self.x1 + dx,
            y1=self.y1 + dy,
            xs=tuple(x + dx for x in self.xs) if dx else self.xs,
            unread=tuple((x0 + dx, x1 + dx) for x0, x1 in self.unread),
        )


def unread_boxes(line: Line) -> list[Box]:
    """Returns where a line holds text that was not understood: all of it, or parts."""
    if _is_unreadable(line):
        return [line.box]
    return [(x0, line.y0, x1, line.y1) for x0, x1 in line.unread]


def _is_unreadable(line: Line) -> bool:
    """Whether a line was read with too few characters for its length, or with doubtful ones. It may
    be tilted, cut in half or in a script that the engine does not know."""
    long, short = line.x1 - line.x0, line.y1 - line.y0
    if line.upright:
        long, short = short, long
    if long < LINE_LIKE * short:
        return False
    expected = long / (CHARACTER * short)
    shown = sum(not c.isspace() for c in line.text)
    return line.score < READABLE or shown < SPARSE * expected


class OcrEngine(Protocol):
    """What reads pictures. Pictures are RGB, uint8, height x width x 3."""

    def detect(self, image_rgb: np.ndarray, scale: float = 1.0) -> list[Box]:
        """Returns the boxes of all lines of text, read at ``scale`` times the picture's size."""

    def recognize(
        self, image_rgb: np.ndarray, boxes: Sequence[Box], deadline: Deadline | None = None
    ) -> list[Line]:
        """Returns one line per box, in the boxes' order; its text is empty where none was read.

        Raises RecognitionTimeout.
        """

    def lines(
        self, image_rgb: np.ndarray, scale: float = 1.0, deadline: Deadline | None = None
    ) -> list[Line]:
        """Returns all lines of text of a picture."""


class RapidOcr:
    """The engine on the rapidocr wheels' networks."""

    def __init__(self, detector: Any, recogniser: Any, characters: Sequence[str], max_pixels: int):
        self._detector = detector
        self._recogniser = recogniser
        self._characters = characters
        self._max_pixels = max_pixels

    def lines(
        self, image_rgb: np.ndarray, scale: float = 1.0, deadline: Deadline | None = None
    ) -> list[Line]:
        """Returns all lines of text of a picture, top to bottom."""
        found = self.recognize(image_rgb, self.detect(image_rgb, scale), deadline)
        return [line for line in found if line.text]

    def detect(self, image_rgb: np.ndarray, scale: float = 1.0) -> list[Box]:
        """Returns the boxes of all lines of text, in bands where the picture is large."""
        height, width = image_rgb.shape[:2]
        band = int(self._max_pixels / (width * scale * scale))
        if height <= band:
            return in_reading_order(self._detect_once(image_rgb, scale))
        band = max(band, 2 * BAND_OVERLAP)
        boxes: list[Box] = []
        top = 0
        while True:
            bottom = min(height, top + band)
            for x0, y0, x1, y1 in self._detect_once(image_rgb[top:bottom], scale):
                # A box that a band's inner border cuts is whole in the neighbouring band, unless
                # it is taller than the overlap; then both halves stay.
                cut = (top > 0 and y0 <= 1) or (bottom < height and y1 >= bottom - top - 1)
                if not cut or y1 - y0 > BAND_OVERLAP / 2:
                    boxes.append((x0, y0 + top, x1, y1 + top))
            if bottom == height:
                break
            top = bottom - BAND_OVERLAP
        return in_reading_order(without_duplicates(boxes))

    def _detect_once(self, image: np.ndarray, scale: float) -> list[Box]:
        import cv2
        import numpy as np

        height, width = image.shape[:2]
        if scale != 1.0:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        rows, columns = image.shape[:2]
        # The detector takes multiples of 32; padding keeps the letters as sharp as they are.
        image = cv2.copyMakeBorder(image, 0, -rows % 32, 0, -columns % 32, cv2.BORDER_REPLICATE)
        name = self._detector.get_inputs()[0].name
        probability = self._detector.run(None, {name: to_network(image)[None]})[0][0, 0]
        mask = cv2.dilate(
            (probability > MASK_THRESHOLD).astype(np.uint8), np.ones((2, 2), np.uint8)
        )
        contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        boxes: list[Box] = []
        for contour in contours:
            x, y, w, h = cv2.boundingRect(contour)
            if min(w, h) < 3:
                continue
            inside = np.zeros((h, w), np.uint8)
            cv2.fillPoly(inside, [contour - [x, y]], 1)
            if cv2.mean(probability[y : y + h, x : x + w], inside)[0] < BOX_THRESHOLD:
                continue
            if w > 3 * h:
                y, h = _band(inside, y)
            grow = w * h * UNCLIP / (2 * (w + h))
            boxes.append(
                (
                    max(0.0, (x - grow) * width / columns),
                    max(0.0, (y - grow) * height / rows),
                    min(float(width), (x + w + grow) * width / columns),
                    min(float(height), (y + h + grow) * height / rows),
                )
            )
        return boxes

    def recognize(
        self, image_rgb: np.ndarray, boxes: Sequence[Box], deadline: Deadline | None = None
    ) -> list[Line]:
        """Returns one line per box, in the boxes' order."""
        crops = sorted(
            (_crop_width(box, turn), index, turn, _whole_pixels(box, image_rgb.shape))
            for index, box in enumerate(boxes)
            for turn in (TURNS if is_upright(box) else (0,))
        )
        found: list[Line | None] = [None] * len(boxes)
        start = 0
        while start < len(crops):
            if deadline is not None:
                deadline.check()
            # Padding is computed for nothing: a batch ends where widths grow.
            end = start + 1
            limit = crops[start][0] * 1.05 + 8
            while end < len(crops) and end - start < BATCH and crops[end][0] <= limit:
                end += 1
            for index, line in self._read_batch(image_rgb, boxes, crops[start:end]):
                other = found[index]
                if other is None or _weight(line) > _weight(other):
                    found[index] = line
            start = end
        return [line for line in found if line is not None]

    def _read_batch(self, image: np.ndarray, boxes: Sequence[Box], crops: Sequence[tuple]):
        import cv2
        import numpy as np

        widest = max(32, math.ceil(crops[-1][0] / 8) * 8)
        batch = np.zeros((len(crops), 3, RECOGNISER_HEIGHT, widest), np.float32)
        for row, (width, _, turn, (x0, y0, x1, y1)) in enumerate(crops):
            crop = image[y0:y1, x0:x1]
            if turn:
                crop = np.ascontiguousarray(np.rot90(crop, turn))
            scaled = cv2.resize(crop, (width, RECOGNISER_HEIGHT))
            batch[row, :, :, :width] = to_network(scaled)
        name = self._recogniser.get_inputs()[0].name
        output = self._recogniser.run(None, {name: batch})[0]
        columns = output.shape[1]
        best = output.argmax(2)
        score = output.max(2)
        for row, (width, index, turn, (x0, y0, x1, y1)) in enumerate(crops):
            # CTC: a character stands in the first column of each run that is not blank (class 0).
            run = best[row]
            first = np.concatenate([[True], run[1:] != run[:-1]])
            at = np.nonzero((run != 0) & first)[0]
            text = "".join(self._characters[c] for c in run[at])
            xs = (at + 0.5) * (widest / columns) * ((x1 - x0) / width) + x0
            read = [
                float(x) - x0
                for x, c, sure in zip(xs, text, score[row][at] >= READ, strict=True)
                if sure and not c.isspace()
            ]
            unread = [] if turn else unread_stretches(image[y0:y1, x0:x1], read)
            yield (
                index,
                Line(
                    *boxes[index],
                    text=text,
                    xs=tuple(float(x) for x in xs),
                    score=float(score[row][at].mean()) if len(at) else 0.0,
                    upright=turn != 0,
                    unread=tuple((float(x0 + first), float(x0 + last)) for first, last in unread),
                ),
            )


def is_upright(box: Box) -> bool:
    """Whether a box is so high and narrow that its text may run from top to bottom."""
    width, height = box[2] - box[0], box[3] - box[1]
    return height >= UPRIGHT_PX and height > UPRIGHT * width


def _weight(line: Line) -> float:
    """Orders readings of one box in several directions: the longest sure one is right."""
    return len(line.text) * max(0.0, line.score - 0.5)


def _band(inside: np.ndarray, y: int) -> tuple[int, int]:
    """Returns (top, height) of a line of text whose region something grew into, a mouse pointer
    say: rows that are much shorter than the longest do not belong to the line."""
    import numpy as np

    lengths = inside.sum(1)
    rows = np.nonzero(lengths > 0.3 * lengths.max())[0]
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    return (y + top, bottom - top) if bottom - top < 0.75 * len(lengths) else (y, len(lengths))


def to_network(image_rgb: np.ndarray) -> np.ndarray:
    """Returns a picture as both networks take it: BGR planes, float32 from -1 to 1."""
    import numpy as np

    planes = image_rgb[:, :, ::-1].transpose(2, 0, 1).astype(np.float32, order="C")
    planes *= np.float32(2 / 255)
    planes -= np.float32(1)
    return planes


def _crop_width(box: Box, turn: int) -> int:
    x0, y0, x1, y1 = (math.floor(box[0]), math.floor(box[1]), math.ceil(box[2]), math.ceil(box[3]))
    width, height = max(1, x1 - x0), max(1, y1 - y0)
    if turn:
        width, height = height, width
    return max(8, math.ceil(RECOGNISER_HEIGHT * width / height))


def _whole_pixels(box: Box, shape: Sequence[int]) -> tuple[int, int, int, int]:
    x0, y0 = max(0, math.floor(box[0])), max(0, math.floor(box[1]))
    x1, y1 = min(shape[1], math.ceil(box[2])), min(shape[0], math.ceil(box[3]))
    return x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)


def in_reading_order(boxes: Sequence[Box]) -> list[Box]:
    """Returns boxes from top to bottom, those of a row from left to right."""
    return sorted(boxes, key=lambda box: (round(box[1] / 8), box[0], box))


def overlap(a: Box, b: Box) -> float:
    """Returns the share of the smaller box that lies in the other one."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
    return width * height / smaller if smaller > 0 else 0.0


def without_duplicates(boxes: Sequence[Box]) -> list[Box]:
    """Returns boxes without those that mostly lie in a larger one."""
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda b: (-(b[2] - b[0]) * (b[3] - b[1]), b)):
        if not any(overlap(box, other) > 0.7 for other in kept):
            kept.append(box)
    return kept


def load_engine(folder: Path | None, max_det_pixels: int = 2_500_000) -> OcrEngine | None:
    """Returns this process's engine; None when onnxruntime or the rapidocr wheels are missing.

    Args:
      folder: where ``models.build_models`` wrote; None or a folder without models means the
        wheels' own, larger recogniser.
      max_det_pixels: pixels the detector gets at once.

    Raises:
      models.ModelError: the folder holds models that are damaged.
    """
    return _load_engine(str(folder) if folder is not None else None, max_det_pixels)


@functools.lru_cache(maxsize=4)
def _load_engine(folder: str | None, max_det_pixels: int) -> OcrEngine | None:
    from transforms.privacy.pixels import models

    try:
        import cv2
        import onnxruntime
    except ImportError:
        return None
    paths = models.locate_models(Path(folder) if folder is not None else None)
    if paths is None:
        return None
    cv2.setNumThreads(1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Every picture and line has another size: planning memory for each costs more than it saves.
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    detector, recogniser = (
        onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
        for path in (paths.detector, paths.recogniser)
    )
    characters = models.characters_of(recogniser.get_modelmeta().custom_metadata_map)
    return RapidOcr(detector, recogniser, characters, max_det_pixels)
