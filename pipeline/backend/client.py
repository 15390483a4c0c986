"""HTTP to the Tracepipe API: JSON in and out, ``X-API-Key``, retries, nothing of the key in texts.

Faults come in three kinds, because they are treated in three ways: the key is wrong
(:class:`KeyRefused`), the API is away (:class:`BackendDown`), or it answered and refused this one
request (:class:`RequestRefused`).
"""

from __future__ import annotations

import email.utils
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from pipeline.options import UsageError

KEY_VARIABLE = "TRACEPIPE_API_KEY"
RETRIED = frozenset([408, 425, 429, 500, 502, 503, 504])
ATTEMPTS = 6
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 20.0
LONGEST_RETRY_AFTER_S = 120.0
TIMEOUT_S = 30.0
PER_PAGE = 100
"""The most that the API gives at once."""
LONGEST_ANSWER = 64 << 20


class BackendFault(Exception):
    """A request to the API failed; the message names method, path and status, never the key."""


class KeyRefused(BackendFault):
    """The key is unknown, revoked or may not do this (401, 403)."""


class BackendDown(BackendFault):
    """No answer, or only answers that ask to come again, after all attempts."""


class RequestRefused(BackendFault):
    """The API refused this request and would refuse it again; ``status`` says how."""

    def __init__(self, message: str, status: int):
        super().__init__(message)
        self.status = status


def read_backend_key(path: str | None) -> str:
    """Returns the key of ``--backend_key_file``, else of the environment; raises UsageError."""
    if path:
        try:
            with open(path, encoding="ascii") as f:
                key = f.read(4096).strip()
        except (OSError, UnicodeError):
            raise UsageError(f"--backend_key_file {path}: no readable file with a key") from None
        where = path
    else:
        key, where = os.environ.get(KEY_VARIABLE, "").strip(), KEY_VARIABLE
    if not key:
        raise UsageError(f"--backend_url needs a key: set {KEY_VARIABLE} or --backend_key_file")
    if not re.fullmatch(r"[!-~]+", key):
        raise UsageError(f"{where}: the key holds characters that no header may hold")
    return key


class BackendClient:
    """The API below one base URL; use it as a context.

    ``sleep`` and ``draw`` are given by tests that must not wait.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        attempts: int = ATTEMPTS,
        sleep: Callable[[float], None] = time.sleep,
        draw: Callable[[], float] = random.random,
    ):
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise UsageError(f"--backend_url {base_url}: takes http(s)://HOST[:PORT][/PATH]")
        self.root = base_url.rstrip("/").removesuffix("/v1")
        self.attempts, self._sleep, self._draw = attempts, sleep, draw
        # Redirects are not followed: they would carry the key to another host.
        self._http = httpx.Client(
            headers={"X-API-Key": key, "Accept": "application/json"},
            timeout=TIMEOUT_S,
            follow_redirects=False,
        )

    def __enter__(self) -> BackendClient:
        return self

    def __exit__(self, *unused: object) -> None:
        self._http.close()

    def get(self, *path: str, **query: Any) -> dict[str, Any]:
        """Returns one entity: ``get("sessions", id)``."""
        return self._send("GET", path, params=query)

    def pages(self, *path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Yields every item of a list, page by page."""
        page, seen = 1, 0
        while True:
            answer = self._send("GET", path, params={**query, "page": page, "per_page": PER_PAGE})
            items = answer.get("items")
            if not isinstance(items, list):
                raise RequestRefused(f"GET /v1/{'/'.join(path)}: the answer has no items", 200)
            yield from (item for item in items if isinstance(item, dict))
            seen += len(items)
            if not items or seen >= int(answer.get("total") or 0):
                return
            page += 1

    def post(self, *path: str, body: dict[str, Any], once: str) -> dict[str, Any]:
        """Creates an entity; ``once`` goes along as Idempotency-Key, since retries may double."""
        return self._send("POST", path, json=body, headers={"Idempotency-Key": once})

    def patch(self, *path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Changes an entity; the same change twice is one change."""
        return self._send("PATCH", path, json=body)

    def _send(self, method: str, path: tuple[str, ...], **given: Any) -> dict[str, Any]:
        shown = "/v1/" + "/".join(path)
        url = self.root + "/v1/" + "/".join(quote(part, safe="") for part in path)
        said = ""
        for attempt in range(self.attempts):
            wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**attempt) * (0.5 + 0.5 * self._draw())
            try:
                answer = self._http.request(method, url, **given)
            except httpx.HTTPError as error:
                said = type(error).__name__
            else:
                if answer.status_code not in RETRIED:
                    return _entity(method, shown, answer)
                said = f"status {answer.status_code}"
                wait_s = max(wait_s, _retry_after(answer))
            if attempt + 1 < self.attempts:
                self._sleep(wait_s)
        raise BackendDown(f"{method} {shown}: {said}, after {self.attempts} attempts")


def _entity(method: str, shown: str, answer: httpx.Response) -> dict[str, Any]:
    status = answer.status_code
    if status in (401, 403):
        raise KeyRefused(f"{method} {shown}: status {status}; the backend refuses the key")
    if len(answer.content) > LONGEST_ANSWER:
        raise RequestRefused(
            f"{method} {shown}: the answer is larger than {LONGEST_ANSWER}", status
        )
    try:
        data = answer.json() if answer.content else {}
    except ValueError:
        data = None
    if 200 <= status < 300 and isinstance(data, dict):
        return data
    code = ""
    if isinstance(data, dict) and isinstance(data.get("error"), dict):
        # Only the code is taken: messages quote what was sent.
        given = str(data["error"].get("code", ""))
        code = f" {given}" if re.fullmatch(r"[a-z0-9_.-]{1,64}", given, re.I) else ""
    what = "no JSON object" if 200 <= status < 300 else f"status {status}{code}"
    raise RequestRefused(f"{method} {shown}: {what}", status)


def _retry_after(answer: httpx.Response) -> float:
    """Returns the seconds of Retry-After (a number or a date), within reason."""
    given = answer.headers.get("retry-after", "").strip()
    try:
        seconds = float(given)
    except ValueError:
        moment = email.utils.parsedate_to_datetime(given) if _is_date(given) else None
        seconds = moment.timestamp() - time.time() if moment else 0.0
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S) if seconds == seconds else 0.0


def _is_date(text: str) -> bool:
    return email.utils.parsedate(text) is not None
