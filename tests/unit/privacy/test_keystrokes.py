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
