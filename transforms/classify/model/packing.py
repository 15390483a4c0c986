"""Several segments in one request: each is checked by itself, what is missing is asked again.

The request names segments by ids of its own (``q0`` …). Rows with unknown ids are thrown away, an
id that is answered twice counts as not answered, a truncated list keeps its complete rows. What is
missing is asked for in halves; a single segment is asked for in the form without list and id, in
which nothing can be mislabelled. So none is lost, and the recovery always changes the request.
Neighbours may sway each other, so members and order of a pack are part of its key by being in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from schemas.classifications import Candidate, Usage
from transforms.classify.classifier import SegmentContext
from transforms.classify.model.answers import (
    Answer,
    Unusable,
    read_answer,
    read_object,
    salvaged_rows,
)
from transforms.classify.model.classifier import CANDIDATES, ModelClassifier, token_confidence
from transforms.classify.model.evidence import Evidence, gather
from transforms.classify.model.merging import Finding, added
from transforms.classify.model.reply import Choice, Reply
from transforms.classify.model.requests import Question

ASK_MANY = "Which action does each segment carry out? Give one item for each id."


async def find_packed(
    classifier: ModelClassifier, contexts: Sequence[SegmentContext]
) -> list[Finding]:
    """Returns a finding for each segment, in order; the segments are of one Suite."""
    items = [(context, gather(context)) for context in contexts]
    return await _found(classifier, items)


async def _found(
    classifier: ModelClassifier, items: list[tuple[SegmentContext, Evidence]]
) -> list[Finding]:
    if len(items) == 1:
        return [await classifier.find(*items[0])]
    answered, spent, ended = await _asked_once(classifier, items)
    if ended is not None:
        return [ended] * len(items)
    missing = [i for i in range(len(items)) if i not in answered]
    if missing:
        classifier.endpoint.counts["rows_asked_again"] += len(missing)
        size = max(1, (len(missing) + 1) // 2)
        parts = [missing[i : i + size] for i in range(0, len(missing), size)]
        again = await asyncio.gather(
            *(_found(classifier, [items[i] for i in part]) for part in parts)
        )
        for part, findings in zip(parts, again):
            answered.update(zip(part, findings))
    found = [answered[i] for i in range(len(items))]
    # The first segment bears what the request cost; no token is counted twice.
    found[0] = msgspec.structs.replace(found[0], usage=added(spent, found[0].usage))
    return found


async def _asked_once(
    classifier: ModelClassifier, items: list[tuple[SegmentContext, Evidence]]
) -> tuple[dict[int, Finding], Usage, Finding | None]:
    """Returns what was answered usably, what it cost, and what ends the matter for all."""
    asker = classifier.asker
    prompt = classifier.prompt(items[0][0].suite)
    question = Question(
        system=prompt.many,
        shown={"segments": [{"id": f"q{i}", **e.shown()} for i, (_, e) in enumerate(items)]},
        ask=ASK_MANY,
        schema=prompt.rows,
        name="classifications",
        max_tokens=asker.forms.max_tokens * len(items),
    )
    outcome, _ = await asker.forms.ask(question, {})
    if not isinstance(outcome, Reply):
        reason = getattr(outcome, "reason", "")
        if reason:  # the budget, or an endpoint that does not answer: smaller packs fare no better
            ended = Finding(reason=reason, failed=reason != "budget")
            return {}, Usage(), ended
        return {}, Usage(), None
    spent = asker.added(Usage(), outcome)
    per_choice = [_rows(c, items) for c in outcome.choices if not c.refusal]
    answered: dict[int, Finding] = {}
    for i in range(len(items)):
        samples = [rows[i] for rows in per_choice if i in rows]
        if samples:
            answered[i] = _joined(samples, len(outcome.choices))
    return answered, spent, None


def _rows(choice: Choice, items: list[tuple[SegmentContext, Evidence]]) -> dict[int, Finding]:
    """The usable rows of one answer, by place of their segment."""
    whole = read_object(choice.text)
    rows: Any = whole.get("items") if whole else salvaged_rows(choice.text)
    places = {f"q{i}": i for i in range(len(items))}
    found: dict[int, Finding] = {}
    seen: set[int] = set()
    for number, row in enumerate(rows if isinstance(rows, list) else []):
        place = places.get(str(row.get("id"))) if isinstance(row, dict) else None
        if place is None:
            continue
        if place in seen:
            found.pop(place, None)
            continue
        seen.add(place)
        context, evidence = items[place]
        answer = read_answer(row, context.suite, evidence)
        if isinstance(answer, Unusable):
            continue
        path = ("items", number, "choice", "action")
        likely, others = token_confidence(choice, path, context.suite)
        confidence = answer.verbal if likely is None else likely
        own = () if confidence is None else (Candidate(answer.action, round(confidence, 6)),)
        source = "logprobs" if likely is not None else "verbal"
        found[place] = Finding(
            answer=answer,
            confidence=confidence,
            source="none" if confidence is None else source,
            candidates=(*own, *others)[:CANDIDATES],
        )
    return found


def _joined(samples: list[Finding], drawn: int) -> Finding:
    """One sample as it is; several as a vote."""
    if drawn == 1:
        return samples[0]
    from transforms.classify.model.confidence import vote_share

    votes = [s.answer.action if s.answer else None for s in samples]
    winner, share, candidates = vote_share([*votes, *[None] * (drawn - len(votes))])
    best = next(s for s in samples if isinstance(s.answer, Answer) and s.answer.action == winner)
    return msgspec.structs.replace(
        best, confidence=share, source="votes", candidates=candidates[:CANDIDATES]
    )
