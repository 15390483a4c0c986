from __future__ import annotations

import pytest

from normalize.recordings import BUTTON, LINK, VIEWPORT, Recording, said
from schemas.traces import Target


def series(n: int, how: str, gap_ms: float = 150, step_px: float = 0) -> Recording:
    """``n`` clicks as one kind of recorder writes them."""
    recording = Recording()
    for place in range(n):
        x = 50 + place * step_px
        if how in ("raw", "all"):
            recording.down(x).wait(50).up(x)
        if how in ("click", "click_dblclick", "all"):
            recording.add("click", x=x, y=50, button="left")
        if how in ("click_dblclick", "all", "dblclick") and place == 1:
            recording.add("dblclick", x=x, y=50, button="left")
        recording.wait(gap_ms - (50 if how in ("raw", "all") else 0))
    return recording


HOW = ["raw", "click", "click_dblclick", "all"]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (1, ["click"]),
        (2, ["double_click"]),
        (3, ["triple_click"]),
        (4, ["triple_click", "click"]),
    ],
)
def test_clicks_in_quick_succession_are_counted_once(how, n, expected):
    recording = series(n, how)
    assert said(recording.actions()) == expected
    assert "dropped" not in recording.fates().values()


@pytest.mark.parametrize("how", ["raw", "click"])
@pytest.mark.parametrize(
    ("gap_ms", "step_px", "expected"),
    [
        (500, 5, ["double_click"]),
        (501, 0, ["click", "click"]),
        (100, 5.1, ["click", "click"]),
    ],
)
def test_thresholds_of_the_double_click(how, gap_ms, step_px, expected):
    assert said(series(2, how, gap_ms, step_px).actions()) == expected


def test_a_dblclick_alone_is_a_double_click():
    assert said(series(2, "dblclick").actions()) == ["double_click"]


def test_one_click_and_a_dblclick_are_a_double_click():
    recording = Recording()
    recording.add("click", x=5, y=5)
    recording.wait(120).add("dblclick", x=5, y=5)
    assert said(recording.actions()) == ["double_click"]


@pytest.mark.parametrize("kind", ["click", "dblclick"])
@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ({"x": 50, "y": 50}, {"x": 90, "y": 50}, False),
        ({"target": BUTTON}, {"target": LINK}, False),
        ({"target": LINK}, {"target": LINK}, True),
        ({"x": 50, "y": 50}, {"target": LINK}, True),
    ],
)
def test_clicks_at_two_places_make_no_double_click(kind, first, second, is_one):
    recording = Recording()
    recording.add("click", **first)
    recording.wait(300).add(kind, **second)
    apart = ["click", "click" if kind == "click" else "double_click"]
    assert said(recording.actions()) == (["double_click"] if is_one else apart)


def test_clicks_of_two_buttons_or_tabs_or_with_a_key_between_make_no_double_click():
    assert said(Recording().click().wait(90).click(button="right").actions()) == [
        "click",
        "right_click",
    ]
    assert said(Recording().click(tab="a").wait(90).click(tab="b").actions()) == ["click", "click"]
    recording = Recording().click().wait(20).key("Escape", hold_ms=5, gap_ms=5).click()
    assert said(recording.actions()) == ["click", "press: Escape", "click"]


def test_a_click_has_its_point_in_pixels_and_relative_to_the_viewport():
    recording = Recording()
    recording.common = {"viewport": VIEWPORT, "url": "https://mail.example.org/", "window": "Mail"}
    action = recording.click(50, 25, target=BUTTON, tab="t").only()
    assert (action.x, action.y, action.x_rel, action.y_rel) == (50, 25, 0.25, 0.25)
    assert (action.tab, action.url, action.window) == ("t", "https://mail.example.org/", "Mail")
    assert action.viewport == (200, 100, 1)
    assert action.target == BUTTON


def test_a_point_outside_the_viewport_has_no_relative_one():
    recording = Recording()
    recording.common = {"viewport": VIEWPORT}
    action = recording.click(-8, -8).only()
    assert (action.x, action.x_rel, action.flags) == (-8, None, ("outside_viewport",))


def test_the_pointer_alone_is_dropped():
    recording = Recording()
    recording.add("mousemove", x=1, y=1)
    assert recording.fates() == {"e1": "idle_move"}


def test_small_movements_belong_to_the_click():
    recording = Recording().down(50, 50)
    recording.add("mousemove", x=56, y=50)
    recording.up(56, 50)
    action = recording.only()
    assert (action.type, len(action.raw_event_ids)) == ("click", 3)
    assert action.path == ()


