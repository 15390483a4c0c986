"""Which frames a trajectory keeps: none twice, none unused, none beyond its budget.

A frame's fingerprint is the mean colour of each of its 8 × 8 pixel tiles. Two frames are
near-duplicates when no tile differs by more than `NEAR_LEVELS` of 255 in any channel. Measured over
64 positions in the tile grid, one full stop more changes a tile's mean by at least 3 levels in
black (11–16 px), by at least 2 in #767676 on white from 12 px on; an "i" by 13 and 7. So a single
changed character is seen, and so is a text cursor that blinks: rather one frame too many than one
that lacks a letter. Frames cut from a compressed video differ by more than that everywhere and are
seldom duplicates here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from schemas.outcomes import Dropped
from schemas.traces import Frame
from schemas.trajectories import Step

if TYPE_CHECKING:
    from PIL import Image

TILE_PX = 8
NEAR_LEVELS = 1


def frame_fingerprint(image: Image.Image) -> bytes:
    """Returns the fingerprint of a picture: its size, then 3 bytes a tile."""
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    size = b"".join(n.to_bytes(4, "big") for n in rgb.size)
    return size + rgb.reduce(TILE_PX).tobytes()


def changed_tiles(one: bytes, other: bytes) -> int | None:
    """How many tiles two fingerprints differ in; None for pictures of different sizes."""
    import numpy as np

    if one[:8] != other[:8] or len(one) != len(other):
        return None
    a = np.frombuffer(one, np.uint8, offset=8).astype(np.int16)
    b = np.frombuffer(other, np.uint8, offset=8)
    far = np.abs(a - b) > NEAR_LEVELS
    return int(far.reshape(-1, 3).any(axis=1).sum())


def is_near_duplicate(one: Any, other: Any) -> bool:
    """Whether two fingerprints belong to pictures that look the same."""
    if one is None or other is None:
        return False
    if isinstance(one, bytes) and isinstance(other, bytes) and len(one) > 8:
        return changed_tiles(one, other) == 0
    return bool(one == other)


def select_frames(
    steps: tuple[Step, ...],
    frames: Iterable[Frame],
    fingerprint_of: Callable[[Frame], Any],
    budget: int | None,
) -> tuple[tuple[Step, ...], tuple[Dropped, ...]]:
    """Returns the steps with the frames they keep, and the frames that were dropped.

    Of consecutive near-duplicates in one tab the earliest stays and serves all their steps. With a
    ``budget`` each task keeps at most so many frames: its first, then those that differ most from
    the frame before; steps of the others have no frame. ``fingerprint_of`` returns None for a frame
    that cannot be read; such a frame is taken from its steps and is the caller's to report.
    """
    by_file = {frame.file: frame for frame in frames}
    used = sorted(
        {s.observation.frame for s in steps if s.observation.frame in by_file},
        key=lambda file: (by_file[file].timestamp_us, file),
    )
    instead: dict[str, str | None] = {}
    reasons: dict[str, str] = {}
    changes: dict[str, int] = {}
    latest: dict[str | None, tuple[str, Any]] = {}
    for file in used:
        frame = by_file[file]
        fingerprint = fingerprint_of(frame)
        if fingerprint is None:
            instead[file] = None
            continue
        kept = latest.get(frame.tab)
        if kept is not None and is_near_duplicate(kept[1], fingerprint):
            instead[file] = kept[0]
            reasons[file] = "near_duplicate"
            continue
        changes[file] = _change(kept[1] if kept is not None else None, fingerprint)
        latest[frame.tab] = (file, fingerprint)
    kept_steps = [_with_frame(step, by_file, instead) for step in steps]
    if budget is not None:
        kept_steps = _within_budget(kept_steps, budget, changes, reasons)
    shown = {step.observation.frame for step in kept_steps}
    dropped = []
    for file in sorted(by_file, key=lambda file: (by_file[file].timestamp_us, file)):
        if file in shown:
            continue
        if file in reasons:
            dropped.append(Dropped(kind="frame", record=file, reason=reasons[file]))
        elif file not in instead:
            dropped.append(Dropped(kind="frame", record=file, reason="unused"))
    return tuple(kept_steps), tuple(dropped)


def _change(before: Any, now: Any) -> int:
    if isinstance(before, bytes) and isinstance(now, bytes):
        tiles = changed_tiles(before, now)
        if tiles is not None:
            return tiles
    return 1 << 30


def _with_frame(step: Step, by_file: dict[str, Frame], instead: dict[str, str | None]) -> Step:
    seen = step.observation
    if seen.frame not in instead:
        return step
    other = instead[seen.frame]
    if other is None:
        changes: dict[str, Any] = {
            "frame": None,
            "frame_timestamp_us": None,
            "frame_size": None,
            "frame_scale": None,
        }
    else:
        changes = {"frame": other, "frame_timestamp_us": by_file[other].timestamp_us}
    return msgspec.structs.replace(step, observation=msgspec.structs.replace(seen, **changes))


def _within_budget(
    steps: list[Step], budget: int, changes: dict[str, int], reasons: dict[str, str]
) -> list[Step]:
    """Takes the frames that show least news from tasks that have too many."""
    order: dict[int, dict[str, None]] = {}
    for step in steps:
        if step.observation.frame is not None:
            order.setdefault(step.task, {})[step.observation.frame] = None
    beyond: dict[int, set[str]] = {}
    for task, files in order.items():
        first, *rest = files
        places = {file: place for place, file in enumerate(rest)}
        rest.sort(key=lambda file: (-changes.get(file, 0), places[file]))
        keep = {first, *rest[: max(budget - 1, 0)]} if budget > 0 else set()
        beyond[task] = set(files) - keep
        for file in beyond[task]:
            reasons.setdefault(file, "over_budget")
    return [
        _with_frame(step, {}, {step.observation.frame or "": None})
        if step.observation.frame in beyond.get(step.task, ())
        else step
        for step in steps
    ]
