import dataclasses
import sys

import pytest
import regex

from tests.unit.privacy.conftest import NoNames
from transforms.privacy import patterns
from transforms.privacy.config import OwnPattern
from transforms.privacy.finder import TextFinder
from transforms.privacy.patterns import PatternGate


@pytest.mark.parametrize(
    ("text", "value", "entity"),
    [
        ("write to jane.doe+x@mail.example.com.", "jane.doe+x@mail.example.com", "EMAIL"),
        ("jane@corp.internal", "jane@corp.internal", "EMAIL"),
        ("call 212-555-5555 now", "212-555-5555", "PHONE"),
        ("+49 (0)30 1234567", "+49 (0)30 1234567", "PHONE"),
        ("my number is 4155552671", "4155552671", "PHONE"),
        ("(030) 1234 5678", "(030) 1234 5678", "PHONE"),
        ("+1-202-555-0173x4402", "+1-202-555-0173x4402", "PHONE"),
        ("01 23 45 67 89", "01 23 45 67 89", "PHONE"),
        ("SSN 123-45-6789", "123-45-6789", "SSN"),
        ("ssn: 123456789", "123456789", "SSN"),
        ("card 4111 1111 1111 1111", "4111 1111 1111 1111", "CARD"),
        ("3782 822463 10005", "3782 822463 10005", "CARD"),
        ("visa 4111111111111112", "4111111111111112", "CARD"),
        ("IBAN GB82 WEST 1234 5698 7654 32", "GB82 WEST 1234 5698 7654 32", "IBAN"),
        ("from 10.0.0.17:443", "10.0.0.17", "IP"),
        ("2001:db9::1 is up", "2001:db9::1", "IP"),
        ("00:1B:44:11:3A:B7", "00:1B:44:11:3A:B7", "MAC"),
        ("key AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE", "SECRET"),
        ("postgres://app:s3cr3t@db/x", "app:s3cr3t", "SECRET"),
        ('DB_PASSWORD="s3cr3t-pw"', "s3cr3t-pw", "PASSWORD"),
        ("Authorization: Bearer abc.def.ghi12345", "abc.def.ghi12345", "SECRET"),
        ("Your verification code is 493021.", "493021", "OTP"),
        ("Ｃall ＋４９ ３０ １２３４５６７", "＋４９ ３０ １２３４５６７", "PHONE"),
    ],
)
def test_values_are_found(found, text, value, entity):
    assert (value, entity) in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "999.1.1.1",
        "version 1.2.3.4 of the driver",
        "v10.0.0.1",
        "Chrome/120.0.0.0",
        "section 1.2.3.4",
        "1.2.3.4.5",
        "2024-11-22 10:33:21",
        "1732278801123",
        "550e8400-e29b-41d4-a716-446655440000",
        "1920x1080, 100-200, 12 345 678",
        "pages 2019-2020",
        "ISBN 978-3-16-148410-0",
        "commit 9dbbde1bf77c1ca0bb79f3eaa399362d81a83f95",
        "Password: required",
        "Forgot your password? Reset it here.",
        "password = request.form['password']",
        "token=$TOKEN",
        "std::vector<a::b> at 12:30:45",
        "127.0.0.1:8080 on localhost",
        "passwords must be at least 8 characters",
        "12:30 - 14:45, room 3.14",
    ],
)
def test_nothing_is_found(found, text):
    assert found(text) == set()


def test_offsets_are_code_points(patterns_only):
    text = "🙂🙂 שלום ‏jane@example.com 🙂 10.0.0.1"
    spans = patterns_only.find(text)
    assert [text[s.start : s.end] for s in spans] == ["jane@example.com", "10.0.0.1"]


def test_invisible_characters_hide_nothing(found):
    assert found("ja\u200bne@exam\u00adple.com") == {("ja\u200bne@exam\u00adple.com", "EMAIL")}


def test_lone_surrogates_are_searched(found):
    assert ("jane@example.com", "EMAIL") in found("\ud800 jane@example.com \udfff")


def test_huge_texts_are_cut_at_white_space(config):
    small = dataclasses.replace(config, limits=dataclasses.replace(config.limits, text_chars=400))
    finder = TextFinder(small, NoNames())
    text = "word " * 77 + "jane.doe@example.com card 4111 1111 1111 1111 " + "x" * 5000
    values = [text[s.start : s.end] for s in finder.find(text)]
    assert values == ["jane.doe@example.com", "4111 1111 1111 1111"]


def test_urls_are_decoded_and_searched_by_key(found):
    assert found("https://h.test/u?q=jane%40example.com&token=abc#/p/x%40y.org", "url") == {
        ("jane%40example.com", "EMAIL"),
        ("abc", "SECRET"),
        ("x%40y.org", "EMAIL"),
    }
    assert found("https://bob:pw@h.test/", "url") == {("bob:pw", "SECRET")}
    assert found("https://h.test/orders/1234567890123456?page=2", "url") == set()
    assert ("jane%40example.com", "EMAIL") in found("see https://h.test/?q=jane%40example.com ok")


