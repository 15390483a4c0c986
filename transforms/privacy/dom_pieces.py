"""Values that a snapshot holds in several elements: split for looks, or beside their label.

Pages write a card as four spans, mark what matched a search in the middle of an address, and put a
number into the cell beside the word that says what it is. Each element by itself shows nothing.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from schemas.findings import Span
from transforms.dom import DomNode, DomTree

INLINE_TAGS = frozenset(
    """span b i em strong mark a font u s small sub sup bdi bdo code kbd tt ins del abbr time data
    wbr text statictext inlinetextbox""".split()
)
LABELLED_TAGS = frozenset((("dt", "dd"), ("th", "td"), ("td", "td")))
_ENDS = frozenset(":st \n")
"""In which texts end that announce what follows."""
MAX_CAPTION = 40
MAX_PIECES = 24
MIN_CHARS, MAX_CHARS = 6, 300


def groups_of_pieces(node: DomNode) -> Iterator[tuple[str, list[DomNode]]]:
    """Yields (what joins them, elements) for elements below a node that are to be read in one.

    The node itself stands for its own text. Where that lies between the children is not known, so
    it is tried before and behind them.
    """
    children = node.children
    if not children:
        return
    inline = [
        child
        for child in children[:MAX_PIECES]
        if _is_leaf(child) and (child.tag or "").lower() in INLINE_TAGS
    ]
    own = [node] if node.text and inline else []
    for group in ([*own, *inline], [*inline, *own]) if own else (inline,):
        if len(group) > 1:
            yield "", group
            yield " ", group
    if len(children) > 1:
        yield from _labelled(children)
    if (node.tag or "").lower() == "table" or node.role in _TABLES:
        yield from _columns(node)


def _labelled(children: Sequence[DomNode]) -> Iterator[tuple[str, list[DomNode]]]:
    """Yields values with what stands before them and names them."""
    for label, value in pairwise(children):
        its = label
        if not its.text:
            its = _leaf(label) if len(label.children) == 1 else None
            if its is None:
                continue
        elif label.children:
            continue
        text = its.text or ""
        if text[-1] in _ENDS and _announces(text):
            joiner = " "
        elif (label.tag, value.tag) in LABELLED_TAGS or (
            len(text) <= MAX_CAPTION and _is_caption(text)
        ):
            joiner = ": "
        else:
            continue
        said = _leaf(value)
        if said is not None:
            yield joiner, [its, said]


def _columns(table: DomNode) -> Iterator[tuple[str, list[DomNode]]]:
    """Yields the cells under a head that says what they are, with that head."""
    heads: list[tuple[int, DomNode]] = []
    for row in DomTree(table).iter():
        cells = row.children
        if not cells or ((row.tag or "").lower() != "tr" and row.role != "row"):
            continue
        leaves = [_leaf(cell) for cell in cells]
        if any(_is_head(cell) for cell in cells[1:]):
            heads = [
                (place, leaf)
                for place, leaf in enumerate(leaves)
                if leaf is not None and _is_caption(leaf.text or "")
            ]
            continue
        for place, head in heads:
            if place < len(leaves) and (said := leaves[place]) is not None:
                yield ": ", [head, said]


_TABLES = frozenset(("table", "grid", "treegrid"))


def _is_head(cell: DomNode) -> bool:
    return (cell.tag or "").lower() == "th" or cell.role == "columnheader"


def _is_leaf(node: DomNode) -> bool:
    return bool(node.text) and not node.children


def _leaf(node: DomNode) -> DomNode | None:
    """The element in which all that a node says stands, however deep; None if there is none."""
    while not node.text and len(node.children) == 1:
        node = node.children[0]
    return node if node.text and not node.children else None


def _announces(text: str) -> bool:
    return text.rstrip().endswith((":", " is", " ist", " est"))


@functools.lru_cache(8192)
def _is_caption(text: str) -> bool:
    """Whether a text is nothing but the name of something that is nobody else's business."""
    return len(text) <= MAX_CAPTION and _CAPTION.fullmatch(text.strip()) is not None


_CAPTION = re.compile(
    r"(?:[\w'’\-]+ ){0,3}?(?:password|passwort|kennwort|passphrase|passcode|pin|otp|secret|token|"
    r"(?:one[ \-]time|verification) code|(?:recovery|seed) phrase|"
    r"(?:api|access|secret|licen[cs]e|setup|private|security) key|"
    r"phone|telephone|telefon|tel\.?|mobile|fax|ssn|social security|iban|account|kontonummer|"
    r"user ?name|login|date of birth|birthday|dob|geburtsdatum|card|cvv|cvc|passport)"
    r"(?: (?:number|no\.?))?\s?\*?",
    re.IGNORECASE,
)


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
