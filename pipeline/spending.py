"""What a run asked of a model and paid for it, from the counters of its workers.

Unlike the usage in Examples, which is the same whether a reply was paid now or came from the cache,
this is of one run, so it stands in the run's summary and in no file of the dataset.
"""

from __future__ import annotations

import contextlib
from typing import Any

STAGE = "ClassifySegments"
COUNTERS = {
    "calls": "calls",
    "replies": "replies",
    "cached": "cache_hits",
    "prompt_tokens": "prompt_tokens",
    "completion_tokens": "completion_tokens",
}


def spent(result: Any, priced: bool) -> dict[str, int | float]:
    """Returns calls, replies, cache hits, tokens and, with prices, USD of a finished run.

    Empty where the runner does not tell, or nothing was asked.
    """
    counted: dict[str, int] = {}
    with contextlib.suppress(Exception):  # some runners know no counters; what ran, ran
        for found in result.metrics().query()["counters"]:
            if found.key.metric.namespace == STAGE:
                name, number = found.key.metric.name, found.committed or found.attempted or 0
                counted[name] = counted.get(name, 0) + number
    if not counted.keys() & COUNTERS.keys():
        return {}
    made: dict[str, int | float] = {said: counted.get(name, 0) for name, said in COUNTERS.items()}
    if priced:
        made["usd"] = round(counted.get("microdollars", 0) / 1e6, 6)
    return made


def line(model: dict[str, Any]) -> str:
    """Says it in one line."""
    text = (
        f"model: {model['calls']:,} calls, {model['cache_hits']:,} replies from the cache, "
        f"{model['prompt_tokens']:,} + {model['completion_tokens']:,} tokens"
    )
    return text + (f", {model['usd']:.4f} USD" if "usd" in model else "")