def test_json_that_is_cut_off_is_searched_by_key(found):
    assert ("hunter2 an", "PASSWORD") in found('{"a": 1, "password": "hunter2 an', "code")


def test_misread_text_needs_no_checksum(found):
    assert ("jane.doe@examp1ecom", "EMAIL") in found("jane.doe@examp1ecom", "ocr")
    assert ("O12-34-5678", "SSN") in found("O12-34-5678", "ocr")
    assert ("4111 llll 1111 1112", "CARD") in found("4111 llll 1111 1112", "ocr")
    assert ("1O.0.0.1", "IP") in found("1O.0.0.1", "ocr")
    assert found("Oslo Blues Guild", "ocr") == set()


def test_identifiers_are_left_alone(found):
    assert found("row-4111111111111111", "id") == set()
    assert found("row-jane@example.com", "id") == {("row-jane@example.com", "EMAIL")}


def test_allow_and_deny(config):
    changed = dataclasses.replace(
        config,
        allow=config.allow | {"help@example.com"},
        deny=(("Project Falcon", "ORGANIZATION"),),
    )
    finder = TextFinder(changed, NoNames())
    text = "help@example.com on PROJECT  falcon"
    assert [(text[s.start : s.end], s.entity) for s in finder.find(text)] == [
        ("PROJECT  falcon", "ORGANIZATION")
    ]


def test_own_patterns_and_their_cues(config):
    pattern = OwnPattern("EMPLOYEE_ID", regex.compile(r"no (E-\d{4})"), 1, ("staff",))
    changed = dataclasses.replace(
        config, patterns=(pattern,), entities=config.entities | {"EMPLOYEE_ID"}
    )
    finder = TextFinder(changed, NoNames())
    assert finder.find("no E-1234") == []
    (span,) = finder.find("staff no E-1234")
    assert (span.start, span.end, span.entity) == (9, 15, "EMPLOYEE_ID")


def test_a_pattern_that_takes_too_long_takes_the_whole_text(config):
    evil = OwnPattern("EVIL", regex.compile(r"(?:a|aa|aaa)+$"))
    changed = dataclasses.replace(
        config,
        patterns=(evil,),
        entities=config.entities | {"EVIL"},
        thresholds=dataclasses.replace(config.thresholds, presidio_timeout_s=0.05),
    )
    text = "a" * 60 + "b"
    (span,) = TextFinder(changed, NoNames()).find(text)
    assert (span.start, span.end) == (0, len(text))


def test_switched_off_entities_are_not_found(config):
    finder = TextFinder(dataclasses.replace(config, entities=frozenset({"EMAIL"})), NoNames())
    text = "jane@example.com 10.0.0.1"
    assert [s.entity for s in finder.find(text)] == ["EMAIL"]


def test_presidio_entities_can_be_switched_on(config):
    finder = TextFinder(
        dataclasses.replace(config, entities=config.entities | {"UK_NHS"}), NoNames()
    )
    text = "NHS number 401-023-2137"
    assert "UK_NHS" in {s.entity for s in finder.find(text)}


def test_the_gate_changes_nothing(config, monkeypatch):
    texts = [
        "card 4111 1111 1111 1111 and 123-45-6789",
        "GB82WEST12345698765432 is an IBAN",
        "bitcoin 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "nothing to see",
    ]
    gated = TextFinder(config, NoNames())
    assert gated._presidio.gate.database is not None
    monkeypatch.setitem(sys.modules, "hyperscan", None)
    patterns.shared_gate.cache_clear()
    plain = TextFinder(config, NoNames())
    assert plain._presidio.gate.database is None
    patterns.shared_gate.cache_clear()
    for text in texts:
        assert gated.find(text) == plain.find(text)


def test_patterns_that_hyperscan_refuses_are_always_asked():
    gate = PatternGate([["a(?P<x>b)"], [r"(?P<y>z)(?P=y)\K"]])
    assert 1 in gate.candidates("nothing")


def test_public_suffixes_come_from_the_package():
    import tldextract

    patterns.keep_off_the_network()
    inner = sys.modules["tldextract.tldextract"]
    assert inner.TLD_EXTRACTOR.suffix_list_urls == ()
    assert tldextract.extract("a.example.co.uk").suffix == "co.uk"


def test_the_cache_is_keyed_by_kind_and_bounded(config):
    small = dataclasses.replace(config, limits=dataclasses.replace(config.limits, cache_mb=0))
    finder = TextFinder(small, NoNames())
    text = "id 4111111111111111"
    assert finder.find(text, "id") == []
    assert finder.find(text, "prose")
    assert len(finder._cache) <= 1
