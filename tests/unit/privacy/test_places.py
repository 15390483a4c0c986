"""Places and spellings in which a value hides: each was a leak in a corpus of planted values."""

import base64
import dataclasses
import json
import time

import msgspec
import pytest

from schemas.findings import Span
from schemas.traces import DomSnapshot, Event, Request, Target
from tests.unit.privacy.conftest import NoNames
from tests.unit.privacy.sessions import built, everything, typed
from transforms.dom import parse_dom
from transforms.privacy.dom_pieces import replaced_in_pieces
from transforms.privacy.encoded import decoded
from transforms.privacy.escapes import unescaped
from transforms.privacy.finder import TextFinder
from transforms.privacy.lexicon import load_lexicon
from transforms.privacy.names import BUNDLED
from transforms.privacy.scripts import find_other_names
from transforms.privacy.text import SessionScrubber
from transforms.privacy.urls import url_parts
from transforms.privacy.verify import OutputChecker

KEY = b"k" * 32
PAGE = "https://shop.test/form"
EMAIL = "ottilie.wren@kestrel.example"


@pytest.fixture
def scrub(patterns_only, config):
    def run(work, dom=None):
        scrubber = SessionScrubber(patterns_only, config, KEY)
        values, _ = scrubber.locate(work, dom or {})
        return values, scrubber.redact(work, dom or {}, values)

    return run


def event(**fields):
    given = {"id": "e1", "type": "click", "timestamp_us": 10, "file": "f", "line": 1, "url": PAGE}
    return Event(**{**given, **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {"tab": f"{EMAIL} - inbox"},
        {"tab": f"https://shop.test/?who={EMAIL}"},
        {"type": "keydown", "key": EMAIL},
        {"type": "keydown", "key": "a", "code": EMAIL},
        {"additional_info": {"unread": {EMAIL: 3}}},
        {"extra": {"rows": [{f"mail of {EMAIL}": 1}]}},
        {"additional_info": {"by_key": {"ghp_c5rCyJjUBvSBTlSQaxSraNuan2FkUtxzazN4": 7}}},
        {"target": Target(tag="li", selector=f'li[aria-label="{EMAIL}"]')},
        {"target": Target(tag="li", selector="aria/SSN 621-45-3809")},
        {"target": Target(tag="li", selector="text=call +44 7700 900123")},
        {"target": Target(tag="li", selector='[title="card 4539 1488 0343 6467"] > a')},
        {"target": Target(tag="li", id="row-621-45-3809")},
    ],
)
def test_nothing_is_left_in_any_field_of_an_event(scrub, fields):
    _, result = scrub(built([event(**fields)]))
    text = everything(result)
    for value in (EMAIL, "621-45-3809", "900123", "1488", "ghp_"):
        assert value not in text
    assert "REDACTED" in text


def test_names_of_keys_and_tidy_tabs_stay(scrub):
    events = [
        event(type="keydown", key="ArrowLeft", code="ArrowLeft", tab="tab-1"),
        event(id="e2", type="keydown", key="<65027>", code="AltRight", tab="1824073312"),
        event(id="e3", target=Target(tag="li", selector='li[data-row="3"] > a:nth-of-type(2)')),
    ]
    _, result = scrub(built(events))
    assert [(e.key, e.code, e.tab) for e in result.events] == [
        ("ArrowLeft", "ArrowLeft", "tab-1"),
        ("<65027>", "AltRight", "1824073312"),
        (None, None, None),
    ]
    assert result.events[2].target == events[2].target


def test_two_keys_that_become_one_stay_two(scrub):
    counts = {"a@kestrel.example": 1, "b@kestrel.example": 2, "shipped": 3, "Content-Type": 4}
    _, result = scrub(built([event(additional_info={"by": counts})]))
    made = result.events[0].additional_info["by"]
    assert sorted(made.values()) == [1, 2, 3, 4]
    assert {"shipped", "Content-Type"} < made.keys() and "kestrel" not in str(made)


def test_tab_type_and_suite_of_requests_and_sessions(scrub):
    request = Request(
        id="r",
        started_us=2,
        method="GET",
        url="/x",
        tab=f"{EMAIL} tab",
        request_mime=f'text/plain; name="{EMAIL}"',
        request_body="a",
        response_mime=f'text/plain; name="{EMAIL}"',
    )
    work = built([event()], [request])
    session = msgspec.structs.replace(work.trace.session, suite_id=f"mail of {EMAIL}")
    trace = msgspec.structs.replace(work.trace, session=session)
    _, result = scrub(msgspec.structs.replace(work, trace=trace))
    assert EMAIL not in everything(result)


@pytest.mark.parametrize(
    "url",
    [
        "https://a.test/login?next=%2Ffind%3Fq%3Dto%2Bottilie.wren%2540kestrel.example",
        "https://a.test/in?to=https%3A%2F%2Fb.test%2Fx%3Fr%3D%252Fy%253Fm%253Dottilie.wren"
        "%252540kestrel.example",
        "/find?filter=%7B%22q%22%3A%22ottilie.wren%5Cu0040kestrel.example%22%7D",
    ],
)
def test_urls_inside_urls(found, url):
    (value, entity), *more = found(url, "url")
    assert (value.startswith("ottilie.wren"), entity, more) == (True, "EMAIL", [])


