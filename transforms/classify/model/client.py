"""One endpoint of one process: its client, its gate, its budget, and the only loop that retries.

The SDK's own retries are off because they sleep inside the slot; here a request gives its slot back
before it waits. What comes out is a value: a :class:`Reply`, :class:`Refused` (the endpoint will
never take this request) or :class:`Unanswered` (it did not answer in the end). A fault of the whole
configuration raises :class:`ConfigurationFault`, once and for all later requests. No error text of
the endpoint is passed on: some repeat the key or the prompt.
"""

from __future__ import annotations

import asyncio
import base64
import collections
import email.utils
import logging
import math
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from transforms.classify.model.budget import Budget
from transforms.classify.model.gate import Gate
from transforms.classify.model.reply import Outcome, Refused, Reply, Unanswered, parse_reply
from transforms.classify.model.settings import ConfigurationFault, EndpointSettings, read_key

RETRIED = frozenset((408, 409, 425, 429, 500, 502, 503, 504))
FIRST_BACKOFF_S = 0.25
MAX_BACKOFF_S = 60.0
MAX_RETRY_AFTER_S = 900.0
"""Asked to wait longer than this, a request is given up instead."""
CHARACTERS_PER_TOKEN = 3.5
PICTURE_TOKENS = 1600


Pictures = Mapping[str, tuple[str, bytes]]
"""sha256 → (media type, bytes); a body names a picture as ``sha256:<hex>``."""

Keep = Callable[[Reply], Awaitable[Reply]]
"""Makes a reply durable; returns the one that is durable now."""


