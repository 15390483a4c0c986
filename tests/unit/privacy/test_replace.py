import pytest

from schemas.findings import Span
from transforms.privacy.replace import Replacer, is_replacement

VALUES = [
    ("Jane Doe", "PERSON"),
    ("jane@corp.example", "EMAIL"),
    ("212-555-7777", "PHONE"),
    ("123-45-6789", "SSN"),
    ("4111 1111 1111 1111", "CARD"),
    ("GB82 WEST 1234 5698 7654 32", "IBAN"),
    ("10.0.0.1", "IP"),
    ("fe80::1", "IP"),
    ("00:1B:44:11:3A:B7", "MAC"),
    ("Hunter-22!", "PASSWORD"),
    ("jdoe", "USERNAME"),
    ("Springfield", "LOCATION"),
    ("Acme Ltd", "ORGANIZATION"),
    ("12 Main Street", "ADDRESS"),
    ("1980-02-03", "BIRTH_DATE"),
    ("E-1234", "EMPLOYEE_ID"),
]


@pytest.mark.parametrize("mode", ["redacted", "placeholder", "surrogate"])
@pytest.mark.parametrize(("value", "entity"), VALUES)
def test_replacements_are_recognised_as_such(mode, value, entity):
    made = Replacer(mode, b"k" * 32).replacement(value, entity)
    assert made != value
    assert is_replacement(made)
    assert not is_replacement(value)


def test_placeholders_count_values_not_uses():
    replacer = Replacer("placeholder", b"k" * 32)
    made = [replacer.replacement(v, "EMAIL") for v in ("A@x.example", "b@x.example", "a@X.example")]
    assert made == ["<EMAIL_1>", "<EMAIL_2>", "<EMAIL_1>"]


def test_surrogates_depend_on_the_key_only():
    one, same, other = (Replacer("surrogate", k * 32) for k in (b"a", b"a", b"b"))
    assert one.replacement("x@y.example", "EMAIL") == same.replacement("x@y.example", "EMAIL")
    differ = [v for v, e in VALUES if one.replacement(v, e) != other.replacement(v, e)]
    assert len(differ) > len(VALUES) // 2


def test_a_person_stays_the_same_person():
    replacer = Replacer("surrogate", b"k" * 32)
    full = replacer.replacement("Jane Doe", "PERSON")
    first, last = full.split()
    assert replacer.replacement("Jane", "PERSON") == first
    assert replacer.replacement("Doe, Jane", "PERSON") == f"{last}, {first}"
    assert replacer.replacement("jane doe", "PERSON") == full.lower()
    assert replacer.replacement("John Roe", "PERSON").split()[0] != first


def test_digits_keep_their_grouping():
    replacer = Replacer("surrogate", b"k" * 32)
    assert replacer.replacement("123-45-6789", "SSN")[:4] == "000-"
    card = replacer.replacement("4111 1111 1111 1111", "CARD")
    assert card.startswith("9999 ") and len(card) == 19


def test_apply_replaces_from_the_left():
    spans = [Span(0, 1, "EMAIL"), Span(2, 3, "IP")]
    assert Replacer("redacted", b"k").apply("a-b-c", spans) == "<REDACTED>-<REDACTED>-c"


def test_only_a_number_keeps_its_form():
    replacer = Replacer("surrogate", b"k" * 32)
    for value, entity in (("621-45-3809 Jane Doe", "SSN"), ("4111 1111 1111 1111 x", "CARD")):
        made = replacer.replacement(value, entity)
        assert made.isdigit() and is_replacement(made)
    assert is_replacement(replacer.replacement("123", "CARD"))
