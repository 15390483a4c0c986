from __future__ import annotations

import pytest

from normalize.recordings import BUTTON, LINK, START_US, VIEWPORT, Recording
from schemas.traces import DomSnapshot, Frame, GivenStep, Request, Viewport
from schemas.trajectories import Step
from transforms.dom import parse_dom
from transforms.normalize.match import MatchSettings, match_observations


def frame(name: str, ms: float, **fields) -> Frame:
    made = {"width": 200, "height": 100, "format": "png", "size_bytes": 1, **fields}
    return Frame(file=name, timestamp_us=START_US + round(ms * 1000), **made)


def snapshot(name: str, ms: float, **fields) -> DomSnapshot:
    made = {"format": "json", "size_bytes": 1, **fields}
    return DomSnapshot(file=name, timestamp_us=START_US + round(ms * 1000), **made)


def request(name: str, started_ms: float, duration_ms: float = 10, **fields) -> Request:
    made = {"method": "GET", "url": "https://a.example/", "status": 200, **fields}
    return Request(
        id=name, started_us=START_US + round(started_ms * 1000), duration_ms=duration_ms, **made
    )


def steps_of(
    recording: Recording, settings: MatchSettings | None = None, **parts
) -> tuple[Step, ...]:
    recording.trace_fields |= parts
    asked: list[str] = []

    def dom(wanted: DomSnapshot):
        asked.append(wanted.file)
        return parse_dom(wanted.inline, wanted.format) if wanted.inline else None

    trace = recording.trace()
    made = recording.normalized()
    return match_observations(trace, made, settings or MatchSettings(), dom)


def click_at(*times_ms: float, **fields) -> Recording:
    recording = Recording()
    for ms in times_ms:
        recording.us = START_US + round(ms * 1000)
        recording.click(10, 10, **fields)
    return recording


def test_the_last_frame_strictly_before_the_action():
    frames = (frame("early", 100), frame("last", 999.999), frame("at", 1000), frame("after", 1001))
    (step,) = steps_of(click_at(1000), frames=frames)
    seen = step.observation
    assert (seen.frame, seen.frame_timestamp_us) == ("last", START_US + 999_999)
    assert (seen.frame_size, seen.stale, seen.paired) == ((200, 100), False, False)


def test_no_frame_before_means_no_frame():
    (step,) = steps_of(click_at(1000), frames=(frame("at", 1000),))
    assert step.observation.frame is None
    assert step.observation.frame_timestamp_us is None


@pytest.mark.parametrize(("age_ms", "seen"), [(30_000, "old"), (30_000.001, None)])
def test_a_frame_that_is_too_old_shows_nothing_of_the_moment(age_ms, seen):
    (step,) = steps_of(click_at(40_000), frames=(frame("old", 40_000 - age_ms),))
    assert step.observation.frame == seen
    settings = MatchSettings(max_observation_age_s=None)
    (step,) = steps_of(click_at(40_000), settings, frames=(frame("old", 0),))
    assert step.observation.frame == "old"


def test_frames_of_another_tab_are_not_seen_but_those_without_a_tab_are():
    frames = (frame("mine", 100, tab="a"), frame("other", 800, tab="b"))
    (step,) = steps_of(click_at(1000, tab="a"), frames=frames)
    assert step.observation.frame == "mine"
    (step,) = steps_of(click_at(1000, tab="a"), frames=(*frames, frame("screen", 500)))
    assert step.observation.frame == "screen"


def test_dom_follows_the_same_rules():
    dom = (snapshot("old", 500, tab="a"), snapshot("other", 900, tab="b"), snapshot("at", 1000))
    (step,) = steps_of(click_at(1000, tab="a"), dom=dom)
    assert (step.observation.dom, step.observation.dom_timestamp_us) == ("old", START_US + 500_000)


def test_the_recorders_own_pair_wins_whatever_its_time():
    frames = (frame("near", 900), frame("pair", 5000, event_id="e1"))
    dom = (snapshot("tree", 6000, event_id="e1"),)
    (step,) = steps_of(click_at(1000), frames=frames, dom=dom)
    seen = step.observation
    assert (seen.frame, seen.dom, seen.paired, seen.stale) == ("pair", "tree", True, False)


def test_a_frame_of_a_video_must_be_older_by_the_margin():
    frames = (frame("screen.mp4#12", 400), frame("screen.mp4#20", 700))
    (step,) = steps_of(click_at(1000), frames=frames)
    assert step.observation.frame == "screen.mp4#12"
    (step,) = steps_of(click_at(1000), MatchSettings(video_margin_s=0.0), frames=frames)
    assert step.observation.frame == "screen.mp4#20"
    shifted = MatchSettings(video_margin_s=0.0, video_offset_s=0.35)
    (step,) = steps_of(click_at(1000), shifted, frames=frames)
    assert step.observation.frame == "screen.mp4#12"


