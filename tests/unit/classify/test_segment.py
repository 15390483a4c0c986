"""Cutting trajectories: what belongs to an action, what is noise."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.catalogue import Suite
from tests.support.invented_apps import TUNED
from tests.support.simulator import simulate
from tests.unit.classify.recordings import Recording, shop, without_hints
from transforms.classify.segment import segment_trajectory

SUITE = shop().suites[0]
BARE = without_hints().suites[0]


def cut(recording: Recording, suite: Suite = SUITE) -> list[list[int]]:
    return [list(s.step_indices) for s in segment_trajectory(recording.prepared(), suite)]


def checkout(recording: Recording) -> Recording:
    recording.url, recording.window = "http://shop.test/#/checkout", "Checkout - Shop"
    return recording


def test_a_form_belongs_to_the_button_that_sends_it() -> None:
    r = checkout(Recording().click("link", "Basket"))
    r.click("textbox", "Full name").type("textbox", "Full name", "Ilse V.")
    r.click("checkbox", "Leave at the door", field_value="true")
    r.click("button", "Place order").request(
        "POST", "/api/orders", {"full_name": "Ilse V.", "leave_at_door": True}
    )
    r.click("link", "Back to the shop")
    assert cut(r) == [[0], [1, 2, 3, 4], [5]]


@pytest.mark.parametrize("suite", [SUITE, BARE], ids=["hints", "no hints"])
def test_noise_between_the_fields_of_a_form_stays_inside(suite: Suite) -> None:
    r = checkout(Recording())
    r.type("textbox", "Full name", "Ilse V.").step("scroll").click("", "")
    r.click("checkbox", "Leave at the door", field_value="true")
    r.click("button", "Place order").request(
        "POST", "/api/orders", {"full_name": "Ilse V.", "leave_at_door": True}
    )
    assert cut(r, suite) == [[0, 1, 2, 3, 4]]


def test_the_opener_of_a_form_belongs_to_it() -> None:
    r = Recording().click("link", "News").click("button", "Check out")
    checkout(r).type("textbox", "Full name", "Ilse V.").click("button", "Place order")
    r.request("POST", "/api/orders", {"full_name": "Ilse V."})
    assert cut(r) == [[0], [1, 2, 3]]


def test_a_menu_belongs_to_the_thing_it_was_opened_on() -> None:
    r = Recording().click("link", "News").step("long_press", "img", "Picture of Rye bread")
    r.step("tap", "menuitem", "Add to basket").request("POST", "/api/basket", {"product": "Rye"})
    assert cut(r) == [[0], [1, 2]]


def test_a_list_that_is_walked_with_the_arrow_keys_is_one_choice() -> None:
    r = Recording().request("GET", "/api/products?sort=a").step("scroll")
    for value in ("b", "c"):
        r.step("press", "combobox", "Sort by", keys=("ArrowDown",), field_value=value)
        r.request("GET", f"/api/products?sort={value}")
    sorting = without_hints(
        "suites: [{name: S, actions: [{name: sort_products, description: Sort the products, "
        "parameters: [{name: sort_by, required: true, description: Sort by}]}]}]"
    )
    assert cut(r, sorting.suites[0]) == [[0], [1, 2]]


def test_a_field_that_saves_when_left_belongs_to_itself_not_to_the_click_that_left_it() -> None:
    r = Recording().type("spinbutton", "Quantity of Rye bread", "3")
    r.click("button", "Add Oat milk to basket", length_us=90_000)
    # The first request starts while the button is still down, the second after its release.
    r.request("PATCH", "/api/basket/7", {"product": "Rye bread", "quantity": 3}, after_us=-60_000)
    r.request("POST", "/api/basket", {"product": "Oat milk"})
    assert cut(r) == [[0], [1]]


def test_what_the_server_refused_is_no_action_of_its_own() -> None:
    r = checkout(Recording()).type("textbox", "Full name", "I")
    r.click("button", "Place order").request("POST", "/api/orders", {"full_name": "I"}, status=422)
    r.type("textbox", "Full name", "lse V.", field_value="Ilse V.")
    r.click("button", "Place order").request("POST", "/api/orders", {"full_name": "Ilse V."})
    assert cut(r) == [[0, 1, 2, 3]]


def test_autosave_while_typing_does_not_split_a_form() -> None:
    r = checkout(Recording()).type("textbox", "Full name", "Ilse")
    r.request("PUT", "/api/sync/9", {"state": "x"})
    r.type("textbox", "Full name", " V.", field_value="Ilse V.")
    r.click("button", "Place order").request("POST", "/api/orders", {"full_name": "Ilse V."})
    assert cut(r) == [[0, 1, 2]]


def test_interleaved_tabs_stay_in_order_without_overlap() -> None:
    r = checkout(Recording()).type("textbox", "Full name", "Ilse")
    r.tab, r.url, r.window = "t2", "http://mail.test/", "Mail"
    r.step("switch_tab").click("link", "Your address")
    r.tab = "t1"
    checkout(r).step("switch_tab").type("textbox", "Full name", " V.", field_value="Ilse V.")
    r.click("button", "Place order").request("POST", "/api/orders", {"full_name": "Ilse V."})
    assert cut(r) == [[0, 1, 2, 3, 4, 5]]


def test_tasks_are_cut_apart() -> None:
    r = Recording().click("button", "Add Rye bread to basket")
    r.task = 1
    r.click("button", "Add Oat milk to basket").step("scroll")
    segments = segment_trajectory(r.prepared(), SUITE)
    assert [(s.task, s.step_indices) for s in segments] == [(0, (0,)), (1, (1,)), (1, (2,))]


def test_ids_are_those_of_the_session_and_the_events() -> None:
    r = Recording().click("button", "Add Rye bread to basket").step("scroll")
    first, _ = segment_trajectory(r.prepared(), SUITE)
    assert (first.first_event_id, first.last_event_id) == ("e001", "e003")
    assert first == segment_trajectory(r.prepared(), SUITE)[0]
    r.session = Recording(id="s-2").session
    assert segment_trajectory(r.prepared(), SUITE)[0].id != first.id


def test_spans_do_not_overlap_when_events_of_two_steps_interleave() -> None:
    r = Recording().click("button", "Add Rye bread to basket", length_us=3_000_000)
    r.us -= 2_900_000
    r.click("button", "Add Oat milk to basket")
    steps = list(r.steps)
    ids = [("e001", "e002", "e003", "e005"), ("e004", "e006")]
    r.steps = [
        msgspec.structs.replace(s, action=msgspec.structs.replace(s.action, raw_event_ids=i))
        for s, i in zip(steps, ids)
    ]
    one, two = segment_trajectory(r.prepared(), SUITE)
    assert (one.first_event_id, one.last_event_id) == ("e001", "e003")
    assert (two.first_event_id, two.last_event_id) == ("e004", "e006")


def test_a_session_without_steps_has_no_segments() -> None:
    assert segment_trajectory(Recording().prepared(), SUITE) == ()


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), app=st.sampled_from(TUNED), network=st.booleans())
def test_every_step_is_in_exactly_one_segment_in_order(seed: int, app, network: bool) -> None:
    simulated = simulate(app, seed, actions=5, network=network)
    suite = simulated.catalogue.suites[0]
    segments = segment_trajectory(simulated.prepared, suite)
    steps = [i for s in segments for i in s.step_indices]
    assert steps == list(range(len(simulated.prepared.steps)))
    assert len({s.id for s in segments}) == len(segments)
    assert segments == segment_trajectory(simulated.prepared, suite)
