from __future__ import annotations

import pytest

from normalize.recordings import AREA, BUTTON, LINE, LINK, Recording, said

A, B, C = "https://a.example/", "https://b.example/", "https://c.example/"


def navigate(recording: Recording, url: str, **fields) -> Recording:
    recording.add("navigation", url=url, **fields)
    return recording


def test_the_first_page_is_opened_by_the_person():
    recording = navigate(Recording(), A, window="A")
    action = recording.only()
    assert (action.type, action.text) == ("navigate", A)
    assert (action.url, action.window) == (None, None)  # what was there before it


def test_a_navigation_caused_by_a_click_belongs_to_it():
    recording = navigate(Recording(), A).wait(3000).click(target=LINK).wait(700)
    navigate(recording, B)
    assert said(recording.actions()) == [f"navigate: {A}", "click"]


@pytest.mark.parametrize(
    ("target", "wait_ms", "caused"),
    [(None, 1900, True), (None, 2100, False), (LINK, 4900, True), (BUTTON, 5200, False)],
)
def test_a_slow_server_may_answer_a_link_later_than_anything_else(target, wait_ms, caused):
    recording = navigate(Recording().click(target=target).wait(wait_ms), B)
    assert said(recording.actions()) == (["click"] if caused else ["click", f"navigate: {B}"])


def test_enter_in_a_field_of_unknown_kind_opens_a_page():
    recording = Recording().keys("weather\n").wait(300)
    navigate(recording, B)
    actions = recording.actions()
    assert said(actions) == ["type: weather", "press: Enter"]
    assert len(actions[1].raw_event_ids) == 3


def test_an_address_that_changes_while_one_types_belongs_to_the_typing():
    recording = navigate(Recording(), A).wait(3000).typed("ab", target=LINE)
    navigate(recording, A + "?q=ab")
    assert said(recording.actions()) == [f"navigate: {A}", "type: ab"]


def test_redirects_belong_to_the_navigation_that_met_them():
    recording = navigate(navigate(navigate(Recording(), A).wait(900), B).wait(900), C)
    assert said(recording.actions()) == [f"navigate: {A}"]


def test_two_pages_opened_one_after_the_other():
    recording = navigate(navigate(Recording(), A).wait(9000), B)
    first, second = recording.actions()
    assert (first.text, second.text, second.url) == (A, B, A)


def test_what_the_recorder_says_of_a_navigation_decides():
    recording = navigate(Recording(), A).wait(3000).click().wait(200)
    navigate(recording, B, additional_info={"transition": "typed"}).wait(9000)
    navigate(recording, C, additional_info={"transition": "link"})
    recording.wait(300)
    navigate(recording, A, additional_info={"transition_type": "reload"})
    assert said(recording.actions()) == [
        f"navigate: {A}",
        "click",
        f"navigate: {B}",
        f"navigate: {A}",
    ]


def test_a_reload_by_key_belongs_to_the_key():
    recording = navigate(Recording(), A).wait(5000).key("F5").wait(400)
    navigate(recording, A)
    assert said(recording.actions()) == [f"navigate: {A}", "press: F5"]


def test_a_form_that_is_sent_belongs_to_the_click():
    recording = Recording().click(target=BUTTON)
    recording.add("submit")
    assert len(recording.only().raw_event_ids) == 4


def test_a_form_that_is_sent_by_itself_is_dropped():
    recording = Recording()
    recording.add("submit")
    assert recording.fates() == {"e1": "submit"}


def test_focus_blur_and_markers_are_dropped_with_their_reason():
    recording = Recording()
    for kind in ("focus", "blur", "screenshot", "dom", "unknown"):
        recording.add(kind)
    assert list(recording.fates().values()) == [
        "focus",
        "blur",
        "context",
        "context",
        "unknown_type",
    ]


