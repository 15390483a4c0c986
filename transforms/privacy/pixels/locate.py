"""Where one session's frames show something sensitive.

Frames are read first, all of them, in time order; then what the recognisers found in any frame is
known when the others are searched. A value that is half typed or half scrolled out of sight is
followed from the frame that shows it whole.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from schemas.findings import Found, Region, Span
from schemas.traces import Frame
from transforms.images import ImageDefect
from transforms.privacy.pixels.engine import Box, Deadline, Line, OcrEngine, unread_boxes
from transforms.privacy.pixels.following import follow_pixels, follow_typing
from transforms.privacy.pixels.hits import ANY_TEXT, merged_hits
from transforms.privacy.pixels.incremental import IncrementalReader, Link, Reading
from transforms.privacy.pixels.known_values import ValueIndex, hits_by_value
from transforms.privacy.pixels.reading_errors import (
    CUT,
    find_misread,
    find_run_together,
    is_doubtful,
    mail_domains,
    with_plain_dashes,
)
from transforms.privacy.pixels.regions import NAME_ORIGINS, hits_by_pattern, region_of, united
from transforms.privacy.pixels.settings import PixelSettings
from transforms.session_files import DamagedFileError

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Located", "PixelSettings", "locate_regions"]

FULL_NAME = re.compile(r"[^\W\d_]+(?:['’.-]? ?[^\W\d_]+)*[ .-][^\W\d_]{2,}")
"""A name read in pixels is searched for elsewhere only if nothing else was read into it."""
DENSE = 1.75
"""Picture pixels per CSS pixel from which on the detector reads at half size."""

_T = TypeVar("_T")
Located = tuple[dict[str, tuple[Region, ...]], tuple[Found, ...], dict[str, str], dict[str, int]]


@dataclass
class _Page:
    """One frame on its way to regions."""

    frame: Frame
    width: int
    height: int
    lines: tuple[Line, ...] = ()
    link: Link | None = None
    unread: tuple[Region, ...] = ()
    """All text regions of a frame that could not be read."""


def locate_regions(
    frames: Sequence[Frame],
    load: Callable[[Frame], np.ndarray],
    find: Callable[[str], Sequence[Span]],
    values: Sequence[Found],
    dom_boxes: Callable[[Frame], Sequence[Region]],
    engine: OcrEngine | None,
    settings: PixelSettings,
    prepare: Callable[[Sequence[str]], object] | None = None,
) -> Located:
    """Returns (regions by frame file, values read in pixels, withheld frames, counts).

    Args:
      frames: of one session (or one run of a very long one), in time order.
      load: decodes a frame to RGB, uint8, height x width x 3; raises ImageDefect or
        DamagedFileError.
      find: the text side's recognisers, tolerant of OCR errors.
      values: what text, DOM and events of the session were found to hold.
      dom_boxes: rectangles that DOM or accessibility snapshots give for a frame, in its pixels.
      engine: None when OCR is not installed; every frame is then withheld (``no_ocr_engine``).
      settings: mode ``off`` finds nothing, ``withhold`` publishes no frame.
      prepare: gets all texts before ``find`` is asked for them one by one, so that models
        can look at many at once; what it returns is not used.

    A frame that cannot be decoded is withheld with the defect's code. One whose recognition fails
    or takes too long loses all its text regions; one where even detection fails is withheld
    (``ocr_failed``). Counts are ``pixels/<entity>`` and ``ocr/<what>``.
    """
    if settings.mode == "off":
        return {}, (), {}, {}
    if settings.mode == "withhold":
        return {}, (), {frame.file: "withheld" for frame in frames}, {}
    if engine is None:
        return {}, (), {frame.file: "no_ocr_engine" for frame in frames}, {}
    pages, withheld, counts = _read_pages(frames, load, engine, settings)
    if prepare is not None:
        prepare(_texts_of(pages))
    regions, found = _regions_of(pages, find, values)
    # One file may have been shown at several times, with other elements in the DOM.
    by_file: dict[str, list[Region]] = {}
    for page, own in zip(pages, regions, strict=True):
        by_file.setdefault(page.frame.file, []).extend((*own, *page.unread, *dom_boxes(page.frame)))
    located: dict[str, tuple[Region, ...]] = {}
    for file, found_there in by_file.items():
        boxes = united(found_there)
        if boxes:
            located[file] = boxes
        for region in boxes:
            counts[f"pixels/{region.entity}"] += 1
    return located, found, withheld, dict(sorted(counts.items()))


def _read_pages(
    frames: Sequence[Frame],
    load: Callable[[Frame], np.ndarray],
    engine: OcrEngine,
    settings: PixelSettings,
) -> tuple[list[_Page], dict[str, str], Counter[str]]:
    def new_reader() -> IncrementalReader:
        return IncrementalReader(
            engine if settings.mode != "all_text" else _Unread(engine),
            settings.keyframes,
            settings.full_pass_every,
            settings.crop_cache,
        )

    reader = new_reader()
    pages: list[_Page] = []
    withheld: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for number, frame in enumerate(frames):
        if number and number % settings.frames_at_once == 0:
            counts.update(_ocr_counts(reader))
            reader = new_reader()
        try:
            image = load(frame)
        except (ImageDefect, DamagedFileError) as defect:
            withheld[frame.file] = defect.code
            counts["ocr/undecodable"] += 1
            continue
        height, width = image.shape[:2]
        page = _Page(frame, width, height)
        scale = detection_scale(frame, width)
        try:
            reading = reader.read(image, len(pages), scale, Deadline(settings.timeout_s))
        except Exception as error:
            # Whatever the engine raises, the frame must not go out unread.
            kind = "timed_out" if type(error).__name__ == "RecognitionTimeout" else "failed"
            counts[f"ocr/{kind}"] += 1
            try:
                lines = _Unread(engine).lines(image, scale)
            except Exception:
                withheld[frame.file] = "ocr_failed"
                continue
            reading = Reading(tuple(lines))
            page.unread = _all_regions([line.box for line in reading.lines], width, height)
        else:
            if settings.mode == "all_text":
                page.unread = _all_regions([line.box for line in reading.lines], width, height)
            else:
                page.lines, page.link = reading.lines, reading.link
        pages.append(page)
    counts.update(_ocr_counts(reader))
    return pages, withheld, counts


def _ocr_counts(reader: IncrementalReader) -> dict[str, int]:
    return {f"ocr/{name}": n for name, n in reader.counts.items() if n}


class _Unread:
    """An engine that only detects: every line reads as one unknown character."""

    def __init__(self, engine: OcrEngine) -> None:
        self._engine = engine

    def detect(self, image_rgb: np.ndarray, scale: float = 1.0) -> list:
        return self._engine.detect(image_rgb, scale)

    def recognize(self, image_rgb: np.ndarray, boxes, deadline: Deadline | None = None) -> list:
        return [Line(*box, text="?", xs=((box[0] + box[2]) / 2,), score=0.0) for box in boxes]

    def lines(self, image_rgb: np.ndarray, scale: float = 1.0, deadline=None) -> list[Line]:
        return self.recognize(image_rgb, self.detect(image_rgb, scale))


def _all_regions(boxes: Sequence[Box], width: int, height: int) -> tuple[Region, ...]:
    regions = []
    for x0, y0, x1, y1 in boxes:
        pad = 0.15 * (y1 - y0)
        regions.append(
            Region(
                max(0, int(x0 - pad)),
                max(0, int(y0 - pad)),
                min(width, int(x1 + pad) + 1),
                min(height, int(y1 + pad) + 1),
                ANY_TEXT,
            )
        )
    return tuple(regions)


def detection_scale(frame: Frame, width: int) -> float:
    """Returns at what size the detector reads a frame: half for captures of dense screens."""
    if frame.viewport is None or not frame.viewport.width:
        return 1.0
    # The picture may be smaller than the screen was: what counts is how large letters are in it.
    return 0.5 if width / frame.viewport.width >= DENSE else 1.0


def _texts_of(pages: Sequence[_Page]) -> list[str]:
    """Returns all texts that are searched for patterns, each once, in the order of the frames."""
    texts: dict[str, None] = {}

    def note(text: str) -> Sequence[Span]:
        texts[with_plain_dashes(text)] = None
        return ()

    def note_both(text: str) -> Sequence[Span]:
        find_run_together(text, note)
        return note(text)

    for page in pages:
        if not _is_repeated(page):
            hits_by_pattern(page.lines, note_both, page.width)
    return list(texts)


def _is_repeated(page: _Page) -> bool:
    """Whether a page shows the same as the one that it is linked to."""
    return page.link is not None and page.link.equal is None


def _of_all(pages: Sequence[_Page], of_new: Iterable[_T]) -> list[_T]:
    """Returns something of every page, given that of those which repeat no other."""
    waiting = iter(of_new)
    result: list[_T] = []
    for page in pages:
        result.append(result[page.link.source] if _is_repeated(page) else next(waiting))
    return result


def _regions_of(
    pages: Sequence[_Page], find: Callable[[str], Sequence[Span]], values: Sequence[Found]
) -> tuple[list[list[Region]], tuple[Found, ...]]:
    spans: dict[str, Sequence[Span]] = {}
    seen = {line.text for page in pages for line in page.lines}
    domains = mail_domains(itertools.chain(seen, (found.value for found in values)))

    def find_once(text: str) -> Sequence[Span]:
        if text not in spans:
            spans[text] = [*find_patterns(text), *find_run_together(text, find_patterns)]
        return spans[text]

    def find_patterns(text: str) -> Sequence[Span]:
        text = with_plain_dashes(text)
        found = [span for span in find(text) if not is_doubtful(text, span)]
        return [*found, *find_misread(text, domains)]

    new = [page for page in pages if not _is_repeated(page)]
    by_pattern = _of_all(
        pages, (hits_by_pattern(page.lines, find_once, page.width) for page in new)
    )
    text_index = ValueIndex(values)
    read: dict[str, Found] = {}
    for page_hits in by_pattern:
        for hits in page_hits:
            for hit in hits:
                if hit.origin == CUT:
                    continue
                value = text_index.canonical(hit.value)
                sure = hit.origin not in NAME_ORIGINS or FULL_NAME.fullmatch(value) is not None
                found = Found(value, hit.entity, "pixel", sure)
                read.setdefault(value, found)
    known = ValueIndex([*values, *read.values()])
    by_value = _of_all(pages, hits_by_value([page.lines for page in new], known))
    regions: list[list[Region]] = []
    for page, own, more in zip(pages, by_pattern, by_value, strict=True):
        # What nobody could read may be anything.
        unread = [box for line in page.lines for box in unread_boxes(line)]
        regions.append(list(_all_regions(unread, page.width, page.height)))
        for line, first, second in zip(page.lines, own, more, strict=True):
            for hit in merged_hits([*first, *second]):
                hit = replace(hit, value=known.canonical(hit.value))
                regions[-1].append(region_of(line, hit, page.width, page.height))
    lines = [page.lines for page in pages]
    follow_typing(lines, regions)
    follow_pixels([page.link for page in pages], regions, lines)
    known_before = {found.value for found in values}
    return regions, tuple(f for v, f in sorted(read.items()) if v not in known_before)