def test_more_than_six_pixels_are_a_drag_with_its_path():
    recording = Recording().down(50, 50, target=BUTTON)
    for x in range(60, 100, 10):
        recording.wait(10).add("mousemove", x=x, y=50)
    recording.wait(10).up(100, 50, target=LINK)
    action = recording.only()
    assert (action.type, action.x, action.y) == ("drag", 50, 50)
    assert action.path == tuple((float(x), 50.0) for x in range(50, 101, 10))
    assert action.end_target == LINK
    assert len(action.raw_event_ids) == 6


def test_a_drag_that_comes_back_is_a_drag():
    recording = Recording().down(50, 50)
    recording.add("mousemove", x=90, y=50)
    recording.wait(300).up(50, 50)
    recording.add("click", x=50, y=50)
    assert said(recording.actions()) == ["drag"]


def test_a_drag_without_any_movement_recorded():
    assert said(Recording().down(50, 50).wait(300).up(57, 50).actions()) == ["drag"]


def test_a_long_path_keeps_64_points_and_its_ends():
    recording = Recording().down(0, 0)
    for x in range(1, 1000):
        recording.wait(1).add("mousemove", x=x, y=0)
    action = recording.up(1000, 0).only()
    assert len(action.path) == 64
    assert (action.path[0], action.path[-1]) == ((0, 0), (1000, 0))


def test_a_double_click_that_ends_in_a_drag_is_a_click_and_a_drag():
    recording = Recording().click().wait(100).down()
    recording.add("mousemove", x=90, y=50)
    recording.up(90, 50)
    assert said(recording.actions()) == ["click", "drag"]


def test_html_drag_and_drop_has_neither_moves_nor_an_up():
    recording = Recording().down(10, 10, target=BUTTON)
    recording.wait(100).add("dragstart", x=12, y=10, target=BUTTON)
    recording.wait(400).add("drop", x=300, y=40, target=LINK)
    recording.add("unknown", x=300, y=40, extra={"type": "dragend"})
    action = recording.only()
    assert (action.type, action.x, action.path[-1]) == ("drag", 10, (300, 40))
    assert (action.end_target, action.flags) == (LINK, ())
    assert len(action.raw_event_ids) == 4


def test_a_drag_given_up_ends_with_dragend():
    recording = Recording().down(10, 10)
    recording.add("dragstart", x=10, y=10)
    recording.wait(300).add("unknown", x=10, y=10, extra={"type": "dragend"})
    assert said(recording.actions()) == ["drag"]


def test_a_file_dropped_from_outside_has_no_start():
    recording = Recording()
    recording.add("drop", x=30, y=30, target=BUTTON)
    action = recording.only()
    assert (action.type, action.flags) == ("drag", ("missing_press",))


@pytest.mark.parametrize("first", ["contextmenu", "mouseup"])
def test_a_right_click_and_its_menu_are_one(first):
    recording = Recording().down(button="right")
    if first == "contextmenu":
        recording.add("contextmenu", x=50, y=50, button="right")
    recording.wait(60).up(button="right")
    if first == "mouseup":
        recording.add("contextmenu", x=50, y=50, button="right")
    recording.add("auxclick", x=50, y=50, button="right")
    action = recording.only()
    assert (action.type, len(action.raw_event_ids)) == ("right_click", 4)


def test_a_menu_alone_is_a_right_click():
    recording = Recording()
    recording.add("contextmenu", x=50, y=50)
    assert recording.only().type == "right_click"


def test_control_and_a_click_open_the_menu_on_a_mac():
    recording = Recording().down(modifiers=("Control",))
    recording.add("contextmenu", x=50, y=50, modifiers=("Control",))
    recording.wait(60).up(modifiers=("Control",))
    assert said(recording.actions()) == ["right_click"]


def test_the_menu_key_opens_the_menu():
    recording = Recording()
    recording.add("keydown", key="ContextMenu")
    recording.add("contextmenu", x=0, y=0)
    recording.wait(30).add("keyup", key="ContextMenu")
    assert said(recording.actions()) == ["press: ContextMenu"]


def test_the_middle_button():
    recording = Recording().down(button="middle").wait(50).up(button="middle")
    recording.add("auxclick", x=50, y=50, button="middle")
    action = recording.only()
    assert (action.type, len(action.raw_event_ids)) == ("middle_click", 3)


def test_a_buttons_back_key_is_a_press():
    assert said(Recording().down(button="back").wait(50).up(button="back").actions()) == [
        "press: BrowserBack"
    ]


def test_a_click_with_a_modifier_keeps_it():
    recording = Recording()
    recording.add("keydown", key="Control", modifiers=("Control",))
    recording.wait(50).click(modifiers=("Control",))
    recording.add("keyup", key="Control")
    action = recording.only()
    assert (action.type, action.keys, len(action.raw_event_ids)) == ("click", ("Control",), 5)


