"""Boxes of sensitive elements: what snapshots say of the frames around their time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from schemas.findings import Region
from schemas.traces import DomSnapshot, Frame, Trace
from transforms.dom import DomNode, DomTree

NEAR_US = 2_000_000
"""A frame shows what a snapshot says when the two are at most this far apart."""


def sensitive_boxes(
    trace: Trace, trees: dict[str, DomTree], is_sensitive: Callable[[DomNode], str | None]
) -> Callable[[Frame], list[Region]]:
    """Returns a function that gives a frame the boxes of sensitive elements around its time.

    ``is_sensitive`` returns an element's entity, or None. Boxes are in pixels of the frame. An
    element that has moved since is blurred in both places, which costs pixels, not privacy.
    """
    found: dict[str, list[tuple[DomNode, str]]] = {
        file: [(node, entity) for node in tree.iter() if (entity := is_sensitive(node))]
        for file, tree in trees.items()
    }

    def boxes(frame: Frame) -> list[Region]:
        regions = []
        for snapshot in _near(trace.dom, frame):
            for node, entity in found.get(snapshot.file, ()):
                region = _region(node, entity, frame)
                if region is not None:
                    regions.append(region)
        return regions

    return boxes


def _near(snapshots: Sequence[DomSnapshot], frame: Frame) -> Iterator[DomSnapshot]:
    for snapshot in snapshots:
        same_tab = snapshot.tab is None or frame.tab is None or snapshot.tab == frame.tab
        if same_tab and abs(snapshot.timestamp_us - frame.timestamp_us) <= NEAR_US:
            yield snapshot


def _region(node: DomNode, entity: str, frame: Frame) -> Region | None:
    if node.bounds is None:
        return None
    x, y, width, height = node.bounds
    if frame.viewport is not None and frame.viewport.width > 0 and frame.viewport.height > 0:
        sx, sy = frame.width / frame.viewport.width, frame.height / frame.viewport.height
    else:
        sx = sy = 1.0
    x0, y0 = max(int(x * sx), 0), max(int(y * sy), 0)
    x1 = min(int((x + width) * sx) + 1, frame.width)
    y1 = min(int((y + height) * sy) + 1, frame.height)
    if x1 <= x0 or y1 <= y0:
        return None
    return Region(x0, y0, x1, y1, entity)
