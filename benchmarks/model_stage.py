"""Measures the model stage against its own fault server: throughput, memory, crashes, accounts.

``python benchmarks/model_stage.py throughput|memory|faults|kill|all [--json]``. Ideal throughput is
concurrency ÷ mean slot time in the server's own trace, so both sides come from the same run.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import json
import multiprocessing
import os
import random
import re
import resource
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.model_answers import expected_action  # noqa: E402
from tests.support.model_server import ModelServer  # noqa: E402
from tests.support.model_sessions import contexts, suite  # noqa: E402

KEY = "TRACEMILL_BENCH_KEY"
PROFILE = {"429": 0.05, "500": 0.03, "hang": 0.02, "broken": 0.01, "wrong_schema": 0.01}
EIGHT = dict.fromkeys(
    ("429", "500", "hang", "reset", "garbage", "blank", "truncated", "refusal"), 0.05
)


def _settings(url: str, cache: str, concurrency: int, timeout_s: float) -> Any:
    from transforms.classify.model.settings import EndpointSettings, ModelSettings

    endpoint = EndpointSettings(
        base_url=url, key=f"env:{KEY}", concurrency=concurrency, timeout_s=timeout_s
    )
    return ModelSettings(model="fake-1", endpoint=endpoint, cache=cache)


def work(
    url: str,
    cache: str,
    concurrency: int,
    timeout_s: float,
    names: list[str],
    out: Any = None,
    every: int = 0,
) -> list[Any]:
    """Classifies one segment for each name through the sliding window, as a worker process does."""
    from transforms.classify.decide import decide
    from transforms.classify.model.classifier import ModelClassifier
    from transforms.classify.model.loop import ModelLoop
    from transforms.classify.model.window import AsyncWindow

    os.environ[KEY] = "test-key"
    of = suite()
    classifier = ModelClassifier(_settings(url, cache, concurrency, timeout_s))

    async def one(name: str) -> tuple[str, str, str | None, tuple[str, ...]]:
        (context,) = contexts([name], of, session=name)
        said = await classifier.classify(context)
        decided = decide(said, of, 0.8)
        return name, decided.status, decided.action, decided.reasons

    window = AsyncWindow(lambda: one, concurrency)
    window.setup()
    window.start_bundle()
    results: list[Any] = []
    counts: collections.Counter[str] = collections.Counter()
    rss: list[int] = []

    def take(values: Any) -> None:
        for value in values:
            counts[value.value[1]] += 1
            if not every:
                results.append(value.value)
            elif sum(counts.values()) % every == 0:
                rss.append(resident_kib())

    begun = time.monotonic()
    for name in names:
        take(window.process(name, 0, None))
    take(window.finish_bundle())
    took = time.monotonic() - begun
    usage = resource.getrusage(resource.RUSAGE_SELF)
    report = {
        "took_s": took,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "counts": classifier.endpoint.take_counts(),
        "statuses": dict(counts),
        "rss_kib": rss,
    }
    if out is not None:
        out.put((results, report))
    ModelLoop.shared().close()
    return results


def resident_kib() -> int:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def _processes(
    server: ModelServer, cache: str, names: list[str], processes: int, concurrency: int,
    timeout_s: float, every: int = 0,
) -> tuple[list[Any], list[dict[str, Any]]]:  # fmt: skip
    context = multiprocessing.get_context("spawn")
    out = context.Queue()
    workers = [
        context.Process(
            target=work,
            args=(server.base_url, cache, concurrency, timeout_s, names[i::processes], out, every),
        )
        for i in range(processes)
    ]
    for worker in workers:
        worker.start()
    parts = [out.get() for _ in workers]
    for worker in workers:
        worker.join()
    return [r for part, _ in parts for r in part], [report for _, report in parts]


def throughput(runs: int, per_slot: int, total: int, processes: int) -> dict[str, Any]:
    """Requests a second as the server saw them, over what its slots could have carried."""
    shares = []
    details = []
    for run in range(runs):
        with (
            tempfile.TemporaryDirectory() as cache,
            ModelServer(
                latency_s=[0.2, 0.8], faults=PROFILE, retry_after_s=1.0, seed=run + 1
            ) as server,
        ):
            names = [f"item {run} {i}" for i in range(per_slot * total)]
            results, reports = _processes(server, cache, names, processes, total // processes, 2.0)
            trace = server.trace()
            slots = [row["t1"] - row["t0"] for row in trace]
            span = max(r["t1"] for r in trace) - min(r["t0"] for r in trace)
            ideal = total / statistics.mean(slots)
            rate = len(trace) / span
            shares.append(rate / ideal)
            right = sum(a == expected_action(n, _actions()) for n, s, a, _ in results if a)
            details.append(
                {
                    "share": round(rate / ideal, 4),
                    "requests_per_s": round(rate, 1),
                    "ideal": round(ideal, 1),
                    "requests": len(trace),
                    "items": len(results),
                    "right": right,
                    "peak": server.peak(),
                    "cpu_ms_per_request": round(
                        1000 * sum(r["cpu_s"] for r in reports) / len(trace), 2
                    ),
                    "load": os.getloadavg()[0],
                    "counts": reports[0]["counts"],
                }
            )
            print(json.dumps(details[-1]), flush=True)
    return {"median_share": round(statistics.median(shares), 4), "runs": details}


def _actions() -> list[str]:
    return [a.name for a in suite().actions]


def memory(requests: int) -> dict[str, Any]:
    """Resident memory over many requests of one process (no latency, no faults)."""
    with tempfile.TemporaryDirectory() as cache, ModelServer() as server:
        names = [f"item {i}" for i in range(requests)]
        _, reports = _processes(server, cache, names, 1, 32, 5.0, every=max(1, requests // 20))
        rss = reports[0]["rss_kib"]
        return {
            "requests": requests,
            "rss_mib": [round(k / 1024, 1) for k in rss],
            "growth_after_first_fifth_mib": round((rss[-1] - rss[len(rss) // 5]) / 1024, 1),
            "cpu_ms_per_request": round(1000 * reports[0]["cpu_s"] / requests, 2),
            "statuses": reports[0]["statuses"],
        }


def faults(items: int) -> dict[str, Any]:
    """Every item ends once, and calls are what the faults account for."""
    with (
        tempfile.TemporaryDirectory() as cache,
        ModelServer(latency_s=[0.02, 0.08], faults=EIGHT, retry_after_s=0.2) as server,
    ):
        names = [f"item {i}" for i in range(items)]
        results, _ = _processes(server, cache, names, 2, 32, 2.0)
        trace = server.trace()
        injected = collections.Counter(r["fault"] for r in trace if r["fault"])
        mendable = sum(n for name, n in injected.items() if name != "refusal")
        statuses = collections.Counter(status for _, status, _, _ in results)
        before = len(trace)
        warm, _ = _processes(server, cache, names, 2, 32, 2.0)
        return {
            "items": items,
            "distinct": len({r[0] for r in results}),
            "statuses": dict(statuses),
            "injected": dict(injected),
            "calls": before,
            "calls_allowed": round(1.05 * (items + mendable)),
            "ratio": round(before / (items + mendable), 4),
            "warm_calls": len(server.trace()) - before,
            "warm_equal": sorted(warm) == sorted(results),
            "wrong": sum(a != expected_action(n, _actions()) for n, _, a, _ in results if a),
        }


def kept_items(cache: str) -> set[str]:
    """Items whose reply is whole in the cache (an answer quotes the item it is about)."""
    from transforms import storage
    from transforms.classify.model.cache import ReplyCache

    store, found = ReplyCache(cache), set()
    for entry in storage.walk(cache):
        value = store.get(storage.name_of(entry.uri).removesuffix(".json"))
        if value is not None and (said := re.search(rb"item \d+", value)):
            found.add(said[0].decode())
    return found


def kill(items: int, kills: int, seed: int) -> dict[str, Any]:
    """SIGKILLs all workers at random moments of their progress; counts what was asked again."""
    rng = random.Random(seed)
    concurrency, processes = 16, 2
    context = multiprocessing.get_context("spawn")
    names = [f"item {i}" for i in range(items)]
    killed: list[tuple[int, set[str]]] = []  # (requests so far, items kept) at each kill
    with (
        tempfile.TemporaryDirectory() as cache,
        tempfile.TemporaryDirectory() as other,
        ModelServer(latency_s=[0.05, 0.2]) as server,
    ):
        for _ in range(kills):
            workers = [
                context.Process(
                    target=work,
                    args=(server.base_url, cache, concurrency, 10.0, names[i::processes]),
                )
                for i in range(processes)
            ]
            target = server.count() + rng.randint(1, max(2, items // (kills + 1)))
            for worker in workers:
                worker.start()
            while server.count() < target and any(w.is_alive() for w in workers):
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.1))
            for worker in workers:
                os.kill(worker.pid or 0, signal.SIGKILL)
            for worker in workers:
                worker.join()
            killed.append((server.count(), kept_items(cache)))
        results, _ = _processes(server, cache, names, processes, concurrency, 10.0)
        trace = [r["marker"] for r in server.trace()]
        warm, _ = _processes(server, cache, names, processes, concurrency, 10.0)
        warm_calls = server.count() - len(trace)
        undisturbed, _ = _processes(server, other, names, processes, concurrency, 10.0)
        return {
            "kills": kills,
            "items": len(results),
            "equal_to_undisturbed": sorted(results) == sorted(undisturbed) == sorted(warm),
            "kept_and_asked_again": sum(
                name in kept for moment, kept in killed for name in trace[moment:]
            ),
            "not_kept_at_kill": [
                len(set(trace[begun:moment]) - kept)
                for (begun, _), (moment, kept) in itertools.pairwise([(0, set()), *killed])
            ],
            "bound": concurrency * processes,
            "calls": len(trace),
            "warm_calls": warm_calls,
        }


def main() -> None:
    """Runs the chosen measurements and prints a JSON object for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["throughput", "memory", "faults", "kill", "all"])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--total", type=int, default=64, help="concurrency over all processes")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--per_slot", type=int, default=200, help="items for each slot")
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=20)
    args = parser.parse_args()
    chosen = ("throughput", "memory", "faults", "kill") if args.what == "all" else (args.what,)
    for name in chosen:
        if name == "throughput":
            found = throughput(args.runs, args.per_slot, args.total, args.processes)
        elif name == "memory":
            found = memory(args.requests)
        elif name == "faults":
            found = faults(args.items)
        else:
            found = kill(args.items, args.kills, seed=7)
        print(json.dumps({name: found}), flush=True)


if __name__ == "__main__":
    main()
