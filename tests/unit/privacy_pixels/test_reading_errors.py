import re

import pytest

from schemas.findings import Span
from transforms.privacy.pixels.reading_errors import (
    COMMON_DOMAINS,
    find_cut,
    find_misread,
    find_run_together,
    holds_secret_prefix,
    is_doubtful,
    mail_domains,
    with_plain_dashes,
)

NONE = frozenset()


def found(spans: list[Span], text: str) -> list[tuple[str, str]]:
    return [(span.entity, text[span.start : span.end]) for span in spans]


def test_an_address_whose_at_sign_was_misread_is_known_by_its_domain():
    domains = mail_domains(["write to ann@mail.example.org."])
    text = "bram.olsavikamail.example.org"
    assert found(find_misread(text, domains), text) == [("EMAIL", text)]
    assert find_misread("see docs.example.com and www.example.org", domains) == []


def test_a_dot_of_a_domain_that_was_read_as_a_colon():
    text = "to bram@corp:example.com now"
    assert found(find_misread(text, NONE), text) == [("EMAIL", "bram@corp:example.com")]


@pytest.mark.parametrize("text", ["DE82 0216 8460 1832 2916 51", "DE 0216 8460 1832 2916 51"])
def test_an_iban_is_found_without_its_checksum(text):
    seen = f"to {text} today"
    assert set(found(find_misread(seen, NONE), seen)) == {("IBAN", text)}
    assert find_misread("AB12 of 2024", NONE) == []


@pytest.mark.parametrize(
    "text",
    [
        "PASSWORD RESET",
        "PASSPORT NUMBER",
        "POSITION TITLE",
        "MISSOURI STATE",
        "SESSIONS ENDED",
        "FY 2020 2021 2022 2023",
        "DE 2020 2021 2022 2023",
        "pk_customer_addresses",
        "PK__Customer__A4AE64D8",
        "sk-folding-cube-wrapper",
        "ASIA-PACIFIC-REGION",
        "asia-northeast1-docker.pkg.dev",
        "get chrome.com and welcome.com",
        "views 250.000.000",
    ],
)
def test_words_and_numbers_that_begin_like_a_value_are_none(text):
    assert find_misread(text, mail_domains(["ann@me.com"])) == []
    assert find_cut(text, left=False, right=False) == []


@pytest.mark.parametrize("text", ["PO12345678", "see ticket AB12 3456 7890", "pk_address_2"])
def test_numbers_at_the_end_of_a_line_that_are_of_no_country(text):
    assert find_cut(text, left=False, right=False) == []


@pytest.mark.parametrize("text", ["44366134 37032657", "4436 61343703 2657", "443661343703 2657"])
def test_a_card_number_of_which_blanks_were_dropped(text):
    assert [(s.start, s.end, s.entity) for s in find_misread(text, NONE)] == [
        (0, len(text), "CARD")
    ]


@pytest.mark.parametrize(
    "text", ["4436613437032657", "44366134 370326", "2024 0319 1429 0000", "4436 6134 3703 26578"]
)
def test_other_long_numbers_are_left_to_the_recognisers(text):
    assert find_misread(text, NONE) == []


@pytest.mark.parametrize("text", ["2024.11.0.3", "v12.4.1", "20241125.0.1", "1,284,930.50", "10.5"])
def test_versions_and_amounts_are_no_addresses(text):
    assert find_misread(f"build {text} of", NONE) == []


@pytest.mark.parametrize(
    "text, entity",
    [
        ("121.209.190.1900", "IP"),
        ("3173.206.139.202", "IP"),
        ("226211.202.167", "IP"),
        ("226.211202.167", "IP"),
        ("555-809-2264374249188150354", "PHONE"),
        ("344-16-8869l", "SSN"),
        ("284-50-132deliver", "SSN"),
        ("555.113.22", "PHONE"),
        ("ghp_ipD4J2|2WVThmZ4FUjAtdCyzQp7b", "SECRET"),
        ("XOXB-524386862251-AXZVE2L85XYQ", "SECRET"),
        ("SK-PROJ-VOZOGD7UEYSF1EGTNTRJ815ECTH7YFRO", "SECRET"),
    ],
)
def test_a_border_or_a_pointer_at_the_end_of_a_number(text, entity):
    assert [span.entity for span in find_misread(f"so {text} now", NONE)] == [entity]