def test_a_parameter_of_an_inner_url_is_known_by_its_name(found):
    url = "/in?next=%2Fy%3Fpassword%3Dblue%2520sky%26page%3D2"
    assert found(url, "url") == {("blue%2520sky", "PASSWORD")}
    assert [p.text for p in url_parts(url)][-2:] == ["blue sky", "2"]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://a.test/api/u/thor_dvold27?x=1", "thor_dvold27"),
        ("/users/jo.wren/edit", "jo.wren"),
        ("/users/password-reset", None),
        ("/users/index.html", None),
        ("/u/a1b2c3d4-e5f6-4a4b-8c8d-0123456789ab", None),
        ("/people/new", None),
    ],
)
def test_user_names_in_paths(found, url, name):
    assert found(url, "url") == ({(name, "USERNAME")} if name else set())


def test_bytes_that_are_no_text_do_not_nest_forever():
    assert len(list(url_parts("/x?a=%ff%ff%25ff"))) < 12


def test_a_code_typed_over_six_boxes(scrub):
    events = []
    for n, digit in enumerate("482913"):
        box = Target(tag="input", id=f"c{n}", name=f"Digit {n + 1}", input_type="text")
        start = 10**9 + n * 10**6
        events += typed(digit, box, start, len(events) + 1, url=PAGE, values=True)
    tree = {"tag": "body", "children": [{"tag": "input", "id": "c3", "value": "9"}]}
    dom = {"d.json": parse_dom(json.dumps(tree), "json")}
    request = Request(
        id="r",
        started_us=2 * 10**9,
        method="POST",
        url="/api/verify",
        request_mime="application/json",
        request_body='{"value": "482913"}',
    )
    work = built(
        events,
        [request],
        dom=[DomSnapshot(file="d.json", timestamp_us=9, format="json", size_bytes=1)],
    )
    values, result = scrub(work, dom)
    assert ("482913", "OTP") in {(v.value, v.entity) for v in values}
    assert json.loads(result.requests[0].request_body) == {"value": "<REDACTED>"}
    assert json.loads(result.dom["d.json"])["children"][0]["value"] == "<REDACTED>"
    assert not [e for e in result.events if e.key or e.value in set("482913")]


def test_boxes_of_other_things_stay(scrub):
    events = []
    for n, text in enumerate(("2", "1", "4")):
        box = Target(tag="input", id=f"qty{n}", name=f"Quantity {n + 1}", input_type="number")
        events += typed(text, box, 10**9 + n * 10**6, len(events) + 1, url=PAGE)
    _, result = scrub(built(events))
    assert [e.key for e in result.events if e.type == "keydown"] == ["2", "1", "4"]


@pytest.mark.parametrize(
    ("body", "gone"),
    [
        ("<p><span>ottilie</span><b>.wren@</b><span>kestrel.example</span></p>", EMAIL),
        ("<p>ottilie.<mark>wren</mark></p><p><mark>ottilie</mark>.wren@kestrel.example</p>", EMAIL),
        ("<p><span>4539</span> <span>1488</span> <span>0343</span> <span>6467</span></p>", "1488"),
        ("<p><span>621</span><span>-45-</span><span>3809</span></p>", "3809"),
        ("<p><span>Your</span> <span>password</span> <span>is</span> <b>Kayak#9x</b></p>", "Kayak"),
        ("<table><tr><th>Password</th><td>Kayak#9x</td></tr></table>", "Kayak"),
        ("<dl><dt>Date of birth</dt><dd>1984-03-12</dd></dl>", "1984"),
        ("<div><p>User name:</p><p>wren_oak17</p></div>", "wren_oak17"),
        ("<tr><td>Tel</td><td>7700 900 123</td></tr>", "900 123"),
        (f'<input name="{EMAIL}" type="text" value="1">', EMAIL),
    ],
)
def test_values_over_several_elements(scrub, body, gone):
    dom = {"d.html": parse_dom(f"<html><body>{body}</body></html>", "html")}
    snapshot = DomSnapshot(file="d.html", timestamp_us=9, format="html", size_bytes=1)
    _, result = scrub(built([event()], dom=[snapshot]), dom)
    text = parse_dom(result.dom["d.html"], "html").root.inner_text().replace(" ", "")
    assert gone.replace(" ", "") not in text and gone not in result.dom["d.html"]


def test_elements_side_by_side_are_no_number(scrub):
    body = "".join(f"<span>{n}</span>" for n in range(1, 32))
    body += "<p><b>12</b> <b>45</b> <b>33</b> <b>90</b></p><dl><dt>Stock</dt><dd>4 120</dd></dl>"
    dom = {"d.html": parse_dom(f"<html><body>{body}</body></html>", "html")}
    snapshot = DomSnapshot(file="d.html", timestamp_us=9, format="html", size_bytes=1)
    _, result = scrub(built([event()], dom=[snapshot]), dom)
    assert "REDACTED" not in result.dom["d.html"]


def test_what_stands_for_a_value_is_written_once():
    spans = [Span(2, 6, "EMAIL"), Span(7, 8, "OTP")]
    assert replaced_in_pieces(["abc", "def", "ghi"], "", spans, ["<1>", "<2>"]) == [
        "ab<1>",
        "",
        "g<2>i",
    ]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Contact: 王小明", "王小明"),
        ("Message from خالد المصري: hello", "خالد المصري"),
        ("Имя: Яромир Вьюгин", "Яромир Вьюгин"),
        ("担当：陽向さくら", "陽向さくら"),
    ],
)
def test_announced_names_of_other_scripts_need_no_list(text, name):
    lexicon = load_lexicon(str(BUNDLED))
    assert name in {text[s.start : s.end] for s in find_other_names(text, lexicon)}


