import json

import msgspec
import pytest

from schemas.traces import Event, SessionRef, Target, Touch, Viewport
from tests.support.session_folders import START_MS, codes, event, read_events
from transforms.ingest.event_fields import event_of
from transforms.ingest.event_lines import EventReader
from transforms.ingest.gathering import Gathering, LineFault, ReadLimits
from transforms.ingest.records import decode_record
from transforms.ingest.times import Clock

FULL = {
    "id": "k1",
    "type": "keydown",
    "timestamp": START_MS + 0.5,
    "tab": "t1",
    "url": "https://mail.example.org/",
    "window": "Inbox",
    "target": {"tag": "input", "id": "to", "bounds": [1, 2, 3.5, 4], "text": "Tö 🎻"},
    "viewport": {"width": 1280, "height": 720},
    "x": 3,
    "y": 4.5,
    "button": 2,
    "buttons": 2,
    "delta_x": -1,
    "delta_y": 8,
    "key": "Return",
    "code": "Enter",
    "modifiers": ["Shift", "Control"],
    "text": "a",
    "value": True,
    "touches": [{"id": 1, "x": 2, "y": 3}],
    "additional_info": {"repeat": True, "deep": [1, {"a": None}]},
}


def slowly(record: dict, line: int = 1) -> Event:
    """Reads a record on the path that knows aliases."""
    reader = EventReader(Gathering(SessionRef("s", "/", "native", 0, ""), ReadLimits()), Clock())
    reader._read_slowly("input_events.jsonl", line, json.dumps(record).encode())
    (made,) = reader.gathering.events
    return made


def quickly(record: dict, line: int = 1) -> Event:
    """Reads a record on the path that takes canonical names only."""
    reader = EventReader(Gathering(SessionRef("s", "/", "native", 0, ""), ReadLimits()), Clock())
    assert not reader._read_line("input_events.jsonl", line, json.dumps(record).encode())
    (made,) = reader.gathering.events
    return made


def test_every_field_arrives_on_both_paths():
    expected = Event(
        id="k1",
        type="keydown",
        timestamp_us=START_MS * 1000 + 500,
        file="input_events.jsonl",
        line=1,
        tab="t1",
        url="https://mail.example.org/",
        window="Inbox",
        target=Target(tag="input", id="to", bounds=(1.0, 2.0, 3.5, 4.0), text="Tö 🎻"),
        viewport=Viewport(1280.0, 720.0),
        x=3.0,
        y=4.5,
        button="right",
        buttons=2,
        delta_x=-1.0,
        delta_y=8.0,
        key="Enter",
        code="Enter",
        modifiers=("Control", "Shift"),
        text="a",
        value="true",
        touches=(Touch(1, 2.0, 3.0),),
        additional_info={"repeat": True, "deep": [1, {"a": None}]},
    )
    for made in (quickly(FULL), slowly(FULL)):
        assert made == expected
        assert type(made) is Event and type(made.target) is Target
        assert type(made.viewport) is Viewport and type(made.touches[0]) is Touch
        # It is encoded like any Event, so it can be decoded as one.
        data = msgspec.json.encode(made)
        assert data == msgspec.json.encode(expected)
        assert msgspec.json.decode(data, type=Event) == expected


@pytest.mark.parametrize("left_out", sorted(set(FULL) - {"type", "timestamp"}))
def test_both_paths_agree_on_what_is_missing(left_out):
    record = {k: v for k, v in FULL.items() if k != left_out}
    assert quickly(record, 7) == slowly(record, 7)
    record[left_out] = None
    assert slowly(record, 7) == slowly({k: v for k, v in record.items() if v is not None}, 7)


@pytest.mark.parametrize(
    ("given", "type_"),
    [
        ("key_down", "keydown"),
        ("keyUp", "keyup"),
        ("MOUSE-MOVE", "mousemove"),
        ("move", "mousemove"),
        ("double_click", "dblclick"),
        ("pointerdown", "mousedown"),
        ("mousewheel", "wheel"),
        ("navigate", "navigation"),
        ("switch_tab", "tabswitch"),
        ("focusin", "focus"),
        ("dom_snapshot", "dom"),
        ("on_scroll", "scroll"),
        ("touch_down", "touchstart"),
        ("ACTION_UP", "touchend"),
        ("fill", "input"),
    ],
)
def test_types_under_other_names(given, type_):
    assert slowly(event(type=given)).type == type_


