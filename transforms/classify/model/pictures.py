"""Frames as a model gets them: at most 1.2 MB and 2,048 pixels a side, coordinates moved along."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable

import msgspec

from schemas.trajectories import Step
from transforms.classify.classifier import SegmentContext
from transforms.classify.model.evidence import Evidence
from transforms.images import ImageDefect, decode_image, probe_image, resize_image
from transforms.storage import StorageError

MAX_BYTES = 1_200_000
MAX_SIDE_PX = 2048
REDUCED_SIDE_PX = 1568
"""Of a frame that must be encoded anew: what common models scale to anyway."""
JPEG_QUALITY = 85
MAX_PIXELS = 64_000_000

LoadFrame = Callable[[str], bytes]
"""Published frame (``<id>.<ext>``) → its bytes; FileNotFoundError when it isn't there."""


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A frame ready to be sent."""

    media_type: str
    data: bytes
    size: tuple[int, int]
    """Pixels as sent."""
    scale: tuple[float, float]
    """Sent pixels per pixel of the frame (x, y): multiply a point on the frame by it."""
    sha256: str
    """Of the bytes as sent; names the picture in a request's key."""


def prepare_picture(data: bytes, max_bytes: int = MAX_BYTES) -> Picture | None:
    """Makes a frame small enough to send; None when it is no picture.

    A PNG, JPEG or WebP within the limits goes as it is. Else it is scaled down and encoded as JPEG
    with full colour resolution (small coloured text stays legible), and scaled down further until
    it fits: a scaled-down PNG of a screen is larger than what it was made from.
    """
    try:
        info = probe_image(data, MAX_PIXELS)
        size = (info.width, info.height)
        if len(data) <= max_bytes and max(size) <= MAX_SIDE_PX:
            return _picture(f"image/{info.format}", data, size, size)
        pixels = decode_image(data, MAX_PIXELS)
    except ImageDefect:
        return None
    side = REDUCED_SIDE_PX
    while True:
        scaled, _ = resize_image(pixels, side, side)
        out = io.BytesIO()
        scaled.save(out, "JPEG", quality=JPEG_QUALITY, subsampling=0)
        if out.tell() <= max_bytes or side == 1:
            break
        side = max(1, side * 3 // 4)
    return _picture("image/jpeg", out.getvalue(), scaled.size, size)


def _picture(media_type: str, data: bytes, size: tuple[int, int], of: tuple[int, int]) -> Picture:
    return Picture(
        media_type=media_type,
        data=data,
        size=size,
        scale=(size[0] / of[0], size[1] / of[1]),
        sha256=hashlib.sha256(data).hexdigest(),
    )


class Sent(msgspec.Struct, frozen=True):
    """The pictures of one request: (caption, frame, picture), in order."""

    frames: tuple[tuple[str, str, Picture], ...] = ()

    def named(self) -> tuple[tuple[str, str], ...]:
        """Returns (caption, sha256) of each."""
        return tuple((caption, p.sha256) for caption, _, p in self.frames)

    def pictures(self) -> dict[str, tuple[str, bytes]]:
        """Returns sha256 → (media type, bytes)."""
        return {p.sha256: (p.media_type, p.data) for _, _, p in self.frames}


def frames_around(context: SegmentContext, evidence: Evidence, load_frame: LoadFrame) -> Sent:
    """Loads the frame before the first step and the one after the last, each once.

    After the last step is what the next step of the same task was seen to begin with.
    """
    indices = [r.index for r in evidence.steps]
    if not indices:
        return Sent()
    steps = context.prepared.steps
    before = steps[indices[0]].observation.frame
    following = indices[-1] + 1
    after = None
    if following < len(steps) and steps[following].task == context.segment.task:
        after = steps[following].observation.frame
    frames = []
    for caption, frame in (
        ("The screen before the first step:", before),
        ("The screen after the last step:", after if after != before else None),
    ):
        if frame is None:
            continue
        try:
            picture = prepare_picture(load_frame(frame))
        except (FileNotFoundError, StorageError):  # withheld, or not to be had: do without
            continue
        if picture is not None:
            frames.append((caption, frame, picture))
    return Sent(tuple(frames))


def with_points(evidence: Evidence, sent: Sent) -> Evidence:
    """Adds ``at`` [x, y], in pixels of the picture sent, to each step seen on one of them."""
    scales = {frame: picture.scale for _, frame, picture in sent.frames}
    rows = []
    for row in evidence.rows:
        point = None if row.step is None else _point(row.step, scales)
        if point is not None:
            row = msgspec.structs.replace(row, shown={**row.shown, "at": point})
        rows.append(row)
    return msgspec.structs.replace(evidence, rows=tuple(rows))


def _point(step: Step, scales: dict[str, tuple[float, float]]) -> list[int] | None:
    seen = step.observation
    if seen.frame not in scales or step.action.x is None or step.action.y is None:
        return None
    own = seen.frame_scale or (1.0, 1.0)
    sent = scales[seen.frame]
    return [round(step.action.x * own[0] * sent[0]), round(step.action.y * own[1] * sent[1])]