def test_columns_of_a_table_are_known_by_their_names(scrub):
    body = 'id,password,n\r\n1,"blue, sky",2\r\n2,hill,3\r\n'
    request = Request(
        id="r",
        started_us=2,
        method="GET",
        url="/e.csv",
        response_mime="text/csv; charset=utf-8",
        response_body=body,
    )
    _, result = scrub(built([event()], [request]))
    assert result.requests[0].response_body == (
        'id,password,n\r\n1,"<REDACTED>",2\r\n2,<REDACTED>,3\r\n'
    )


def test_an_address_that_may_break(scrub):
    dom = {"d.html": parse_dom("<p>ottilie<wbr>.wren@kest<wbr>rel.example</p>", "html")}
    snapshot = DomSnapshot(file="d.html", timestamp_us=9, format="html", size_bytes=1)
    _, result = scrub(built([event()], dom=[snapshot]), dom)
    assert "kest" not in result.dom["d.html"] and "REDACTED" in result.dom["d.html"]


@pytest.mark.parametrize(
    ("text", "kind", "value", "entity"),
    [
        (
            "mail jo&#46;wren&#64;kestrel.example",
            "prose",
            "jo&#46;wren&#64;kestrel.example",
            "EMAIL",
        ),
        ("jo&amp;#64;kestrel.example", "prose", "jo&amp;#64;kestrel.example", "EMAIL"),
        (r'x = "jo\x40kestrel.example"', "code", r"jo\x40kestrel.example", "EMAIL"),
        ('mutation { u(phone: "1234567", n: 1) }', "code", "1234567", "PHONE"),
        ("<s:password>blue sky</s:password>", "code", "blue sky", "PASSWORD"),
        ('<input name="customer_name" value="Xu Yi">', "code", "Xu Yi", "PERSON"),
        ("<input value='abcd' type='password'>", "code", "abcd", "PASSWORD"),
        ("Date of birth: 12 March 1984", "prose", "12 March 1984", "BIRTH_DATE"),
        ("born on 1984-03-12 in", "prose", "1984-03-12", "BIRTH_DATE"),
        ("Use code 482913 to sign in", "prose", "482913", "OTP"),
        ("G-482913 is your login code", "prose", "G-482913", "OTP"),
        ("ship to 26 Pemberton Avenue, now", "prose", "26 Pemberton Avenue", "ADDRESS"),
        ("Meet at 3 Main Court, Elm", "prose", "3 Main Court", "ADDRESS"),
        ("Lindenstraße 12, Ulm", "prose", "Lindenstraße 12", "ADDRESS"),
        ("dom/178.150.110.196.html", "path", "178.150.110.196", "IP"),
        ("12 rue de la Paix", "prose", "12 rue de la Paix", "ADDRESS"),
    ],
)
def test_spellings_and_facts(found, text, kind, value, entity):
    assert found(text, kind) == {(value, entity)}


@pytest.mark.parametrize(
    "text",
    [
        "Use code 20000 at checkout",
        "error code 4821 in build 493021",
        "Room 12 Oak Square Table",
        "Version 3 Street View",
        "Released on 2025-03-12",
        "a &amp; b &lt;c&gt; &copy; 2025",
        "3 Main Court Orders",
    ],
)
def test_ordinary_texts_stay(found, text):
    assert found(text) == set()


def test_escapes_keep_offsets():
    text = "a&#64;b\\u0041c"
    made, places = unescaped(text)
    assert made == "a@bAc"
    assert [text[a:b] for a, b in places] == ["a", "&#64;", "b", "\\u0041", "c"]
    assert unescaped("a & b \\ c") is None and unescaped("a &unknown; b") is None


def test_the_check_after_the_fact_reads_keys(config):
    checker = OutputChecker(TextFinder(config, NoNames()))
    assert checker.check('{"by": {"jo@kestrel.io": 3}}', "events", "payload")
    assert not checker.check('{"by": {"Content-Type": 3}}', "events", "payload")


def test_a_part_of_what_the_application_calls_itself_stays(config):
    """The model takes "Marram" for a name; windows that end so say what it is."""

    class OneName(NoNames):
        def find_many(self, texts, kinds):
            at = [text.find("Marram") for text in texts]
            return [[] if n < 0 else [Span(n, n + 6, "PERSON", "ner", 0.9)] for n in at]

    titles = ("Home – Marram Travel", "Search – Marram Travel", "Inbox – Marram Travel")
    events = [event(id=f"e{n}", window=title) for n, title in enumerate(titles)]
    events.append(event(id="e9", additional_info={"note": "ask Marram or Marram Travel"}))
    scrubber = SessionScrubber(TextFinder(config, OneName()), config, KEY)
    work = built(events)
    result = scrubber.redact(work, {}, scrubber.locate(work, {})[0])
    assert tuple(e.window for e in result.events[:3]) == titles
    assert result.events[3].additional_info == {"note": "ask <REDACTED> or Marram Travel"}


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (f"Results for “{EMAIL[:-3]}”", "note"),
        ("https://a.test/api/u/020%207380%205512/x", "url"),
    ],
)
def test_halves_in_quotes_and_said_segments(scrub, value, place):
    fields = {"url": value} if place == "url" else {"additional_info": {"memo": value}}
    events = [*typed(EMAIL, Target(tag="textarea", id="msg")), event(id="e999", **fields)]
    _, result = scrub(built(events))
    text = everything(result)
    assert "ottilie" not in text and "7380" not in text


