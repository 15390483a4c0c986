"""What comes of a request: a reply, a refusal for what it is, or no answer in the end."""

from __future__ import annotations

import codecs
import re
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

    @property
    def spelled(self) -> bool:
        """Whether there are tokens and their texts are the answer: else they say nothing of it."""
        return bool(self.tokens) and "".join(text for text, _ in self.tokens) == self.text


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
    """Reads a chat completion; None when it is none, or holds no choice or one that broke off.

    An answer is worth more than what stands beside it: counts and token probabilities that are not
    what they should be are left out. Some endpoints stream whether they are asked to or not.
    """
    try:
        streamed = content.lstrip().startswith((b"data:", b"event:", b":"))
        data = _joined(content) if streamed else msgspec.json.decode(content)
        choices = tuple(_choice(c) for c in data["choices"])
    except (
        msgspec.DecodeError,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        RecursionError,
    ):
        return None
    usage = data.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    spent = [_whole(usage.get(f"{kind}_tokens")) for kind in ("prompt", "completion")]
    return Reply(choices, *spent) if choices else None


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


class _Streamed:
    """One choice, as it comes in pieces."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.refusals: list[str] = []
        self.arguments: list[str] = []
        self.tokens: list[Any] = []
        self.finish: str | None = None

    def add(self, part: dict[str, Any]) -> None:
        """Adds what one event says of it."""
        delta = part.get("delta") or {}
        self.texts.append(_text(delta.get("content"))[0])
        self.refusals.append(str(delta.get("refusal") or ""))
        first = [c for c in delta.get("tool_calls") or () if not c.get("index")]
        self.arguments.append(_arguments(first))
        self.tokens += (part.get("logprobs") or {}).get("content") or ()
        self.finish = part.get("finish_reason") or self.finish

    def whole(self) -> dict[str, Any]:
        """The choice as it would have come in one piece."""
        message = {
            "content": "".join(self.texts),
            "refusal": "".join(self.refusals),
            "tool_calls": [{"function": {"arguments": "".join(self.arguments)}}],
        }
        tokens = {"content": self.tokens}
        return {"message": message, "finish_reason": self.finish, "logprobs": tokens}


def _joined(content: bytes) -> dict[str, Any]:
    """The completion that server-sent events spell; ValueError when its end did not come."""
    choices: dict[int, _Streamed] = {}
    usage, ended = None, False
    for line in content.splitlines():
        if not line.startswith(b"data:"):
            continue
        if (said := line[5:].strip()) == b"[DONE]":
            ended = True
            break
        chunk = msgspec.json.decode(said)
        usage = chunk.get("usage") or usage
        for part in chunk.get("choices") or ():
            choices.setdefault(part.get("index") or 0, _Streamed()).add(part)
    if not (ended or all(c.finish for c in choices.values())):
        raise ValueError
    return {"choices": [choices[i].whole() for i in sorted(choices)], "usage": usage}


def _choice(data: dict[str, Any]) -> Choice:
    finish = str(data.get("finish_reason") or "stop").lower()
    if finish == "error":
        raise ValueError  # what there is of the text is no answer
    filtered = finish == "content_filter"
    message = data.get("message") or {} if filtered else data["message"]
    text, refused = _text(message.get("content"))
    text = _arguments(message.get("tool_calls")) or text
    tokens, alternatives = _tokens(data.get("logprobs"))
    return Choice(
        text=text,
        finish="length" if finish == "max_tokens" else finish,
        refusal=filtered or refused or bool(message.get("refusal")),
        tokens=tokens,
        alternatives=alternatives if any(alternatives) else (),
    )


def _text(content: Any) -> tuple[str, bool]:
    """The text of a message, which some endpoints give in parts, and whether a part refuses."""
    if not isinstance(content, list):
        return str(content or ""), False
    texts, refused = [], False
    for part in content:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict):
            refused = refused or bool(part.get("refusal"))
            if part.get("type", "text") in ("text", "output_text"):
                texts.append(str(part.get("text") or ""))
    return "".join(texts), refused


def _arguments(calls: Any) -> str:
    """The arguments of the first tool call that has any; an object is written as JSON."""
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        given = function.get("arguments") if isinstance(function, dict) else None
        if given:
            return given if isinstance(given, str) else msgspec.json.encode(given).decode()
    return ""


def _tokens(
    data: Any,
) -> tuple[tuple[tuple[str, float], ...], tuple[tuple[tuple[str, float], ...], ...]]:
    """Tokens with their log probabilities and alternatives; none where one of them is none."""
    tokens, alternatives = [], []
    # A character may be spread over tokens: it then belongs to the one that completes it.
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    try:
        for token in (data or {}).get("content") or ():
            piece = str(token["token"])
            if isinstance(token.get("bytes"), list):
                piece = decoder.decode(bytes(token["bytes"]))
            tokens.append((piece, float(token["logprob"])))
            others = token.get("top_logprobs") or ()
            alternatives.append(tuple((str(o["token"]), float(o["logprob"])) for o in others))
    except (KeyError, TypeError, ValueError, AttributeError):
        return (), ()
    return tuple(tokens), tuple(alternatives)


# --- Errors ---------------------------------------------------------------------------------------


class EndpointError(msgspec.Struct, frozen=True):
    """What is machine-readable of an error's body; its text stays here."""

    status: int = 0
    """Where the body itself names one, as some do under HTTP 200."""
    code: str = ""
    parameter: str = ""
    """The field of the request that it is about."""
    too_long: bool = False


