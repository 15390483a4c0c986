"""Sensitive places followed from one frame to the others of a session.

A value is recognised where it stands whole; half typed, half covered by a menu or half scrolled out
of its pane it may not be. Two things need no recognising: pixels that are equal to sensitive pixels
of a linked frame, in place or moved by a scroll, are sensitive too, and so is the beginning of a
value where the whole value stands a little earlier or later.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from schemas.findings import Region
from transforms.privacy.pixels.engine import Line, overlap, unread_boxes
from transforms.privacy.pixels.hits import ANY_TEXT
from transforms.privacy.pixels.incremental import Link
from transforms.privacy.pixels.likeness import TILE
from transforms.privacy.pixels.lookalikes import fold

MIN_WIDTH, MIN_HEIGHT = 6, 3
"""Pixels; less of a value tells nothing."""
ROUNDS = 4
"""There and back; a frame may be linked to one that another frame adds to."""


def follow_pixels(
    links: Sequence[Link | None],
    regions: Sequence[list[Region]],
    lines: Sequence[Sequence[Line]],
) -> None:
    """Adds regions in place wherever pixels are equal to those of a region in a linked frame.

    What was covered because it could not be read stays in sight where it was read.
    """
    order = range(len(links))
    for _ in range(ROUNDS):
        added = 0
        for number in order:
            link = links[number]
            if link is not None:
                source = link.source
                added += _carry(regions[source], regions[number], lines[number], link, forward=True)
        for number in reversed(order):
            link = links[number]
            if link is not None:
                source = link.source
                added += _carry(
                    regions[number], regions[source], lines[source], link, forward=False
                )
        if not added:
            break


class _Shared:
    """What two linked frames share, unpacked."""

    def __init__(self, link: Link) -> None:
        self.whole = link.equal is None
        self.equal = None if link.equal is None else link.equal.rows()
        self.inked = None if link.inked is None else link.inked.rows()
        self.dy = link.dy
        self.moved = None if link.moved is None else link.moved.rows()


def _carry(
    source: list[Region], target: list[Region], lines: Sequence[Line], link: Link, forward: bool
) -> int:
    """Adds to ``target``, which shows ``lines``, what it shares with the regions of ``source``;
    returns how many."""
    before = len(target)
    shared = None
    for region in list(source):
        if not link.dy and any(_covers(other, region) for other in target):
            continue
        shared = shared or _Shared(link)
        for x0, y0, x1, y1 in _equal_parts(region, shared, forward):
            if x1 - x0 >= MIN_WIDTH and y1 - y0 >= MIN_HEIGHT:
                part = Region(x0, y0, x1, y1, region.entity, region.value)
                if region.entity == ANY_TEXT and _is_read(part, lines):
                    continue
                if not any(_covers(other, part) for other in target):
                    target.append(part)
    return len(target) - before


def _equal_parts(
    region: Region, shared: _Shared, forward: bool
) -> Iterator[tuple[int, int, int, int]]:
    if shared.whole:
        yield region.x0, region.y0, region.x1, region.y1
        return
    left, right = region.x0 // TILE, -(-region.x1 // TILE)
    # One tile may be the border of a pane; text is longer than it is high.
    least = min(right - left, max(2, -(-(region.y1 - region.y0) // TILE)))
    # The pads above and below the text may have changed for other reasons.
    pad = min(4, (region.y1 - region.y0) // 4)
    equal = shared.equal[region.y0 + pad : region.y1 - pad, left:right]
    inked = shared.inked[region.y0 + pad : region.y1 - pad, left:right]
    whole = equal.all(0)
    columns = inked.any(0)
    # A space between words may be a tile wide.
    columns[1:-1] |= columns[:-2] & columns[2:]
    for first, last in _runs(whole & columns, least):
        yield _widened(region, left + first, left + last, region.y0, region.y1)
    for first, last in _runs(~whole, least):
        # A border crosses the rows in one tile, text in most of them.
        kept = equal[:, first:last].all(1) & (inked[:, first:last].mean(1) > 0.3)
        for top, bottom in _runs(kept, MIN_HEIGHT):
            y0, y1 = region.y0 + pad + top, region.y0 + pad + bottom
            yield _widened(region, left + first, left + last, y0 - 1, y1 + 1)
    if shared.moved is not None:
        yield from _moved_parts(region, shared, forward)


def _widened(region: Region, first: int, last: int, y0: int, y1: int) -> tuple[int, int, int, int]:
    """What covers the rest of the region begins somewhere in the next tile."""
    return max(region.x0, (first - 1) * TILE), y0, min(region.x1, (last + 1) * TILE), y1


def _moved_parts(
    region: Region, shared: _Shared, forward: bool
) -> Iterator[tuple[int, int, int, int]]:
    """Yields what stands elsewhere now; rows of ``moved`` count in the later frame."""
    shift, back = (shared.dy, 0) if forward else (0, shared.dy)
    rows = len(shared.moved)
    top = min(max(0, region.y0 + shift), rows)
    bottom = min(max(0, region.y1 + shift), rows)
    equal = shared.moved[top:bottom, region.x0 // TILE : -(-region.x1 // TILE)].all(1)
    for first, last in _runs(equal):
        yield region.x0, top + first - back, region.x1, top + last - back


def _runs(flags, least: int = 1) -> Iterator[tuple[int, int]]:
    """Yields (start, end) of every run of at least so many true flags."""
    position = 0
    for value, group in itertools.groupby(flags.tolist()):
        length = len(list(group))
        if value and length >= least:
            yield position, position + length
        position += length


def _is_read(part: Region, lines: Sequence[Line]) -> bool:
    """Whether a line of which everything was read stands where a part is."""
    box = (part.x0, part.y0, part.x1, part.y1)
    return any(not unread_boxes(line) and overlap(line.box, box) > 0.5 for line in lines)


def _covers(other: Region, part: Region) -> bool:
    """Whether nearly all of a part is inside another region."""
    return (
        other.x0 <= part.x0 + 3
        and other.x1 >= part.x1 - 3
        and other.y0 <= part.y0 + 3
        and other.y1 >= part.y1 - 3
    )


def follow_typing(lines: Sequence[Sequence[Line]], regions: Sequence[list[Region]]) -> None:
    """Adds regions in place over beginnings of values, before and after they stood there whole."""
    order = range(len(lines))
    for sequence in (list(reversed(order)), list(order)):
        for known, unknown in itertools.pairwise(sequence):
            for region in list(regions[known]):
                begun = fold(region.value).text
                if not begun:
                    continue
                for line in lines[unknown]:
                    if not _starts_there(line, region):
                        continue
                    typed = fold(line.text).text
                    if not typed or not begun.startswith(typed):
                        continue
                    end = max(region.x0 + 1, int(line.x1) + 4)
                    part = Region(region.x0, region.y0, end, region.y1, region.entity, region.value)
                    if not any(_covers(other, part) for other in regions[unknown]):
                        regions[unknown].append(part)


def _starts_there(line: Line, region: Region) -> bool:
    height = region.y1 - region.y0
    return (
        abs(line.x0 - region.x0) < 0.7 * height
        and abs(line.y0 - region.y0) < 0.4 * height
        and abs(line.y1 - region.y1) < 0.4 * height
    )
