"""Values that a snapshot holds in several elements: split for looks, or beside their label.

Pages write a card as four spans, mark what matched a search in the middle of an address, and put a
number into the cell beside the word that says what it is. Each element by itself shows nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from schemas.findings import Span
from transforms.dom import DomNode

INLINE_TAGS = frozenset(
    """span b i em strong mark a font u s small sub sup bdi bdo code kbd tt ins del abbr time data
    wbr text statictext inlinetextbox""".split()
)
LABELLED_TAGS = frozenset((("dt", "dd"), ("th", "td"), ("td", "td")))
OWN_TEXT = -1
MAX_PIECES = 24
MIN_CHARS, MAX_CHARS = 6, 300


def groups_of_pieces(node: DomNode) -> Iterator[tuple[str, list[int]]]:
    """Yields (what joins them, places) for the children of a node that are to be read in one.

    The node's own text is OWN_TEXT in a group. Where it lies between the children is not known, so
    it is tried before and behind them.
    """
    children = node.children
    if not children:
        return
    inline = [
        place
        for place, child in enumerate(children[:MAX_PIECES])
        if _is_leaf(child) and (child.tag or "").lower() in INLINE_TAGS
    ]
    own = [OWN_TEXT] if node.text and inline else []
    for group in ([*own, *inline], [*inline, *own]) if own else (inline,):
        if len(group) > 1:
            yield "", group
            yield " ", group
    for place, (label, value) in enumerate(pairwise(children)):
        if _is_leaf(label) and _is_leaf(value):
            if _ends_in_colon(label):
                yield " ", [place, place + 1]
            elif ((label.tag or "").lower(), (value.tag or "").lower()) in LABELLED_TAGS:
                yield ": ", [place, place + 1]


def _is_leaf(node: DomNode) -> bool:
    return bool(node.text) and not node.children


def _ends_in_colon(node: DomNode) -> bool:
    return (node.text or "").rstrip().endswith(":")


def worth_a_search(joined: str) -> bool:
    """Whether patterns may be found in a joined text, which is cheap to tell."""
    return MIN_CHARS <= len(joined) <= MAX_CHARS and (
        "@" in joined or any(char.isdigit() for char in joined)
    )


def replaced_in_pieces(
    parts: Sequence[str], joiner: str, spans: Sequence[Span], replacements: Sequence[str]
) -> list[str]:
    """Returns parts in which each span of the joined text is replaced.

    What stands for a span is written where it begins; its other parts lose theirs.
    """
    made = list(parts)
    starts = [0]
    for part in parts:
        starts.append(starts[-1] + len(part) + len(joiner))
    for span, new in reversed(list(zip(spans, replacements))):
        touched = [
            number
            for number, (start, part) in enumerate(zip(starts, parts))
            if max(span.start, start) < min(span.end, start + len(part))
        ]
        for number in touched:
            start = starts[number]
            low = max(span.start - start, 0)
            high = min(span.end - start, len(parts[number]))
            said = new if number == touched[0] else ""
            made[number] = made[number][:low] + said + made[number][high:]
    return made
