"""Grounding: an action's point becomes an element with a role, a name and an offset."""

from __future__ import annotations

from schemas.traces import Bounds, Target
from schemas.trajectories import Action, Element
from transforms.dom import INTERACTIVE_ROLES, DomNode, DomTree, implicit_role

SHIFTED_PX = 4.0
"""Bounds this far apart mean that the page moved between the snapshot and the action."""
MAX_TEXT_NAME = 80
"""Characters of text that can name an element which is no control."""

_CONTENT_ROLES = frozenset(("textbox", "searchbox", "combobox", "spinbutton", "slider"))
"""What such an element shows is its content, not its name."""


def ground(action: Action, tree: DomTree | None) -> Element | None:
    """Returns the element an action went to; None when neither a target nor a point says it.

    A hit test on the snapshot finds the interactive element at the action's point. Where the event
    named its target itself, the target decides which element it was, since the page may have moved
    since the snapshot; the snapshot then adds what the target leaves open. ``source`` says which of
    the two the element comes from. ``offset`` is that of the point from the element's top left
    corner, CSS pixels.
    """
    target = action.target
    node = _node_at(action, tree) if tree is not None else None
    if target is None or not _says_something(target):
        return _of_node(node, action) if node is not None else None
    if node is not None and _is_same(node, target):
        return _of_both(node, target, action)
    same = _find(tree, target) if tree is not None else None
    if same is not None:
        return _of_both(same, target, action)
    return _of_target(target, action)


def _node_at(action: Action, tree: DomTree) -> DomNode | None:
    if action.x is None or action.y is None:
        return None
    node = tree.hit_test(action.x, action.y)
    return None if node is tree.root and not node.interactive else node


def _says_something(target: Target) -> bool:
    return any((target.tag, target.id, target.name, target.role, target.label, target.text))


def _is_same(node: DomNode, target: Target) -> bool:
    """Whether a node of a snapshot is the element an event named."""
    if target.id and node.id:
        return target.id == node.id
    if target.tag and node.tag and target.tag.lower() != node.tag.lower():
        return False
    if target.bounds is not None and node.bounds is not None:
        return all(abs(a - b) <= SHIFTED_PX for a, b in zip(target.bounds, node.bounds))
    name = _target_name(target)
    return name is None or name == node.accessible_name


def _find(tree: DomTree, target: Target) -> DomNode | None:
    """The node of a target that lies elsewhere in the snapshot, by id, else by role and name."""
    if target.id:
        return tree.by_id(target.id)
    name, role = _target_name(target), _target_role(target)
    if name is None or role is None:
        return None
    found = [n for n in tree.iter() if n.role == role and n.accessible_name == name]
    return found[0] if len(found) == 1 else None


def _target_role(target: Target) -> str | None:
    return target.role or implicit_role(target.tag and target.tag.lower(), target.input_type)


def _target_name(target: Target) -> str | None:
    said = target.label or target.name
    if not said and target.text and _target_role(target) not in _CONTENT_ROLES:
        # The text of a whole page or list names nothing.
        is_short = len(target.text) <= MAX_TEXT_NAME
        said = target.text if is_short or _target_role(target) in INTERACTIVE_ROLES else None
    return " ".join(said.split())[:200] or None if said else None


def _offset(action: Action, bounds: Bounds | None) -> tuple[float, float] | None:
    if bounds is None or action.x is None or action.y is None:
        return None
    return (round(action.x - bounds[0], 2), round(action.y - bounds[1], 2))


def _of_node(node: DomNode, action: Action) -> Element:
    return Element(
        role=node.role,
        name=node.accessible_name,
        tag=node.tag,
        id=node.id,
        label=node.attributes.get("label"),
        input_type=node.input_type,
        bounds=node.bounds,
        offset=_offset(action, node.bounds),
        source="dom",
    )


def _of_target(target: Target, action: Action) -> Element:
    return Element(
        role=_target_role(target),
        name=_target_name(target),
        tag=target.tag,
        id=target.id,
        label=target.label,
        input_type=target.input_type,
        selector=target.selector,
        bounds=target.bounds,
        offset=_offset(action, target.bounds),
        source="target",
    )


def _of_both(node: DomNode, target: Target, action: Action) -> Element:
    said = _of_target(target, action)
    seen = _of_node(node, action)
    bounds = said.bounds or seen.bounds
    return Element(
        role=said.role or seen.role,
        name=said.name or seen.name,
        tag=said.tag or seen.tag,
        id=said.id or seen.id,
        label=said.label or seen.label,
        input_type=said.input_type or seen.input_type,
        selector=said.selector,
        bounds=bounds,
        offset=_offset(action, bounds),
        source="dom",
    )


def ground_given(action: Action, element_id: str, tree: DomTree | None) -> Element:
    """Returns the element a trajectory names by id, as far as the snapshot shows it."""
    node = tree.by_id(element_id) if tree is not None else None
    if node is not None:
        return _of_node(node, action)
    found = ground(action, tree)
    if found is not None:
        return found
    return Element(id=element_id, source="given")
