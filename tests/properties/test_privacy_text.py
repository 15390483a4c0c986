"""Whatever a password is and wherever it echoes, nothing that redacting returns holds it."""

from __future__ import annotations

import dataclasses
import json
import string
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.traces import DomSnapshot, Event, Request, Target
from tests.unit.privacy.conftest import NoNames
from tests.unit.privacy.sessions import built, everything, typed
from transforms.dom import parse_dom
from transforms.privacy.config import load_scrubber_config
from transforms.privacy.finder import KINDS, TextFinder
from transforms.privacy.text import SessionScrubber
from transforms.privacy.words import is_interface_word

FIELD = Target(tag="input", id="pw", name="Password", input_type="password", selector="#pw")
CONFIG = load_scrubber_config(None)

passwords = st.text(
    alphabet=string.ascii_letters + string.digits + "!#$%&*+-./:;=?@^_~äß漢🙂",
    min_size=8,
    max_size=16,
).filter(
    lambda p: (
        sum(c.isalnum() for c in p) >= 5
        and not p.isalpha()
        and not is_interface_word(p)
        and len(set(p)) > 4
    )
)
mistakes = st.lists(st.tuples(st.integers(0, 15), st.sampled_from("xyz123")), max_size=3)


@pytest.fixture(scope="module")
def finder():
    return TextFinder(CONFIG, NoNames())


def with_mistakes(password: str, slips) -> str:
    keys = list(password)
    for position, wrong in slips:
        keys.insert(min(position, len(keys)), f"{wrong}\b")
    return "".join(keys)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    password=passwords,
    slips=mistakes,
    values=st.booleans(),
    mode=st.sampled_from(["redacted", "placeholder", "surrogate"]),
)
def test_no_echo_of_a_password_is_left(finder, password, slips, values, mode):
    events = typed(with_mistakes(password, slips), FIELD, values=values)
    end = events[-1].timestamp_us
    events.append(
        Event(
            id="title",
            type="navigation",
            timestamp_us=end + 1,
            file="x",
            line=1,
            url=f"https://h.test/?echo={quote(password, safe='')}#/a/{quote_plus(password)}",
            window=f"You said {password} – H",
            target=Target(tag="p", text=f"({password})"),
            additional_info={"note": [f"{password}"], "deep": {"more": password}},
        )
    )
    request = Request(
        id="r",
        started_us=end + 2,
        method="POST",
        url=f"https://h.test/a?x={quote(password)}",
        request_headers=(("X-Note", f"was {password}"),),
        request_mime="application/json",
        request_body=json.dumps({"anything": password, "nested": json.dumps({"k": password})}),
        response_mime="text/plain",
        response_body=f"stored {password} for you",
    )
    tree = parse_dom(json.dumps({"tag": "p", "text": f"Your word: {password}"}), "json")
    work = built(
        events,
        [request],
        description=f"use {password} to log in",
        dom=[DomSnapshot(file="d.json", timestamp_us=end + 3, format="json", size_bytes=1)],
    )
    config = dataclasses.replace(CONFIG, replacement=mode)
    scrubber = SessionScrubber(finder, config, b"k" * 32)
    found, _ = scrubber.locate(work, {"d.json": tree})
    result = scrubber.redact(work, {"d.json": tree}, found)
    text = everything(result)
    for form in {password, quote(password, safe=""), json.dumps(password)[1:-1]}:
        assert form not in text
    assert result.ledger.balanced
    assert len(result.events) == result.ledger.raw


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=300), kind=st.sampled_from(sorted(KINDS)))
def test_any_text_gives_disjoint_spans_in_order(text, kind):
    spans = FINDER.find(text, kind)
    last = 0
    for span in spans:
        assert last <= span.start < span.end <= len(text)
        last = span.end


FINDER = TextFinder(CONFIG, NoNames())
