"""Cancelling jobs on a Flink cluster, which Beam's job server does not do when it is told to.

It only stops waiting for the job; so Flink itself is asked, by the job's name. A launcher that was
killed leaves its job at work, too: the next run on the same output knows it by its name.
"""

from __future__ import annotations

import contextlib
import json
import time
import urllib.request
from typing import Any

ENDED = frozenset({"FINISHED", "CANCELED", "FAILED"})
TIMEOUT_S = 5
WAIT_S = 20


def cancel_jobs(master: str, name: str) -> None:
    """Cancels jobs whose name begins so, and waits a while until they have ended; never raises."""
    url = master if "://" in master else f"http://{master}"
    deadline = time.monotonic() + WAIT_S
    with contextlib.suppress(OSError, ValueError, KeyError):
        while time.monotonic() < deadline:
            jobs = [j for j in _asked(f"{url}/jobs/overview")["jobs"] if j["name"].startswith(name)]
            running = [j for j in jobs if j["state"] not in ENDED]
            if not running:
                return
            for job in running:
                if job["state"] != "CANCELLING":
                    _asked(f"{url}/jobs/{job['jid']}?mode=cancel", "PATCH")
            time.sleep(0.2)


def _asked(url: str, method: str = "GET") -> Any:
    request = urllib.request.Request(url, method=method)
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:
        return json.loads(reply.read() or b"{}")