class OneName(NoNames):
    """Finds the first Ingrid of a text."""

    def find_many(self, texts, kinds):
        return [
            [Span(n, n + 6, "PERSON", "ner", 0.9)] if (n := t.find("Ingrid")) >= 0 else []
            for t in texts
        ]


def test_names_in_full_width_and_sprinkled(config):
    finder = TextFinder(config, OneName())
    for text in ("ask Ｉｎｇｒｉｄ now", "ask I\u200bn\u200bg\u200brid now"):
        (span,) = finder.find(text)
        assert text[: span.start] == "ask " and text[span.end :] == " now"


def test_words_that_a_program_fetches_are_not_found_values(config):
    """``{"password": "Your password"}`` is a language file; it made whole pages unreadable."""

    class WithWords(NoNames):
        lexicon = load_lexicon(str(BUNDLED))

    words = {
        "email": "E-mail address",
        "password": "Forgot your password?",
        "token": "Voucher",
        "birthdate": "Date of birth",
    }
    values = {"email": EMAIL, "password": "Kayak#9x", "token": "hill top 7", "user": "wren"}
    page = "".join(f"<p>{said}</p>" for said in (*words.values(), *values.values()))
    dom = {"d.html": parse_dom(f"<body>{page}</body>", "html")}
    request = Request(
        id="r",
        started_us=2,
        method="GET",
        url="/words.json",
        request_mime="application/json",
        request_body='{"password": "choose number"}',
        response_mime="application/json",
        response_body=json.dumps([words, values]),
    )
    snapshot = DomSnapshot(file="d.html", timestamp_us=9, format="html", size_bytes=1)
    work = built([event()], [request], dom=[snapshot])
    scrubber = SessionScrubber(TextFinder(config, WithWords()), config, KEY)
    found, _ = scrubber.locate(work, dom)
    assert {v.value for v in found} >= {*values.values(), "choose number"}
    assert not {v.value for v in found} & set(words.values())
    text = scrubber.redact(work, dom, found).dom["d.html"]
    assert all(said in text for said in words.values())
    assert not any(said in text for said in values.values())


@pytest.mark.parametrize(
    ("url", "hit"),
    [
        ("http://178.150.110.196:8080/x?y=1", {("178.150.110.196", "IP")}),
        ("/in?next=http%3A%2F%2F178.150.110.196%2F", {("178.150.110.196", "IP")}),
        ("http://[2a02:a452:40cc::9812]/x", {("2a02:a452:40cc::9812", "IP")}),
        ("http://127.0.0.1:3000/x", set()),
        ("https://james.smith.example/2024-05-01", set()),
    ],
)
def test_hosts_are_searched_for_addresses_of_machines(found, config, url, hit):
    assert found(url, "url") == hit
    checker = OutputChecker(TextFinder(config, NoNames()))
    assert hit or not checker.check(url, "events", "url")


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        (r'{"note":"call\n621-45-3809\tnow', ("621-45-3809", "SSN")),
        (r'{"a":"{\"b\":\"c\\n621-45-3809', ("621-45-3809", "SSN")),
        (r'{"path":"a\/621-45-3809', ("621-45-3809", "SSN")),
    ],
)
def test_escapes_of_cut_off_json(found, text, hit):
    assert hit in found(text, "code")


BASE64 = base64.b64encode(f'{{"who":"{EMAIL}","n":1}}'.encode()).decode()


@pytest.mark.parametrize(
    ("text", "kind", "run"),
    [
        (f'src="data:text/plain;base64,{BASE64}"', "code", BASE64),
        (f"data:text/plain;base64,{BASE64}", "prose", BASE64),
        (f"/x?u=data:text/plain;base64,{BASE64[:56]}&n=1", "url", BASE64[:56]),
        (f"digest={BASE64[:56]}", "prose", BASE64[:56]),
    ],
)
def test_texts_in_base64(found, text, kind, run):
    assert run in {value for value, _ in found(text, kind)}


def test_known_values_in_base64(scrub):
    token = base64.urlsafe_b64encode("aüser>:Kestrel-92x".encode()).decode()
    secret = typed("Kestrel-92x", Target(tag="input", id="pw", input_type="password"))
    noted = event(id="e999", additional_info={"note": f"digest={token}", "other": "Zm9v" * 8})
    _, result = scrub(built([*secret, noted]))
    assert result.events[0].additional_info == {"note": "digest=<REDACTED>", "other": "Zm9v" * 8}


def test_pictures_and_hashes_are_not_read():
    picture = base64.b64encode(bytes(range(120, 256)) * 90).decode()
    assert decoded(picture) is None and decoded("ab12" * 10) is None
    assert decoded(base64.b64encode(("é" * 40).encode()).decode()[:50]) is not None
    assert decoded("A" * 25) is None


