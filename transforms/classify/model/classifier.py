"""The model as a classifier: what it says of a segment, checked and with a confidence."""

from __future__ import annotations

import asyncio
import collections
import functools
from collections.abc import Sequence
from typing import Any

import msgspec

from schemas.catalogue import Model, Suite
from schemas.classifications import Candidate, Classification, Usage
from transforms.classify.calibration import Calibration, calibrated
from transforms.classify.classifier import SegmentContext
from transforms.classify.decide import FAILED, REVIEW
from transforms.classify.model import requests
from transforms.classify.model.answers import Answer, Unusable, read_answer, read_object
from transforms.classify.model.asking import Asked, Asker
from transforms.classify.model.confidence import (
    alternatives_at,
    combined,
    span_probability,
    value_span,
    vote_share,
)
from transforms.classify.model.evidence import Evidence, gather
from transforms.classify.model.forms import Forms
from transforms.classify.model.loop import ModelLoop
from transforms.classify.model.merging import Finding, added, merged
from transforms.classify.model.pictures import LoadFrame, Sent, frames_around, with_points
from transforms.classify.model.reply import Choice
from transforms.classify.model.requests import Question, SuitePrompt
from transforms.classify.model.settings import ModelSettings
from transforms.keys import derived_uuid

CANDIDATES = 3
PROMPTS_KEPT = 64

ASK = "Which action do these steps carry out? Answer in the required form."


class ModelClassifier:
    """Classifies segments with one model configuration.

    ``load_frame`` gives the bytes of a published frame; without it no pictures are sent. Coroutines
    run in the process's loop (``ModelLoop.shared().submit``).
    """

    prompt_version = requests.PROMPT_VERSION

    def __init__(self, settings: ModelSettings, load_frame: LoadFrame | None = None) -> None:
        settings.check()
        self.settings = settings
        self.configuration: dict[str, Any] = settings.configuration
        self.model = Model(
            id=derived_uuid("model", settings.provider, settings.model),
            provider=settings.provider,
            name=settings.model,
        )
        replies = ModelLoop.shared().replies(settings.endpoint, settings.cache)
        self.endpoint = replies.endpoint
        self.asker = Asker(Forms(replies, settings))
        self._load_frame = load_frame if settings.configuration.get("pictures", True) else None
        self._prompts: collections.OrderedDict[bytes, SuitePrompt] = collections.OrderedDict()
        calibration = settings.calibration
        self._calibration = Calibration.from_dict(calibration) if calibration else None

    async def classify(self, context: SegmentContext) -> Classification:
        """Returns what the model says of one segment, checked.

        ``status`` is ``failed`` where there is no usable answer in the end, else ``review``:
        ``decide`` says what becomes of it. Raises ConfigurationFault when the endpoint refuses
        everything.
        """
        async with self.endpoint.room:
            return self.classification(context, await self.find(context))

    async def classify_all(self, contexts: Sequence[SegmentContext]) -> list[Classification]:
        """Returns the classifications of the segments of one session, in order.

        They are asked for at the same time: an answer does not depend on other answers. With
        ``segments_per_request`` above 1, neighbours share a request, without pictures.
        """
        size = self.settings.segments_per_request
        packs = [contexts[i : i + size] for i in range(0, len(contexts), size)]
        found = await asyncio.gather(*(self._find_pack(pack) for pack in packs))
        findings = [f for pack in found for f in pack]
        return [self.classification(c, f) for c, f in zip(contexts, findings)]

    async def _find_pack(self, pack: Sequence[SegmentContext]) -> list[Finding]:
        async with self.endpoint.room:
            if len(pack) == 1:
                return [await self.find(pack[0])]
            from transforms.classify.model.packing import find_packed

            return await find_packed(self, pack)

    def classification(self, context: SegmentContext, finding: Finding) -> Classification:
        """Puts a finding into the form that all classifiers return."""
        answer = finding.answer
        reasons = [finding.reason] if finding.reason else []
        confidence = finding.confidence
        if answer is not None:
            confidence = combined(confidence, answer.grounded, answer.complete)
            if finding.source == "verbal" and (answer.grounded < 1 or not answer.cited):
                reasons.append("verbal_confidence_only")
        for reason in reasons:
            self.endpoint.counts[f"reason_{reason}"] += 1
        found = Classification(
            segment=context.segment,
            action=answer.action if answer else None,
            parameters=answer.parameters if answer else {},
            evidence=answer.evidence if answer else (),
            confidence=confidence,
            confidence_source=finding.source,
            status=FAILED if finding.failed else REVIEW,
            reasons=tuple(reasons),
            candidates=finding.candidates,
            model_id=self.model.id,
            model=self.model.name,
            configuration=self.settings.index,
            usage=finding.usage,
        )
        return calibrated(found, self._calibration)

    def prompt(self, suite: Suite) -> SuitePrompt:
        """Returns the parts that all requests about a Suite share."""
        key = msgspec.json.encode(suite)
        if key not in self._prompts:
            self._prompts[key] = SuitePrompt(suite)
            if len(self._prompts) > PROMPTS_KEPT:
                self._prompts.popitem(last=False)
        return self._prompts[key]

    async def find(self, context: SegmentContext, evidence: Evidence | None = None) -> Finding:
        """Asks about a segment, or a stretch of it; what is too long is halved until it fits."""
        evidence = evidence or gather(context)
        finding = await self._asked(context, evidence)
        if not finding.too_long:
            return finding
        self.endpoint.counts["split"] += 1
        if len(evidence.steps) > 1:
            parts = await asyncio.gather(*(self.find(context, h) for h in evidence.halves()))
            return merged(parts, finding.usage)
        short = gather(context, short=True).only(evidence)
        if short == evidence:
            return finding
        return await self._asked(context, short, pictures=False)

    async def _asked(
        self, context: SegmentContext, evidence: Evidence, pictures: bool = True
    ) -> Finding:
        if not pictures or self._load_frame is None:
            return await self._asked_with(context, evidence, Sent())
        sent = await asyncio.to_thread(frames_around, context, evidence, self._load_frame)
        finding = await self._asked_with(context, with_points(evidence, sent), sent)
        if not (finding.too_long and sent.frames):
            return finding
        again = await self._asked_with(context, evidence, Sent())  # pictures are the first to go
        return msgspec.structs.replace(again, usage=added(finding.usage, again.usage))

    async def _asked_with(self, context: SegmentContext, evidence: Evidence, sent: Sent) -> Finding:
        prompt = self.prompt(context.suite)
        question = Question(
            system=prompt.one,
            shown=evidence.shown(),
            ask=ASK,
            schema=prompt.schema,
            pictures=sent.named(),
            max_tokens=self.asker.forms.max_tokens,
        )
        read = functools.partial(_read, suite=context.suite, evidence=evidence)
        asked = await self.asker.ask(question, sent.pictures(), read)
        if asked.value is None:
            return Finding(
                reason=asked.reason,
                failed=asked.failed,
                too_long=asked.too_long,
                usage=asked.usage,
            )
        samples, usage, lost = asked.samples, asked.usage, ""
        wanted = self.settings.configuration.get("votes", 0)
        if wanted > len(samples) and not asked.form.several:
            drawn, usage, lost = await self.asker.sample(
                asked, sent.pictures(), read, wanted - len(samples)
            )
            samples = (*samples, *drawn)
        finding = weighed(asked, samples, usage, context.suite)
        return msgspec.structs.replace(finding, reason=lost)