@pytest.mark.parametrize(
    ("fields", "type_", "key", "button"),
    [
        ({"action": "press", "name": "ctrl_l"}, "keydown", "Control", None),
        ({"action": "release", "key": "Key.enter"}, "keyup", "Enter", None),
        ({"action": "press", "button": "Button.left"}, "mousedown", None, "left"),
        ({"action": "click", "pressed": True, "button": "right"}, "mousedown", None, "right"),
        ({"action": "click", "pressed": False, "button": "left"}, "mouseup", None, "left"),
        ({"event": "on_press", "key": "'a'"}, "keydown", "a", None),
        (
            {"event": "on_click", "pressed": True, "button": "Button.left"},
            "mousedown",
            None,
            "left",
        ),
        ({"event_type": "down", "name": "enter"}, "keydown", "Enter", None),
        ({"event_type": "up", "button": "left"}, "mouseup", None, "left"),
    ],
)
def test_press_release_and_click_halves(fields, type_, key, button):
    made = slowly({"time_stamp": START_MS, **fields})
    assert (made.type, made.key, made.button) == (type_, key, button)
    assert made.extra == {}


def test_notches_become_pixels_with_the_sign_of_the_dom():
    made = slowly({"action": "scroll", "time_stamp": START_MS, "dx": 0, "dy": -3})
    assert (made.type, made.delta_y, made.flags) == ("wheel", 300.0, ("delta_from_notches",))
    kept = slowly({"type": "wheel", "timestamp": START_MS, "deltaY": -80, "dy": 1})
    assert (kept.delta_y, kept.extra) == (-80.0, {"dy": 1})


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ("'h'", "h"),
        ('"\'"', "'"),
        (repr("\\"), "\\"),
        ("'é'", "é"),
        ("'\\x16'", "v"),
        ("\x03", "c"),
        ("\x1b", "Escape"),
        ("['´']", "Dead"),
        ("Key.alt_gr", "AltGraph"),
        ("at", "@"),
        ("ISO_Left_Tab", "Tab"),
        ("KP_5", "5"),
        ("OemPeriod", "."),
        ("LShiftKey", "Shift"),
        ("VK_A", "a"),
        ("⌘", "Meta"),
        ("Key.media_volume_up", "AudioVolumeUp"),
        ("'", "'"),
        ("''", "''"),
    ],
)
def test_keys_as_toolkits_write_them(given, key):
    record = {"type": "keydown", "timestamp": START_MS, "key": given}
    assert slowly(record).key == quickly(record).key == key


@pytest.mark.parametrize(
    ("given", "key", "modifiers"),
    [
        ("Control+Shift+a", "a", ("Control", "Shift")),
        ("Meta+Enter", "Enter", ("Meta",)),
        ("Control++", "+", ("Control",)),
        ("+", "+", ()),
        ("a+b", "a+b", ()),
    ],
)
def test_a_chord_in_one_text(tmp_path, given, key, modifiers):
    trace = read_events(tmp_path, [event(type="keydown", key=given)])
    assert (trace.events[0].key, trace.events[0].modifiers) == (key, modifiers)


def test_a_number_of_a_key_is_its_code_where_nothing_else_is_said(tmp_path):
    numbers = [event(n, type="keydown", keyCode=n) for n in (72, 190, 13, 229, 7)]
    rows = [*numbers, event(type="keydown", key="x", keyCode=72), event(type="click", which=65)]
    made = read_events(tmp_path, rows).events
    assert [e.code for e in made] == ["KeyH", "Period", "Enter", "Process", None, None, None]
    assert made[0].extra == {"keyCode": 72}


@pytest.mark.parametrize("given", [{"position": {"x": 4, "y": 5}}, {"coordinates": [4, "5"]}])
def test_a_point_in_one_field(given):
    made = slowly({"type": "click", "timestamp": START_MS, **given})
    assert (made.x, made.y, made.extra) == (4.0, 5.0, {})
    own = slowly({"type": "click", "timestamp": START_MS, "x": 1, **given})
    assert (own.x, own.extra) == (1.0, given)


