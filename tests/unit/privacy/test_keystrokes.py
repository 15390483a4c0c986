import pytest

from schemas.findings import Span
from schemas.traces import Event, Target
from transforms.privacy.keystrokes import mask_runs, typing_runs

FIELD = Target(tag="input", id="f", selector="#f")
AREA = Target(tag="textarea", id="a", selector="#a")


def events_of(*keys, target=FIELD):
    """("a", "ArrowLeft", ("Control", "a"), …) → keydown events; ("type", {...}) → others."""
    made = []
    for number, key in enumerate(keys):
        fields = {"key": key, "type": "keydown"}
        if isinstance(key, dict):
            fields = key
        elif isinstance(key, tuple):
            *modifiers, last = key
            fields = {"key": last, "modifiers": tuple(modifiers), "type": "keydown"}
        made.append(
            Event(
                id=f"e{number}",
                timestamp_us=number,
                file="x",
                line=1,
                **{"target": target, **fields},
            )
        )
    return made


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ("abc", "abc"),
        (["a", "x", "Backspace", "b"], "ab"),
        (["a", "c", "ArrowLeft", "b"], "abc"),
        (["b", "Home", "a", "End", "c"], "abc"),
        (["x", "y", ("Control", "a"), "a"], "a"),
        (["a", "b", "x", ("Shift", "ArrowLeft"), "c"], "abc"),
        (["a", "x", "ArrowLeft", "Delete", "b"], "ab"),
        ([*"ab cd", ("Control", "Backspace"), "e"], "ab e"),
        (["a", "Space", "b"], "a b"),
        (["a", ("Control", "s"), "b"], "ab"),
        (["a", ("Alt", "Control", "@"), "b"], "a@b"),
        (["a", {"type": "paste", "text": "bc"}, "d"], "abcd"),
        (["a", {"type": "input", "text": "a"}, "b", {"type": "input", "text": "b"}], "ab"),
        ([{"type": "input", "text": "a"}, {"type": "input", "text": "b"}], "ab"),
        (["x", {"type": "input", "value": "prefix x"}], "prefix x"),
        (
            [
                {"type": "compositionstart"},
                {"type": "input", "text": "に"},
                {"type": "input", "text": "にほ"},
                {"type": "compositionend", "text": "日本"},
            ],
            "日本",
        ),
    ],
)
def test_what_a_field_holds(keys, text):
    (run,) = typing_runs(events_of(*keys))
    assert run.text == text


def test_enter_breaks_lines_in_areas_and_ends_runs_elsewhere():
    (run,) = typing_runs(events_of("a", "Enter", "b", target=AREA))
    assert run.text == "a\nb"
    assert [run.text for run in typing_runs(events_of("a", "Enter", "b"))] == ["a", "ab"]


def test_a_field_that_is_entered_again_goes_on():
    away = {"type": "click", "target": AREA}
    runs = typing_runs(events_of("a", "b", away, "c"))
    assert [run.text for run in runs] == ["ab", "abc"]


def test_every_reading_before_a_deletion_is_kept():
    (run,) = typing_runs(events_of(*"secret", *["Backspace"] * 6, *"ok"))
    assert [text for text, _ in run.readings()] == ["secret", "ok"]


def spans_of(word):
    def find(text):
        start = text.find(word)
        return [Span(start, start + len(word), "EMAIL")] if start >= 0 else []

    return find


def test_events_of_a_hit_go_with_the_corrected_ones_between():
    events = events_of(*"to abx", "Backspace", *"c.")
    runs = typing_runs(events)
    (masked,) = mask_runs(events, runs, lambda run: None, spans_of("abc"))
    assert "".join(events[n].key for n in masked.events if len(events[n].key) == 1) == "abxc"
    assert (masked.entity, masked.value) == ("EMAIL", "abc")


def test_acting_keys_of_a_sensitive_field_stay():
    events = events_of("a", ("Control", "a"), "b", "Enter")
    masked = mask_runs(events, typing_runs(events), lambda run: "PASSWORD", spans_of("x"))
    kept = set(range(len(events))) - {n for run in masked for n in run.events}
    assert [events[n].key for n in sorted(kept)] == ["a", "Enter"]
    assert events[min(kept)].modifiers == ("Control",)


def test_huge_runs_are_bounded():
    (run,) = typing_runs(events_of({"type": "paste", "text": "x" * 50_000}))
    assert len(run.text) == 20_000