def navigated(between_ms: float, tab: str | None = "a") -> Recording:
    recording = Recording()
    recording.us = START_US
    recording.add("tabswitch", tab="a")
    recording.us = START_US + round(between_ms * 1000)
    recording.add("navigation", tab=tab, url="https://b.example/")
    recording.us = START_US + 9_000_000
    return recording.click(10, 10, tab="a")


@pytest.mark.parametrize(("between_ms", "stale"), [(4000, False), (6000, True)])
def test_a_frame_from_before_a_navigation_is_stale(between_ms, stale):
    steps = steps_of(navigated(between_ms), frames=(frame("f", 5000, tab="a"),))
    assert (steps[-1].observation.frame, steps[-1].observation.stale) == ("f", stale)


def test_a_navigation_of_another_tab_makes_nothing_stale():
    steps = steps_of(navigated(6000, tab="b"), frames=(frame("f", 5000, tab="a"),))
    assert steps[-1].observation.stale is False


def test_a_frame_from_before_a_switch_of_tabs_is_stale():
    recording = Recording().click(tab="a")
    for tab in ("b", "a"):
        recording.wait(2000).add("tabswitch", tab=tab)
    recording.wait(2000).click(tab="a")
    steps = steps_of(recording, frames=(frame("f", -10, tab="a"),))
    assert [step.observation.frame for step in steps] == ["f", "f", None, "f"]
    assert [step.observation.stale for step in steps] == [False, False, False, True]


def test_before_a_switch_the_tab_in_front_is_seen():
    recording = Recording()
    recording.common = {"url": "https://a.example/", "window": "Mail"}
    recording.click(tab="a").wait(2000)
    recording.common = {}
    recording.add("tabswitch", tab="b", window="Shop", url="https://b.example/")
    recording.wait(1000).click(tab="b")
    frames = (frame("mail", 100, tab="a"), frame("shop", -50, tab="b"), frame("new", 2500, tab="b"))
    _, switch, click = steps_of(recording, frames=frames)
    seen = switch.observation
    assert (seen.frame, seen.tab, seen.active_window) == ("mail", "a", "Mail")
    assert seen.url == "https://a.example/"
    assert (click.observation.frame, click.observation.active_window) == ("new", "Shop")


def test_the_title_after_a_navigation_does_not_leak_into_what_was_seen_before_it():
    recording = Recording()
    recording.add("tabswitch", tab="a", window="Mail", url="https://a.example/")
    recording.wait(9000).add("navigation", tab="a", window="Shop", url="https://b.example/")
    *_, step = steps_of(recording)
    assert step.action.type == "navigate"
    assert (step.observation.active_window, step.observation.url) == (
        "Mail",
        "https://a.example/",
    )


def test_the_window_of_an_action_is_where_its_event_says_it_happened():
    recording = Recording().click(window="Mail", tab="a")
    (step,) = steps_of(recording)
    assert (step.observation.active_window, step.observation.tab) == ("Mail", "a")


def test_the_recorders_own_window_is_never_an_observation():
    recording = Recording(recorder={"window": "Recorder"})
    recording.click(tab="r", window="Recorder").wait(500)
    recording.add("navigation", tab="a", url="https://a.example/", window="Mail")
    recording.wait(3000).click(tab="a")
    frames = (frame("own", 100, tab="r"), frame("screen", 200), frame("mail", 3000, tab="a"))
    first, second = steps_of(recording, frames=frames)
    assert (first.observation.frame, first.observation.active_window) == (None, None)
    assert second.observation.frame == "mail"


@pytest.mark.parametrize(
    ("size", "viewport", "scale"),
    [
        ((400, 200), Viewport(200, 100, 2), (2, 2)),
        ((200, 100), None, (1, 1)),
        ((1276, 718), Viewport(1366, 768), (0.934114, 0.934896)),
        ((400, 1800), Viewport(200, 100, 2), (2, 2)),  # a picture of the whole page
    ],
)
def test_the_scale_takes_points_to_pixels_of_the_frame(size, viewport, scale):
    shot = frame("f", 0, width=size[0], height=size[1], viewport=viewport)
    (step,) = steps_of(click_at(1000), frames=(shot,))
    assert step.observation.frame_scale == pytest.approx(scale, abs=1e-6)


