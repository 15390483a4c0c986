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
        ('[{"name": "token", "value": "x"}]', "json", '[{"name":"TOKEN","value":"<SECRET>"}]'),
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
        ("host", "", "h.test:80"),
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


def test_what_lies_beside_a_named_value_is_searched_too():
    body = '{"name": "PIN", "value": 1234, "email": "jane.doe@corp.example", "note": "SSN 1"}'
    assert json.loads(rewrite_body(body, "json", RULES, Upper())) == {
        "name": "PIN",
        "value": "<PASSWORD>",
        "email": "<EMAIL>",
        "note": "SSN 1",
    }


def test_a_key_that_repeats_hides_nothing():
    body = '{"note": "first@a.example", "note": "B"}'
    assert rewrite_json(body, RULES, Upper()) == '{"note":"B"}'


def test_half_a_character_becomes_one_that_can_be_written():
    body = '{"password": "x", "t": "\\ud83d", "\\udc00": "\\ud83d\\ude00"}'
    made = rewrite_json(body, RULES, Upper())
    assert json.loads(made.encode("utf-8")) == {"password": "<PASSWORD>", "t": "?", "?": "😀"}
    assert rewrite_json('{"T": "\\ud83d"}', RULES, Same()) == '{"T": "\\ud83d"}'


def test_keys_of_forms_that_are_data_and_values_without_a_key():
    form = "application/x-www-form-urlencoded"
    assert rewrite_body("jo%40a.example=1&n=b", form, RULES, Upper()) == "JO%40A.EXAMPLE=1&n=B"
    assert rewrite_body("a+b", form, RULES, Upper()) == "A+B"


MULTIPART = "multipart/form-data; boundary=Ab"


@pytest.mark.parametrize(
    ("part", "made"),
    [
        (
            '{}form-data; name="pin"\r\n\r\n1\r\n--x\r\n-- 2',
            '{}form-data; name="pin"\r\n\r\n<PASSWORD>',
        ),
        ("{}form-data; name=pin\r\n\r\n1", "{}form-data; name=pin\r\n\r\n<PASSWORD>"),
        ("{}form-data\r\n\r\nplain", "{}form-data\r\n\r\nPLAIN"),
        (
            '{}form-data; name="f"; filename="a b"\r\nX-Note: jo\r\n\r\nc',
            '{}form-data; name="f"; filename="A B"\r\nX-NOTE: JO\r\n\r\nC',
        ),
        ('{}form-data; name="jo@x.y"\r\n\r\nc', '{}form-data; name="JO@X.Y"\r\n\r\nC'),
    ],
)
def test_parts_end_at_their_own_border(part, made):
    head = "Content-Disposition: "
    body = f"--Ab\r\n{part.format(head)}\r\n--Ab\r\n{head}form-data; name=n\r\n\r\nd\r\n--Ab--\r\n"
    new = rewrite_body(body, MULTIPART, RULES, Upper())
    made = made.format(head if "name" in made else head.upper())
    made = made.replace("form-data\r\n", "FORM-DATA\r\n")
    assert new == f"--Ab\r\n{made}\r\n--Ab\r\n{head}form-data; name=n\r\n\r\nD\r\n--Ab--\r\n"
    assert rewrite_body(body, MULTIPART, Lenient(), Same()) == body


@pytest.mark.parametrize("mime", [MULTIPART, "multipart/form-data"])
def test_what_has_no_parts_is_searched_as_code(mime):
    assert rewrite_body("just text", mime, RULES, Upper()) == "JUST TEXT"
