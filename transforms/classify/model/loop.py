"""One event loop a process, in a thread of its own, with one endpoint for equal settings.

Gates and budgets live as long as the process, so that bundles, retries and several stages of one
worker share them. A forked child starts anew.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from transforms.classify.model.cache import ReplyCache
from transforms.classify.model.client import Endpoint
from transforms.classify.model.replies import Replies
from transforms.classify.model.settings import EndpointSettings

T = TypeVar("T")

STORAGE_THREADS = 32


class ModelLoop:
    """The process's loop; get it with :meth:`shared`."""

    _shared: ModelLoop | None = None
    _lock = threading.Lock()

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        self._endpoints: dict[EndpointSettings, Endpoint] = {}
        self._replies: dict[tuple[EndpointSettings, str], Replies] = {}
        # Cache reads and writes block, on object stores for long; they must not queue up.
        self._threads = concurrent.futures.ThreadPoolExecutor(STORAGE_THREADS, "model-storage")
        self.loop.set_default_executor(self._threads)
        self._thread = threading.Thread(target=self.loop.run_forever, name="model", daemon=True)
        self._thread.start()

    @classmethod
    def shared(cls) -> ModelLoop:
        """Returns this process's loop, started on first use."""
        with cls._lock:
            if cls._shared is None or cls._shared.pid != os.getpid():
                cls._shared = cls()
                atexit.register(cls._shared.close)
            return cls._shared

    def endpoint(self, settings: EndpointSettings) -> Endpoint:
        """Returns this process's endpoint for these settings."""
        import aiohttp  # noqa: F401  (these take two seconds: here they do not hold up the loop)
        import openai  # noqa: F401

        with self._lock:
            if settings not in self._endpoints:
                self._endpoints[settings] = Endpoint(settings)
            return self._endpoints[settings]

    def replies(self, settings: EndpointSettings, cache: str) -> Replies:
        """Returns this process's view of an endpoint through the cache below ``cache``."""
        endpoint = self.endpoint(settings)
        with self._lock:
            if (settings, cache) not in self._replies:
                self._replies[settings, cache] = Replies(endpoint, ReplyCache(cache))
            return self._replies[settings, cache]

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Starts a coroutine in the loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def close(self, timeout_s: float = 5.0) -> None:
        """Closes the clients inside the loop, then ends it; unfinished work is cancelled."""
        if self.pid != os.getpid() or not self._thread.is_alive():
            return

        async def stop() -> None:
            others = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            for endpoint in self._endpoints.values():
                await endpoint.close()

        with contextlib.suppress(concurrent.futures.TimeoutError):
            self.submit(stop()).result(timeout_s)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout_s)
        self._threads.shutdown(wait=False, cancel_futures=True)