def test_a_text_that_takes_too_long_is_closed_whatever_is_switched_on(config):
    class Slow(TextFinder):
        def _in_text(self, text, kind):
            raise TimeoutError

    finder = Slow(dataclasses.replace(config, entities=frozenset(("EMAIL",))), NoNames())
    assert finder.find("some text") == finder.find_certain("some text")
    (span,) = finder.find("some text")
    assert (span.start, span.end) == (0, 9)


def test_what_nests_without_end_is_searched_in_time(found):
    started = time.perf_counter()
    assert found("http://a/?u=" * 40 + EMAIL, "url")
    assert found("see " + "http://a/?u=" * 400 + EMAIL, "prose")
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize("part", ["amp;", "#38;"])
def test_escapes_that_nest_without_end_close_a_text(found, part):
    text = "x &" + part * 1200 + "#64;"
    assert found(text) == {(text, "SECRET")}
    assert unescaped("&" + "amp;" * 6 + "lt;")[0] == "<"


def test_names_of_parameters_that_are_data(found):
    url = f"/x?{EMAIL.replace('@', '%40')}=1&621-45-3809&filter[name]=2&0=a"
    assert {entity for _, entity in found(url, "url")} == {"EMAIL", "SSN"}
    assert not found("/x?filter[name]=2&utm_source=b&0=a&X-Amz-Date=20240501T000000Z", "url")


PHRASE = "orchard velvet canyon badge lemon ribbon island cradle walnut eagle mosquito fabric"


@pytest.mark.parametrize(
    "text",
    [
        PHRASE,
        PHRASE.replace(" ", "\n"),
        PHRASE.title().replace(" ", ", "),
        "".join(f"{n}. {word}\n" for n, word in enumerate(PHRASE.split(), 1)).strip(),
    ],
)
def test_recovery_phrases_need_no_name(found, text):
    hits = found(f"write down: {text}")
    assert [entity for _, entity in hits] == ["SECRET"]
    assert all(word in value.lower() for value, _ in hits for word in PHRASE.split())


def test_of_announced_phrases_a_few_words_are_enough(found):
    assert found("Recovery phrase: orchard velvet canyon") == {("orchard velvet canyon", "SECRET")}
    assert found("Passphrase: orchard velvet canyon lemon", "key")
    assert not found("Your recovery phrase has twelve words; keep the paper in a safe place.")


@pytest.mark.parametrize(
    "text",
    [
        "word " * 40,
        "12 apples bridge garden carbon copper lemon",
        "please make sure that your team will have time before they start their work today",
    ],
)
def test_ordinary_words_are_no_phrase(found, text):
    assert found(text) == set()


def test_recovery_phrases_over_elements_lists_and_boxes(scrub):
    words = PHRASE.split()
    rows = "".join(f"<div><b>{n}.</b><i>{word}</i></div>" for n, word in enumerate(words, 1))
    page = f"<ol>{''.join(f'<li>{w}</li>' for w in words)}</ol><p>Keep it safe</p>{rows}"
    page += "<p>A walnut table</p>"
    dom = {"d.html": parse_dom(f"<body>{page}</body>", "html")}
    events = []
    for n, word in enumerate(words):
        box = Target(tag="input", id=f"word-{n}", input_type="text")
        start = 10**9 + n * 10**6
        events += typed(word, box, start, len(events) + 1, url=PAGE, values=True)
    request = Request(
        id="r",
        started_us=2,
        method="GET",
        url="/api",
        response_mime="application/json",
        response_body=json.dumps({"words": words, "fruit": ["lemon", "apple"]}),
    )
    snapshot = DomSnapshot(file="d.html", timestamp_us=9, format="html", size_bytes=1)
    _, result = scrub(built([event(id="e999")], [request], dom=[snapshot]), dom)
    page = result.dom["d.html"]
    assert "A walnut table" in page and page.count("walnut") == 1 and "velvet" not in page
    body = json.loads(result.requests[0].response_body)
    assert body == {"words": ["<REDACTED>"] * 12, "fruit": ["lemon", "apple"]}
    _, result = scrub(built(events))
    assert not [e for e in result.events if e.key or e.value in words]


@pytest.mark.parametrize(
    "target",
    [
        Target(role="android.widget.EditText", name="Password"),
        Target(tag="XCUIElementTypeSecureTextField"),
        Target(tag="android.widget.EditText", label="Kennwort"),
        Target(tag="input", name="パスワード"),
        Target(tag="input", name="密码"),
        Target(tag="input", name="Пароль"),
        Target(tag="input", label="كلمة المرور"),
        Target(tag="input", label="Wi-Fi key"),
        Target(tag="input", name="Pass"),
        Target(tag="input", label="Enter the code"),
        Target(tag="input", label="Code from your app"),
        Target(tag="input", label="Passport number"),
    ],
)
def test_fields_by_what_other_tongues_and_toolkits_call_them(scrub, target):
    _, result = scrub(built(typed("hunter7k", target)))
    assert [e.text for e in result.events] == ["<REDACTED>"]


