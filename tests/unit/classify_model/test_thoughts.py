import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.classify.model.annotate import read_thoughts
from transforms.classify.model.answers import Unusable, folded
from transforms.classify.model.thoughts import Timeline, violations

SEEN = folded("Move the note to Archive 2019. Field Title: Summer plan. Window: Notes")
LATER = ["order 4711 confirmed", "summer plan saved", "winter budget", "jo@example.org"]


def check(thought):
    return violations(thought, SEEN, LATER)


@pytest.mark.parametrize(
    "thought",
    [
        "I want to move this note, so I give it its title first.",
        "The title is Summer plan, as the task says.",
        "I file it under Archive 2019.",
        "Next I would like to see the whole list of notes.",
        'The field "Title" is where the name goes.',
        "I save my work before I go on.",
    ],
)
def test_thoughts_that_may_be_kept(thought):
    assert check(thought) == ()


@pytest.mark.parametrize(
    "thought, code",
    [
        ("", "empty"),
        (" \n", "empty"),
        ("I click " * 100, "too_long"),
        ("I click at (412, 88) to save.", "coordinates"),
        ("I click the spot [412,88].", "coordinates"),
        ("I press the button at x=412.", "coordinates"),
        ("I move 20 px to the right.", "coordinates"),
        ("I move 20 pixels to the right.", "coordinates"),
        ("I tap 0.41, 0.77 of the screen.", "coordinates"),
        ("The coordinates of the button are known.", "coordinates"),
        ("The dialog takes 640x480.", "coordinates"),
        ("I click Save, which opened the list.", "hindsight"),
        ("As a result the note is stored.", "hindsight"),
        ("I click Send and the message was sent.", "hindsight"),
        ("I do this for the next step.", "hindsight"),
        ("I want to see Order 4711 confirmed.", "future"),
        ("I think of the winter budget.", "future"),
        ("I expect 4711 to come up.", "future"),
        ("I write to jo@example.org.", "future"),
        ("I write to ann@example.com.", "unseen_value"),
        ("I dial 030 1234567.", "unseen_value"),
        ('I name it "Autumn plan".', "unseen_value"),
        ("Step s3 needs this.", "internal"),
        ("The recorded_data says so.", "internal"),
    ],
)
def test_thoughts_that_are_rejected(thought, code):
    assert code in check(thought)


def test_what_looks_like_coordinates_may_be_recorded_text():
    seen = folded("Set the size to 640x480")
    assert violations("The size has to be 640x480.", seen, []) == ()


def test_rows_that_are_no_thoughts_are_left_out():
    said = (
        '{"thoughts": [{"step": "s1", "thought": " a  b "}, 3, {"step": [], "thought": "x"},'
        ' {"step": "s2"}, {"step": "s3", "thought": "y"}, {"step": "s3", "thought": "z"}]}'
    )
    assert read_thoughts(said, {"s1": 4, "s2": 5, "s3": 6}) == {4: "a b"}
    assert isinstance(read_thoughts("no", {}), Unusable)


@given(st.text(), st.lists(st.text(min_size=1), max_size=4))
def test_checking_never_raises(thought, later):
    violations(thought, "", [folded(p) for p in later if folded(p)])


def test_a_timeline_knows_what_was_seen_when():
    timeline = Timeline(
        "The task",
        labels=[["Compose"], ["Send", "Inbox - Notes"], ["Message sent to Jo"]],
        values=[[], ["Hello"], []],
        effects=[[], ["queue id 77"], []],
    )
    assert "compose" in timeline.seen(0) and "hello" not in timeline.seen(0)
    assert "hello" in timeline.seen(1) and "message" not in timeline.seen(1)
    # One word of a label gives nothing away, a value that is entered later does.
    assert timeline.later(0) == ["inbox - notes", "hello", "queue id 77", "message sent to jo"]
    assert timeline.later(1) == ["queue id 77", "message sent to jo"]
    assert timeline.later(2) == []
