import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.privacy.bodies import rewrite_body, rewrite_json
from transforms.privacy.config import load_scrubber_config
from transforms.privacy.fields import FieldRules, readable
from transforms.privacy.urls import url_parts

RULES = FieldRules(load_scrubber_config(None))


class Upper:
    """Replaces texts by upper case, whole values by their entity."""

    def value(self, text, kind):
        return text.upper() if kind != "id" else text

    def whole(self, text, entity, key=""):
        return f"<{entity}>"


@pytest.mark.parametrize(
    ("body", "mime", "made"),
    [
        (
            '{"password": "x", "a": ["b"]}',
            "application/json",
            '{"password":"<PASSWORD>","a":["B"]}',
        ),
        ('{"id": "abc", "userName": "x"}', "", '{"id":"abc","userName":"<USERNAME>"}'),
        ('{"a": "{\\"pin\\": \\"1\\"}"}', "json", '{"a":"{\\"pin\\":\\"<PASSWORD>\\"}"}'),
        ('[{"name": "token", "value": "x"}]', "json", '[{"name":"token","value":"<SECRET>"}]'),
        ('{"a": "b"}\n{"a": "c"}', "application/x-ndjson", '{"a":"B"}\n{"a":"C"}'),
        ("a=b+c&pw=x", "application/x-www-form-urlencoded", "a=B+C&pw=<PASSWORD>"),
        ("plain words", "text/plain", "PLAIN WORDS"),
        ('{"a": "cut off', "application/json", '{"A": "CUT OFF'),
        ("", "text/plain", ""),
        (None, None, None),
    ],
)
def test_bodies_by_type(body, mime, made):
    assert rewrite_body(body, mime, RULES, Upper()) == made


def test_deep_nesting_ends_closed():
    deep = "[" * 200 + '"secret"' + "]" * 200
    assert "secret" not in (rewrite_json(deep, RULES, Upper()) or "")


class Same:
    def value(self, text, kind):
        return text

    whole = None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(JSON)
def test_structure_and_keys_stay(value):
    text = json.dumps(value)
    made = rewrite_json(text, Lenient(), Same())
    assert made == text


class Lenient:
    def of_key(self, key):
        return None

    def of_header(self, name):
        return None


@pytest.mark.parametrize(
    ("key", "words"),
    [("cardNumber", "card number"), ("card_number", "card number"), ("X-Api-Key", "x api key")],
)
def test_names_as_words(key, words):
    assert readable(key) == words


def test_parts_of_urls_know_where_they_are_written():
    url = "https://u:p@h.test:80/a%20b/c?q=x%C3%A9+y&empty#/r?k=v"
    parts = [(p.kind, p.key, p.text) for p in url_parts(url)]
    assert parts == [
        ("userinfo", "", "u:p"),
        ("segment", "", "a b"),
        ("segment", "", "c"),
        ("value", "q", "xé y"),
        ("segment", "", "empty"),
        ("segment", "", "r"),
        ("value", "k", "v"),
    ]
    for part in url_parts(url):
        assert len(part.origin) == len(part.text) + 1
        assert len(part.length) == len(part.text)
    value = next(p for p in url_parts(url) if p.key == "q")
    at = value.origin[1]
    assert url[at : at + value.length[1]] == "%C3%A9"


@given(st.text(max_size=60))
def test_any_text_is_taken_apart(text):
    for part in url_parts(text):
        assert all(0 <= o <= len(text) for o in part.origin)
