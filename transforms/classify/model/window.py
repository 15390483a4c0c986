"""A DoFn that keeps many elements under way at once: submit, hand on what is finished, drain.

A batch waits for its slowest member; a sliding window does not. ``process`` starts an element and
hands on whatever has finished meanwhile, each with its own timestamp and windows; ``finish_bundle``
waits for the rest, so that a bundle is done only when all of its results are out.
"""

from __future__ import annotations

import concurrent.futures
import queue
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.utils.windowed_value import WindowedValue

from transforms.classify.model.loop import ModelLoop

PENDING_PER_SLOT = 1.5
"""Elements under way for each request that may be in flight: those that back off hold no slot."""


class AsyncWindow(beam.DoFn):
    """Applies an asynchronous function to elements, many at once, in the process's loop.

    ``make`` is called in ``setup``, on the worker, and returns the function; it must pickle. A
    function with a method ``take_counts`` has its counts added to Beam counters of ``stage``: those
    that a background thread adds are lost. An exception of the function fails the bundle.
    """

    def __init__(
        self,
        make: Callable[[], Callable[[Any], Coroutine[Any, Any, Any]]],
        concurrency: int,
        stage: str = "ClassifySegments",
    ) -> None:
        self.make = make
        self.max_pending = max(1, int(concurrency * PENDING_PER_SLOT))
        self.stage = stage

    def setup(self) -> None:
        """Makes the function; the loop is shared by the whole process."""
        self._function = self.make()
        self._loop = ModelLoop.shared()
        self._pending: dict[concurrent.futures.Future, tuple[Any, Any]] = {}
        self._done: queue.SimpleQueue[concurrent.futures.Future] = queue.SimpleQueue()

    def start_bundle(self) -> None:
        """Leaves behind what a failed bundle had started."""
        for future in self._pending:
            future.cancel()
        self._pending = {}
        self._done = queue.SimpleQueue()

    def process(
        self,
        element: Any,
        timestamp: Any = beam.DoFn.TimestampParam,
        window: Any = beam.DoFn.WindowParam,
    ) -> Iterator[WindowedValue]:
        """Starts the element; yields results of any that are done."""
        future = self._loop.submit(self._function(element))
        self._pending[future] = (timestamp, window)
        future.add_done_callback(self._done.put)
        yield from self._finished(self.max_pending - 1)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        """Yields the results of all that are still under way."""
        yield from self._finished(0)
        self._count()

    def _finished(self, most_left: int) -> Iterator[WindowedValue]:
        while self._pending and (len(self._pending) > most_left or not self._done.empty()):
            future = self._done.get()
            timestamp, window = self._pending.pop(future)
            yield WindowedValue(future.result(), timestamp, (window,))

    def _count(self) -> None:
        take = getattr(self._function, "take_counts", None)
        for name, number in (take() if take else {}).items():
            Metrics.counter(self.stage, name).inc(number)
