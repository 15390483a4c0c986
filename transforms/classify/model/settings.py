"""How a model is reached and what a run may spend; holds references to secrets, never them."""

from __future__ import annotations

import os
import re
from typing import Any

import msgspec

from transforms import storage

RESERVED = frozenset(
    """messages model stream stream_options response_format tools tool_choice functions n user
    metadata store""".split()
)
"""Fields of a request that the classifier itself decides."""

OWN = frozenset("votes pictures logprobs name".split())
"""Fields of a model configuration that are ours and are not sent."""


class ConfigurationFault(Exception):
    """The endpoint refuses every request of this run; one line that says what and what to do."""


class Prices(msgspec.Struct, frozen=True):
    """US dollars per million tokens."""

    prompt: float
    completion: float

    def usd(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Returns the price of one reply."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6


class EndpointSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint and the run's limits on it; equal settings share client, gate and budget."""

    base_url: str | None = None
    """None: the client's default, or ``OPENAI_BASE_URL``."""
    key: str = "env:OPENAI_API_KEY"
    """Where the key is: ``env:NAME`` or a file. Never the key itself."""
    concurrency: int = 32
    """Most requests in flight, per process."""
    processes: int = 1
    """Most processes of the run; every limit of the whole run is divided by it."""
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    max_calls: int | None = None
    max_usd: float | None = None
    prices: tuple[tuple[str, Prices], ...] = ()
    """(model, its price) of the models that are asked here, where it is known."""
    timeout_s: float = 60.0
    """For one request from its first byte to the last of its reply."""
    attempts: int = 10
    """Times that one request is sent before its segment is given up."""

    def check(self) -> None:
        """Raises ConfigurationFault for limits that cannot be kept."""
        if self.concurrency < 1 or self.processes < 1 or self.attempts < 1:
            raise ConfigurationFault("model concurrency, processes and attempts are at least 1")
        if not self.timeout_s > 0:
            raise ConfigurationFault("--request_timeout_s must be above 0")
        if self.max_calls is not None and 0 < self.max_calls < self.processes:
            raise ConfigurationFault(
                f"--max_calls={self.max_calls} cannot be divided among "
                f"--model_max_processes={self.processes}; allow at least one call each"
            )

    def price_of(self, model: str) -> Prices | None:
        """Returns what a model costs, where that is known."""
        return dict(self.prices).get(model)


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One model configuration of the run, as it travels to the workers."""

    model: str
    endpoint: EndpointSettings = EndpointSettings()
    cache: str
    """Folder or bucket path of the reply cache."""
    configuration: dict[str, Any] = {}
    """Sent as it is (temperature, seed, max_tokens …), but for our own ``votes`` (samples for a
    vote share), ``pictures`` (default true), ``logprobs`` (default true) and ``name``."""
    index: int = 0
    """Place of the configuration in the run's list (A/B)."""
    provider: str = "OPENAI"
    segments_per_request: int = 1
    """Above 1, pictures are not sent."""
    calibration: dict[str, Any] | None = None
    """As ``calibration.Calibration`` encodes itself."""

    def check(self) -> None:
        """Raises ConfigurationFault for what cannot work, before anything is sent."""
        self.endpoint.check()
        if not self.model:
            raise ConfigurationFault("--classifier=openai needs --model")
        if self.endpoint.max_usd is not None and self.endpoint.price_of(self.model) is None:
            raise ConfigurationFault(
                f"--max_usd needs the price of {self.model}; give it in --price_file"
            )
        if reserved := sorted(RESERVED & set(self.configuration)):
            raise ConfigurationFault(
                f"--model_configuration: {reserved[0]!r} is decided by the classifier; remove it"
            )
        votes = self.configuration.get("votes", 0)
        if isinstance(votes, bool) or not isinstance(votes, int) or not 0 <= votes <= 25:
            raise ConfigurationFault("--model_configuration: votes is a whole number 0-25")
        if not 1 <= self.segments_per_request <= 8:
            raise ConfigurationFault("--segments_per_request is between 1 and 8")

    @property
    def sent(self) -> dict[str, Any]:
        """The fields of the configuration that go into every request."""
        return {k: v for k, v in self.configuration.items() if k not in OWN and v is not None}

    def tokens(self, usual: int) -> int:
        """Most tokens of an answer: as they are configured, else as many as it usually takes."""
        sent = self.sent
        return int(sent.get("max_completion_tokens") or sent.get("max_tokens") or usual)


def read_key(reference: str) -> str:
    """Reads the key behind ``env:NAME`` or a file; raises ConfigurationFault, which never quotes
    it."""
    if reference.startswith("env:"):
        name = reference[4:]
        key = os.environ.get(name, "")
        where = f"the environment variable {name} is not set"
    else:
        try:
            key = storage.read_bytes(reference, 65536).decode("utf-8", "replace")
        except (OSError, storage.StorageError):
            key = ""
        where = f"the key file {reference} cannot be read or is empty"
    key = key.strip()
    if not key:
        raise ConfigurationFault(f"no key for the model: {where}")
    if not re.fullmatch(r"[!-~]+", key):
        raise ConfigurationFault(
            "the model's key holds characters that no HTTP header can carry; check "
            + (reference if reference.startswith("env:") else "the key file")
        )
    return key
