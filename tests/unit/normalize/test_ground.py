from __future__ import annotations

import pytest

from schemas.traces import Target
from schemas.trajectories import Action
from transforms.dom import DomNode, DomTree
from transforms.normalize.ground import ground


def action(x: float | None = None, y: float | None = None, target: Target | None = None) -> Action:
    return Action(
        index=0, type="click", start_us=0, end_us=0, raw_event_ids=("e",), x=x, y=y, target=target
    )


def page(*children: DomNode) -> DomTree:
    return DomTree(DomNode(tag="body", bounds=(0, 0, 400, 300), children=list(children)))


def button(text: str, *bounds: float, id: str | None = None) -> DomNode:
    return DomNode(tag="button", role="button", text=text, bounds=bounds, id=id)


def test_a_point_becomes_the_element_there_with_its_offset():
    found = ground(action(25, 35), page(button("Save", 20, 30, 60, 20, id="save")))
    assert (found.role, found.name, found.id, found.tag) == ("button", "Save", "save", "button")
    assert (found.bounds, found.offset, found.source) == ((20, 30, 60, 20), (5, 5), "dom")


def test_the_innermost_interactive_element_counts():
    icon = DomNode(tag="svg", bounds=(22, 32, 10, 10))
    link = DomNode(tag="a", role="link", text="Inbox", bounds=(10, 10, 200, 60), children=[icon])
    assert ground(action(25, 35), page(link)).name == "Inbox"
    inner = button("Delete", 100, 20, 30, 20)
    link.children.append(inner)
    assert ground(action(110, 30), page(link)).name == "Delete"


def test_a_dialog_covers_what_lies_below():
    dialog = DomNode(
        role="dialog", bounds=(0, 0, 200, 200), children=[button("OK", 150, 150, 40, 20)]
    )
    tree = page(button("Send", 10, 10, 40, 20), dialog)
    assert ground(action(15, 15), tree).role == "dialog"
    assert ground(action(160, 155), tree).name == "OK"


def test_a_transparent_layer_that_takes_no_clicks_covers_nothing():
    layer = DomNode(tag="div", bounds=(0, 0, 400, 300))
    assert ground(action(15, 15), page(button("Send", 10, 10, 40, 20), layer)).name == "Send"


def test_a_point_on_no_element_is_no_element():
    assert ground(action(390, 290), page(button("Save", 20, 30, 60, 20))) is None
    assert ground(action(), page(button("Save", 20, 30, 60, 20))) is None
    assert ground(action(5, 5), None) is None


def test_the_target_is_the_element_where_there_is_no_snapshot():
    target = Target(tag="input", input_type="search", label="Search", bounds=(10, 10, 50, 20))
    found = ground(action(12, 15, target), None)
    assert (found.role, found.name, found.source) == ("searchbox", "Search", "target")
    assert found.offset == (2, 5)


def test_the_snapshot_adds_what_the_target_leaves_open():
    target = Target(tag="button", id="save", selector="#save")
    found = ground(action(25, 35, target), page(button("Save", 20, 30, 60, 20, id="save")))
    assert (found.name, found.role, found.selector, found.source) == (
        "Save",
        "button",
        "#save",
        "dom",
    )


def test_the_target_decides_when_the_page_has_moved_since_the_snapshot():
    target = Target(tag="button", name="Archive", role="button", bounds=(20, 30, 60, 20))
    tree = page(button("Delete", 20, 30, 60, 20), button("Archive", 20, 90, 60, 20))
    found = ground(action(25, 35, target), tree)
    assert (found.name, found.bounds, found.offset) == ("Archive", (20, 30, 60, 20), (5, 5))


def test_a_key_finds_its_field_by_the_targets_id():
    field = DomNode(tag="input", role="textbox", id="q", name="Search", bounds=(0, 0, 9, 9))
    found = ground(action(target=Target(tag="input", id="q")), page(field))
    assert (found.name, found.source) == ("Search", "dom")


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (Target(tag="button", label="Label", name="Name", text="Text"), "Label"),
        (Target(tag="button", name="Name", text="Text"), "Name"),
        (Target(tag="button", text=" Two\n words "), "Two words"),
        (Target(tag="input", text="what was typed"), None),
        (Target(tag="textarea", role="textbox", text="what was typed"), None),
        (Target(tag="div", text="a long text " * 20), None),
        (Target(tag="a", text="a long link " * 9), ("a long link " * 9).strip()),
    ],
)
def test_names_of_targets(target, name):
    assert ground(action(target=target), None).name == name


def test_an_empty_target_says_nothing():
    assert ground(action(1, 1, Target()), None) is None
    assert ground(action(25, 35, Target()), page(button("Save", 20, 30, 60, 20))).name == "Save"
