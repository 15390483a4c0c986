"""Asks once: from the cache, from a request already under way, else from the endpoint.

Every finished reply is kept, good or bad, under the hash of its request: what is done about a bad
one is a *changed* request with a hash of its own, so a resumed run walks the same path through the
cache and pays for none of it again. Where two processes race, both go on with the winner's reply.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from typing import Any

import msgspec

from transforms import storage
from transforms.classify.model.cache import ReplyCache, request_key
from transforms.classify.model.client import Endpoint, Pictures
from transforms.classify.model.reply import Outcome, Reply

ASKED: contextvars.ContextVar[set[str] | None] = contextvars.ContextVar("asked", default=None)
"""Keys of all requests that the current task and those it started asked for, where one collects
them: a session must know which entries of the cache tell of it."""

QUICK_S = 0.001
"""Storing that takes less than this is done in the loop: handing it to a thread takes as long."""
PUT_WEIGHT = 0.1

_REPLY = msgspec.json.Decoder(Reply)


class Replies:
    """The endpoint seen through the cache; use inside the endpoint's loop."""

    def __init__(self, endpoint: Endpoint, cache: ReplyCache) -> None:
        self.endpoint = endpoint
        self.cache = cache
        self._put_s = 0.0 if storage.is_local(cache.root) else 1.0
        """Seconds that storing took of late."""
        self._under_way: dict[str, asyncio.Task[Outcome]] = {}

    async def ask(self, body: dict[str, Any], pictures: Pictures | None = None) -> Outcome:
        """Returns the outcome of a request; equal requests share one call."""
        key = request_key(body)
        if (asked := ASKED.get()) is not None:
            asked.add(key)
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.ensure_future(self._fetched(key, body, pictures))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        # A caller that is cancelled leaves a call that may already be paid for.
        return await asyncio.shield(task)

    async def cached(self, body: dict[str, Any]) -> Reply | None:
        """Returns the reply to a request if it is kept; asks nobody."""
        key = request_key(body)
        stored = await self._stored(key)
        reply = None if stored is None else _decoded(stored)
        if reply is not None and (asked := ASKED.get()) is not None:
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
        if stored is not None and (reply := _decoded(stored)):
            self.endpoint.counts["cached"] += 1
            return reply

        async def keep(reply: Reply) -> Reply:
            return _decoded(await self._put(key, msgspec.json.encode(reply))) or reply

        if storage.is_local(self.cache.root):
            return await self.endpoint.ask(body, pictures, keep)
        # Storing takes long there: it would leave a tenth of the slots without a request.
        outcome = await self.endpoint.ask(body, pictures)
        return await keep(outcome) if isinstance(outcome, Reply) else outcome


def _decoded(stored: bytes) -> Reply | None:
    try:
        return _REPLY.decode(stored)
    except msgspec.DecodeError:  # whole, but written by a version that kept other fields
        return None
