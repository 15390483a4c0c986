"""Asks until an answer is usable, changing the request each time: the same would fail again.

A truncated answer gets more tokens, once; an unusable one up to two repair turns, each showing what
was said and what is wrong with it. A refusal is taken as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from schemas.classifications import Usage
from transforms.classify.model.answers import Unusable
from transforms.classify.model.budget import FREE
from transforms.classify.model.client import Pictures
from transforms.classify.model.fence import escaped
from transforms.classify.model.forms import Forms
from transforms.classify.model.reply import Choice, Outcome, Refused, Reply
from transforms.classify.model.requests import RAISED_TOKENS, Form, Question, repair_request

T = TypeVar("T")

REPAIRS = 2
QUOTED_CHARACTERS = 4000
"""Of a bad answer that is shown again."""


class Asked(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """What asking came to: a value, or the reason why there is none."""

    value: T | None = None
    samples: tuple[Any, ...] = ()
    """What each of the reply's choices was read as; ``Unusable`` ones too."""
    choice: Choice | None = None
    """Of ``value``."""
    question: Question | None = None
    """As it was when it was answered."""
    form: Form = Form()
    reason: str = ""
    failed: bool = False
    """There is an answer, and it is no use; else a person may look at what is there."""
    too_long: bool = False
    usage: Usage = Usage()


class Asker:
    """Asks questions of one model configuration and reads the answers."""

    def __init__(self, forms: Forms) -> None:
        self.forms = forms

    async def ask(
        self, question: Question, pictures: Pictures, read: Callable[[str], T | Unusable]
    ) -> Asked[T]:
        """Returns the first usable answer, or why there is none."""
        counts = self.forms.replies.endpoint.counts
        usage = Usage()
        first_limit = question.max_tokens
        while True:
            outcome, form = await self.forms.ask(question, pictures)
            if not isinstance(outcome, Reply):
                return _without_reply(outcome, usage)
            usage = self.added(usage, outcome)
            refused = [c for c in outcome.choices if c.refusal]
            if len(refused) == len(outcome.choices):
                return Asked(reason="refused", usage=usage)
            finished = [c for c in outcome.choices if not c.refusal and c.finish != "length"]
            if not finished:
                if question.max_tokens > first_limit:
                    return Asked(reason="truncated", usage=usage)
                counts["raised_tokens"] += 1
                raised = question.max_tokens * RAISED_TOKENS
                question = msgspec.structs.replace(question, max_tokens=raised)
                continue
            samples = tuple(read(c.text) for c in finished)
            for choice, sample in zip(finished, samples):
                if not isinstance(sample, Unusable):
                    lost = len(outcome.choices) - len(finished)
                    return Asked(
                        value=sample,
                        samples=samples + (Unusable("unfinished", ()),) * lost,
                        choice=choice,
                        question=question,
                        form=form,
                        usage=usage,
                    )
            bad = next(s for s in samples if isinstance(s, Unusable))
            counts[f"unusable_{bad.code}"] += 1
            if len(question.repairs) == REPAIRS:
                return Asked(reason=bad.code, failed=True, usage=usage)
            counts["repairs"] += 1
            # What a model says may be what the recording told it to say.
            said = escaped(finished[0].text[:QUOTED_CHARACTERS])
            turn = (said, repair_request(bad.problems))
            question = msgspec.structs.replace(question, repairs=(*question.repairs, turn))

    async def sample(
        self, asked: Asked[T], pictures: Pictures, read: Callable[[str], T | Unusable], count: int
    ) -> tuple[list[T | Unusable], Usage, str]:
        """Draws further answers to a question, one a request with seeds, for a vote.

        One that is not to be had is unusable, and the reason is told.
        """
        assert asked.question is not None
        drawn = [
            self.forms.ask(msgspec.structs.replace(asked.question, seed=seed), pictures)
            for seed in range(1, count + 1)
        ]
        samples: list[T | Unusable] = []
        usage, lost = asked.usage, ""
        for outcome, _ in await asyncio.gather(*drawn):
            if isinstance(outcome, Reply):
                usage = self.added(usage, outcome)
                samples.append(read(outcome.choices[0].text))
            else:
                samples.append(Unusable("unanswered", ()))
                lost = lost or getattr(outcome, "reason", "")
        return samples, usage, lost

    def added(self, usage: Usage, reply: Reply) -> Usage:
        """Adds a reply to what a classification cost; the same whether it was cached or not."""
        price = self.forms.settings.endpoint.price_of(self.forms.settings.model) or FREE
        spent = price.usd(reply.prompt_tokens, reply.completion_tokens)
        return Usage(
            calls=usage.calls + 1,
            prompt_tokens=usage.prompt_tokens + reply.prompt_tokens,
            completion_tokens=usage.completion_tokens + reply.completion_tokens,
            usd=round(usage.usd + spent, 9),
        )


def _without_reply(outcome: Outcome, usage: Usage) -> Asked[Any]:
    if isinstance(outcome, Refused):
        if outcome.too_long:
            return Asked(reason="too_long", too_long=True, usage=usage)
        if outcome.filtered:
            return Asked(reason="refused", usage=usage)
        return Asked(reason="rejected_request", failed=True, usage=usage)
    assert not isinstance(outcome, Reply)
    # What no call was made for can be asked in a later run; what failed in transport, too.
    return Asked(reason=outcome.reason, failed=outcome.reason != "budget", usage=usage)
