"""Which Suite a session belongs to."""

from __future__ import annotations

import pytest

from schemas.catalogue import Suite
from schemas.outcomes import Failure
from tests.unit.classify.recordings import Recording
from transforms.catalogue import parse_catalogue
from transforms.classify.suites import choose_suite

CATALOGUE = parse_catalogue(
    b"""
suites:
  - {name: Shop, id: shop-7, match: {hosts: ["shop.test*"]}, actions: [{name: a}]}
  - {name: Mail, match: {hosts: ["*.mail.test"], windows: ["*Inbox*"]}, actions: [{name: a}]}
""",
    "two.yaml",
)
SHOP, MAIL = CATALOGUE.suites


def chosen(recording: Recording) -> Suite | str:
    found = choose_suite(recording.prepared(), CATALOGUE)
    if isinstance(found, Failure):
        assert found.fatal
        assert found.session_id == "s-1"
        return found.code
    return found


@pytest.mark.parametrize("wanted", ["Mail", MAIL.id, MAIL.id.upper()])
def test_the_sessions_own_suite_wins(wanted: str) -> None:
    assert chosen(Recording(suite_id=wanted).click("button", "x")) == MAIL


def test_an_id_that_is_no_uuid_is_found() -> None:
    assert chosen(Recording(suite_id="shop-7")) == SHOP


def test_a_suite_that_is_not_there_fails_the_session() -> None:
    assert chosen(Recording(suite_id="Bank")) == "unknown_suite"


def test_hosts_and_windows_decide_by_most_steps() -> None:
    r = Recording().click("button", "x")
    assert chosen(r) == SHOP
    r.url, r.window = "https://eu.mail.test:8443/#/x", "y"
    r.click("button", "x").click("button", "x")
    assert chosen(r) == MAIL
    r = Recording()
    r.url, r.window = "", "inbox (3)"
    assert chosen(r.click("button", "x")) == MAIL


def test_no_fit_and_equal_fits_are_no_answer() -> None:
    r = Recording()
    r.url = "http://elsewhere.test/"
    assert chosen(r.click("button", "x")) == "unknown_suite"
    assert chosen(Recording()) == "unknown_suite"
    r = Recording().click("button", "x")
    r.url = "http://eu.mail.test/"
    assert chosen(r.click("button", "x")) == "unknown_suite"


def test_the_only_suite_needs_no_match() -> None:
    only = parse_catalogue(b"{suites: [{name: One, actions: [{name: a}]}]}", "one.yaml")
    assert choose_suite(Recording().prepared(), only) == only.suites[0]
