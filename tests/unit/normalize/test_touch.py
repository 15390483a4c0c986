from __future__ import annotations

import pytest

from normalize.recordings import BUTTON, Recording, said


def test_a_short_touch_is_a_tap():
    action = Recording().tap(30, 40, target=BUTTON).only()
    assert (action.type, action.x, action.y, action.path) == ("tap", 30, 40, ())
    assert action.target == BUTTON


@pytest.mark.parametrize(("hold_ms", "kind"), [(499, "tap"), (500, "long_press")])
def test_from_half_a_second_it_is_a_long_press(hold_ms, kind):
    assert Recording().tap(hold_ms=hold_ms).only().type == kind


def test_a_touch_without_a_list_of_touches_is_one_finger():
    recording = Recording()
    recording.add("touchstart", x=5, y=5)
    recording.wait(80).add("touchend")
    action = recording.only()
    assert (action.type, action.x) == ("tap", 5)


def swipe(recording: Recording, *points: tuple[float, float]) -> Recording:
    (x, y), *rest = points
    recording.add("touchstart", x=x, y=y, touches=[(0, x, y)])
    for x, y in rest:
        recording.wait(20).add("touchmove", x=x, y=y, touches=[(0, x, y)])
    recording.wait(20).add("touchend", x=x, y=y)
    return recording


def test_a_finger_that_moves_swipes():
    action = swipe(Recording(), (100, 300), (100, 200), (100, 120)).only()
    assert (action.type, action.x, action.y) == ("swipe", 100, 300)
    assert action.path == ((100, 300), (100, 200), (100, 120))


def test_a_finger_that_trembles_taps():
    assert swipe(Recording(), (100, 300), (104, 303)).only().type == "tap"


def test_two_fingers_that_part_pinch():
    recording = Recording()
    recording.add("touchstart", touches=[(0, 100, 100)])
    recording.wait(10).add("touchstart", touches=[(0, 100, 100), (1, 120, 100)])
    recording.wait(30).add("touchmove", touches=[(0, 60, 100), (1, 160, 100)])
    recording.wait(30).add("touchend", touches=[(0, 60, 100)])
    recording.wait(10).add("touchend")
    action = recording.only()
    assert (action.type, action.x, action.y) == ("pinch", 110, 100)
    assert action.path == ((100, 100), (120, 100), (60, 100), (160, 100))
    assert len(action.raw_event_ids) == 5


def test_two_fingers_side_by_side_swipe():
    recording = Recording()
    recording.add("touchstart", touches=[(0, 100, 100), (1, 140, 100)])
    recording.wait(30).add("touchmove", touches=[(0, 100, 30), (1, 140, 30)])
    recording.wait(30).add("touchend")
    assert recording.only().type == "swipe"


@pytest.mark.parametrize("named", [[(0, 30, 30)], []])
def test_the_end_may_name_the_finger_that_left_or_those_that_stay(named):
    recording = Recording()
    recording.add("touchstart", touches=[(0, 30, 30)])
    recording.wait(80).add("touchend", touches=named)
    recording.wait(900).tap(90, 90)
    assert said(recording.actions()) == ["tap", "tap"]


def test_mouse_events_made_from_a_touch_belong_to_it():
    recording = Recording().tap(30, 30).wait(10)
    recording.add("mousemove", x=30, y=30)
    recording.down(30, 30).up(30, 30)
    recording.add("click", x=30, y=30, button="left", target=BUTTON)
    action = recording.only()
    assert (action.type, len(action.raw_event_ids)) == ("tap", 6)


def test_a_mouse_click_elsewhere_is_a_click_of_its_own():
    recording = Recording().tap(30, 30).wait(200).click(150, 150)
    assert said(recording.actions()) == ["tap", "click"]


def test_a_mouse_click_later_is_a_click_of_its_own():
    recording = Recording().tap(30, 30).wait(1500).click(30, 30)
    assert said(recording.actions()) == ["tap", "click"]


def test_the_menu_of_a_long_press_belongs_to_it():
    recording = Recording()
    recording.add("touchstart", x=30, y=30, touches=[(0, 30, 30)])
    recording.wait(600).add("contextmenu", x=30, y=30)
    recording.wait(100).add("touchend", x=30, y=30)
    action = recording.only()
    assert (action.type, len(action.raw_event_ids)) == ("long_press", 3)


def test_ticking_a_box_by_touch_knows_its_state():
    recording = Recording().tap(30, 30)
    recording.add("click", x=30, y=30, button="left")
    recording.add("change", value="true", target=None)
    action = recording.only()
    assert (action.type, action.field_value) == ("tap", "true")


def test_a_cancelled_touch_that_moved_is_a_swipe():
    recording = Recording()
    recording.add("touchstart", x=5, y=200, touches=[(0, 5, 200)])
    recording.wait(20).add("touchmove", x=5, y=150, touches=[(0, 5, 150)])
    recording.add("touchcancel")
    recording.wait(100).add("scroll", additional_info={"scroll_top": 50})
    action = recording.only()
    assert (action.type, len(action.raw_event_ids)) == ("swipe", 4)


def test_a_cancelled_touch_that_did_not_move_is_dropped():
    recording = Recording()
    recording.add("touchstart", x=5, y=200)
    recording.wait(20).add("touchcancel")
    assert recording.fates() == {"e1": "touch_cancelled", "e2": "touch_cancelled"}


def test_a_page_scrolled_by_a_finger_is_one_swipe():
    recording = swipe(Recording(), (100, 300), (100, 100))
    for n in range(8):
        recording.wait(250).add("scroll", additional_info={"scroll_top": 100 + n * 20})
    assert said(recording.actions()) == ["swipe"]


def test_a_touch_without_its_end_is_closed_and_flagged():
    recording = Recording()
    recording.add("touchstart", x=5, y=5, touches=[(0, 5, 5)])
    recording.wait(2000).tap(80, 80)
    first, second = recording.actions()
    assert (first.type, first.flags, second.flags) == ("tap", ("missing_release",), ())


def test_ends_and_moves_without_a_start_are_dropped():
    recording = Recording()
    recording.add("touchmove", x=1, y=1)
    recording.add("touchend", x=1, y=1)
    assert list(recording.fates().values()) == ["idle_move", "release_without_press"]


def test_fingers_that_come_in_events_of_their_own_pinch():
    recording = Recording()
    recording.add("touchstart", touches=[(1, 100, 200)])
    recording.wait(20).add("touchstart", touches=[(2, 200, 200)])
    for step in range(8):
        recording.wait(20).add("touchmove", touches=[(1, 100 - step * 8, 200)])
        recording.wait(20).add("touchmove", touches=[(2, 200 + step * 8, 200)])
    recording.wait(20).add("touchend", touches=[(1, 44, 200)])
    recording.wait(20).add("touchend", touches=[(2, 256, 200)])
    assert said(recording.actions()) == ["pinch"]
    assert recording.actions()[0].path == ((100, 200), (200, 200), (44, 200), (256, 200))
