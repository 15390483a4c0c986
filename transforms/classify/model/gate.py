"""How many requests may be in flight: adapts to refusals, and stops everyone when told to wait.

The limit grows by one for each limit's worth of successes and is cut by 15 %, at most once for each
limit's worth of replies, while refusals are more than a few per cent: additive increase,
multiplicative decrease. Near the limit at which it was cut last it grows ten times slower, so that
it stays below it for long. A small steady share of refusals says nothing of load and does not cut.

A ``Retry-After`` always holds back the request that got it. It holds back the whole process when
it speaks for the endpoint: several refusals in a row, half of the latest replies, or a header that
says that nothing is left. Single refusals among successes do not: an endpoint that refuses one
request in twenty would otherwise stand still.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import time
from collections.abc import AsyncIterator, Callable

INCREASE = 1.0
DECREASE = 0.85
CAREFUL_FROM = 0.9
CAREFULLY = 0.1
TOLERATED_SHARE = 0.2
SHARE_WEIGHT = 1 / 64
STREAK = 4
LATEST = 16


class Gate:
    """Slots for requests in flight in one process; use inside one event loop.

    ``limit`` moves between 1 and ``ceiling``. Waiters get slots in the order they came, those that
    ask again before the others: what has waited once should not hold up the end of a bundle.
    """

    def __init__(self, ceiling: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.ceiling = ceiling
        self.limit = float(ceiling)
        self.in_flight = 0
        self.paused_until = 0.0
        self.paused_s = 0.0
        """Seconds for which the whole process was held back so far."""
        self._clock = clock
        self._waiting: collections.deque[asyncio.Future[None]] = collections.deque()
        self._again: collections.deque[asyncio.Future[None]] = collections.deque()
        self._latest: collections.deque[bool] = collections.deque(maxlen=LATEST)
        self._share = 0.0
        self._since_cut = 0
        self._cut_at: float | None = None
        """The limit that was too high; None again once the limit has passed it."""
        self._timer: asyncio.TimerHandle | None = None

    @contextlib.asynccontextmanager
    async def slot(self, again: bool = False) -> AsyncIterator[None]:
        """Waits for a slot and holds it; ``again`` for a request that has been sent before."""
        await self._enter(self._again if again else self._waiting)
        try:
            yield
        finally:
            self._leave()

    async def open(self) -> None:
        """Waits for the end of a pause; for who has a slot already but has not yet sent."""
        while (rest := self.paused_until - self._clock()) > 0:
            await asyncio.sleep(rest)

    async def _enter(self, queue: collections.deque[asyncio.Future[None]]) -> None:
        waiter = asyncio.get_running_loop().create_future()
        queue.append(waiter)
        self._wake()
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._leave()  # the slot was granted in the same moment
            else:
                queue.remove(waiter)
            raise

    def _leave(self) -> None:
        self.in_flight -= 1
        self._wake()

    def succeeded(self) -> None:
        """Notes a reply that was not a refusal for load."""
        self._note(False)
        step = INCREASE / self.limit
        if self._cut_at is not None:
            if self.limit >= self._cut_at:
                self._cut_at = None
            elif self.limit >= CAREFUL_FROM * self._cut_at:
                step *= CAREFULLY
        self.limit = min(float(self.ceiling), self.limit + step)

    def refused(self, wait_s: float | None, nothing_left: bool = False) -> None:
        """Notes a refusal for load (429, or 503 with a wait) and the wait it asked for."""
        self._note(True)
        if wait_s and (nothing_left or self._storm()):
            if self._clock() >= self.paused_until:
                self._cut()
            self.pause(wait_s)
            self._latest.clear()
        elif self._share > TOLERATED_SHARE and self._since_cut >= self.limit:
            self._cut()

    def pause(self, seconds: float) -> None:
        """Lets nobody start for ``seconds`` from now; a longer pause that holds already stays."""
        now = self._clock()
        until = now + seconds
        if until > self.paused_until:
            self.paused_s += until - max(now, self.paused_until)
            self.paused_until = until
            self._wake()

    def _cut(self) -> None:
        self._since_cut = 0
        self._cut_at = self.limit
        self.limit = max(1.0, self.limit * DECREASE)

    def _note(self, refused: bool) -> None:
        self._latest.append(refused)
        self._since_cut += 1
        self._share += SHARE_WEIGHT * (refused - self._share)

    def _storm(self) -> bool:
        latest = list(self._latest)
        streak = len(latest) >= STREAK and all(latest[-STREAK:])
        return streak or sum(latest) * 2 >= LATEST

    def _admits(self) -> bool:
        return self.in_flight < int(self.limit) and self._clock() >= self.paused_until

    def _wake(self) -> None:
        while (self._again or self._waiting) and self._admits():
            waiter = (self._again or self._waiting).popleft()
            if not waiter.done():
                self.in_flight += 1
                waiter.set_result(None)
        rest = self.paused_until - self._clock()
        if (self._again or self._waiting) and rest > 0 and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(rest + 0.001, self._resume)

    def _resume(self) -> None:
        self._timer = None
        self._wake()
