import json

import pytest

from schemas.findings import Found
from schemas.traces import Target
from tests.unit.privacy.sessions import built, typed
from transforms.privacy.text import SessionScrubber
from transforms.privacy.verify import Hit, OutputChecker, value_digests

KEY = b"k" * 32
VALUES = [
    Found("Jane Doe", "PERSON", "cue", True),
    Found("Hunter-22!", "PASSWORD", "field", True),
    Found("one two three four five six seven eight", "ADDRESS", "field", True),
    Found("123", "PASSWORD", "field", False),
    Found("Summer!", "PASSWORD", "field", True),
    Found("+49 (10)", "PHONE", "field", True),
]


@pytest.fixture
def checker(patterns_only):
    return OutputChecker(patterns_only, value_digests(VALUES, KEY), KEY)


@pytest.mark.parametrize(
    ("value", "entity", "how"),
    [
        ("mail jane@corp.example", "EMAIL", "pattern"),
        ('{"a": ["call +49 30 1234567"]}', "PHONE", "pattern"),
        ("card 4111 1111 1111 1111", "CARD", "pattern"),
        ("123-45-6789", "SSN", "pattern"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "SECRET", "pattern"),
        ("https://u:p@h.test/", "SECRET", "pattern"),
        ("by JANE  DOE today", "value", "value"),
        ("it was hunter-22! again", "value", "value"),
        ("number two three four five six seven here", "value", "value"),
    ],
)
def test_hits_are_reported_by_entity_and_place(checker, value, entity, how):
    assert checker.check(value, "steps", "thought_trace") == [
        Hit(entity, "steps", "thought_trace", how)
    ]


@pytest.mark.parametrize(
    "value",
    [
        "<REDACTED> and <EMAIL_1> by <PERSON_12>",
        "jo.ashcombe7@example.org, 555-0142, 000-12-3456, 192.0.2.7, 9999 1234 5678 9012",
        "Jane met John Doe",
        "two three four five",
        "pin 123",
        "summer 49 10 2025",
        "version 1.2.3.4",
        None,
        7,
    ],
)
def test_replacements_and_harmless_texts_are_no_hits(checker, value):
    assert checker.check(value, "steps", "thought_trace") == []


def test_a_value_does_not_go_on_across_a_replacement(checker):
    assert checker.check("Jane <REDACTED> Doe", "steps", "thought_trace") == []


def test_identifiers_are_exempt(checker):
    assert checker.check("jane@corp.example", "events", "event_id") == []
    nested = json.dumps({"id": "jane@corp.example", "frame_id": "Jane Doe", "n": 1})
    assert checker.check(nested, "events", "target") == []
    assert checker.check(json.dumps({"label": "Jane Doe"}), "events", "target")


def test_digests_hold_no_values_and_depend_on_the_key():
    digests = value_digests(VALUES, KEY)
    assert all(len(d) == 8 for d in digests)
    assert digests.isdisjoint(value_digests(VALUES, b"other"))
    assert not value_digests([Found("123", "PASSWORD", "field", False)], KEY)


@pytest.mark.parametrize("replacement", ["redacted", "placeholder", "surrogate"])
def test_what_redacting_made_passes(patterns_only, config, replacement):
    import dataclasses

    import msgspec

    config = dataclasses.replace(config, replacement=replacement)
    message = Target(tag="textarea", id="m", name="Message")
    work = built(
        typed("mail bob.smith@corp.example or +49 30 1234567, card 4111 1111 1111 1111", message),
        description="ssn 123-45-6789 at 10.1.2.3, sk-abcdefghijklmnopqrstuvwx1, a@b.example, "
        "+49 30 7654321, 5555 5555 5555 4444",
    )
    scrubber = SessionScrubber(patterns_only, config, KEY)
    values, _ = scrubber.locate(work, {})
    result = scrubber.redact(work, {}, values)
    checker = OutputChecker(patterns_only, value_digests(values, KEY), KEY)
    assert checker.check(msgspec.to_builtins(result), "any", "any") == []
    before = checker.check(msgspec.to_builtins(work.trace), "any", "any")
    assert {hit.entity for hit in before} >= {"EMAIL", "PHONE", "CARD", "SSN", "IP", "SECRET"}
