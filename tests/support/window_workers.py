"""What the sliding window runs in tests; importable by worker processes too."""

from __future__ import annotations

import asyncio
import os
from typing import Any


class WithProcess:
    """Pairs each element with the process it was worked on in."""

    async def __call__(self, element: int) -> tuple[int, int]:
        await asyncio.sleep(0.001)
        return os.getpid(), element


class ElsewhereOnce:
    """Checks that each of ``count`` elements came once, from processes other than ``main``."""

    def __init__(self, count: int, main: int) -> None:
        self.count = count
        self.main = main

    def __call__(self, rows: Any) -> None:
        assert sorted(element for _, element in rows) == list(range(self.count))
        assert self.main not in {pid for pid, _ in rows}
