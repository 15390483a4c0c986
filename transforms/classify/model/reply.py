"""What comes of a request: a reply, a refusal for what it is, or no answer in the end."""

from __future__ import annotations

import codecs
from typing import Any

import msgspec


class Choice(msgspec.Struct, frozen=True, omit_defaults=True):
    """One of a reply's answers."""

    text: str
    finish: str = "stop"
    refusal: bool = False
    tokens: tuple[tuple[str, float], ...] = ()
    """(text, log probability) of each token, where the endpoint gives them."""
    alternatives: tuple[tuple[tuple[str, float], ...], ...] = ()
    """For each token, the likeliest tokens in its place."""


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """A finished reply, as it is kept in the cache."""

    choices: tuple[Choice, ...]
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Refused(msgspec.Struct, frozen=True):
    """The endpoint refuses this request for what it is; sending it again would not help."""

    status: int
    code: str
    parameter: str

    @property
    def too_long(self) -> bool:
        """Whether the request is longer than the model's context."""
        return self.code in ("context_length_exceeded", "string_above_max_length", "too_long")

    @property
    def filtered(self) -> bool:
        """Whether a content filter in front of the model refused it."""
        return self.code in ("content_filter", "content_policy_violation")


class Unanswered(msgspec.Struct, frozen=True):
    """No reply: ``reason`` is budget, or the last fault (http_503, timeout, connection …)."""

    reason: str


Outcome = Reply | Refused | Unanswered


def parse_reply(content: bytes) -> Reply | None:
    """Reads a chat completion; None when it is none, or holds no choice."""
    try:
        data = msgspec.json.decode(content)
        choices = tuple(_choice(c) for c in data["choices"])
        usage = data.get("usage") or {}
        spent = [_whole(usage.get(f"{kind}_tokens")) for kind in ("prompt", "completion")]
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError):
        return None
    return Reply(choices, *spent) if choices else None


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _choice(data: dict[str, Any]) -> Choice:
    message = data["message"]
    text = message.get("content")
    for call in message.get("tool_calls") or ():
        text = call["function"]["arguments"]
        break
    if isinstance(text, list):  # some endpoints answer in parts
        text = "".join(p.get("text", "") for p in text)
    tokens, alternatives = [], []
    # A character may be spread over tokens: it then belongs to the one that completes it.
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for token in (data.get("logprobs") or {}).get("content") or ():
        piece = str(token["token"])
        if isinstance(token.get("bytes"), list):
            piece = decoder.decode(bytes(token["bytes"]))
        tokens.append((piece, float(token["logprob"])))
        others = token.get("top_logprobs") or ()
        alternatives.append(tuple((str(o["token"]), float(o["logprob"])) for o in others))
    finish = data.get("finish_reason") or "stop"
    return Choice(
        text=str(text or ""),
        finish=str(finish),
        refusal=bool(message.get("refusal")) or finish == "content_filter",
        tokens=tuple(tokens),
        alternatives=tuple(alternatives) if any(alternatives) else (),
    )