SHAPES = {
    "keypress beside keys": (
        ("keydown", lambda c: {"key": c, "code": "K"}),
        ("unknown", lambda c: {"key": c, "extra": {"type": "keypress"}}),
        ("input", lambda c: {"text": c}),
        ("keyup", lambda c: {"key": c, "code": "K"}),
    ),
    "beforeinput": (
        ("keydown", lambda c: {"key": c}),
        ("unknown", lambda c: {"text": c, "extra": {"type": "beforeinput"}}),
        ("input", lambda c: {"text": c}),
    ),
    "keypress alone": (("unknown", lambda c: {"key": c, "extra": {"charCode": ord(c)}}),),
    "unknown downs": (
        ("unknown", lambda c: {"key": c, "code": "K"}),
        ("keyup", lambda c: {"key": c, "code": "K"}),
    ),
    "characters aside": (("unknown", lambda c: {"additional_info": {"Char": c}}),),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_events_of_other_names_are_typing_too(shape):
    events = []
    for char in "to ottilie!":
        for type, fields in SHAPES[shape]:
            events.append(
                Event(
                    id=f"e{len(events)}",
                    type=type,
                    timestamp_us=1_700_000_000_000_000 + len(events),
                    file="f",
                    line=1,
                    url="https://a.test/f",
                    target=FIELD,
                    **fields(char),
                )
            )
    (run,) = typing_runs(events)
    assert run.text == "to ottilie!" and len(run.events) == len(events)
    masked = mask_runs(events, [run], lambda run: None, lambda text: [Span(3, 10, "PERSON")])
    per_key = len(SHAPES[shape])
    assert [n for m in masked for n in m.events] == list(range(3 * per_key, 10 * per_key))


def keys(text):
    made = []
    for char in text:
        for type in ("keydown", "keyup"):
            key = {"\t": "Tab", "\n": "Enter"}.get(char, char)
            made.append((type, {"key": key}))
    return made


def in_order(*steps, window="Form"):
    return [
        Event(
            id=f"e{n}",
            type=type,
            timestamp_us=1_700_000_000_000_000 + n,
            file="f",
            line=n,
            url="https://a.test/f",
            window=window,
            **fields,
        )
        for n, (type, fields) in enumerate(steps)
    ]


SECRET = Target(tag="input", id="pw", input_type="password")
WHO = Target(tag="input", id="u", input_type="email")


def test_keys_without_a_target_go_to_the_field_that_was_clicked():
    steps = [("click", {"target": SECRET}), *keys("ab"), ("blur", {}), *keys("cd")]
    runs = typing_runs(in_order(*steps))
    assert [(run.text, run.target) for run in runs] == [("ab", SECRET), ("cd", None)]
    steps = [("focus", {"target": FIELD}), *keys("ab"), ("click", {"x": 1.0}), *keys("cd")]
    runs = typing_runs(in_order(*steps))
    assert [(run.text, run.target) for run in runs] == [("ab", FIELD), ("cd", None)]


@pytest.mark.parametrize(
    ("window", "password"), [("Log in – Postbox", "password"), ("New contact", None)]
)
def test_where_nobody_tells_of_fields_the_second_one_of_a_login_is_the_password(window, password):
    events = in_order(*keys("jo@a.test\tx7y\nx8y\n"), window=window)
    later = in_order(*keys("hello"), window="Inbox – Postbox")
    runs = typing_runs([*events, *later])
    types = [(run.text, run.target and run.target.input_type) for run in runs]
    assert types[0] == ("jo@a.test", None)
    assert types[1] == ("x7y", password)
    assert types[2][0].endswith("x8y") and types[2][1] == password
    assert types[3] == ("hello", None)


@pytest.mark.parametrize(
    ("window", "password"), [("Sign in – Postbox", "password"), ("New contact", None)]
)
def test_tab_leads_from_who_signs_in_to_the_password(window, password):
    steps = [("click", {"target": WHO}), *keys("jo\txy\n")]
    name, secret = typing_runs(in_order(*steps, window=window))
    assert (name.text, secret.text) == ("jo", "xy")
    assert getattr(secret.target, "input_type", None) == password


def test_what_a_run_wrote_itself_is_a_reading():
    _, second = typing_runs(events_of(*"hi", "Enter", *"621"))
    assert [text for text, _ in second.readings()] == ["hi621", "621"]
    assert second.readings()[1][1] == (3, 4, 5)


CODES = {"h": "KeyH", "I": "KeyI", "9": "Digit9", "-": "Minus", " ": "Space"}
NUMBERS = {"h": 72, "I": 73, "9": 57, "-": 189, " ": 32}
SILENT = {
    "code": ("keydown", lambda c: {"code": CODES[c]}),
    "keyCode": ("keydown", lambda c: {"extra": {"keyCode": NUMBERS[c], "charCode": 0}}),
    "which": ("keydown", lambda c: {"additional_info": {"which": NUMBERS[c]}}),
    "keyup": ("keyup", lambda c: {"extra": {"keyCode": NUMBERS[c]}}),
    "keypress": ("unknown", lambda c: {"extra": {"charCode": ord(c), "which": ord(c)}}),
    "code of no known type": ("unknown", lambda c: {"code": CODES[c]}),
}


@pytest.mark.parametrize("shape", SILENT)
def test_keys_that_are_told_by_place_or_number(shape):
    type, fields = SILENT[shape]
    steps = [
        (type, {"target": FIELD, **fields(c), "modifiers": ("Shift",) if c == "I" else ()})
        for c in "hI 9-"
    ]
    (run,) = typing_runs(in_order(*steps))
    assert run.text == "hI 9-"


def test_keys_by_number_act_too():
    steps = [("keydown", {"target": FIELD, "extra": {"keyCode": n}}) for n in (65, 66, 8, 13, 67)]
    assert [run.text for run in typing_runs(in_order(*steps))] == ["a", "ac"]
