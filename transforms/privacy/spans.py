"""Spans of one text: shifted, mapped back, merged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from schemas.findings import Span
from transforms.privacy.entities import OTHER_PRIORITY, PRIORITY


def merged(spans: Iterable[Span]) -> list[Span]:
    """Returns disjoint spans that cover all given ones, in order.

    Overlapping spans become one; it is called what the most telling of them is.
    """
    result: list[Span] = []
    for span in sorted(spans):
        if span.end <= span.start:
            continue
        if result and span.start < result[-1].end:
            last = result[-1]
            best = min(last, span, key=lambda s: (PRIORITY.get(s.entity, OTHER_PRIORITY), s.start))
            if span.end > last.end or best is not last:
                result[-1] = Span(
                    last.start,
                    max(last.end, span.end),
                    best.entity,
                    best.origin,
                    max(last.score, span.score),
                )
        else:
            result.append(span)
    return result


def without_doubtful(spans: Iterable[Span]) -> list[Span]:
    """Returns spans without those of names that overlap what a pattern or a rule is sure of."""
    spans = list(spans)
    sure = [span for span in spans if span.origin not in ("ner", "cue")]
    if not sure or len(sure) == len(spans):
        return spans
    return [
        span
        for span in spans
        if span.origin not in ("ner", "cue")
        or not any(span.start < other.end and other.start < span.end for other in sure)
    ]


def shifted(spans: Iterable[Span], offset: int) -> list[Span]:
    """Returns spans moved by a number of characters."""
    return [Span(s.start + offset, s.end + offset, s.entity, s.origin, s.score) for s in spans]


def mapped(spans: Iterable[Span], origin: Sequence[int]) -> list[Span]:
    """Returns spans of a derived text as spans of the text it came from.

    ``origin[i]`` is where character i of the derived text starts; one entry more than characters.
    """
    return [
        Span(origin[s.start], origin[s.end - 1] + 1 if s.end else 0, s.entity, s.origin, s.score)
        for s in spans
        if s.end > s.start
    ]
