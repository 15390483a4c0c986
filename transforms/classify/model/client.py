"""One endpoint of one process: its client, its gate, its budget, and the only loop that retries.

A client library's retries would sleep inside the slot; here a request gives its slot back before it
waits. What comes out is a value: a :class:`Reply`, :class:`Refused` (the endpoint will
never take this request) or :class:`Unanswered` (it did not answer in the end). A fault of the whole
configuration raises :class:`ConfigurationFault`, once and for all later requests. No error text of
the endpoint is passed on: some repeat the key or the prompt.
"""

from __future__ import annotations

import asyncio
import base64
import collections
import email.utils
import math
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from transforms.classify.model.budget import FREE, Budget
from transforms.classify.model.gate import Gate
from transforms.classify.model.reply import (
    PARAMETERS,
    EndpointError,
    Outcome,
    Refused,
    Reply,
    Unanswered,
    parse_error,
    parse_reply,
)
from transforms.classify.model.settings import (
    ConfigurationFault,
    EndpointSettings,
    Prices,
    read_key,
)
from transforms.classify.model.transport import Broken, Transport, place_of

RETRIED = frozenset((408, 409, 425, 429))
"""And all from 500 on but for the next: 520-530 are what proxies say."""
NEVER_RETRIED = frozenset((501, 505))
OVERLOADED = frozenset((503, 529))
FIRST_BACKOFF_S = 0.25
MAX_BACKOFF_S = 60.0
MAX_RETRY_AFTER_S = 900.0
"""Asked to wait longer than this, a request is given up instead."""
HOPELESS = 8
"""Bodies under 200 that are no completion, without one that is, before the URL is held to be
wrong: each may be billed."""
ROOM_PER_SLOT = 2
"""Those that back off hold no slot."""
CHARACTERS_PER_TOKEN = 3.5
PICTURE_TOKENS = 1600


Pictures = Mapping[str, tuple[str, bytes]]
"""sha256 → (media type, bytes); a body names a picture as ``sha256:<hex>``."""

Keep = Callable[[Outcome], Awaitable[Outcome]]
"""Makes a reply or refusal durable, if it is to last; returns the one that counts now."""