class Endpoint:
    """Sends requests to one endpoint; use inside one event loop of one process."""

    def __init__(self, settings: EndpointSettings) -> None:
        settings.check()
        self.settings = settings
        self.gate = Gate(settings.concurrency)
        self.budget = Budget(settings)
        self.counts: collections.Counter[str] = collections.Counter()
        self.fault: ConfigurationFault | None = None
        self._client: Any = None

    def __repr__(self) -> str:
        return f"Endpoint({self.place})"

    def __reduce__(self) -> Any:
        raise TypeError("an Endpoint holds a key and sockets; send its settings instead")

    @property
    def place(self) -> str:
        """Host and path of the endpoint, without credentials or query."""
        parts = urlsplit(self.settings.base_url or "")
        return f"{parts.hostname or 'default endpoint'}{parts.path}"

    async def ask(
        self, body: dict[str, Any], pictures: Pictures | None = None, keep: Keep | None = None
    ) -> Outcome:
        """Sends one request until it is answered, refused or given up.

        ``keep`` makes a reply durable; it runs inside the slot, so that no more replies than slots
        can be lost at once.
        """
        reserved = estimated_tokens(body)
        outcome: Outcome = Unanswered("unanswered")
        for attempt in range(self.settings.attempts):
            async with self.gate.slot(again=attempt > 0):
                outcome, wait_s = await self._attempt(body, pictures or {}, reserved)
                if isinstance(outcome, Reply) and keep is not None:
                    outcome = await keep(outcome)
            if not isinstance(outcome, Unanswered) or outcome.reason == "budget":
                break
            self.counts[f"retry_{outcome.reason}"] += 1
            if wait_s is not None and wait_s > MAX_RETRY_AFTER_S:
                break
            if attempt + 1 < self.settings.attempts:
                pause = max(wait_s or 0.0, _backoff_s(attempt, outcome.reason))
                if wait_s is not None:
                    self._waited("throttled", pause)
                await asyncio.sleep(pause)
        return outcome

    async def _attempt(
        self, body: dict[str, Any], pictures: Pictures, reserved: tuple[int, int]
    ) -> tuple[Outcome, float | None]:
        """Sends once, within budget and rates."""
        if not await self.budget.reserve(*reserved):
            return Unanswered("budget"), None
        used = (0, 0)
        try:
            self._waited("paced", await self.budget.pace(sum(reserved)))
            await self.gate.open()
            self.check()
            self.counts["calls"] += 1
            outcome, wait_s = await self._send(body, pictures)
            if isinstance(outcome, Reply):
                used = _used(outcome, reserved)
                self._account(used)
            elif outcome == Unanswered("timeout"):
                used = (reserved[0], 0)  # the endpoint may have read it, and bill that
        finally:
            self.budget.settle(reserved, used)
        return outcome, wait_s

    def check(self) -> None:
        """Raises the ConfigurationFault that ended all asking, if one did."""
        if self.fault is not None:
            # A new one each time: an exception keeps what surrounds the place where it is raised.
            raise ConfigurationFault(*self.fault.args)

    def take_counts(self) -> dict[str, int]:
        """Returns what was counted since the last call; ``*_ms`` are milliseconds."""
        counts, self.counts = self.counts, collections.Counter()
        paused, self.gate.paused_s = self.gate.paused_s, 0.0
        if paused:
            counts["paused_ms"] += round(paused * 1000)
        return dict(counts)

    async def close(self) -> None:
        """Closes the sockets; must run in the loop that used them."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    def _account(self, used: tuple[int, int]) -> None:
        self.counts["replies"] += 1
        self.counts["prompt_tokens"] += used[0]
        self.counts["completion_tokens"] += used[1]
        if self.settings.prices:
            self.counts["microdollars"] += round(self.settings.prices.usd(*used) * 1e6)

    def _waited(self, name: str, seconds: float) -> None:
        if seconds:
            self.counts[f"{name}_ms"] += round(seconds * 1000)

    def _connected(self) -> Any:
        if self._client is None:
            import openai

            try:
                key = read_key(self.settings.key)
            except ConfigurationFault as fault:
                self.fault = fault
                raise
            self._client = openai.AsyncOpenAI(
                base_url=self.settings.base_url,
                api_key=key,
                max_retries=0,
                timeout=self.settings.timeout_s,
                # The SDK's own transport looks at every open connection for each request.
                http_client=openai.DefaultAioHttpClient(timeout=self.settings.timeout_s),
            )
            # The SDK writes whole requests at DEBUG: prompts do not belong in a log.
            for name in ("openai", "httpx2", "httpcore2"):
                logging.getLogger(name).setLevel(logging.WARNING)
        return self._client

    async def _send(self, body: dict[str, Any], pictures: Pictures) -> tuple[Outcome, float | None]:
        """Sends once. An Unanswered outcome may be sent again, after the wait where one is
        asked."""
        client = self._connected()
        import httpx2
        import openai

        error: Any = None
        try:
            # The SDK's time-out is for each read; a reply that drips in must not take for ever.
            async with asyncio.timeout(self.settings.timeout_s):
                response = await client.post(
                    "/chat/completions", cast_to=httpx2.Response, body=with_pictures(body, pictures)
                )
                content = response.content
        except openai.APIStatusError as refusal:
            error = refusal
        except (openai.APITimeoutError, TimeoutError) as late:
            # This transport calls a refused or reset connection a time-out of connecting.
            broken = isinstance(late.__cause__, httpx2.ConnectTimeout)
            return Unanswered("connection" if broken else "timeout"), None
        except openai.APIConnectionError:
            return Unanswered("connection"), None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError):
            return Unanswered("connection"), None
        if error is not None:
            # Outside the handler: what is raised here must not carry the SDK's error along.
            return self._refusal(error.status_code, error.response.headers, error.body)
        reply = parse_reply(content)
        self.gate.succeeded()
        return (reply, None) if reply is not None else (Unanswered("garbage"), None)

    def _refusal(
        self, status: int, headers: Mapping[str, str], body: Any
    ) -> tuple[Outcome, float | None]:
        error = body if isinstance(body, dict) else {}
        error = error.get("error", error) if isinstance(error.get("error", error), dict) else {}
        code = _word(error.get("code")) or _word(error.get("type"))
        if status in (401, 403, 404) or code == "insufficient_quota":
            self.fault = ConfigurationFault(self._explained(status, code))
            self.check()
        if status in RETRIED:
            wait_s = retry_after_s(headers)
            if status == 429 or (status == 503 and wait_s):
                self.gate.refused(wait_s, _nothing_left(headers))
            return Unanswered(f"http_{status}"), wait_s
        said = str(error.get("message", ""))[:2000]
        if status == 413 or _TOO_LONG.search(said):
            code = "context_length_exceeded"
        parameter = _word(error.get("param")) or _named(said)
        return Refused(status, code or f"http_{status}", parameter), None

    def _explained(self, status: int, code: str) -> str:
        what = {
            401: "the endpoint does not accept the key; check OPENAI_API_KEY or --model_key_file",
            403: "the key may not use this model or endpoint",
            404: "no such model or path; check --model and --model_base_url",
        }.get(status, "the account's quota is spent; the run can be resumed when there is more")
        return f"model endpoint {self.place}: HTTP {status}{f' {code}' if code else ''}: {what}"


_AT_ONCE = frozenset(("garbage", "connection", "timeout"))
"""Faults that say little of load, or have waited already: the first repetition comes soon."""

_TOO_LONG = re.compile(
    r"context[ _]length|context window|too many tokens|maximum (?:context|prompt)|too long"
    r"|exceeds? the (?:available |maximum )?(?:context|limit)|reduce the length",
    re.IGNORECASE,
)

_PARAMETERS = (
    "top_logprobs logprobs response_format json_schema tool_choice tools max_completion_tokens "
    "max_tokens temperature seed image_url image"
).split()


def _named(said: str) -> str:
    """The request field that an error message speaks of, where it does not say so in ``param``."""
    return next((p for p in _PARAMETERS if p in said), "")


def _word(value: Any) -> str:
    """A machine-readable code, or nothing: free text never passes."""
    return value if isinstance(value, str) and re.fullmatch(r"[\w.\[\]-]{1,64}", value) else ""


def _nothing_left(headers: Mapping[str, str]) -> bool:
    return any(
        headers.get(f"x-ratelimit-remaining-{unit}") == "0" for unit in ("requests", "tokens")
    )


def _backoff_s(attempt: int, reason: str) -> float:
    # Jitter changes when, never what: nothing of it reaches the dataset.
    first = FIRST_BACKOFF_S / 10 if reason in _AT_ONCE and not attempt else FIRST_BACKOFF_S
    return min(MAX_BACKOFF_S, first * 2**attempt) * (0.5 + random.random() / 2)


def _used(reply: Reply, reserved: tuple[int, int]) -> tuple[int, int]:
    """Tokens of a reply; estimated where the endpoint does not say."""
    if reply.prompt_tokens or reply.completion_tokens:
        return reply.prompt_tokens, reply.completion_tokens
    characters = sum(len(c.text) for c in reply.choices)
    return reserved[0], math.ceil(characters / CHARACTERS_PER_TOKEN)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by ``retry-after-ms`` or ``Retry-After`` (seconds or HTTP date), or None."""
    try:
        wait_s = float(headers["retry-after-ms"]) / 1000
    except (KeyError, ValueError):
        said = headers.get("retry-after", "")
        try:
            wait_s = float(said)
        except ValueError:
            try:
                then = email.utils.parsedate_to_datetime(said).timestamp()
                now = time.time()
                if "date" in headers:  # the endpoint's own clock, where it says what it shows
                    now = email.utils.parsedate_to_datetime(headers["date"]).timestamp()
            except (TypeError, ValueError):
                return None
            wait_s = then - now
    return max(0.0, wait_s) if math.isfinite(wait_s) else None


