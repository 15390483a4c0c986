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
from transforms.privacy.pixels.engine import Line
from transforms.privacy.pixels.incremental import TILE, Link, Scroll
from transforms.privacy.pixels.lookalikes import fold

MIN_WIDTH, MIN_HEIGHT = 6, 3
"""Pixels; less of a value tells nothing."""


def follow_pixels(links: Sequence[Link | None], regions: Sequence[list[Region]]) -> None:
    """Adds regions in place wherever pixels are equal to those of a region in a linked frame."""
    order = range(len(links))
    for number in order:
        link = links[number]
        if link is not None:
            _carry(regions[link.source], regions[number], link, forward=True)
    for number in reversed(order):
        link = links[number]
        if link is not None:
            _carry(regions[number], regions[link.source], link, forward=False)


def _carry(source: list[Region], target: list[Region], link: Link, forward: bool) -> None:
    for region in list(source):
        for x0, y0, x1, y1 in _equal_parts(region, link, forward):
            if x1 - x0 >= MIN_WIDTH and y1 - y0 >= MIN_HEIGHT:
                part = Region(x0, y0, x1, y1, region.entity, region.value)
                if not any(_covers(other, part) for other in target):
                    target.append(part)


def _equal_parts(region: Region, link: Link, forward: bool) -> Iterator[tuple[int, int, int, int]]:
    if link.changed is None:
        yield region.x0, region.y0, region.x1, region.y1
        return
    # The pads above and below the text may lie in tiles that changed for other reasons.
    top = (region.y0 + min(4, (region.y1 - region.y0) // 4)) // TILE
    bottom = -(-(region.y1 - min(4, (region.y1 - region.y0) // 4)) // TILE)
    left, right = region.x0 // TILE, -(-region.x1 // TILE)
    equal = ~link.changed[top:bottom, left:right].any(0)
    for first, last in _runs(equal):
        # What covers the rest begins somewhere in the next tile.
        yield (
            max(region.x0, (left + first - 1) * TILE),
            region.y0,
            min(region.x1, (left + last + 1) * TILE),
            region.y1,
        )
    if link.scroll is not None:
        yield from _moved_parts(region, link.scroll, forward)


def _moved_parts(
    region: Region, scroll: Scroll, forward: bool
) -> Iterator[tuple[int, int, int, int]]:
    """Yields what stands elsewhere now; rows of ``moved`` count in the later frame."""
    shift = scroll.dy if forward else 0
    rows = scroll.moved.shape[0]
    top = min(max(0, region.y0 + shift), rows)
    bottom = min(max(0, region.y1 + shift), rows)
    equal = scroll.moved[top:bottom, region.x0 // TILE : -(-region.x1 // TILE)].all(1)
    back = 0 if forward else scroll.dy
    for first, last in _runs(equal):
        yield region.x0, top + first - back, region.x1, top + last - back


def _runs(flags) -> Iterator[tuple[int, int]]:
    """Yields (start, end) of every run of true flags."""
    position = 0
    for value, group in itertools.groupby(flags.tolist()):
        length = len(list(group))
        if value:
            yield position, position + length
        position += length


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
