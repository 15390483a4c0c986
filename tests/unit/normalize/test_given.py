from __future__ import annotations

import pytest

from normalize.recordings import Recording
from schemas.traces import GivenStep
from schemas.trajectories import Action


def action_of(action: dict, **fields) -> Action:
    recording = given(action, **fields)
    return recording.only()


def given(action: dict, **fields) -> Recording:
    recording = Recording()
    event_id = recording.add("unknown", additional_info=action, **fields)
    recording.trace_fields = {"given": (GivenStep(event_id=event_id),)}
    return recording


@pytest.mark.parametrize(
    ("named", "kind"),
    [
        ("click", "click"),
        ("left_click", "click"),
        ("doubleClick", "double_click"),
        ("tripleClick", "triple_click"),
        ("middleClick", "middle_click"),
        ("right_single", "right_click"),
        ("long-press", "long_press"),
        ("wait", "wait"),
        ("switch_tab", "switch_tab"),
    ],
)
def test_a_record_is_one_action_of_the_type_it_names(named, kind):
    action = action_of({"type": named}, x=3.0, y=4.0)
    assert (action.type, action.flags) == (kind, ("given",))


def test_a_click_names_its_button():
    assert action_of({"type": "click"}, button="right", x=1.0, y=1.0).type == "right_click"


def test_quick_clicks_are_as_many_actions_as_records():
    recording = Recording()
    ids = [recording.add("click", x=1, y=1, additional_info={"type": "click"}) for _ in range(2)]
    recording.trace_fields = {"given": tuple(GivenStep(event_id=i) for i in ids)}
    assert [a.type for a in recording.actions()] == ["click", "click"]


def test_a_drag_goes_from_its_start_to_its_end():
    action = action_of(
        {"type": "drag", "coordinates": [10, 20], "end_coordinates": [90, 20]}, x=90.0, y=20.0
    )
    assert (action.x, action.y, action.path) == (10, 20, ((10, 20), (90, 20)))


def test_a_drag_in_one_list():
    action = action_of({"type": "drag", "coordinates": [[10, 20], [50, 20], [90, 20]]})
    assert action.path == ((10, 20), (50, 20), (90, 20))


def test_typed_text_keeps_commas_and_brackets():
    assert action_of({"type": "type"}, text="a, b (c)").text == "a, b (c)"


def test_a_scroll_keeps_the_sign_of_the_event():
    action = action_of({"type": "scroll"}, delta_y=-300.0)
    assert (action.delta_x, action.delta_y) == (0, -300)


@pytest.mark.parametrize(
    ("action", "keys"),
    [
        ({"type": "hotkey", "keys": ["ctrl", "shift", "T"]}, ("Control", "Shift", "t")),
        ({"type": "press", "key": "Enter"}, ("Enter",)),
        ({"type": "press", "keys": "ctrl+s"}, ("Control", "s")),
        ({"type": "press", "keys": "+"}, ("+",)),
    ],
)
def test_keys_in_all_their_spellings(action, keys):
    assert action_of(action, key=action.get("key")).keys == keys


def test_a_navigation_names_its_address():
    action = action_of({"type": "goto", "url": "https://a.example/"})
    assert (action.type, action.text) == ("navigate", "https://a.example/")


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ("terminate", "no_action"),
        ("plan", "no_action"),
        ("hover", "idle_move"),
        ("dance", "unknown_type"),
    ],
)
def test_records_that_are_no_action_are_dropped(named, reason):
    assert given({"type": named}).normalized().ledger.dropped == {reason: 1}
