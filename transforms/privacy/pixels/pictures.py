"""Pictures as arrays; the last few are kept, because recorders repeat frames."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING

from transforms.images import decode_image

if TYPE_CHECKING:
    import numpy as np

KEPT = 2


class Pictures:
    """Decodes the pictures of one session in the order of time."""

    def __init__(self, max_pixels: int) -> None:
        self._max_pixels = max_pixels
        self._recent: OrderedDict[bytes, np.ndarray] = OrderedDict()

    def pixels(self, data: bytes) -> np.ndarray:
        """Returns RGB, uint8, height x width x 3, not to be written to; raises ImageDefect."""
        import numpy as np

        key = hashlib.blake2b(data, digest_size=16).digest()
        pixels = self._recent.get(key)
        if pixels is None:
            pixels = np.asarray(decode_image(data, self._max_pixels))
            pixels.flags.writeable = False
            self._recent[key] = pixels
            if len(self._recent) > KEPT:
                self._recent.popitem(last=False)
        else:
            self._recent.move_to_end(key)
        return pixels