def estimated_tokens(body: dict[str, Any]) -> tuple[int, int]:
    """Estimates (prompt, completion) tokens before sending: the completion at its limit."""
    characters = pictures = 0
    for message in body["messages"]:
        content = message["content"]
        for part in content if isinstance(content, list) else [{"text": content}]:
            characters += len(part.get("text", ""))
            pictures += part.get("type") == "image_url"
    for name in ("response_format", "tools"):
        if name in body:
            characters += len(msgspec.json.encode(body[name]))
    limit = body.get("max_completion_tokens") or body.get("max_tokens") or 1024
    prompt = math.ceil(characters / CHARACTERS_PER_TOKEN) + PICTURE_TOKENS * pictures
    return prompt, limit * body.get("n", 1)


def with_pictures(body: dict[str, Any], pictures: Pictures) -> dict[str, Any]:
    """Returns the body with its pictures' bytes in place of their hashes."""
    if not pictures:
        return body
    messages = []
    for message in body["messages"]:
        if isinstance(message["content"], list):
            parts = [_with_bytes(part, pictures) for part in message["content"]]
            message = {**message, "content": parts}
        messages.append(message)
    return {**body, "messages": messages}


def _with_bytes(part: dict[str, Any], pictures: Pictures) -> dict[str, Any]:
    if part.get("type") != "image_url":
        return part
    media_type, data = pictures[part["image_url"]["url"].removeprefix("sha256:")]
    url = f"data:{media_type};base64,{base64.b64encode(data).decode()}"
    return {**part, "image_url": {**part["image_url"], "url": url}}
