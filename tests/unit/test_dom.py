from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.dom import (
    MAX_DEPTH,
    DomDefect,
    DomNode,
    DomTree,
    map_dom_text,
    parse_dom,
    to_text,
)


def names(tree: DomTree) -> list[str | None]:
    return [node.accessible_name for node in tree.iter()]


# Formats ----------------------------------------------------------------------------------------


def test_json_of_our_own_recorder():
    tree = parse_dom(
        '{"tag":"body","bounds":[0,0,800,600],"children":[{"tag":"input","id":"q",'
        '"role":"searchbox","name":"Search","value":"tents","input_type":"search",'
        '"autocomplete":"off","bounds":[10.5,20,100,30]}]}',
        "json",
    )
    field = tree.by_id("q")
    assert (field.tag, field.role, field.name, field.value) == (
        "input",
        "searchbox",
        "Search",
        "tents",
    )
    assert (field.input_type, field.autocomplete) == ("search", "off")
    assert field.bounds == (10.5, 20, 100, 30)


def test_windows_accessibility_tree():
    tree = parse_dom(
        json.dumps(
            {
                "Name": "Notepad",
                "ControlType": "ControlType.Window",
                "BoundingRectangle": {"left": -8, "top": -8, "right": 792, "bottom": 592},
                "Children": [
                    {
                        "Name": "Save",
                        "ControlType": "Button",
                        "AutomationId": "42",
                        "BoundingRectangle": "(L10, T20, R50, B40)",
                        "Children": [],
                    }
                ],
            }
        ),
        "json",
    )
    assert tree.root.bounds == (-8, -8, 800, 600)
    save = tree.by_id("42")
    assert (save.role, save.name, save.bounds) == ("button", "Save", (10, 20, 40, 20))


def test_role_name_children():
    tree = parse_dom(
        '{"role":"WebArea","name":"Mail","children":[{"role":"Button","name":"Send"}]}', "json"
    )
    assert [(n.role, n.name) for n in tree.iter()] == [("webarea", "Mail"), ("button", "Send")]


def test_values_of_the_chrome_protocol():
    tree = parse_dom('{"role":{"type":"role","value":"button"},"name":{"value":"Send"}}', "json")
    assert (tree.root.role, tree.root.name) == ("button", "Send")


def test_a_list_of_nodes_gets_a_root():
    tree = parse_dom('[{"text":"one","bounds":[0,0,1,1]},{"text":"two"}]', "json")
    assert [child.text for child in tree.root.children] == ["one", "two"]


@pytest.mark.parametrize(
    "bounds",
    [
        [10, 20, 30, 40],
        "10,20,30,40",
        "[10,20][40,60]",
        "(L10, T20, R40, B60)",
        {"x": 10, "y": 20, "width": 30, "height": 40},
        {"left": 10, "top": 20, "width": 30, "height": 40},
        {"left": 10, "top": 20, "right": 40, "bottom": 60},
        {"x_min": 10, "y_min": 20, "x_max": 40, "y_max": 60},
        ["10px", "20", 30, 40.0],
    ],
)
def test_bounds_in_all_their_spellings(bounds):
    assert parse_dom(json.dumps({"bounds": bounds}), "json").root.bounds == (10, 20, 30, 40)


@pytest.mark.parametrize("bounds", [[1, 2, 3], "nothing", {"x": 1}, [1, 2, 3, 1e300], True, [[]]])
def test_bounds_that_are_none(bounds):
    assert parse_dom(json.dumps({"bounds": bounds}), "json").root.bounds is None


def test_generic_xml():
    tree = parse_dom(
        '<?xml version="1.0" encoding="UTF-8"?><xml><node tag="button" role="button" id="42" '
        'name="Save" bounds="1,2,3,4">Save it</node></xml>',
        "xml",
    )
    node = tree.by_id("42")
    assert (node.tag, node.role, node.name, node.text, node.bounds) == (
        "button",
        "button",
        "Save",
        "Save it",
        (1, 2, 3, 4),
    )


def test_android_xml():
    tree = parse_dom(
        '<hierarchy rotation="0"><node class="android.widget.Button" text="OK" '
        'resource-id="app:id/ok" content-desc="Confirm" clickable="true" '
        'bounds="[0,100][200,180]"/></hierarchy>',
        "xml",
    )
    node = tree.root.children[0]
    assert (node.role, node.id, node.name, node.text) == ("button", "app:id/ok", "Confirm", "OK")
    assert (node.bounds, node.interactive) == ((0, 100, 200, 80), True)


def test_at_spi_xml_with_namespaces():
    tree = parse_dom(
        '<desktop-frame xmlns:cp="https://cp.example.org/"><push-button name="Save" '
        'cp:screencoord="(10, 20)" cp:size="(30, 40)"/></desktop-frame>',
        "xml",
    )
    node = tree.root.children[0]
    assert (node.role, node.bounds) == ("button", (10, 20, 30, 40))


