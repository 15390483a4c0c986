"""Typed values and comparable words."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.classify.values import UNFIT, comparable, convert, same_value
from transforms.classify.words import head_tokens, likeness, name_tokens, similarity, stem, tokens


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3", 3),
        (" 12 ", 12),
        ("-7", -7),
        ("1,200.50", 1200.5),
        ("1.200,50", 1200.5),
        ("1 200,5", 1200.5),
        ("1'200", 1200),
        ("1,200", 1200),
        ("1.200.300", 1200300),
        ("0,5", 0.5),
        ("64.20", 64.2),
        ("€ 12", 12),
        ("3 pieces", 3),
        ("4 stars", 4),
        ("5.0", 5),
        (5.0, 5),
        (2.5, 2.5),
    ],
)
def test_numbers_in_usual_notations(text: object, number: float) -> None:
    found = convert(text, "NUMBER")
    assert found == number
    assert isinstance(found, type(number))


@pytest.mark.parametrize("text", ["", "many", "3 of 5", "2026-06-15", None, True, math.nan, [3]])
def test_what_is_no_number(text: object) -> None:
    assert convert(text, "NUMBER") is UNFIT


def test_booleans_lists_and_objects() -> None:
    assert convert("on", "BOOLEAN") is True
    assert convert("unchecked", "BOOLEAN") is False
    assert convert(1, "BOOLEAN") is True
    assert convert("maybe", "BOOLEAN") is UNFIT
    assert convert(2, "BOOLEAN") is UNFIT
    assert convert("a, b,c", "ARRAY") == ["a", "b", "c"]
    assert convert('["a, b"]', "ARRAY") == ["a, b"]
    assert convert("a; b, c", "ARRAY") == ["a", "b, c"]
    assert convert({"x": 1}, "ARRAY") is UNFIT
    assert convert('{"x": 1}', "OBJECT") == {"x": 1}
    assert convert("x", "OBJECT") is UNFIT
    assert convert(3, "STRING") == "3"
    assert convert(2.5, "STRING") == "2.5"


@pytest.mark.parametrize("kind", ["NUMBER", "BOOLEAN", "ARRAY", "OBJECT"])
def test_placeholders_stay_what_they_are(kind: str) -> None:
    assert convert("<REDACTED>", kind) == "<REDACTED>"
    assert convert("<PHONE_1>", kind) == "<PHONE_1>"


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_number_survives_being_written_out(number: float) -> None:
    assert convert(repr(number), "NUMBER") == pytest.approx(number)
    assert same_value(number, repr(number)) or "e" in repr(number)


@given(st.one_of(st.text(), st.booleans(), st.none(), st.integers(), st.lists(st.text())))
def test_conversion_never_raises(value: object) -> None:
    for kind in ("STRING", "NUMBER", "BOOLEAN", "ARRAY", "OBJECT"):
        convert(value, kind)
    assert isinstance(comparable(value), str)


def test_tokens_split_and_stem() -> None:
    assert tokens("deliverySlot delivery_slot DELIVERY-SLOTS") == ("deliveri", "slot") * 3
    assert tokens("Add the item to a cart") == tokens("add items CART")
    assert tokens("Café") == tokens("cafe")
    assert tokens("日本語") == ("日本", "本語")
    assert tokens("To") == ()
    assert name_tokens("To") == ("to",)


@pytest.mark.parametrize(
    "words",
    [
        "archive archives archived archiving",
        "delete deleted deleting deletes",
        "reply replies replied",
        "star stars starred",
        "note notes noted",
        "box boxes",
        "class classes",
        "status",
        "address",
    ],
)
def test_one_word_has_one_stem(words: str) -> None:
    assert len({stem(word) for word in words.split()}) == 1


def test_heads_of_names() -> None:
    assert head_tokens("Title of the card") == ("titl",)
    assert head_tokens("card_title") == ("titl",)
    assert head_tokens("Estimate (points)") == ("estimat",)
    assert head_tokens("To") == ("to",)


def test_likeness_is_graded() -> None:
    assert likeness("cart", "cart") == 1
    assert 0 < likeness(stem("basket"), stem("cart")) < likeness("organic", "organics") < 1
    assert likeness("cart", "invoic") == 0
    assert similarity(("due", "dat"), ("dat", "due")) == 1
    assert similarity((), ("x",)) == 0