def test_fingers_of_pointer_and_touch_events():
    one = {
        "type": "pointerdown",
        "pointerType": "touch",
        "pointerId": 3,
        "clientX": 4,
        "clientY": 5,
    }
    assert slowly({"timestamp": START_MS, **one}).touches == (Touch(3, 4.0, 5.0),)
    changed = {"changedTouches": [{"identifier": 2, "clientX": 6, "clientY": 7}]}
    made = slowly({"type": "touchmove", "timestamp": START_MS, **changed})
    assert made.touches == (Touch(2, 6.0, 7.0),)
    gone = slowly({"type": "touchend", "timestamp": START_MS, "touches": [], **changed})
    assert gone.touches == () and gone.extra == changed


def test_fields_of_dom_events_that_lie_flat_or_in_other_spelling(tmp_path):
    flat = {"inputType": "insertText", "isComposing": False, "repeat": True, "scrollY": 9}
    plain = {"input_type": "insertText", "is_composing": False, "repeat": True, "scroll_top": 9}
    rows = [event(**flat), event(additional_info=flat), event(additional_info=plain)]
    trace = read_events(tmp_path, rows)
    assert [e.additional_info for e in trace.events] == [plain] * 3
    assert [e.extra for e in trace.events] == [{}] * 3


def test_what_a_field_holds_is_taken_from_its_target():
    field = {"tagName": "INPUT", "type": "text", "value": "Ann"}
    box = {"tagName": "INPUT", "type": "checkbox", "value": "on", "checked": False}
    assert slowly(event(type="input", target=field)).value == "Ann"
    assert slowly(event(type="input", target=field, value="Anna")).value == "Anna"
    assert slowly(event(type="change", target=box)).value == "false"
    assert slowly(event(type="change", target=box, value="on")).value == "false"
    radio = {"tagName": "INPUT", "type": "radio", "value": "b", "checked": True}
    assert slowly(event(type="change", target=radio)).value == "b"
    assert slowly(event(type="mousedown", target=field)).value is None


def test_fields_under_other_names():
    made = slowly(
        {
            "event_type": "mousedown",
            "ts": START_MS,
            "active_window": {"title": "Inbox", "app": "browser"},
            "selector": {"tagName": "A", "boundingBox": {"left": 1, "top": 2, "right": 5, "h": 9}},
            "clientX": 4,
            "clientY": 5,
            "ctrlKey": True,
            "shiftKey": False,
            "pageUrl": "https://example.org",
            "tabId": 12,
            "keyCode": 13,
        }
    )
    assert made.type == "mousedown"
    assert made.window == "Inbox"
    assert made.target == Target(tag="A", bounds=(1.0, 2.0, 4.0, 9.0))
    assert (made.x, made.y, made.modifiers) == (4.0, 5.0, ("Control",))
    assert (made.url, made.tab) == ("https://example.org", "12")
    assert made.extra == {"keyCode": 13, "window": {"title": "Inbox", "app": "browser"}}


def test_a_field_under_its_own_name_wins():
    made = slowly({"type": "click", "action": "drag", "timestamp": START_MS, "time": 5})
    assert made.type == "click" and made.extra == {"action": "drag", "time": 5}


def test_numbers_in_quotes_are_numbers():
    made = slowly(event(x="12.5", buttons="1", button="0", timestamp=str(START_MS)))
    assert (made.x, made.buttons, made.button) == (12.5, 1, "left")


def test_unknown_types_and_fields_are_kept():
    made = slowly(event(type="dragend", pressure=0.5, target={"tag": "a", "xpath": "//a"}))
    assert made.type == "unknown" and "unknown_type" in made.flags
    assert made.extra == {"type": "dragend", "pressure": 0.5, "target": {"xpath": "//a"}}


