"""The sliding window on the engine that local runs use, in one process and in several."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms.window import FixedWindows, TimestampedValue

from tests.support.window_workers import ElsewhereOnce, WithProcess
from transforms.classify.model.settings import ConfigurationFault
from transforms.classify.model.window import AsyncWindow


class Doubling:
    """Takes a varying time, so that elements finish in another order than they came."""

    def __init__(self):
        self.done = 0

    async def __call__(self, element):
        await asyncio.sleep(0.001 * (element * 7 % 5))
        self.done += 1
        return element * 2

    def take_counts(self):
        done, self.done = self.done, 0
        return {"doubled": done}


class Failing:
    async def __call__(self, element):
        if element == 13:
            raise ConfigurationFault("no such model")
        return element


def pipeline(**options):
    options = PipelineOptions.from_dictionary(options)
    return beam.Pipeline(runner=FnApiRunner(), options=options)


def test_every_element_comes_out_once():
    with pipeline() as p:
        out = p | beam.Create(range(500)) | beam.ParDo(AsyncWindow(Doubling, 8))
        assert_that(out, equal_to([i * 2 for i in range(500)]))


def test_counts_of_the_function_become_counters():
    p = pipeline()
    p | beam.Create(range(100)) | beam.ParDo(AsyncWindow(Doubling, 8, stage="Doubles"))
    result = p.run()
    result.wait_until_finish()
    (counter,) = result.metrics().query()["counters"]
    assert (counter.key.metric.namespace, counter.key.metric.name) == ("Doubles", "doubled")
    assert counter.committed == 100


def test_elements_keep_their_own_window_and_time():
    with pipeline() as p:
        out = (
            p
            | beam.Create([TimestampedValue(i, i) for i in range(100)])
            | beam.WindowInto(FixedWindows(10))
            | beam.ParDo(AsyncWindow(Doubling, 4))
            | beam.Map(
                lambda e, t=beam.DoFn.TimestampParam, w=beam.DoFn.WindowParam: (
                    e,
                    int(t.micros // 1_000_000),
                    int(w.start.micros // 1_000_000),
                )
            )
        )
        wanted = [(i * 2, i, i // 10 * 10) for i in range(100)]
        assert_that(
            out | "Global" >> beam.WindowInto(beam.window.GlobalWindows()), equal_to(wanted)
        )


def test_several_processes_lose_and_repeat_nothing(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    with pipeline(direct_running_mode="multi_processing", direct_num_workers=2) as p:
        out = (
            p | beam.Create(range(300)) | beam.Reshuffle() | beam.ParDo(AsyncWindow(WithProcess, 8))
        )
        assert_that(out, ElsewhereOnce(300, os.getpid()))


def test_a_configuration_fault_fails_the_job():
    with pytest.raises(Exception, match="no such model"), pipeline() as p:
        p | beam.Create(range(50)) | beam.ParDo(AsyncWindow(Failing, 8))


class Gauge:
    now = most = 0

    async def __call__(self, element):
        Gauge.now += 1
        Gauge.most = max(Gauge.most, Gauge.now)
        await asyncio.sleep(0.002)
        Gauge.now -= 1
        return element


def windowed(make, concurrency):
    window = AsyncWindow(make, concurrency)
    window.setup()
    window.start_bundle()
    return window


def test_half_as_many_again_as_slots_are_under_way_and_no_more():
    window = windowed(Gauge, 10)
    for i in range(200):
        list(window.process(i, 0, None))
    list(window.finish_bundle())
    assert Gauge.most == 15


def test_nothing_waits_for_the_slowest():
    async def work(element):
        await asyncio.sleep(0.5 if element == 0 else 0.001)
        return element

    window = windowed(lambda: work, 4)
    begun = time.monotonic()
    early = [v.value for i in range(50) for v in window.process(i, 0, None)]
    assert time.monotonic() - begun < 0.4
    assert len(early) >= 44 and 0 not in early
    late = [v.value for v in window.finish_bundle()]
    assert sorted([*early, *late]) == list(range(50))


def test_what_a_failed_bundle_left_is_not_handed_on_by_the_next():
    async def work(element):
        await asyncio.sleep(0.05)
        return element

    window = windowed(lambda: work, 100)
    for i in range(10):
        list(window.process(i, 0, None))
    window.start_bundle()
    list(window.process(10, 0, None))
    assert [v.value for v in window.finish_bundle()] == [10]