def test_html():
    tree = parse_dom(
        "<!doctype html><html><head><title>x</title><script>var a = '<b>';</script></head><body>"
        "<label for=mail>E-mail</label><input id=mail type=email name=m autocomplete=email>"
        "<button aria-label='Send it' data-bounds='1,2,3,4'>Send<svg></svg></button>"
        "<textarea placeholder=Message>dear</textarea><a href='/in?q=1'>In<b>box</b></a>"
        "<img alt=Logo src=data:xyz><p>one<p>two",
        "html",
    )
    by_tag = {node.tag: node for node in tree.iter()}
    assert "script" not in by_tag and "title" not in by_tag
    assert (by_tag["input"].role, by_tag["input"].accessible_name) == ("textbox", "E-mail")
    assert by_tag["input"].autocomplete == "email"
    assert (by_tag["button"].name, by_tag["button"].bounds) == ("Send it", (1, 2, 3, 4))
    assert (by_tag["textarea"].value, by_tag["textarea"].text) == ("dear", None)
    assert by_tag["textarea"].accessible_name == "Message"
    assert by_tag["a"].accessible_name == "In box"
    assert by_tag["img"].accessible_name == "Logo"
    assert "src" not in by_tag["img"].attributes


def test_html_saved_as_xml():
    tree = parse_dom("<html><body><div>a<br>b &nbsp; c</div></body></html>", "xml")
    assert next(n for n in tree.iter() if n.tag == "div").text == "a b c"


def test_unknown_attributes_are_left_out():
    node = parse_dom('<a href="/x" onclick="go()" data-user="nora"/>', "xml").root
    assert node.attributes == {"href": "/x"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_encodings(encoding):
    declared = "utf-8" if encoding == "utf-8-sig" else encoding
    text = f'<?xml version="1.0" encoding="{declared}"?><node name="Café"/>'
    assert parse_dom(text.encode(encoding), "xml").root.name == "Café"


# What is refused --------------------------------------------------------------------------------

BOMB = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {b} "{("&" + a + ";") * 10}">' for a, b in zip("abcdefghi", "bcdefghij"))
    + "]><l>&j;</l>"
)


@pytest.mark.parametrize(
    ("data", "format", "code"),
    [
        (b"", "xml", "dom_empty"),
        (b" \n", "json", "dom_empty"),
        ("\ufeff", "html", "dom_empty"),
        ("<a><b></a>", "xml", "dom_syntax"),
        ("<a>&unknown;</a>", "xml", "dom_syntax"),
        ("not xml at all", "xml", "dom_syntax"),
        ("{", "json", "dom_syntax"),
        ("12", "json", "dom_syntax"),
        ('"text"', "json", "dom_syntax"),
        (b"\xff\xfe\x00", "xml", "dom_encoding"),
        (b"\xff\xff", "json", "dom_encoding"),
        (b'<?xml version="1.0" encoding="utf-7"?><a/>', "xml", "dom_encoding"),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', "xml", "dom_encoding"),
        (BOMB, "xml", "dom_entities"),
        (BOMB.encode("utf-16"), "xml", "dom_entities"),
        (
            '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>',
            "xml",
            "dom_entities",
        ),
        (
            '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://a.example/x.dtd"> %x;]><a/>',
            "xml",
            "dom_entities",
        ),
    ],
)
def test_malformed_and_dangerous_snapshots(data, format, code):
    with pytest.raises(DomDefect) as caught:
        parse_dom(data, format)
    assert caught.value.code == code


def test_a_defect_repeats_nothing_of_the_snapshot():
    with pytest.raises(DomDefect) as caught:
        parse_dom("<a>secret-of-nora</b>", "xml")
    error = caught.value
    assert "nora" not in f"{error} {error.__cause__} {error.args}"
    assert error.__suppress_context__


def test_the_limits_leave_room_for_real_pages():
    depth = MAX_DEPTH - 1
    tree = parse_dom("<a>" * depth + "</a>" * depth, "xml")
    assert sum(1 for _ in tree.iter()) == depth
    assert to_text(tree, "json").count("children") == depth - 1
    wide = parse_dom("<a>" + "<b/>" * 50_000 + "</a>", "xml")
    assert len(wide.root.children) == 50_000


# Writing and rewriting --------------------------------------------------------------------------

WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)
TEXTS = st.none() | WORDS.map(lambda t: " ".join(t.split())).filter(bool)
BOUNDS = st.none() | st.tuples(*[st.integers(0, 999).map(float)] * 4)


