"""After the fact: reads published pictures and looks for what should not be in them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from transforms.images import decode_image
from transforms.privacy.pixels.engine import Deadline, OcrEngine
from transforms.privacy.pixels.incremental import IncrementalReader
from transforms.privacy.pixels.settings import PixelSettings


def sampled(frames: Iterable[str], share: float) -> list[str]:
    """Returns the frames to look at: each with probability ``share``, the same in every run.

    Frames are named by a hash of their bytes, but that hash also orders nothing else, so another
    one decides.
    """
    chosen = []
    for frame in frames:
        digest = hashlib.blake2b(frame.encode(), digest_size=8, person=b"verify").digest()
        if int.from_bytes(digest, "big") / 2**64 < share:
            chosen.append(frame)
    return chosen


def read_pictures(
    frames: Sequence[str],
    read: Callable[[str], bytes],
    check: Callable[[str], Iterable[str]],
    engine: OcrEngine,
    settings: PixelSettings,
) -> dict[str, int]:
    """Returns entity → number of lines of text in which ``check`` saw it.

    Args:
      frames: published names, in the order of time: neighbours are read incrementally.
      read: returns the bytes of a published frame.
      check: returns the entities in one recognised line.
      engine: of this process.
      settings: of the run.

    A picture that cannot be read counts as ``UNREADABLE``: what was published must decode, and
    what nobody could read in time was not checked.
    """
    hits: Counter[str] = Counter()
    reader = IncrementalReader(
        engine, settings.keyframes, settings.full_pass_every, settings.crop_cache
    )
    for number, frame in enumerate(frames):
        data = read(frame)
        try:
            image = _pixels(data, settings)
            lines = reader.read(image, number, 1.0, Deadline(settings.timeout_s)).lines
        except Exception:
            # Decoders, networks and time-outs: whatever they raise must not end the others' check.
            hits["UNREADABLE"] += 1
            continue
        for line in lines:
            hits.update(check(line.text))
    return dict(sorted(hits.items()))


def _pixels(data: bytes, settings: PixelSettings):
    import numpy as np

    return np.asarray(decode_image(data, settings.max_pixels))
