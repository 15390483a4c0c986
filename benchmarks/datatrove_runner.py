"""Sends given requests through datatrove's InferenceRunner; ``model_peer`` runs it in a Python that
has datatrove.

``python datatrove_runner.py SETTINGS.json`` prints one JSON object: documents written, seconds of
CPU, seconds of wall clock. The rollout does what its users must write themselves: it looks whether
the answer is JSON with a choice, and asks again after a fault that the runner does not mend.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sys
import time
from pathlib import Path
from typing import Any

from datatrove.data import Document
from datatrove.pipeline.inference.run_inference import InferenceConfig, InferenceRunner
from datatrove.pipeline.inference.types import InferenceError, ServerError
from datatrove.pipeline.writers import JsonlWriter
from loguru import logger

ATTEMPTS = 10


def main() -> None:
    """Runs what the settings file says."""
    logger.remove()
    settings = json.loads(Path(sys.argv[1]).read_text())
    bodies = [json.loads(line) for line in Path(settings["requests"]).read_text().splitlines()]
    config = InferenceConfig(
        server_type="endpoint",
        model_name_or_path="fake-1",
        endpoint_url=settings["url"],
        api_key="test-key",
        use_chat=True,
        max_concurrent_generations=settings["concurrency"],
        # Some documents wait for their next attempt: others may use their slots.
        max_concurrent_documents=settings["concurrency"] * 3 // 2,
        request_timeout=settings["timeout_s"],
    )
    failed: list[str] = []

    async def rollout(document: Document, generate: Any) -> Any:
        for attempt in range(ATTEMPTS):
            try:
                # The runner gives its requests to a local endpoint no time-out.
                said = await asyncio.wait_for(
                    generate({**bodies[int(document.id)]}), settings["limit_s"]
                )
                answer = json.loads(said.text)
                if "choice" in answer:
                    return answer
            except ValueError:
                continue  # no JSON: at once, as a repair is
            except ServerError:
                await asyncio.sleep(0.25 * 2**attempt * (0.5 + random.random() / 2))
            except (InferenceError, TimeoutError) as fault:
                told = "429" in str(getattr(fault, "error", ""))
                await asyncio.sleep(settings["retry_after_s"] if told else 0.0125)
        failed.append(document.id)
        return None

    output = JsonlWriter(
        settings["output"], output_filename="${rank}_chunk_${chunk_index}.jsonl", compression=None
    )
    checkpoints = settings["checkpoints"]
    runner = InferenceRunner(rollout, config, output, checkpoints_local_dir=checkpoints)
    begun = time.monotonic()
    runner.run(Document(text="", id=str(number)) for number in range(len(bodies)))
    took = time.monotonic() - begun
    usage = resource.getrusage(resource.RUSAGE_SELF)
    written = sum(
        len(path.read_text().splitlines()) for path in Path(settings["output"]).glob("*.jsonl")
    )
    report = {
        "items": written,
        "failed": len(failed),
        "took_s": round(took, 2),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
    }
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