def test_a_click_on_a_label_clicks_its_control_once():
    label = Target(tag="label", text="Stay signed in")
    box = Target(tag="input", input_type="checkbox", selector="#stay")
    recording = Recording().click(target=label)
    recording.add("click", x=50, y=50, button="left", target=box)
    recording.add("change", value="true", target=box)
    action = recording.only()
    assert (action.type, action.field_value) == ("click", "true")


def test_enter_on_a_button_makes_no_click_of_its_own():
    recording = Recording()
    recording.add("keydown", key="Enter", target=BUTTON)
    recording.add("click", x=0, y=0, target=BUTTON)
    recording.wait(40).add("keyup", key="Enter", target=BUTTON)
    assert said(recording.actions()) == ["press: Enter"]


def test_enter_that_sends_a_form_clicks_its_button_and_submits():
    recording = Recording().click().wait(900)
    recording.add("keydown", key="Enter")
    recording.wait(1).add("click", x=0, y=0, target=BUTTON)
    recording.add("submit")
    recording.wait(40).add("keyup", key="Enter")
    assert said(recording.actions()) == ["click", "press: Enter"]


def test_events_seen_in_two_phases_are_one_click():
    recording = Recording()
    for kind in ("mousedown", "mouseup", "click"):
        for _ in range(2):
            recording.add(kind, x=50, y=50, button="left")
        recording.wait(60)
    assert said(recording.actions()) == ["click"]
    assert sorted(recording.fates().values()) == ["kept"] + ["merged"] * 5


def test_a_down_without_its_up_is_closed_and_flagged():
    recording = Recording().down(10, 10).wait(3000).click(90, 90)
    first, second = recording.actions()
    assert (first.type, first.flags) == ("click", ("missing_release",))
    assert (second.type, second.flags) == ("click", ())


def test_a_drag_whose_up_was_lost_is_a_flagged_drag():
    recording = Recording().down(10, 10)
    recording.add("mousemove", x=60, y=60)
    recording.wait(100).add("tabswitch", tab="other", window="Elsewhere")
    first, second = recording.actions()
    assert (first.type, first.flags) == ("drag", ("missing_release",))
    assert second.type == "switch_tab"


def test_moving_with_no_button_down_shows_that_the_up_was_lost():
    recording = Recording().down(10, 10, buttons=1)
    recording.wait(500).add("mousemove", x=200, y=200, buttons=0)
    action = recording.only()
    assert (action.type, action.flags) == ("click", ("missing_release",))
    assert recording.fates()["e2"] == "idle_move"


def test_the_last_down_of_a_recording_is_closed():
    action = Recording().down().only()
    assert (action.type, action.flags) == ("click", ("missing_release",))


def test_an_up_without_its_down_is_dropped():
    assert Recording().up().fates() == {"e1": "release_without_press"}


def test_buttons_of_two_tabs_do_not_mix():
    recording = Recording().down(tab="a").wait(20).down(tab="b").wait(20)
    recording.up(tab="a").wait(20).up(tab="b")
    actions = recording.actions()
    assert [(a.type, a.tab, a.flags) for a in actions] == [("click", "a", ()), ("click", "b", ())]


def test_a_click_without_a_button_is_the_left_one():
    recording = Recording()
    recording.add("mousedown", x=1, y=1)
    recording.wait(60).add("mouseup", x=1, y=1)
    assert recording.only().type == "click"


def test_events_at_one_time_keep_the_order_of_the_file():
    recording = Recording()
    for kind in ("mousedown", "mouseup", "click"):
        recording.add(kind, x=50, y=50, button="left")
    assert said(recording.actions()) == ["click"]


def test_events_out_of_order_are_sorted_and_the_inversions_counted():
    recording = Recording().click().wait(900).click(90, 90)
    recording.events.reverse()
    made = recording.normalized()
    assert [action.x for action in made.actions] == [50, 90]
    assert made.counts["inversions"] == 3


def test_an_arrow_among_radio_buttons_clicks_the_next_one():
    radio = Target(tag="input", input_type="radio", selector="#two")
    recording = Recording().click().wait(900)
    recording.add("keydown", key="ArrowDown", target=radio)
    recording.wait(2).add("click", x=20, y=30, target=radio)
    recording.add("change", value="true", target=radio)
    recording.wait(40).add("keyup", key="ArrowDown", target=radio)
    actions = recording.actions()
    assert said(actions) == ["click", "press: ArrowDown"]
    assert actions[1].field_value == "true"


def test_a_click_event_shows_that_the_button_was_released():
    recording = Recording().down()
    recording.wait(70).add("click", x=50, y=50, button="left")
    recording.wait(900).down(90, 90)
    recording.wait(70).add("click", x=90, y=90, button="left")
    assert [(a.type, a.flags) for a in recording.actions()] == [("click", ()), ("click", ())]
