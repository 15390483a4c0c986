"""Measures the model stage side by side with datatrove's InferenceRunner, on the same requests.

``python -m benchmarks.model_peer --peer PYTHON``: PYTHON is of another virtual environment with
``datatrove openai httpx aiosqlite aiofiles xxhash``. Both sides ask the same fault server in one
run, each from one process with the same concurrency, time-out and bodies; a row is one side under
one condition. Throughput is answered items ÷ the time between the first and the last request in the
server's own trace, so that starting up counts on neither side.

The peer runs as three: ``plain`` is its own path for local endpoints (a connection for each
request, no key, no retries) with its checkpoints, ``unkept`` the same without checkpoints,
``client`` its path for remote endpoints (the openai package, which retries within the slot) with
checkpoints. Ours always checks answers and keeps every reply.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.model_stage import KEY, PROFILE, _processes, _settings
from tests.support.model_server import ModelServer
from tests.support.model_sessions import contexts, suite

TIMEOUT_S = 2.0
RETRY_AFTER_S = 1.0
CONDITIONS: dict[str, dict[str, Any]] = {
    "even": {"latency_s": [0.2, 0.8]},
    "faults": {"latency_s": [0.2, 0.8], "faults": PROFILE, "retry_after_s": RETRY_AFTER_S},
    "instant": {},
}
PEERS = ("plain", "unkept", "client")


def bodies(names: list[str]) -> Iterator[dict[str, Any]]:
    """The first requests that the model stage sends about these items."""
    from transforms.classify.model.classifier import ASK, ModelClassifier
    from transforms.classify.model.evidence import gather
    from transforms.classify.model.requests import Question

    os.environ[KEY] = "test-key"
    of = suite()
    classifier = ModelClassifier(_settings("http://127.0.0.1:1/v1", "/nowhere", 1, TIMEOUT_S))
    prompt, forms = classifier.prompt(of), classifier.asker.forms
    for name in names:
        (context,) = contexts([name], of, session=name)
        question = Question(
            system=prompt.one,
            shown=gather(context).shown(),
            ask=ASK,
            schema=prompt.schema,
            max_tokens=forms.max_tokens,
        )
        yield forms.body(question, forms._first())


def ours(server: ModelServer, names: list[str], concurrency: int) -> dict[str, Any]:
    """One process of the model stage."""
    with tempfile.TemporaryDirectory() as cache:
        results, reports = _processes(server, cache, names, 1, concurrency, TIMEOUT_S)
    answered = sum(1 for _, _, action, _ in results if action)
    return {"items": answered, "cpu_s": round(reports[0]["cpu_s"], 2)}


def peer(
    python: str, how: str, server: ModelServer, requests: Path, concurrency: int
) -> dict[str, Any]:
    """One process of the peer, as ``how`` says."""
    with tempfile.TemporaryDirectory() as folder:
        client = how == "client"
        settings = {
            # It takes its own path for hosts that it knows to be this one, and "127.1" is not.
            "url": f"http://127.1:{server.port}/v1" if client else server.base_url[:-3],
            "requests": str(requests),
            "concurrency": concurrency,
            "timeout_s": TIMEOUT_S,
            "limit_s": 60.0 if client else TIMEOUT_S,
            "retry_after_s": RETRY_AFTER_S,
            "output": f"{folder}/output",
            "checkpoints": None if how == "unkept" else f"{folder}/checkpoints",
        }
        path = Path(folder, "settings.json")
        path.write_text(json.dumps(settings))
        script = Path(__file__).with_name("datatrove_runner.py")
        done = subprocess.run(
            [python, str(script), str(path)], capture_output=True, text=True, timeout=500
        )
    if done.returncode:
        return {"items": 0, "cpu_s": 0.0, "error": done.stderr.strip().splitlines()[-1][:300]}
    return json.loads(done.stdout.splitlines()[-1])


def measured(server: ModelServer, condition: str, seed: int, run: Any) -> dict[str, Any]:
    """Runs one side after a reset of the server; adds what the server saw."""
    server.reset(seed=seed, key=None, **CONDITIONS[condition])
    report = run()
    trace = [row for row in server.trace() if row["t1"]]
    span = max(r["t1"] for r in trace) - min(r["t0"] for r in trace)
    return {
        "items_per_s": round(report["items"] / span, 1),
        "requests": len(trace),
        "slots_in_use": round(sum(r["t1"] - r["t0"] for r in trace) / span, 1),
        "slots_in_use_meanwhile": round(_meanwhile(trace), 2),
        "cpu_ms_per_item": round(1000 * report["cpu_s"] / max(1, report["items"]), 2),
        **report,
    }


def _meanwhile(trace: list[dict[str, Any]]) -> float:
    """Mean slots in use between the first second and the moment when nine tenths had come."""
    begun = sorted(r["t0"] for r in trace)
    first, last = begun[0] + 1, max(begun[len(begun) * 9 // 10], begun[0] + 1.001)
    used = sum(max(0.0, min(r["t1"], last) - max(r["t0"], first)) for r in trace)
    return used / (last - first)


def main() -> None:
    """Prints a JSON object for each measurement, then the ratios (ours ÷ peer)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", required=True, help="python of the peer's environment")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--items", type=int, default=3200)
    parser.add_argument("--conditions", default=",".join(CONDITIONS))
    parser.add_argument("--peers", default=",".join(PEERS))
    args = parser.parse_args()
    names = [f"item {i}" for i in range(args.items)]
    rates: dict[tuple[str, str], list[float]] = {}
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file, ModelServer() as server:
        file.writelines(json.dumps(body) + "\n" for body in bodies(names))
        file.flush()
        for turn in range(args.rounds):
            for condition in args.conditions.split(","):
                for who in ("ours", *args.peers.split(",")):

                    def run(who: str = who) -> dict[str, Any]:
                        if who == "ours":
                            return ours(server, names, args.concurrency)
                        return peer(args.peer, who, server, Path(file.name), args.concurrency)

                    found = measured(server, condition, turn + 1, run)
                    rates.setdefault((condition, who), []).append(found["items_per_s"])
                    print(json.dumps({"condition": condition, "who": who, **found}), flush=True)
    medians = {key: statistics.median(values) for key, values in rates.items()}
    ratios = {
        f"{condition}/{who}": round(medians[condition, "ours"] / rate, 3) if rate else None
        for (condition, who), rate in medians.items()
        if who != "ours"
    }
    print(json.dumps({"ours_over_peer": ratios}), flush=True)


if __name__ == "__main__":
    main()