def test_the_readers_own_fields_cannot_be_forged():
    made = slowly(event(file="/etc/passwd", line=99, flags=["x"], extra={"a": 1}, timestamp_us=1))
    assert (made.file, made.line, made.flags) == ("input_events.jsonl", 1, ())
    assert made.extra["file"] == "/etc/passwd" and made.extra["extra"] == {"a": 1}


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        ({"type": None}, "missing_field", "type: the field is missing"),
        ({"timestamp": None}, "missing_field", "timestamp: the field is missing"),
        ({"type": 3}, "bad_type", "type: expected a text, found a number"),
        ({"x": {"a": 1}}, "bad_type", "x: expected a number, found an object"),
        ({"x": "left"}, "bad_type", "x: expected a number, found a text"),
        ({"y": True}, "bad_type", "y: expected a number, found a boolean"),
        ({"x": 1e300}, "bad_type", "x: the number is beyond ±1e+07"),
        ({"url": ["a"]}, "bad_type", "url: expected a text, found a list"),
        ({"target": 4}, "bad_type", "target: expected an object, found a number"),
        ({"touches": {}}, "bad_type", "touches: expected a list, found an object"),
        ({"touches": [{"x": 1}]}, "bad_type", "touches: x or y is missing"),
        ({"modifiers": 4}, "bad_type", "modifiers: expected a list, found a number"),
        ({"buttons": 1.5}, "bad_type", "buttons: expected an integer from 0 to 65,535"),
    ],
)
def test_faults_name_the_field_and_never_the_value(fields, code, message):
    record = {k: v for k, v in event(**fields).items() if v is not None}
    with pytest.raises(LineFault) as caught:
        event_of(record, Clock())
    assert (caught.value.code, str(caught.value)) == (code, message)


def test_odd_but_harmless_values_are_kept_aside():
    made = slowly(event(button="thumb", viewport={"width": 0, "height": 9}, modifiers=["Fn"]))
    assert made.button is None and made.viewport is None and made.modifiers == ()
    assert made.extra == {
        "button": "thumb",
        "viewport": {"width": 0, "height": 9},
        "modifiers": ["Fn"],
    }
    assert set(made.flags) == {"unknown_button", "bad_viewport"}
    assert slowly(event(button=-1)).flags == ()


def test_pictures_inside_events_do_not_get_through():
    made = slowly(event(shot="data:image/png;base64,AAAA", deep={"list": ["x" * 40_000, 1]}))
    assert made.extra == {"shot": None, "deep": {"list": [None, 1]}}
    assert made.flags == ("large_value_removed",)


def test_a_dom_event_gives_its_tree_away(tmp_path):
    trace = read_events(
        tmp_path,
        [
            event(),
            event(1, type="dom", tab="t", html="<html><p>x</p></html>"),
            event(2, type="dom", additional_info={"tree": {"role": "button"}, "depth": 3}),
        ],
    )
    assert [(d.file, d.format, d.inline, d.tab, d.event_id) for d in trace.dom] == [
        ("input_events.jsonl#2", "html", "<html><p>x</p></html>", "t", None),
        ("input_events.jsonl#3", "json", '{"role":"button"}', None, None),
    ]
    assert trace.events[2].additional_info == {"depth": 3}


def test_pointer_events_that_double_mouse_events_are_set_aside(tmp_path):
    both = [
        event(0, type="pointerdown"),
        event(0, type="mousedown"),
        event(1, type="pointermove"),
        event(2, type="pointerup"),
        event(2, type="mouseup"),
    ]
    trace = read_events(tmp_path, both)
    assert [e.type for e in trace.events] == [
        "unknown",
        "mousedown",
        "mousemove",
        "unknown",
        "mouseup",
    ]
    assert trace.counts["doubled_event"] == 2
    alone = read_events(tmp_path / "2", [r for r in both if r["type"].startswith("pointer")])
    assert [e.type for e in alone.events] == ["mousedown", "mousemove", "mouseup"]
    touch = {**event(type="pointerdown"), "pointerType": "touch"}
    assert slowly(touch).type == "touchstart"


