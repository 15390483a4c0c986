"""What a page says around the element that was used: its row, dialog, menu, and the headings.

Read only for parameters that nothing else fills: a button named ``Archive`` says what is done, and
the heading above it to what.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas.trajectories import Action, PreparedSession
from transforms.classify.facts import StepFacts, name_of, role_of
from transforms.classify.sources import Source
from transforms.dom import DomDefect, DomNode, DomTree, parse_dom

CONTAINER_ROLES = frozenset(
    "listitem row article dialog alertdialog menu group option treeitem gridcell card".split()
)
"""What stands for one thing among others of its kind."""
_TITLE_TAGS = ("h1", "h2", "h3", "h4", "h5", "h6")
MAX_TEXT = 200


def page_sources(prepared: PreparedSession, facts: StepFacts) -> tuple[Source, ...]:
    """Returns the names of what surrounds a step's element, the nearest first."""
    text = prepared.dom.get(facts.step.observation.dom or "")
    if not text:
        return ()
    try:
        tree = parse_dom(text, "json" if text.lstrip()[:1] in "{[" else "xml")
    except DomDefect:
        return ()
    ids = facts.action.raw_event_ids
    seen: dict[str, str] = {}
    own = facts.name.strip()
    path = _path_to(tree, facts.action)
    for kind, name in (*_around(path, own), *_headings(tree, path)):
        name = " ".join(name.split())[:MAX_TEXT]
        if name and name != own:
            seen.setdefault(name, kind)
    return tuple(
        Source(kind=kind, detail=name, words=(), value=name, event_ids=ids)
        for name, kind in seen.items()
    )


def _path_to(tree: DomTree, action: Action) -> list[DomNode]:
    """The element of an action and what it lies in, innermost first; empty when not found."""
    element = action.element or action.target
    if element is None:
        return []
    name, role = name_of(action), role_of(action)
    best: list[DomNode] = []
    best_score = 0
    path: list[DomNode] = []
    stack: list[tuple[DomNode, int]] = [(tree.root, 0)]
    while stack:
        node, depth = stack.pop()
        del path[depth:]
        path.append(node)
        score = 0
        if element.id and node.id == element.id:
            score += 4
        if element.bounds is not None and node.bounds == element.bounds:
            score += 3
        if name and node.accessible_name == name:
            score += 2
        if role and node.role == role:
            score += 1
        if score > best_score and score >= 3:
            best, best_score = list(reversed(path)), score
        stack.extend((child, depth + 1) for child in reversed(node.children))
    return best


def _around(path: list[DomNode], own: str) -> Iterator[tuple[str, str]]:
    for node in path[1:]:
        named = node.role in CONTAINER_ROLES and node.name
        if named and node.name:
            yield "row", node.name
        if node.role not in CONTAINER_ROLES and node.tag not in ("tr", "li"):
            continue
        titles = [
            found.accessible_name or found.inner_text()
            for found in DomTree(node).iter()
            if found.role in ("heading", "link") or found.tag in ("strong", "b", *_TITLE_TAGS)
        ]
        for title in titles[:2]:
            if title and title.strip() != own:
                yield "row", title
        return


def _headings(tree: DomTree, path: list[DomNode]) -> Iterator[tuple[str, str]]:
    """Headings of the page, those of an open dialog first, the highest level first."""
    dialogs = [n for n in tree.iter() if n.role in ("dialog", "alertdialog")]
    for place in (*dialogs[-1:], tree.root):
        found = [n for n in DomTree(place).iter() if n.role == "heading" or n.tag in _TITLE_TAGS]
        found.sort(key=lambda n: n.tag if n.tag in _TITLE_TAGS else "h1")
        for node in found[:2]:
            yield "heading", node.accessible_name or node.inner_text()
