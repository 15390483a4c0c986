"""Looks into what Beam packed: base64 around compression around a pickle around more of it."""

from __future__ import annotations

import base64
import binascii
import bz2
import re
import zlib
from collections.abc import Iterator

BASE64 = re.compile(rb"[A-Za-z0-9+/]{64,}={0,2}")


def unpacked(data: bytes, depth: int = 4) -> Iterator[bytes]:
    """Yields ``data`` and all that can be decoded out of it; nothing is unpickled."""
    yield data
    if not depth:
        return
    for found in BASE64.findall(data):
        try:
            raw = base64.b64decode(found)
        except binascii.Error:
            continue
        for decompress in (zlib.decompress, bz2.decompress):
            try:
                yield from unpacked(decompress(raw), depth - 1)
            except (zlib.error, OSError, ValueError):
                continue