class Endpoint:
    """Sends requests to one endpoint; use inside one event loop of one process."""

    def __init__(self, settings: EndpointSettings) -> None:
        settings.check()
        self.settings = settings
        self.gate = Gate(settings.concurrency)
        self.budget = Budget(settings)
        self.room = asyncio.Semaphore(settings.concurrency * ROOM_PER_SLOT)
        """For segments under way: what is asked about each, with its pictures, is in memory."""
        self.counts: collections.Counter[str] = collections.Counter()
        self.fault: ConfigurationFault | None = None
        self.place = place_of(settings.base_url)
        """Host and path of the endpoint, without credentials or query."""
        self._garbage, self._completed = 0, False
        self._transport: Transport | None = None

    def __repr__(self) -> str:
        return f"Endpoint({self.place})"

    def __reduce__(self) -> Any:
        raise TypeError("an Endpoint holds a key and sockets; send its settings instead")

    async def ask(
        self, body: dict[str, Any], pictures: Pictures | None = None, keep: Keep | None = None
    ) -> Outcome:
        """Sends one request until it is answered, refused or given up.

        ``keep`` makes a reply durable; it runs inside the slot, so that no more replies than slots
        can be lost at once.
        """
        reserved = estimated_tokens(body)
        price = self.settings.price_of(body["model"]) or FREE
        data = msgspec.json.encode(with_pictures(body, pictures or {}))
        outcome: Outcome = Unanswered("unanswered")
        for attempt in range(self.settings.attempts):
            async with self.gate.slot(again=attempt > 0):
                outcome, wait_s = await self._attempt(data, reserved, price)
                if keep is not None and not isinstance(outcome, Unanswered):
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
        self, data: bytes, reserved: tuple[int, int], price: Prices
    ) -> tuple[Outcome, float | None]:
        """Sends once, within budget and rates."""
        if not await self.budget.reserve(reserved, price):
            return Unanswered("budget"), None
        used = (0, 0)
        try:
            self._waited("paced", await self.budget.pace(sum(reserved)))
            await self.gate.open()
            self.check()
            self.counts["calls"] += 1
            outcome, wait_s = await self._send(data)
            if isinstance(outcome, Reply):
                used = _used(outcome, reserved)
                self._account(used, price)
            elif outcome in (Unanswered("timeout"), Unanswered("garbage")):
                used = (reserved[0], 0)  # the endpoint may have read it, and bill that
        finally:
            self.budget.settle(reserved, used, price)
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
        if self._transport is not None:
            transport, self._transport = self._transport, None
            await transport.close()

    def _account(self, used: tuple[int, int], price: Prices) -> None:
        self.counts["replies"] += 1
        self.counts["prompt_tokens"] += used[0]
        self.counts["completion_tokens"] += used[1]
        if self.settings.prices:
            self.counts["microdollars"] += round(price.usd(*used) * 1e6)

    def _waited(self, name: str, seconds: float) -> None:
        if seconds:
            self.counts[f"{name}_ms"] += round(seconds * 1000)

    def _connected(self) -> Transport:
        if self._transport is None:
            try:
                self._transport = Transport(
                    self.settings.base_url,
                    read_key(self.settings.key),
                    self.settings.timeout_s,
                    self.place,
                )
            except ConfigurationFault as fault:
                self.fault = fault
                raise
        return self._transport

    async def _send(self, data: bytes) -> tuple[Outcome, float | None]:
        """Sends once. An Unanswered outcome may be sent again, after the wait where one is
        asked."""
        try:
            received = await self._connected().post(data)
        except ConfigurationFault as fault:
            self.fault = fault
            raise
        if isinstance(received, Broken):
            return Unanswered(received.reason), None
        if not 200 <= received.status < 300:
            error = parse_error(received.body)
            return self._refusal(received.status, received.headers, error)
        reply = parse_reply(received.body)
        if reply is None and (error := parse_error(received.body)).status:
            # Some say 200 first, and in the body that it was none.
            return self._refusal(error.status, received.headers, error)
        self.gate.succeeded()
        if reply is not None:
            self._completed = True
            return reply, None
        self._garbage += 1
        if self._garbage >= HOPELESS and not self._completed:
            self.fault = ConfigurationFault(
                f"model endpoint {self.place}: what it answers is no chat completion; check "
                "--model_base_url"
            )
            self.check()
        return Unanswered("garbage"), None

    def _refusal(
        self, status: int, headers: Mapping[str, str], error: EndpointError
    ) -> tuple[Outcome, float | None]:
        code = error.code
        # Some say of a field of the request that the key may not use it.
        of_all = status in (401, 402, 404) or (status == 403 and error.parameter not in PARAMETERS)
        if of_all or code == "insufficient_quota":
            self.fault = ConfigurationFault(self._explained(status, code))
            self.check()
        if status in RETRIED or (status >= 500 and status not in NEVER_RETRIED):
            wait_s = retry_after_s(headers)
            if status == 429 or (status in OVERLOADED and wait_s):
                # A wait that nobody waits for is no reason to hold up the others.
                held = wait_s if wait_s is None or wait_s <= MAX_RETRY_AFTER_S else None
                self.gate.refused(held, _nothing_left(headers))
            return Unanswered(f"http_{status}"), wait_s
        if status == 413 or error.too_long:
            code = "context_length_exceeded"
        return Refused(status, code or f"http_{status}", error.parameter), None

    def _explained(self, status: int, code: str) -> str:
        what = {
            401: "the endpoint does not accept the key; check OPENAI_API_KEY or --model_key_file",
            402: "the account has no credit; the run can be resumed when it has",
            403: "the key may not use this model or endpoint",
            404: "no such model or path; check --model and --model_base_url",
        }.get(status, "the account's quota is spent; the run can be resumed when there is more")
        return f"model endpoint {self.place}: HTTP {status}{f' {code}' if code else ''}: {what}"


_AT_ONCE = frozenset(("garbage", "connection", "timeout"))
"""Faults that say little of load, or have waited already: the first repetition comes soon."""


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
            except (TypeError, ValueError, OverflowError):
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