def test_ids_are_made_unique_in_the_order_of_the_lines(tmp_path):
    rows = [
        event(0, id="a"),
        event(1, id="a", own=1),
        event(2, id="a"),
        event(3, id="a~2"),
        event(4),
        event(5, id="e000005"),
        event(6, id=7, own=1),
        event(7, id="x" * 300),
    ]
    trace = read_events(tmp_path, rows)
    assert [e.id for e in trace.events] == [
        *("a", "a~2", "a~3", "a~2~2", "e000005", "e000005~2", "7", "e000008"),
    ]
    assert trace.counts["renamed_id"] == 4


def test_lines_are_accounted_for(tmp_path):
    rows = [
        b"",
        json.dumps(event(0)).encode() + b"\r",
        b"   ",
        b'{"type": "click", "timestamp": 1770000000000,}',
        b"[1, 2]",
        json.dumps(event(1, type="drum_roll")).encode(),
        json.dumps({"type": "click"}).encode(),
        b'{"type": "click", "timestamp": "soon"}',
    ]
    trace = read_events(tmp_path, rows)
    assert [e.line for e in trace.events] == [2, 6]
    assert codes(trace) == [
        ("invalid_json", "input_events.jsonl", 4),
        ("bad_type", "input_events.jsonl", 5),
        ("missing_field", "input_events.jsonl", 7),
        ("bad_timestamp", "input_events.jsonl", 8),
    ]
    assert trace.failures[0].column == 46 and trace.failures[0].length == 46
    assert trace.failures[0].shape == '{"aaaa": "aaaaa", "aaaaaaaaa": 9999999999999,}'
    assert (trace.ledger.lines, trace.ledger.failed_lines, trace.ledger.raw) == (6, 4, 2)
    assert not trace.failed


def test_what_python_writes_beyond_json_is_mended(tmp_path):
    rows = [
        b'{"type":"wheel","timestamp":1770000000000,"delta_x":NaN,"delta_y":-Infinity,"x":4}',
        b'{"type":"input","timestamp":1770000000001,"text":"a\\ud83d","x":1,"x":2}',
        b'{"type":"input","timestamp":NaN}',
    ]
    trace = read_events(tmp_path, rows)
    first, second = trace.events
    assert (first.delta_x, first.delta_y, first.x, first.flags) == (
        None,
        None,
        4,
        ("not_a_number",),
    )
    assert (second.text, second.x) == ("a\ufffd", 2.0)
    assert second.flags == ("duplicate_key", "lone_surrogate")
    assert codes(trace) == [("missing_field", "input_events.jsonl", 3)]


def test_the_wrong_encoding_is_a_fault_of_its_line(tmp_path):
    rows = [
        json.dumps(event()).encode(),
        b'{"type":"input","timestamp":1770000000000,"text":"\xe9"}',
    ]
    trace = read_events(tmp_path, rows)
    assert [(f.code, f.column) for f in trace.failures] == [("invalid_encoding", 51)]


def test_records_decode_with_bounds():
    with pytest.raises(LineFault, match="deeper"):
        decode_record(b'{"a":' * 100_000)
    with pytest.raises(LineFault, match="too long"):
        decode_record(b'{"a":' + b"9" * 5000 + b', "b": NaN}')
    with pytest.raises(LineFault, match="deeper"):
        slowly_deep = {"type": "click", "timestamp": START_MS, "own": _nested(100)}
        event_of(slowly_deep, Clock())


def _nested(depth: int) -> list:
    made: list = []
    for _ in range(depth):
        made = [made]
    return made


@pytest.mark.parametrize("odd", [{}, {"unknown_field": 1}])
def test_an_id_that_says_something_is_a_text(tmp_path, odd):
    given = "of jo@kestrel.example"
    trace = read_events(tmp_path, [event(0, id=given, **odd), event(1, id="e-1:2", **odd)])
    assert [e.id for e in trace.events] == ["e000001", "e-1:2"]
    assert trace.events[0].extra["id"] == given


def test_key_presses_of_toolkits_are_keys_and_those_of_browsers_echoes(tmp_path):
    names = ("key_press", "KeyPress", "KeyRelease", "key_release", "keypress")
    trace = read_events(tmp_path, [event(n, type=t, key="a") for n, t in enumerate(names)])
    assert [e.type for e in trace.events] == ["keydown", "keydown", "keyup", "keyup", "unknown"]
