"""Values that are typed over several small fields: a one-time code of six boxes, a card of four.

No box of them holds anything that looks sensitive, and often only the first says what it is for.
Boxes are one field when they follow each other on a page and are called alike but for a number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from schemas.findings import Span
from schemas.traces import Target
from transforms.privacy.keystrokes import TypingRun
from transforms.privacy.recovery import is_phrase, is_recovery_word

MIN_BOXES = 3
MAX_BOX_CHARS = 6
MIN_CODE_DIGITS = 4
_NUMBER = re.compile(r"\d+")
_CODE = re.compile(r"\d{4,8}")
_ASKS_FOR_CODE = re.compile(
    r"verif(?:y|ication|izier)|\b(?:2fa|mfa|otp)\b|\btwo[ \-]?(?:factor|step)|one[ \-]time|"
    r"authenticat(?:ion|or)|security code|confirm (?:it['’]s you|your identity)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class SplitValue:
    """Boxes that hold one value together."""

    runs: tuple[TypingRun, ...]
    text: str
    entity: str


def split_values(
    runs: Sequence[TypingRun],
    entity_of: Callable[[TypingRun], str | None],
    spans_of: Callable[[str], Sequence[Span]],
) -> list[SplitValue]:
    """Returns the sensitive values that were typed over several fields.

    So is a code typed where a page asks for one, whatever its only field or its boxes are called.

    Args:
        runs: the typing of a session, in order of time.
        entity_of: the entity that a whole field holds, None for an ordinary one.
        spans_of: what is sensitive in a text that was typed.
    """
    found = []
    for boxes in _rows_of_boxes(runs):
        text = "".join(run.text for run in boxes)
        entity = next(filter(None, map(entity_of, boxes)), None) or _entity(boxes, text, spans_of)
        if entity is not None:
            found.append(SplitValue(boxes, text, entity))
    for run in runs:
        is_code = run.target is not None and _CODE.fullmatch(run.text) and entity_of(run) is None
        if is_code and _ASKS_FOR_CODE.search(f"{_page(run.url)} {run.window or ''}"):
            found.append(SplitValue((run,), run.text, "OTP"))
    return found


def _entity(boxes: Sequence[TypingRun], text: str, spans_of) -> str | None:
    """What boxes are of which none says so: digits one by one are a code, else what is found."""
    if text.isdigit() and len(text) >= MIN_CODE_DIGITS and all(len(b.text) == 1 for b in boxes):
        return "OTP"
    words = [box.text for box in boxes]
    if is_phrase(words) and all(map(is_recovery_word, words)):
        return "SECRET"
    whole = [span for span in spans_of(text) if span.end - span.start > len(text) // 2]
    return whole[0].entity if whole else None


def _rows_of_boxes(runs: Sequence[TypingRun]) -> Iterator[tuple[TypingRun, ...]]:
    row: list[TypingRun] = []
    for run in runs:
        fits = run.target is not None and 0 < len(run.text) <= MAX_BOX_CHARS
        fits = fits or (run.target is not None and is_recovery_word(run.text))
        if not (fits and row and _alike(row[-1], run)):
            if len(row) >= MIN_BOXES:
                yield tuple(row)
            row = []
        if fits:
            row.append(run)
    if len(row) >= MIN_BOXES:
        yield tuple(row)


def _alike(one: TypingRun, other: TypingRun) -> bool:
    """Whether two runs went to two boxes of one row."""
    if one.tab != other.tab or _page(one.url) != _page(other.url):
        return False
    names, others = _names(one.target), _names(other.target)
    return any(
        a is not None and b is not None and a != b and _NUMBER.sub("#", a) == _NUMBER.sub("#", b)
        for a, b in zip(names, others)
    )


def _names(target: Target | None) -> tuple[str | None, ...]:
    if target is None:
        return ()
    return (target.id, target.selector, target.name, target.label)


def _page(url: str | None) -> str:
    return (url or "").partition("?")[0].partition("#")[0]