@pytest.mark.parametrize("label", ["Voucher code", "Compass", "Boarding pass", "Code"])
def test_fields_that_only_sound_alike_stay(scrub, label):
    _, result = scrub(built(typed("north", Target(tag="input", label=label))))
    assert [e.key for e in result.events if e.type == "keydown"] == list("north")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("redis-cli -h db.test -a Walnut#87up ping", "Walnut#87up"),
        ("sshpass -p 'blue9sky' ssh box", "blue9sky"),
        ("zip -r -P juniper5911& out.zip a", "juniper5911&"),
        (r"net use Z: \\srv\share /user:EXAMPLE\jo_2 Tundra#49ss", "Tundra#49ss"),
        ("openssl enc -aes-256-cbc -k Cobalt#95kh -in a", "Cobalt#95kh"),
        ('ConvertTo-SecureString "Juniper#78kf" -AsPlainText', "Juniper#78kf"),
        ("db.test:5432:shop:jo:juniper9350%", "juniper9350%"),
        ("WIFI:S:Harbour;T:WPA;P:gfy.Cobalt459;;", "gfy.Cobalt459"),
        (
            "Enter this setup key: VGNGZF2QLO762QHBSTKG4NHVGSJZYSIE",
            "VGNGZF2QLO762QHBSTKG4NHVGSJZYSIE",
        ),
        ("see https://a.test/invite/team/k3f9x2m8q1z7w5v4 now", "k3f9x2m8q1z7w5v4"),
        (f"pat{'aB3dE6gH9jK2mN'}.{'0a1b2c3d' * 8}", f"pat{'aB3dE6gH9jK2mN'}.{'0a1b2c3d' * 8}"),
        (f"key oy2{'k3f9x2m8q1z' * 3}{'p0w4t6y7u1'}", f"oy2{'k3f9x2m8q1z' * 3}{'p0w4t6y7u1'}"),
    ],
)
def test_secrets_of_commands_links_and_vendors(found, text, value):
    assert value in {said for said, _ in found(text)}


@pytest.mark.parametrize(
    ("url", "value"),
    [
        ("https://jo:Obelisk#42ec!@intranet.test/x", "Obelisk#42ec!"),
        ("https://a.test/verify-email/91os1a7p6a4xolrg4tq1uykm", "91os1a7p6a4xolrg4tq1uykm"),
        ("/verify-email/1r4xu8ziyp1ofgykov7vvm2okunux1", "1r4xu8ziyp1ofgykov7vvm2okunux1"),
        ("/maps?key=bb90ec4ef1350c6f03e486edfcbeefa0", "bb90ec4ef1350c6f03e486edfcbeefa0"),
        ("/data?appid=d144f4139e0808d37a537ac19e0b6711&q=x", "d144f4139e0808d37a537ac19e0b6711"),
        ("/auth/confirm?token_hash=9380e134143ccb36ef3d8dbd", "9380e134143ccb36ef3d8dbd"),
    ],
)
def test_keys_in_urls(found, url, value):
    assert any(value in said for said, _ in found(url, "url"))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("zip -r out.zip folder", "prose"),
        ("openssl x509 -in cert.pem -noout", "prose"),
        ("redis-cli -h db.test ping", "prose"),
        ("net use Z: /user:root", "prose"),
        ("12:30:45:11:200", "prose"),
        ("/docs/reset-password/troubleshooting-guide", "url"),
        ("/api/confirm/order", "url"),
        ("/game?appid=440", "url"),
        ("/list?sort_key=created&code=20000", "url"),
    ],
)
def test_commands_and_links_without_secrets_stay(found, text, kind):
    assert found(text, kind) == set()


@pytest.mark.parametrize(
    ("text", "value", "entity"),
    [
        ("Ihr Bestätigungscode lautet 643214", "643214", "OTP"),
        ("Votre code de vérification est 334451.", "334451", "OTP"),
        ("Tu código de verificación es 346107", "346107", "OTP"),
        ("Ihre TAN: 432135", "432135", "OTP"),
        ("您的验证码是 432135", "432135", "OTP"),
        ("Parcel code: 644-991. Do not share it.", "644-991", "OTP"),
        ("exp 09/29, CVV 739", "739", "CARD"),
        ("Passport number: C19760591", "C19760591", "SSN"),
        ("NI number: QQ 47 12 57 C", "QQ 47 12 57 C", "SSN"),
        ("Driving licence MORGA160504SM9IJ", "MORGA160504SM9IJ", "SSN"),
        ("Account number: 93756478 Sort", "93756478", "IBAN"),
    ],
)
def test_codes_and_numbers_that_are_named(found, text, value, entity):
    assert (value, entity) in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "a tan 1234 coat",
        "code: 482913 in module 7",
        "Passport control is on the second floor",
        "account number is missing",
        "Driving licence renewal 2026",
    ],
)
def test_words_that_name_no_number_stay(found, text):
    assert found(text) == set()


@pytest.mark.parametrize("boxes", [1, 6])
def test_a_code_is_one_where_a_page_asks_for_it(scrub, boxes):
    box = Target(tag="input", label="Please type", input_type="text")
    events = []
    for n, part in enumerate("550610" if boxes == 6 else ["550610"]):
        start = 10**9 + n * 10**6
        events.append(event(id=f"c{n}", timestamp_us=start - 1, target=box))
        events += typed(part, box, start, len(events) + 1, url="https://a.test/verify")
    for url, gone in (("https://a.test/api/2fa", True), ("https://a.test/api/vouchers", False)):
        request = Request(
            id="r",
            started_us=2,
            method="POST",
            url=url,
            request_mime="application/json",
            request_body='{"code":"771024"}',
        )
        _, result = scrub(built(events, [request]))
        assert ("771024" not in result.requests[0].request_body) is gone
        assert not [e for e in result.events if e.key]