def node_of(children) -> st.SearchStrategy[DomNode]:
    return st.builds(
        DomNode,
        tag=st.sampled_from(["div", "button", "input", "a", "Edit", "android.view.View"]),
        id=TEXTS,
        role=st.sampled_from(["button", "link", "group"]),
        name=TEXTS,
        text=TEXTS,
        value=TEXTS,
        bounds=BOUNDS,
        attributes=st.dictionaries(st.sampled_from(["alt", "href", "title"]), WORDS, max_size=2),
        children=children,
    )


TREES = st.recursive(
    node_of(st.just([])), lambda inner: node_of(st.lists(inner, max_size=3)), max_leaves=8
).map(DomTree)


def plain(tree: DomTree) -> list[tuple]:
    fields = [name for name in DomNode.__slots__ if name != "children"]
    return [
        (
            *(getattr(n, f) for f in fields if f != "attributes"),
            tuple(sorted(n.attributes.items())),
            len(n.children),
        )
        for n in tree.iter()
    ]


@settings(max_examples=60, deadline=None)
@given(TREES, st.sampled_from(["xml", "json"]))
def test_what_is_written_is_read_back(tree, format):
    text = to_text(tree, format)
    again = parse_dom(text, format)
    assert plain(again) == plain(tree)
    assert to_text(again, format) == text == again.serialise(format)


@settings(max_examples=30, deadline=None)
@given(TREES)
def test_html_keeps_what_every_element_says(tree):
    again = parse_dom(to_text(tree, "html"), "html")
    said = " ".join(n.text or "" for n in again.iter()) + str([n.name for n in again.iter()])
    for node in tree.iter():
        assert node.text is None or node.tag == "input" or node.text in said
        assert node.name is None or str(node.name) in [n.name for n in again.iter()]


def test_every_text_goes_through_redaction_and_nothing_else():
    tree = parse_dom(
        '{"tag":"div","id":"nora","role":"group","name":"N nora","text":"T nora","children":['
        '{"tag":"input","input_type":"password","value":"V nora","autocomplete":"nora"},'
        '{"tag":"input","value":"W nora","label":"L nora","placeholder":"P nora"},'
        '{"tag":"a","href":"https://a.example/nora","title":"I nora"},'
        '{"tag":"img","alt":"A nora"}]}',
        "json",
    )
    kinds = {}

    def redact(text: str, kind: str) -> str:
        kinds[text] = kind
        return text.replace("nora", "<REDACTED>")

    redacted = map_dom_text(tree, redact)
    assert kinds == {
        "N nora": "name",
        "T nora": "text",
        "V nora": "password",
        "W nora": "value",
        "L nora": "label",
        "P nora": "placeholder",
        "https://a.example/nora": "url",
        "I nora": "title",
        "A nora": "alt",
    }
    assert to_text(redacted).count("nora") == 2  # the id and the kind of autocompletion
    assert to_text(tree).count("nora") == 11  # the original is untouched
    assert redacted.root.children[0].value == "V <REDACTED>"


def test_control_characters_cannot_break_the_xml():
    tree = DomTree(DomNode(tag="a", name='q"<>&\x00\x08\n\t', text="x\x1b"))
    again = parse_dom(to_text(tree, "xml"), "xml")
    assert again.root.name == 'q"<>&\ufffd\ufffd\n\t'
    assert again.root.text == "x\ufffd"


# Hit tests --------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(TREES, st.integers(0, 1500), st.integers(0, 1500))
def test_a_hit_contains_its_point_and_is_interactive_if_anything_below_the_point_is(tree, x, y):
    hit = tree.hit_test(x, y)
    under = [n for n in tree.iter() if n.contains(x, y)]
    if not under:
        assert hit is None
        return
    assert hit is not None
    assert hit.bounds is None or hit.contains(x, y)
    if any(n.interactive for n in under):
        assert hit.interactive


def test_a_hit_test_of_a_large_page_is_quick():
    rows = [
        DomNode(tag="button", role="button", id=f"{n}", bounds=(0, n, 100, 1))
        for n in range(20_000)
    ]
    tree = DomTree(DomNode(tag="body", bounds=(0, 0, 100, 20_000), children=rows))
    start = time.process_time()
    assert tree.hit_test(5, 17.5).id == "17"
    assert time.process_time() - start < 0.5


def test_elements_without_content_swallow_nothing():
    tree = parse_dom(
        "<body><p>ottilie<wbr>@kestrel.example<br>or so</p><picture><source srcset=x>"
        "<track><img alt=cat></picture><p>after</p></body>",
        "html",
    )
    assert tree.serialise("html") == (
        "<html><body><p>ottilie@kestrel.example or so<br></p>"
        '<picture><img role="img" alt="cat"></picture><p>after</p></body></html>'
    )