_TOO_LONG = re.compile(
    r"context[ _]length|context window|too many tokens|maximum (?:context|prompt)|too long"
    r"|exceeds? the (?:available |maximum )?(?:context|limit|number of tokens)|reduce the length"
    r"|must have less than \d+ tokens|tokens`? \+ `?max_new_tokens`? must be",
    re.IGNORECASE,
)

PARAMETERS = tuple(
    "top_logprobs logprobs response_format json_schema tool_choice tools max_completion_tokens "
    "max_tokens temperature seed image_url image".split()
)
"""Fields of our requests that an endpoint may refuse, as its messages name them."""
_NAMED = re.compile(rf"(?<![a-z_])(?:{'|'.join(PARAMETERS)})")
_MESSAGE_CHARACTERS = 2000


def parse_error(content: bytes) -> EndpointError:
    """Reads an error in the forms that endpoints give it: an object, a text, a list of details."""
    try:
        data = msgspec.json.decode(content)
    except (msgspec.DecodeError, ValueError, RecursionError):  # ValueError: no UTF-8
        data = content.decode("utf-8", "replace")
    if isinstance(data, list) and data:
        data = data[0]
    inner = data.get("error", data) if isinstance(data, dict) else data
    error = inner if isinstance(inner, dict) else {}
    said = inner if isinstance(inner, str) else error.get("message") or error.get("detail") or ""
    if not isinstance(said, str):
        said = msgspec.json.encode(said).decode()
    said = said[:_MESSAGE_CHARACTERS]
    named = _NAMED.search(said)  # the first: what to use instead comes after it
    number = error.get("code")
    if not (isinstance(number, int) and 400 <= number < 600):
        number = 0
    return EndpointError(
        status=number or _STATUSES.get(_word(error.get("code")) or _word(error.get("type")), 0),
        code=_word(error.get("code")) or _word(error.get("type")),
        parameter=_word(error.get("param")) or (named[0] if named else ""),
        too_long=_TOO_LONG.search(said) is not None,
    )


_STATUSES = {
    "context_length_exceeded": 400,
    "content_filter": 400,
    "insufficient_quota": 429,
    "invalid_api_key": 401,
    "model_not_found": 404,
    "rate_limit_exceeded": 429,
    "server_error": 500,
}
"""What an error without a number would have been, had it not come under HTTP 200."""


def _word(value: Any) -> str:
    """A machine-readable code, or nothing: free text never passes."""
    return value if isinstance(value, str) and re.fullmatch(r"[\w.\[\]-]{1,64}", value) else ""
