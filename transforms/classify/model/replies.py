"""Asks once: from the cache, from a request already under way, else from the endpoint.

Every finished reply is kept, good or bad, under the hash of its request: what is done about a bad
one is a *changed* request with a hash of its own, so a resumed run walks the same path through the
cache and pays for none of it again. A refusal of what a request holds (too long, filtered) is kept
like a reply, one of its form is not. Where two processes race, both go on with the winner's reply.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import time
from typing import Any

import msgspec

from transforms import storage
from transforms.classify.model.cache import ReplyCache, request_key
from transforms.classify.model.client import Endpoint, Pictures
from transforms.classify.model.reply import Outcome, Refused, Reply

ASKED: contextvars.ContextVar[set[str] | None] = contextvars.ContextVar("asked", default=None)
"""Keys of all requests that the current task and those it started asked for, where one collects
them: a session must know which entries of the cache tell of it."""

QUICK_S = 0.001
"""Storing that takes less than this is done in the loop: handing it to a thread takes as long."""
PUT_WEIGHT = 0.1

_KEPT = (msgspec.json.Decoder(Reply), msgspec.json.Decoder(Refused))


class Replies:
    """The endpoint seen through the cache; use inside the endpoint's loop."""

    def __init__(self, endpoint: Endpoint, cache: ReplyCache) -> None:
        self.endpoint = endpoint
        self.cache = cache
        self._put_s = 0.0 if storage.is_local(cache.root) else 1.0
        """Seconds that storing took of late."""
        self._under_way: dict[str, asyncio.Task[Outcome]] = {}

    async def ask(
        self, body: dict[str, Any], pictures: Pictures | None = None, draw: int | None = None
    ) -> Outcome:
        """Returns the outcome of a request; equal requests share one call.

        ``draw`` numbers those that are to be answered each by itself though they are equal.
        """
        key = _key(body, draw)
        if (asked := ASKED.get()) is not None:
            asked.add(key)
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.ensure_future(self._fetched(key, body, pictures))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        # A caller that is cancelled leaves a call that may already be paid for.
        return await asyncio.shield(task)

    async def cached(self, body: dict[str, Any], draw: int | None = None) -> Reply | None:
        """Returns the reply to a request if it is kept; asks nobody."""
        key = _key(body, draw)
        stored = await self._stored(key)
        reply = None if stored is None else _decoded(stored)
        if not isinstance(reply, Reply):
            return None
        if (asked := ASKED.get()) is not None:
            asked.add(key)
        return reply

    async def _stored(self, key: str) -> bytes | None:
        if storage.is_local(self.cache.root):
            # Looking on this machine's disk takes less than handing it to a thread.
            return self.cache.get(key)
        return await asyncio.to_thread(self.cache.get, key)

    async def _put(self, key: str, value: bytes) -> bytes:
        if self._put_s < QUICK_S:
            return self._timed_put(key, value)
        return await asyncio.to_thread(self._timed_put, key, value)

    def _timed_put(self, key: str, value: bytes) -> bytes:
        begun = time.perf_counter()
        winner = self.cache.put(key, value)
        self._put_s += PUT_WEIGHT * (time.perf_counter() - begun - self._put_s)
        return winner

    async def _fetched(self, key: str, body: dict[str, Any], pictures: Pictures | None) -> Outcome:
        stored = await self._stored(key)
        if stored is not None and (kept := _decoded(stored)):
            self.endpoint.counts["cached"] += 1
            return kept

        async def keep(outcome: Outcome) -> Outcome:
            if not _lasts(outcome):
                return outcome
            value = msgspec.json.encode(outcome)
            winner = await self._put(key, value)
            return outcome if winner is value else _decoded(winner) or outcome

        if storage.is_local(self.cache.root):
            return await self.endpoint.ask(body, pictures, keep)
        # Storing takes long there: it would leave a tenth of the slots without a request.
        return await keep(await self.endpoint.ask(body, pictures))


def _key(body: dict[str, Any], draw: int | None) -> str:
    return request_key(body) if draw is None else request_key(body, draw)


def _lasts(outcome: Outcome) -> bool:
    """Whether the same request would get it again."""
    if isinstance(outcome, Refused):
        return outcome.too_long or outcome.filtered
    return isinstance(outcome, Reply)


def _decoded(stored: bytes) -> Reply | Refused | None:
    for decoder in _KEPT:
        with contextlib.suppress(msgspec.DecodeError):
            return decoder.decode(stored)
    return None  # whole, but written by a version that kept other fields