def _read(text: str, suite: Suite, evidence: Evidence) -> Answer | Unusable:
    return read_answer(read_object(text), suite, evidence)


def weighed(
    asked: Asked[Answer], samples: Sequence[Answer | Unusable], usage: Usage, suite: Suite
) -> Finding:
    """Adds a confidence: of the tokens, else of the samples, else the model's own word."""
    answer, choice = asked.value, asked.choice
    assert answer is not None and choice is not None
    if len(samples) > 1:
        votes = [s.action if isinstance(s, Answer) else None for s in samples]
        winner, share, candidates = vote_share(votes)
        best = next(s for s in samples if isinstance(s, Answer) and s.action == winner)
        return Finding(
            answer=best,
            confidence=share,
            source="votes",
            candidates=candidates[:CANDIDATES],
            usage=usage,
        )
    likely, others = token_confidence(choice, ("choice", "action"), suite)
    if likely is None:
        likely, others = token_confidence(choice, ("action",), suite)
    source = "logprobs"
    if likely is None:
        likely, source = answer.verbal, "verbal"
    own = () if likely is None else (Candidate(answer.action, round(likely, 6)),)
    return Finding(
        answer=answer,
        confidence=likely,
        source="none" if likely is None else source,
        candidates=(*own, *others)[:CANDIDATES],
        usage=usage,
    )


def token_confidence(
    choice: Choice, path: tuple[str | int, ...], suite: Suite
) -> tuple[float | None, tuple[Candidate, ...]]:
    """Returns the probability of the action written at ``path``, and what else it could be."""
    span = value_span(choice.text, path)
    return (
        span_probability(choice, span),
        alternatives_at(choice, span, [a.name for a in suite.actions]),
    )
