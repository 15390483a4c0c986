from __future__ import annotations

from normalize.recordings import LINE, Recording, said


def wheel(recording: Recording, *deltas: float, gap_ms: float = 60, **fields) -> Recording:
    for delta in deltas:
        recording.add("wheel", x=10, y=10, delta_x=0.0, delta_y=delta, **fields)
        recording.wait(gap_ms)
    return recording


def deltas(recording: Recording) -> list[tuple[float, float]]:
    return [(a.delta_x, a.delta_y) for a in recording.actions()]


def test_turns_in_one_direction_are_one_scroll():
    recording = wheel(Recording(), 100, 100, 50)
    action = recording.only()
    assert (action.type, action.x, action.delta_x, action.delta_y) == ("scroll", 10, 0, 250)
    assert len(action.raw_event_ids) == 3


def test_up_and_down_do_not_cancel_out():
    assert deltas(wheel(Recording(), 100, 100, -100, -100)) == [(0, 200), (0, -200)]


def test_right_and_down_are_two_directions():
    recording = wheel(Recording(), 100)
    recording.add("wheel", x=10, y=10, delta_x=80.0, delta_y=4.0)
    assert deltas(recording) == [(0, 100), (80, 4)]


def test_a_pause_of_a_second_ends_a_scroll():
    assert len(wheel(Recording(), 100, 100, gap_ms=1000).actions()) == 1
    assert len(wheel(Recording(), 100, 100, gap_ms=1001).actions()) == 2


def test_another_action_or_tab_between_ends_a_scroll():
    recording = wheel(wheel(Recording(), 100).click().wait(50), 100)
    assert said(recording.actions()) == ["scroll", "click", "scroll"]
    recording = wheel(wheel(wheel(Recording(), 100, tab="a"), 100, tab="b"), 100, tab="a")
    assert [a.tab for a in recording.actions()] == ["a", "b", "a"]


def test_moving_the_pointer_does_not_end_a_scroll():
    recording = wheel(Recording(), 100)
    recording.add("mousemove", x=20, y=20)
    assert deltas(wheel(recording, 100)) == [(0, 200)]


def test_scroll_events_belong_to_the_wheel():
    recording = wheel(Recording(), 100)
    recording.add("scroll", additional_info={"scroll_top": 100})
    wheel(recording, 100)
    recording.wait(300).add("scroll", additional_info={"scroll_top": 200})
    action = recording.only()
    assert (action.delta_y, len(action.raw_event_ids)) == (200, 4)


def test_control_and_the_wheel_zoom():
    recording = wheel(Recording(), 100)
    wheel(recording, 100, modifiers=("Control",))
    first, second = recording.actions()
    assert (first.keys, second.keys) == ((), ("Control",))


def test_scroll_with_deltas_is_some_recorders_word_for_the_wheel():
    recording = Recording()
    for _ in range(2):
        recording.add("scroll", x=5, y=5, delta_y=-30.0)
        recording.wait(50)
    assert deltas(recording) == [(0, -60)]


def test_scrolling_seen_only_by_its_effect_gets_its_deltas_from_the_positions():
    recording = Recording()
    for top in (0, 120, 300, 250):
        recording.add("scroll", additional_info={"scroll_top": top, "scroll_left": 0})
        recording.wait(100)
    made = recording.normalized()
    assert [(a.delta_y, a.flags) for a in made.actions] == [
        (300, ("unseen_wheel",)),
        (-50, ("unseen_wheel",)),
    ]
    assert made.ledger.dropped == {"no_movement": 1}


def test_a_page_that_moves_after_a_key_or_a_click_was_moved_by_it():
    recording = Recording().key("PageDown")
    recording.wait(200).add("scroll", additional_info={"scroll_top": 500})
    assert said(recording.actions()) == ["press: PageDown"]
    recording = wheel(Recording(), 10).wait(3000).click()
    recording.wait(400).add("scroll", additional_info={"scroll_top": 900})
    assert said(recording.actions()) == ["scroll", "click"]


def test_a_pulled_scrollbar_is_a_drag():
    recording = Recording().down(199, 10)
    for n in range(1, 5):
        recording.wait(30).add("mousemove", x=199, y=10 + 20 * n)
        recording.add("scroll", additional_info={"scroll_top": 100 * n})
    recording.up(199, 90)
    assert said(recording.actions()) == ["drag"]


def test_a_field_that_scrolls_while_one_types_does_not_interrupt():
    recording = Recording().typed("ab", target=LINE)
    recording.add("scroll", additional_info={"scroll_left": 12}, target=LINE)
    recording.typed("c", before="ab", target=LINE)
    assert said(recording.actions()) == ["type: abc"]


def test_turns_that_move_nothing_are_dropped():
    recording = Recording()
    recording.add("wheel", x=1, y=1, delta_x=0.0, delta_y=0.0)
    recording.add("scroll")
    assert set(recording.fates().values()) == {"no_movement"}


def test_another_window_ends_a_scroll():
    recording = wheel(wheel(Recording(), 100, window="Notes"), 100, window="Mail")
    assert [a.window for a in recording.actions()] == ["Notes", "Mail"]


def test_lines_and_pages_of_the_wheel_become_pixels():
    lines = wheel(Recording(), 3, 3, additional_info={"delta_mode": 1})
    assert deltas(lines) == [(0, 200)]
    assert deltas(wheel(Recording(), -1, additional_info={"delta_mode": 2})) == [(0, -800)]
