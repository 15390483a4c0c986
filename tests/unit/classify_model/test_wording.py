"""Requests that a model words: nothing left out, nothing made up."""

import json

import pytest

from schemas.classifications import Classification, Segment
from transforms.classify.model.answers import Unusable
from transforms.classify.model.wording import faults, read_request, wants_wording

SHOWN = {
    "application": "Postbox",
    "done": [
        {"action": "send_email", "about": "Send a message.",
         "values": {"to": "<EMAIL_1>", "subject": "Number 31", "urgent": True}},
        {"action": "star", "about": "Star a message.", "values": {"count": 2.5}},
    ],
}  # fmt: skip
GOOD = "In Postbox, write to <EMAIL_1> about “Number 31”, urgently, then star 2.5 of them."


def test_a_request_with_every_value_and_no_other_is_used():
    assert faults(GOOD, SHOWN) == ()
    assert read_request(json.dumps({"request": GOOD}), SHOWN) == GOOD


@pytest.mark.parametrize(
    "request_, says",
    [
        ("", "empty"),
        (GOOD.replace("Number 31", "it"), '"subject"'),
        (GOOD.replace("<EMAIL_1>", "Ruth"), '"to"'),
        (GOOD + " Then pay 4711.", "not given"),
        (GOOD + " Ask x@example.org.", "not given"),
        (GOOD + ' Say "hello there".', "not given"),
        (GOOD + " Use <EMAIL_2>.", "not given"),
        (GOOD + " Call send_email.", "identifier"),
        (GOOD + " please" * 400, "characters"),
    ],
)
def test_other_requests_are_sent_back_with_what_is_wrong(request_, says):
    (problem, *_) = faults(request_, SHOWN)
    assert says in problem
    assert isinstance(read_request(json.dumps({"request": request_}), SHOWN), Unusable)


@pytest.mark.parametrize("text", ["", "no", "[]", '{"request": 5}', '{"other": "x"}'])
def test_what_is_no_request_is_unusable(text):
    assert isinstance(read_request(text, SHOWN), Unusable)


def test_only_a_task_that_is_accepted_as_a_whole_is_worded():
    def made(action, status):
        segment = Segment(id="s", task=0, step_indices=(0,), first_event_id="a", last_event_id="b")
        return Classification(segment=segment, action=action, status=status)

    noise = made("none", "none")
    assert wants_wording([made("send", "accepted"), noise])
    assert not wants_wording([made("send", "accepted"), made("star", "review")])
    assert not wants_wording([made("send", "accepted"), made("none", "review")])
    assert not wants_wording([noise])
    assert not wants_wording([])
