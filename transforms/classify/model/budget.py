"""What a run may spend: calls and dollars for good, requests and tokens by the minute.

All limits are those of the whole run divided by its number of processes, so that no process has to
ask another. A process that is started anew begins with its whole share again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

from transforms.classify.model.settings import EndpointSettings, Prices

FREE = Prices(prompt=0.0, completion=0.0)
BURST_S = 1.0
"""A rate limit lets this many seconds' worth through at once."""


class Rate:
    """A token bucket: ``per_minute`` units a minute, paid before; what it cost more, afterwards."""

    def __init__(self, per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_s = per_minute / 60
        self.capacity = max(1.0, self.per_s * BURST_S)
        self._level = min(1.0, self.capacity)
        self._at = clock()
        self._clock = clock
        self._turn = asyncio.Lock()
        self._given_back = asyncio.Event()

    async def take(self, units: float) -> float:
        """Waits until ``units`` may be used; returns the seconds it waited.

        More than fits at once is let through at a full bucket and leaves a debt.
        """
        waited = 0.0
        async with self._turn:
            need = min(units, self.capacity)
            while (missing := need - self._refilled()) > 1e-9:
                begun = self._clock()
                self._given_back.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(missing / self.per_s):
                        await self._given_back.wait()
                waited += self._clock() - begun
            self._level -= units
        return waited

    def correct(self, units: float) -> None:
        """Takes what was used above the estimate, or gives back what was not (negative)."""
        self._level = min(self.capacity, self._refilled() - units)
        if units < 0:
            self._given_back.set()

    def _refilled(self) -> float:
        now = self._clock()
        self._level = min(self.capacity, self._level + (now - self._at) * self.per_s)
        self._at = now
        return self._level


class Budget:
    """One process's share of the run's calls and dollars, and its rates."""

    def __init__(self, settings: EndpointSettings) -> None:
        share = settings.processes
        self.calls_left = None if settings.max_calls is None else settings.max_calls // share
        self.usd_left = None if settings.max_usd is None else settings.max_usd / share
        self._set_aside = 0
        self._settled = asyncio.Event()
        self._requests = _rate(settings.requests_per_minute, share)
        self._tokens = _rate(settings.tokens_per_minute, share)

    async def reserve(self, tokens: tuple[int, int], price: Prices = FREE) -> bool:
        """Sets aside one call at its highest price; False when what is left does not cover it.

        ``tokens`` are those of the prompt and of the completion. Dollars that others have set aside
        may come back: they are waited for before it is False.
        """
        usd = price.usd(*tokens)
        while True:
            if self.calls_left is not None and self.calls_left < 1:
                return False
            if self.usd_left is None or self.usd_left >= usd:
                break
            if not self._set_aside:
                return False
            self._settled.clear()
            await self._settled.wait()
        self._set_aside += 1
        if self.calls_left is not None:
            self.calls_left -= 1
        if self.usd_left is not None:
            self.usd_left -= usd
        return True

    def settle(
        self, reserved: tuple[int, int], used: tuple[int, int], price: Prices = FREE
    ) -> None:
        """Replaces a reservation by what the reply says it used."""
        self._set_aside -= 1
        self._settled.set()
        if self.usd_left is not None:
            self.usd_left += price.usd(*reserved) - price.usd(*used)
        if self._tokens is not None:
            self._tokens.correct(sum(used) - sum(reserved))

    async def pace(self, tokens: int) -> float:
        """Waits until the rates allow one more request; returns the seconds it waited."""
        waited = 0.0
        if self._requests is not None:
            waited += await self._requests.take(1)
        if self._tokens is not None:
            waited += await self._tokens.take(tokens)
        return waited


def _rate(per_minute: float | None, share: int) -> Rate | None:
    return None if per_minute is None else Rate(per_minute / share)