@pytest.mark.parametrize(
    "text, value",
    [
        ("could192.0.2.146 now", "192.0.2.146"),
        ("which this472-74-8801 prefer", "472-74-8801"),
        ("but 192.0.2.146left will", "192.0.2.146"),
    ],
)
def test_a_number_that_lost_the_blank_beside_it(text, value):
    rules = re.compile(r"(?<!\w)(?:\d{3}-\d{2}-\d{4}|\d+\.\d+\.\d+\.\d+)(?!\w)")

    def find(text: str) -> list[Span]:
        return [Span(*m.span(), "IP") for m in rules.finditer(text)]

    assert find(text) == []
    assert found(find_run_together(text, find), text) == [("IP", value)]


def test_a_text_in_which_no_blank_was_lost_is_not_searched_again():
    def find(text: str) -> list[Span]:
        raise AssertionError("searched")

    assert find_run_together("room 12 of 4711 and 192.0.2.1", find) == []


@pytest.mark.parametrize(
    "text, entity",
    [
        ("DE39 8263 5458", "IBAN"),
        ("DE39 8263 545...", "IBAN"),
        ("SSN 344-16-", "SSN"),
        ("5109-9944-3…", "CARD"),
        ("xoxb-8510354...", "SECRET"),
        ("ann.olsavik@", "EMAIL"),
        ("+44 7700 9007", "PHONE"),
    ],
)
def test_the_beginning_of_a_value_at_the_end_of_a_line(text, entity):
    spans = find_cut(text, left=False, right=False)
    assert {(span.entity, span.end) for span in spans} == {(entity, len(text))}


@pytest.mark.parametrize("text", ["178.196.84.", "AKIAG3AX", "555-017"])
def test_less_is_enough_where_the_picture_ends(text):
    assert find_cut(text, left=False, right=False) == []
    assert len(find_cut(text, left=False, right=True)) == 1


@pytest.mark.parametrize("text", ["-60-3612 sent", "017.9691", "196.84.186", "8074 3835 1337"])
def test_the_end_of_a_value_where_the_picture_begins(text):
    assert find_cut(text, left=False, right=False) == []
    assert find_cut(text, left=True, right=False)[0].start == 0


@pytest.mark.parametrize(
    "text", ["Saving...", "2024-11-29", "page 12 of 40", "v12.4.1", "1,284,930.50", "Room 854"]
)
def test_what_ends_a_line_without_being_a_part_of_anything(text):
    assert find_cut(text, left=True, right=True) == []


@pytest.mark.parametrize(
    "text, value",
    [
        ("build 20241125.0", "20241125.0"),
        ("about 3.14155076", "3.14155076"),
        ("ISBN 978-3-16-148319-0", "978-3-16-148319-0"),
        ("since 2024-11-29 today", "2024-11-29"),
    ],
)
def test_a_number_that_only_its_length_makes_likely_is_doubtful(text, value):
    start = text.index(value)
    span = Span(start, start + len(value), "PHONE", "pattern", 0.4)
    assert is_doubtful(text, span)
    assert not is_doubtful(text, Span(start, start + len(value), "PHONE", "pattern", 0.7))


@pytest.mark.parametrize(
    "text, entity, score, doubtful",
    [
        ("EAN 4006381333931", "CARD", 0.7, True),
        ("invoice 204-8831", "PHONE", 0.7, True),
        ("invoice 614-74-8428", "SSN", 0.5, False),
        ("order 555-204-8831", "PHONE", 0.7, False),
        ("order 4436 6134 3703 2657", "CARD", 0.7, False),
        ("order 4111111111111111", "CARD", 0.7, False),
        ("paid by 4436613437032657", "CARD", 0.7, False),
    ],
)
def test_a_number_of_something_else_is_named_before_it(text, entity, score, doubtful):
    start = next(i for i, c in enumerate(text) if c.isdigit())
    assert is_doubtful(text, Span(start, len(text), entity, "pattern", score)) == doubtful


def test_a_phone_number_is_not_doubtful():
    text = "call 030 901820 soon"
    assert not is_doubtful(text, Span(5, 15, "PHONE", "pattern", 0.4))


def test_domains_of_a_session_are_added_to_the_common_ones():
    assert mail_domains(["a@b.example.org"]) == COMMON_DOMAINS | {"b.example.org"}


def test_what_stands_between_digits_like_a_dash_is_one_and_nothing_moves():
    assert with_plain_dashes("563-85~3179 – a~b 1–2") == "563-85-3179 – a~b 1-2"


def test_a_key_without_many_digits_may_be_one():
    assert holds_secret_prefix("otherwise AKIAXKJTCW")
    assert not holds_secret_prefix("nothing at all")
