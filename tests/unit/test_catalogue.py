"""Catalogue files: names become ids, and every mistake is told with its place."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.catalogue import Catalogue
from transforms.catalogue import CatalogueError, given_id, load_catalogue, parse_catalogue

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "catalogue.yaml"

SMALL = """
suites:
  - name: Shop
    match: {hosts: "shop.test*", windows: ["*Shop*"]}
    actions:
      - name: add_to_cart
        parameters:
          - {name: product, required: true}
          - {name: quantity, type: number, default: 1, from: {request: quantity}}
        match:
          - {event: click, name: "Add*", weight: 0.5}
          - {keys: "Control+Enter"}
      - name: pay
mcp_servers:
  - name: tools
    tools:
      - name: cart.put
        parameters:
          - {name: item, type: STRING, required: true}
          - {name: count, type: NUMBER}
action_tool_maps:
  - name: shop-tools
    suite: Shop
    mcp_server: tools
    tool_mappings:
      - action: add_to_cart
        tool: cart.put
        parameter_mappings:
          - {action_parameter: product, tool_parameter: item}
"""


def parse(text: str) -> Catalogue:
    return parse_catalogue(text.encode(), "shop.yaml")


def test_names_are_resolved_to_ids_everywhere() -> None:
    catalogue = parse(SMALL)
    (suite,) = catalogue.suites
    add, _ = suite.actions
    (server,) = catalogue.mcp_servers
    (mapping,) = catalogue.action_tool_maps[0].tool_mappings
    (parameter,) = mapping.parameter_mappings
    assert catalogue.action_tool_maps[0].suite_id == suite.id == add.suite_id
    assert (mapping.action_id, mapping.tool_id) == (add.id, server.tools[0].id)
    assert parameter.action_parameter_id == add.parameters[0].id
    assert parameter.tool_parameter_id == server.tools[0].parameters[0].id
    assert suite.hosts == ("shop.test*",)
    assert add.parameters[1].type == "NUMBER"
    assert add.parameters[1].source == {"request": "quantity"}
    assert add.match[0].weight == 0.5
    assert add.match[1].keys == ("Control+Enter",)
    for one in (suite.id, add.id, server.id, mapping.id, parameter.id):
        assert str(uuid.UUID(one)) == one


def test_ids_and_fingerprint_depend_on_names_only() -> None:
    again = parse("# another comment\n" + SMALL)
    assert again == parse(SMALL)
    assert parse(SMALL.replace("pay", "buy")).fingerprint != again.fingerprint


def test_the_bundled_catalogue_loads() -> None:
    catalogue = load_catalogue(str(EXAMPLE))
    assert [len(s.actions) for s in catalogue.suites] == [10, 11, 11]
    assert {m.suite_id for m in catalogue.action_tool_maps} == {s.id for s in catalogue.suites}


def wire_form(catalogue: Catalogue) -> dict:
    """The entities as the backend writes them: ids everywhere, maps inside their suite."""
    suites = []
    for suite in catalogue.suites:
        actions = [
            {
                **{k: getattr(a, k) for k in ("id", "suite_id", "name", "description")},
                "parameters": [
                    {
                        **{
                            k: getattr(p, k)
                            for k in ("id", "action_id", "name", "type", "required", "description")
                        },
                        **({"default": p.default} if p.default is not None else {}),
                    }
                    for p in a.parameters
                ],
            }
            for a in suite.actions
        ]
        maps = [
            msgspec.to_builtins(m) for m in catalogue.action_tool_maps if m.suite_id == suite.id
        ]
        suites.append(
            {"id": suite.id, "name": suite.name, "actions": actions, "action_tool_maps": maps}
        )
    return {"suites": suites, "mcp_servers": msgspec.to_builtins(catalogue.mcp_servers)}


def test_the_wire_form_gives_the_same_entities() -> None:
    catalogue = load_catalogue(str(EXAMPLE))
    data = json.dumps(wire_form(catalogue)).encode()
    again = parse_catalogue(data, "catalogue.json")
    assert again.action_tool_maps == catalogue.action_tool_maps
    assert again.mcp_servers == catalogue.mcp_servers
    assert [a.id for s in again.suites for a in s.actions] == [
        a.id for s in catalogue.suites for a in s.actions
    ]


def test_ids_that_are_no_uuid_may_be_referred_to() -> None:
    catalogue = parse(SMALL.replace("- name: Shop", "- name: Shop\n    id: suite-7"))
    assert catalogue.suites[0].id == given_id("suite-7")
    by_id = SMALL.replace("- name: Shop", "- name: Shop\n    id: suite-7").replace(
        "suite: Shop", "suite_id: suite-7"
    )
    assert parse(by_id).action_tool_maps[0].suite_id == given_id("suite-7")


MISTAKES = {
    "two actions of one name": ("name: pay", "name: add_to_cart", ["actions[1]", "one name"]),
    "unknown action": ("action: add_to_cart", "action: add_to_card", ["add_to_cart'?"]),
    "unknown tool": ("tool: cart.put", "tool: cart.get", ["'cart.put'?"]),
    "unknown suite": ("suite: Shop\n", "suite: Bank\n", ["Bank", "allowed: Shop"]),
    "unknown server": ("mcp_server: tools", "mcp_server: x", ["allowed: tools"]),
    "unknown action parameter": (
        "action_parameter: product",
        "action_parameter: prod",
        ["product"],
    ),
    "unknown tool parameter": ("tool_parameter: item", "tool_parameter: thing", ["item, count"]),
    "required parameter unmapped": (
        "{action_parameter: product, tool_parameter: item}",
        "{action_parameter: quantity, tool_parameter: count}",
        ["required tool parameter 'item'", "product, quantity", "action_tool_maps[0]"],
    ),
    "unknown type": ("type: number", "type: integer", ["NUMBER", "'quantity'"]),
    "unknown key": ("required: true}", "requird: true}", ["did you mean 'required'?"]),
    "unknown event": ("event: click", "event: clik", ["did you mean 'click'?"]),
    "weight": ("weight: 0.5", "weight: 5", ["at most 1"]),
    "no condition": ('{keys: "Control+Enter"}', "{weight: 0.2}", ["needs a condition"]),
    "reserved name": ("name: pay", "name: none", ["choose another name"]),
    "yaml booleans": ("name: pay", "name: on", ["found true", "quotes"]),
    "default of another type": ("default: 1", "default: one", ["type NUMBER"]),
    "from": ("{request: quantity}", "{element: colour}", ["allowed: name, text"]),
    "duplicate key": ("- name: pay", "- name: pay\n        name: buy", ["'name' stands twice"]),
    "no yaml": ("suites:", "suites: [", ["not YAML"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_name_file_line_and_remedy(mistake: str) -> None:
    before, after, told = MISTAKES[mistake]
    assert before in SMALL
    with pytest.raises(CatalogueError) as caught:
        parse(SMALL.replace(before, after, 1))
    message = str(caught.value)
    assert message.startswith("shop.yaml:")
    assert message.split(":")[1].strip().isdigit()
    for part in told:
        assert part in message


def test_duplicate_ids_are_refused() -> None:
    same = "0c9e2b3a-6a0e-4f43-8d6d-0a4f5d5b9b11"
    text = SMALL.replace("- name: pay", f"- name: pay\n        id: {same}").replace(
        "- name: tools", f"- name: tools\n    id: {same}"
    )
    with pytest.raises(CatalogueError, match=r"already that of .*'pay'"):
        parse(text)


def test_a_parent_id_must_be_the_parents() -> None:
    text = SMALL.replace("- name: pay", "- name: pay\n        suite_id: Bank")
    with pytest.raises(CatalogueError, match="suite_id"):
        parse(text)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "a mapping"),
        (b"{}", "suites"),
        (b"[1]", "suites[0]"),
        (b"\xff\xfe", "UTF-8"),
        (b'{"suites": [}', "not JSON"),
        (b'{"suites": [], "suites": []}', "twice"),
    ],
)
def test_files_that_are_no_catalogue(data: bytes, told: str) -> None:
    with pytest.raises(CatalogueError) as caught:
        parse_catalogue(data, "c.json" if data.startswith(b"{") and len(data) > 2 else "c.yaml")
    assert told in str(caught.value)


def test_a_missing_file_is_a_catalogue_error(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"nothing\.yaml"):
        load_catalogue(str(tmp_path / "nothing.yaml"))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_damage_gives_another_exception(data: st.DataObject) -> None:
    """Whatever is put in place of any value: it loads, or it is a CatalogueError."""
    content = yaml.safe_load(SMALL)
    node = content
    for _ in range(data.draw(st.integers(1, 7))):
        if isinstance(node, dict) and node:
            key = data.draw(st.sampled_from(sorted(node)))
        elif isinstance(node, list) and node:
            key = data.draw(st.integers(0, len(node) - 1))
        else:
            break
        parent, node = node, node[key]
    parent[key] = data.draw(
        st.sampled_from([None, 1, True, "x", "", [], {}, [None], {"name": "x"}, 1.5, [["x"]]])
    )
    try:
        parse_catalogue(json.dumps(content).encode(), "shop.json")
    except CatalogueError as error:
        assert str(error).startswith("shop.json:")