def test_tab_moves_the_focus_and_is_a_press_even_in_an_area():
    recording = Recording().keys("ab\t", target=AREA)
    recording.add("blur", target=AREA)
    recording.add("focus", target=LINE)
    recording.keys("c", target=LINE)
    assert said(recording.actions()) == ["type: ab", "press: Tab", "type: c"]


def test_switching_tabs():
    recording = navigate(Recording(), A, tab="t1", window="Mail").wait(5000)
    recording.add("tabswitch", tab="t2", url=B, window="Shop")
    recording.wait(900).click(tab="t2")
    switch, click = recording.actions()[1:]
    assert (switch.type, switch.tab, switch.text) == ("switch_tab", "t2", "Shop")
    assert (switch.url, switch.window) == (A, "Mail")
    assert (click.url, click.window) == (B, "Shop")


def test_switching_tabs_by_keys_is_one_action():
    recording = Recording().click(tab="t1").wait(900)
    recording.chord("Control", "Tab", tab="t1")
    recording.add("tabswitch", tab="t2", window="Shop")
    switch = recording.actions()[-1]
    assert (switch.type, switch.keys, switch.text) == ("switch_tab", ("Control", "Tab"), "Shop")
    assert len(recording.actions()) == 2


def test_switching_by_keys_of_which_only_control_was_seen():
    recording = Recording().click(tab="t1").wait(900)
    recording.add("keydown", key="Control", tab="t1")
    recording.wait(80).add("tabswitch", tab="t2")
    recording.wait(50).add("keyup", key="Control", tab="t2")
    switch = recording.actions()[-1]
    assert (switch.type, len(switch.raw_event_ids)) == ("switch_tab", 3)


def test_a_link_that_opens_a_tab_takes_the_switch_with_it():
    recording = Recording().click(target=LINK, tab="t1").wait(600)
    navigate(recording, B, tab="t2")
    recording.wait(20).add("tabswitch", tab="t2", url=B)
    recording.wait(900).click(tab="t2")
    assert said(recording.actions()) == ["click", "click"]


def test_the_switch_may_come_before_the_page():
    recording = Recording().click(target=LINK, tab="t1").wait(100)
    recording.add("tabswitch", tab="t2")
    recording.wait(600)
    navigate(recording, B, tab="t2")
    assert said(recording.actions()) == ["click"]


def test_a_tab_the_person_opens_is_a_navigation_there():
    recording = Recording().click(target=BUTTON, tab="t1").wait(800)
    navigate(recording, B, tab="t2")
    recording.wait(15).add("tabswitch", tab="t2", url=B)
    first, second = recording.actions()
    assert (first.type, second.type, second.tab, second.text) == ("click", "navigate", "t2", B)
    assert len(second.raw_event_ids) == 2


def test_titles_and_addresses_are_carried_forward_in_each_tab():
    recording = Recording()
    recording.add("tabswitch", tab="a", url=A, window="Mail")
    recording.wait(900).click(tab="a").wait(900)
    recording.add("tabswitch", tab="b", url=B, window="Shop")
    recording.wait(900).click(tab="b").wait(900)
    recording.add("tabswitch", tab="a")
    recording.wait(900).click(tab="a")
    clicks = [a for a in recording.actions() if a.type == "click"]
    assert [(a.tab, a.url, a.window) for a in clicks] == [
        ("a", A, "Mail"),
        ("b", B, "Shop"),
        ("a", A, "Mail"),
    ]


def test_the_title_of_a_page_is_forgotten_when_another_page_opens():
    recording = Recording()
    recording.add("tabswitch", tab="a", url=A, window="Mail")
    recording.wait(9000)
    navigate(recording, B, tab="a")
    recording.wait(900).click(tab="a")
    assert recording.actions()[-1].window is None


def test_events_without_a_tab_belong_to_the_tab_in_front():
    recording = Recording()
    recording.add("tabswitch", tab="a", url=A)
    recording.wait(900).keys("x")
    assert recording.actions()[-1].tab == "a"