def test_what_is_typed_when_a_window_asks_for_a_password(scrub):
    for window, left in (("[sudo] password for jo: Terminal", []), ("Terminal", list("marmot98"))):
        events = [msgspec.structs.replace(e, window=window) for e in typed("marmot98", None)]
        _, result = scrub(built(events))
        assert [e.key for e in result.events if e.type == "keydown" and e.key] == left


@pytest.mark.parametrize(
    "body",
    [
        "<div><div>Password</div><div>Kayak#9x</div></div>",
        "<label>Password</label><span>Kayak#9x</span>",
        "<div><div><b>Your password</b></div><div><p><code>Kayak#9x</code></p></div></div>",
        "<p>Your temporary password is</p><p><code>Kayak#9x</code></p>",
        "<table><thead><tr><th>Site</th><th>Password</th></tr></thead><tbody><tr><td>a.test</td>"
        "<td><span>Kayak#9x</span></td></tr></tbody></table>",
        "<div role='grid'><div role='row'><span role='columnheader'>Site</span>"
        "<span role='columnheader'>API key</span></div><div role='row'><span role='cell'>a</span>"
        "<span role='cell'>Kayak#9x</span></div></div>",
    ],
)
def test_values_beside_or_under_what_names_them(scrub, body):
    dom = {"d.html": parse_dom(f"<body><main>{body}</main><p>Order 7 shipped</p></body>", "html")}
    snapshot = DomSnapshot(file="d.html", timestamp_us=9, format="html", size_bytes=1)
    _, result = scrub(built([event()], dom=[snapshot]), dom)
    page = result.dom["d.html"]
    assert "Kayak" not in page and "Order 7 shipped" in page
    assert "assword" in page or "API key" in page


def test_what_stands_beside_other_words_stays(scrub):
    body = (
        "<div><div>Password</div><div>Change it</div></div><div><b>Phone</b><b>X 15 Pro</b></div>"
    )
    body += "<table><tr><th>Site</th><th>Token</th></tr><tr><td>a</td><td>expired</td></tr></table>"
    body += "<table><tr><th>Order</th><th>Total</th></tr><tr><td>48213</td><td>3</td></tr></table>"
    dom = {"d.html": parse_dom(f"<body>{body}</body>", "html")}
    snapshot = DomSnapshot(file="d.html", timestamp_us=9, format="html", size_bytes=1)
    _, result = scrub(built([event()], dom=[snapshot]), dom)
    assert "REDACTED" not in result.dom["d.html"]


@pytest.mark.parametrize(
    ("body", "gone"),
    [
        ({"fields": [{"label": "Password", "value": "blue sky"}]}, "blue sky"),
        ({"fields": [{"id": "cardNumber", "type": "text", "value": "4539 1488"}]}, "4539"),
        ({"user": 1, "credentials": {"current": "Lantern#44", "type": "form2"}}, "Lantern"),
        ({"mobile": 3863839865}, "3863839865"),
        ({"home_cell": "386 383 9865"}, "9865"),
        ({"grant": 1, "code": "4/0AVhgZRdzUlMIrGMbRDJbL1pkh3DP71zsTp2XZ"}, "zUlMIrGM"),
    ],
)
def test_values_of_bodies_by_what_is_around_them(scrub, body, gone):
    request = Request(
        id="r",
        started_us=2,
        method="GET",
        url="/api",
        response_mime="application/json",
        response_body=json.dumps(body),
    )
    _, result = scrub(built([event()], [request]))
    assert gone not in result.requests[0].response_body


def test_values_of_bodies_that_only_look_alike_stay(scrub):
    body = {
        "fields": [{"label": "Colour", "value": "blue7sky"}],
        "secrets": {"count": 3, "label": "two of them", "version": "v12.4"},
        "mobile": "yes",
        "media": {"mobile": 480},
        "code": "invalid_request_2",
    }
    request = Request(
        id="r",
        started_us=2,
        method="GET",
        url="/api",
        response_mime="application/json",
        response_body=json.dumps(body),
    )
    _, result = scrub(built([event()], [request]))
    assert json.loads(result.requests[0].response_body) == body


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("<item><![CDATA[Tel. 06 70 80 55 53]]></item>", "code", "06 70 80 55 53"),
        ("<p>call (214) 554-4543 now</p>", "code", "(214) 554-4543"),
        ("data: {'t': 'Mobile: 07848 260970'}", "code", "07848 260970"),
        ("social_security_number_434-75-8372.pdf", "prose", "434-75-8372"),
        ("out/Date_of_birth_1968-05-27.pdf", "path", "1968-05-27"),
        ("password_zfv.Bramble813.pdf", "prose", "zfv.Bramble813"),
        ("the_password_is_Glacier#89an.pdf", "prose", "Glacier#89an"),
        ("+1_(835)_340-7726_rang.pdf", "prose", "+1_(835)_340-7726"),
        ("call_07848_260970.mp3", "id", "07848_260970"),
    ],
)
def test_what_is_said_in_markup_and_file_names(found, text, kind, value):
    assert value in {said for said, _ in found(text, kind)}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"order": "280-743-2458", "call": 12345678}', "code"),
        ("screen_2026-11-24_0012.png", "prose"),
        ("invoice_4539_2026.pdf", "path"),
        ("report_v12.4.0_20261124.xlsx", "prose"),
    ],
)
def test_numbers_of_code_and_file_names_stay(found, text, kind):
    assert found(text, kind) == set()