def test_the_scale_falls_back_to_the_actions_viewport():
    (step,) = steps_of(
        click_at(1000, viewport=VIEWPORT), frames=(frame("f", 0, width=400, height=200),)
    )
    assert step.observation.frame_scale == (2, 2)


def test_requests_that_finished_since_the_previous_action_started():
    recording = click_at(1000, 3000)
    requests = (
        request("before", 500, 100),
        request("caused", 1100, 300),
        request("running", 2900, 500),
        request("incomplete", 1200, 10, status=None),
        request("at", 2990, 10),
    )
    first, second = steps_of(recording, requests=requests)
    assert first.observation.request_ids == ("before",)
    assert second.observation.request_ids == ("caused",)


def test_requests_of_a_tab_wait_for_the_next_action_there():
    recording = click_at(1000, tab="a")
    recording.us = START_US + 3_000_000
    recording.click(tab="b")
    recording.us = START_US + 5_000_000
    recording.click(tab="a")
    steps = steps_of(recording, requests=(request("r", 1500, 10, tab="a"),))
    assert [s.observation.request_ids for s in steps] == [(), (), ("r",)]


def test_steps_count_from_one_within_their_task():
    steps = steps_of(click_at(1000, 3000))
    assert [(s.task, s.task_id, s.step_id) for s in steps] == [(0, "s", 1), (0, "s", 2)]


def test_a_long_pause_starts_another_task_only_if_asked_to():
    recording = click_at(1000, 3000, 60_000)
    assert {s.task for s in steps_of(recording)} == {0}
    steps = steps_of(click_at(1000, 3000, 60_000), MatchSettings(split_idle_s=10))
    assert [(s.task, s.task_id, s.step_id) for s in steps] == [
        (0, "s#1", 1),
        (0, "s#1", 2),
        (1, "s#2", 1),
    ]


def test_events_name_their_task_and_one_that_says_nothing_goes_with_the_last():
    recording = Recording()
    for task in ("buy", None, "mail", "buy"):
        extra = {"task_id": task} if task else {}
        recording.click(extra=extra).wait(900)
    steps = steps_of(recording, MatchSettings(split_idle_s=0.1))
    assert [(s.task, s.task_id, s.step_id) for s in steps] == [
        (0, "buy", 1),
        (0, "buy", 2),
        (1, "mail", 1),
        (0, "buy", 3),
    ]


def test_what_a_trajectory_says_of_a_step_stays_with_it():
    recording = Recording()
    for step_id in (4, 9):
        recording.add("click", x=5, y=5, additional_info={"type": "click"})
        recording.trace_fields.setdefault("given", ())
        recording.trace_fields["given"] += (
            GivenStep(
                event_id=recording.events[-1].id,
                task_id="t",
                step_id=step_id,
                thought="Save it.",
                element_id="42",
            ),
        )
        recording.wait(900)
    tree = '{"tag":"div","children":[{"id":42,"role":"button","name":"Save","bounds":[0,0,9,9]}]}'
    dom = (snapshot("tree", 0, event_id="e1", inline=tree),)
    first, second = steps_of(recording, dom=dom)
    assert (first.task_id, first.step_id, second.step_id) == ("t", 1, 2)
    assert (first.thought, first.element_id) == ("Save it.", "42")
    assert (first.action.element.name, first.action.element.source) == ("Save", "dom")
    assert second.action.element.name == "Save"
    alone, _ = steps_of(recording, dom=())
    assert (alone.action.element.id, alone.action.element.source) == ("42", "given")


TREE = '{"tag":"body","bounds":[0,0,200,100],"children":[%s]}'
SAVE = '{"tag":"button","text":"Save","bounds":[0,0,40,20]}'


def test_an_action_is_grounded_in_the_snapshot_it_saw():
    dom = (snapshot("tree", 500, inline=TREE % SAVE),)
    (step,) = steps_of(click_at(1000), dom=dom)
    assert (step.action.element.role, step.action.element.name) == ("button", "Save")
    assert step.action.element.offset == (10, 10)


def test_a_stale_snapshot_grounds_nothing():
    recording = navigated(6000)
    steps = steps_of(recording, dom=(snapshot("tree", 5000, tab="a", inline=TREE % SAVE),))
    assert (steps[-1].observation.dom, steps[-1].action.element) == ("tree", None)


def test_actions_on_targets_are_grounded_without_any_snapshot():
    first, second = steps_of(Recording().click(target=BUTTON).wait(900).click(target=LINK))
    assert (first.action.element.name, second.action.element.role) == ("Send", "link")
