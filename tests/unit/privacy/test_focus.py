"""Fields of which the recorder says little: a name or a point in a snapshot, a flag, an id."""

import json

import msgspec
import pytest

from schemas.traces import Event, Target
from tests.unit.privacy.sessions import built, everything, read_session, typed
from transforms.dom import parse_dom
from transforms.privacy.text import SessionScrubber

KEY = b"k" * 32
SECRET = "Kestrel-92x"
PAGE = "<html><body>{}</body></html>"
ANDROID = (
    '<hierarchy><node class="android.widget.EditText" resource-id="a:id/f" password="true" '
    'bounds="[0,0][100,40]"/></hierarchy>'
)
WINDOWS = '<Window><Edit AutomationId="f" IsPassword="True" Name="Field"/></Window>'


@pytest.fixture
def scrub(patterns_only, config):
    def run(work, dom):
        scrubber = SessionScrubber(patterns_only, config, KEY)
        values, _ = scrubber.locate(work, dom)
        return values, scrubber.redact(work, dom, values)

    return run


def trajectory(folder, *steps):
    """A session of (dom_tree, action) pairs as a trajectory recorder writes it."""
    lines = [
        {
            "task_id": "t",
            "step_id": number,
            "timestamp": f"2024-05-01T10:00:{number:02d}Z",
            "observation": {"dom_tree": tree, "active_window": "Form"},
            "action": action,
        }
        for number, (tree, action) in enumerate(steps, 1)
    ]
    (folder / "trajectory.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return read_session(folder)


@pytest.mark.parametrize(
    ("tree", "where"),
    [
        (PAGE.format("<input id='f' type='password'>"), {"element_id": "f"}),
        (PAGE.format("<input id='f' autocomplete='new-password'>"), {"element_id": "f"}),
        (PAGE.format("<label for='f'>Password</label><input id='f'>"), {"element_id": "f"}),
        (PAGE.format("<input data-bbox='0,0,90,30' type='password'>"), {"coordinates": [5, 5]}),
        (PAGE.format("<p focused='true'><input type='password' focused='true'></p>"), {}),
        (ANDROID, {"element_id": "a:id/f"}),
        (ANDROID, {"coordinates": [5, 5]}),
        (WINDOWS, {"element_id": "f"}),
        ("", {"element_id": "login-password"}),
    ],
)
@pytest.mark.parametrize("secret", [SECRET, "ab1"])
def test_a_password_of_a_trajectory_is_nowhere(scrub, tmp_path, tree, where, secret):
    work, dom = trajectory(tmp_path, (tree, {"type": "type", "text": secret, **where}))
    _, result = scrub(work, dom)
    assert result.events and result.steps and secret not in everything(result)
    assert result.events[0].target is None  # nothing is published that nobody recorded


def test_what_follows_a_click_goes_to_the_field_that_was_clicked(scrub, tmp_path):
    tree = PAGE.format("<input id='f' type='password'><input id='g'>")
    work, dom = trajectory(
        tmp_path,
        (tree, {"type": "click", "element_id": "f"}),
        (tree, {"type": "type", "text": SECRET}),
        (tree, {"type": "click", "element_id": "g"}),
        (tree, {"type": "type", "text": "blue hills"}),
    )
    _, result = scrub(work, dom)
    text = everything(result)
    assert SECRET not in text and "blue hills" in text


def test_keys_after_a_click_on_a_point(scrub, tmp_path):
    tree = {
        "tag": "body",
        "children": [{"tag": "input", "type": "password", "bounds": [0, 0, 90, 30]}],
    }
    at = 1_714_557_600_000
    events = [
        {"type": "dom", "timestamp": at - 500, "tree": tree},
        {"type": "click", "timestamp": at, "x": 9, "y": 9, "button": "left"},
        *(
            {"type": type, "timestamp": at + 100 * n, "key": char}
            for n, char in enumerate(SECRET, 1)
            for type in ("keydown", "keyup")
        ),
    ]
    lines = "\n".join(map(json.dumps, events))
    (tmp_path / "input_events.jsonl").write_text(lines, encoding="utf-8")
    work, dom = read_session(tmp_path)
    assert dom
    values, result = scrub(work, dom)
    assert (SECRET, "PASSWORD") in {(v.value, v.entity) for v in values}
    assert not [e.key for e in result.events if e.key]
    assert SECRET not in everything(result)


def test_what_an_ordinary_field_was_told_stays(scrub, tmp_path):
    tree = PAGE.format("<input id='q' type='search'><p id='note'>x</p>")
    work, dom = trajectory(
        tmp_path,
        (tree, {"type": "type", "text": "blue hills", "element_id": "q"}),
        (tree, {"type": "click", "element_id": "note"}),
    )
    _, result = scrub(work, dom)
    assert result.events[0].text == result.steps[0].action.text == "blue hills"


@pytest.mark.parametrize("tree", [ANDROID, WINDOWS])
def test_flags_of_accessibility_trees_make_a_password(tree):
    nodes = list(parse_dom(tree, "xml").iter())
    assert [n.input_type for n in nodes] == [None, "password"]
    assert parse_dom('<node class="x" password="false"/>', "xml").root.input_type is None


@pytest.mark.parametrize(
    "target",
    [
        Target(id="password"),
        Target(label="Password"),
        Target(id="f"),
        Target(selector="form > #f"),
        Target(selector='input[type="password"]'),
    ],
)
def test_what_is_typed_into_is_a_field_whatever_its_recorder_calls_it(scrub, target):
    tree = parse_dom(PAGE.format("<input id='f' type='password'>"), "html")
    values, result = scrub(built(typed("ab-1", target)), {"d": tree})
    assert (("ab-1", "PASSWORD") in {(v.value, v.entity) for v in values}) and len(
        result.events
    ) == 1
    assert [event.target for event in result.events] == [target]


def test_a_click_on_a_thing_without_a_kind_types_nothing(scrub):
    target = Target(label="Forgot password?")
    click = Event(id="c", type="click", timestamp_us=1, file="f", line=1, target=target)
    _, result = scrub(built([msgspec.structs.replace(click, extra={"text": "Reset it"})]), {})
    assert result.events[0].target == target and result.events[0].extra == {"text": "Reset it"}