def test_tabs_that_name_a_secret(scrub):
    _, result = scrub(built([event(tab="sid=idq5cimxqt0felmrtmmizj29mc")]))
    assert result.events[0].tab == "sid=<REDACTED>"


def test_names_in_markup_that_is_text(config):
    finder = TextFinder(config, OneName())
    for text in ("<a><![CDATA[ask Ingrid]]></a>", "<p>x</p><!-- ask Ingrid -->"):
        assert len(finder.find(text, "code")) == 1
    assert not finder.find('<a title="Ingrid">x</a>', "code")


def test_announced_phrases_of_other_lists_and_where_they_end(found):
    said = "seed phrase orchard horizon velvet canyon zeppelin badge lemon, write it down"
    assert found(said) == {("orchard horizon velvet canyon zeppelin badge lemon, write", "SECRET")}


@pytest.mark.parametrize("head", ["Your backup codes", "Article numbers"])
def test_codes_to_get_in_with_when_all_else_is_lost(scrub, head):
    body = f"<h3>{head}</h3><ul><li>8717-0b79</li><li>55ab-19ff</li></ul><p>2 of 10 used</p>"
    dom = {"d.html": parse_dom(f"<body>{body}</body>", "html")}
    snapshot = DomSnapshot(file="d.html", timestamp_us=9, format="html", size_bytes=1)
    _, result = scrub(built([event()], dom=[snapshot]), dom)
    page = result.dom["d.html"]
    assert ("8717" not in page and "19ff" not in page) is (head == "Your backup codes")
    assert "2 of 10 used" in page


def test_a_password_in_an_element_that_is_made_a_field(scrub):
    body = '<div contenteditable="true" aria-label="Password">onzmarmot</div>'
    dom = {"d.html": parse_dom(f"<body>{body}</body>", "html")}
    snapshot = DomSnapshot(file="d.html", timestamp_us=9, format="html", size_bytes=1)
    _, result = scrub(built([event()], dom=[snapshot]), dom)
    assert "onzmarmot" not in result.dom["d.html"]


def test_random_strings_that_hold_small_letters_in_a_row(found):
    for token in (
        "vercel_P4rre9ewfsajnhT0KxYw3W0i",
        "tk_ZwfQqQWTUPiLxVFLlBDyjOuKLqKESGybBtzLGNeL",
        "fdskgvRttsYP0tkwktAMNL2nWpcpWX1n",
        "npMqegyyzOkrRWLzbFMW6bbdB61alqAncsrj73cr",
    ):
        assert found(f"see {token}") == {(token, "SECRET")}


def test_the_check_after_the_fact_finds_nothing_in_the_address_of_a_web_hook(scrub, config):
    hook = "https://hooks.slack.com/services/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"
    _, result = scrub(built([event(url=hook)]))
    assert result.events[0].url == "https://hooks.slack.com/services/<REDACTED>"
    checker = OutputChecker(TextFinder(config, NoNames()))
    assert not checker.check(result.events[0].url, "events", "url")


@pytest.mark.parametrize(
    ("url", "start"),
    [
        ("https://a.test/find?q=reply+to+jo.wren%40kestrel.example+now", "https://a.test/find?q="),
        ("https://a.test/find?q=reply+to+jo.wren@kestrel.example", "https://a.test/find?q="),
        ("https://a.test/s/reply%20to%20jo.wren%40kestrel.example/2", "https://a.test/s/"),
        ("/in?next=%2Ff%3Fq%3Dto%2520jo.wren%2540kestrel.example", "/in?next=%2Ff%3Fq%3D"),
        ("mailto:jo.wren@kestrel.example", "mailto:"),
        ("https://jo:kestrel#42ec!@intranet.test/x", "https://"),
        ("postgres://jo:kestrel42@db.test/shop", "postgres://"),
        ("http://[2a02:a452:40cc::9812]/x", "http://[2001:db8::"),
        ("/maps?to=26%20Pemberton%20Avenue", "/maps?to="),
    ],
)
def test_surrogates_in_urls_are_encoded_and_pass_the_check(patterns_only, config, url, start):
    config = dataclasses.replace(config, replacement="surrogate")
    scrubber = SessionScrubber(patterns_only, config, KEY)
    work = built([event(url=url, additional_info={"note": f"see {url}"})])
    result = scrubber.redact(work, {}, scrubber.locate(work, {})[0])
    (made,) = result.events
    assert made.url.startswith(start) and "kestrel" not in made.url and " " not in made.url
    checker = OutputChecker(patterns_only)
    assert not checker.check(made.url, "events", "url")
    assert not checker.check(made.additional_info, "events", "payload")
    assert checker.check("/find?q=to+jo.wren@kestrel.example", "events", "url")


def test_a_surrogate_card_holds_no_phone(patterns_only):
    checker = OutputChecker(patterns_only)
    assert not checker.check("paid with card 9999 0060 0203 5095", "events", "payload")
    assert checker.check("call 0060 3 2035 0950", "events", "payload")
