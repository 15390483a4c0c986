import json

import msgspec
import pytest

from schemas.findings import Found
from schemas.traces import DomSnapshot, Event, Request, Target
from tests.unit.privacy.sessions import EXAMPLES, built, everything, recorded, typed
from transforms.dom import parse_dom
from transforms.privacy.session_order import counts_of
from transforms.privacy.text import SessionScrubber

KEY = b"k" * 32
PASSWORD = Target(tag="input", id="pw", name="Password", input_type="password", selector="#pw")
SHOWN = msgspec.structs.replace(PASSWORD, input_type="text")
MESSAGE = Target(tag="textarea", id="msg", name="Message", selector="#msg")
SEARCH = Target(tag="input", id="q", name="Search", input_type="search", selector="#q")


@pytest.fixture
def scrub(patterns_only, config):
    def run(work, dom=None, config=config, extra=()):
        scrubber = SessionScrubber(patterns_only, config, KEY)
        values, _ = scrubber.locate(work, dom or {})
        return values, scrubber.redact(work, dom or {}, [*values, *extra])

    return run


def typed_keys(result):
    return "".join(e.key for e in result.events if e.type == "keydown" and len(e.key or "") == 1)


def test_a_password_is_nowhere_where_nobody_tells_of_fields(scrub):
    work = built(typed("jo.marsh\tHunter-22!x\n", None))
    assert "Hunter-22!x" in (work.actions[0].text or "")
    result = scrub(work)[1]
    assert "Hunter" not in everything(result) + typed_keys(result)
    assert "jo.marsh" in typed_keys(result)


def test_a_typed_password_is_nowhere(scrub):
    events = typed("Hunter-22!x\b\n", PASSWORD)
    requests = [
        Request(
            id="r1",
            started_us=events[-1].timestamp_us,
            method="POST",
            url="https://shop.test/api?echo=Hunter-22%21&x=1",
            request_mime="application/json",
            request_body='{"who": "me", "password": "Hunter-22!"}',
            response_mime="text/html",
            response_body="<p>Hunter-22!</p>",
        )
    ]
    work = built(events, requests, description="log in with Hunter-22! please")
    values, result = scrub(work)
    assert Found("Hunter-22!", "PASSWORD", "field", True) in values
    text = everything(result)
    assert "unter" not in text and "22" not in typed_keys(result)
    assert result.requests[0].url == "https://shop.test/api?echo=<REDACTED>&x=1"
    assert json.loads(result.requests[0].request_body) == {"who": "me", "password": "<REDACTED>"}
    assert result.session.description == "log in with <REDACTED> please"


def test_show_password_does_not_make_it_a_text(scrub):
    events = typed("Hunter", PASSWORD)
    events += typed(
        "-22!",
        SHOWN,
        events[-1].timestamp_us + 10**6,
        len(events) + 1,
        values=True,
        before="Hunter",
    )
    dom = {
        "dom/1.json": parse_dom(
            json.dumps(
                {
                    "tag": "body",
                    "children": [
                        {"tag": "input", "id": "pw", "input_type": "text", "value": "Hunter-2"},
                        {"tag": "p", "text": "You typed Hunter-22!"},
                    ],
                }
            ),
            "json",
        )
    }
    work = built(
        events,
        dom=[DomSnapshot(file="dom/1.json", timestamp_us=1, format="json", size_bytes=1)],
    )
    _, result = scrub(work, dom)
    assert "unter" not in everything(result)
    node = json.loads(result.dom["dom/1.json"])["children"]
    assert node[0]["value"] == "<REDACTED>"
    assert node[1]["text"] == "You typed <REDACTED>"


@pytest.mark.parametrize("values", [False, True])
def test_a_masked_run_tells_no_length(scrub, values):
    results = []
    for password in ("abcd-1", "abcd-1-and-much-longer"):
        before = typed("ada", MESSAGE)
        events = before + typed(
            password + "\n", PASSWORD, before[-1].timestamp_us + 10**6, 900, values=values
        )
        results.append(scrub(built(events))[1])
    short, long = results
    assert len(short.events) == len(long.events)
    assert short.ledger == long.ledger and short.ledger.balanced
    assert len(short.dispositions) == len(short.events) == short.ledger.raw
    for result in results:
        (masked,) = [e for e in result.events if "masked_run" in e.flags]
        assert (masked.type, masked.key, masked.text) == ("input", None, "<REDACTED>")
        assert [e.key for e in result.events if e.key == "Enter"] == ["Enter", "Enter"]


@pytest.mark.parametrize("values", [False, True])
def test_every_key_of_a_hit_goes_the_corrected_ones_too(scrub, values):
    events = typed("mail bob.smitx\bh@corp.example now", MESSAGE, values=values)
    _, result = scrub(built(events))
    keys = typed_keys(result)
    assert keys.startswith("mail ") and keys.endswith(" now")
    assert not set(keys) & set("@xh")
    assert not any("bob" in (e.value or "") for e in result.events)
    assert result.ledger.balanced


def test_half_typed_values_are_gone_from_suggestions(scrub):
    events = typed("bob.smith@corp.example", SEARCH)
    half = Request(
        id="r",
        started_us=events[20].timestamp_us,
        method="GET",
        url="https://shop.test/suggest?q=bob.smith%40co",
    )
    _, result = scrub(built(events, [half]))
    assert result.requests[0].url == "https://shop.test/suggest?q=<REDACTED>"


def test_a_value_that_was_deleted_again_is_gone(scrub):
    events = typed("bob@corp.example" + "\b" * 16 + "hello", MESSAGE)
    _, result = scrub(built(events))
    assert typed_keys(result) == "hello"


def test_a_late_keyup_does_not_name_the_last_key(scrub):
    events = typed("s3cret-Z", PASSWORD)
    late = msgspec.structs.replace(events[-1], target=Target(tag="body"))
    focus = Event(
        id="f", type="focus", timestamp_us=late.timestamp_us, file="x", line=1, target=MESSAGE
    )
    work = built([*events[:-1], focus, late])
    _, result = scrub(work)
    assert not any(e.key == "Z" for e in result.events)


def test_shortcuts_and_ordinary_typing_stay(scrub):
    events = typed("see you at 9", MESSAGE)
    _, result = scrub(built(events))
    assert typed_keys(result) == "see you at 9"
    assert [e.id for e in result.events] == [e.id for e in events]


def test_pasted_and_composed_text_is_searched(scrub):
    paste = Event(
        id="p", type="paste", timestamp_us=1, file="x", line=1, target=MESSAGE, text="a@b.example"
    )
    composed = [
        Event(id="c1", type="compositionstart", timestamp_us=2, file="x", line=2, target=MESSAGE),
        Event(
            id="c2",
            type="compositionend",
            timestamp_us=3,
            file="x",
            line=3,
            target=MESSAGE,
            text=" 10.0.0.1",
        ),
    ]
    _, result = scrub(built([paste, *composed]))
    text = everything(result)
    assert "a@b.example" not in text and "10.0.0.1" not in text


def test_short_values_stay_in_their_own_field(scrub):
    pin = Target(tag="input", id="pin", name="PIN", input_type="tel", selector="#pin")
    body = Request(
        id="r",
        started_us=2,
        method="POST",
        url="https://shop.test/",
        request_mime="application/json",
        request_body='{"pin": "123", "amount": "123"}',
    )
    values, result = scrub(built(typed("123", pin), [body], description="pay 123"))
    assert Found("123", "PASSWORD", "field", False) in values
    assert json.loads(result.requests[0].request_body) == {"pin": "<REDACTED>", "amount": "123"}
    assert result.session.description == "pay 123"


def test_names_of_sensitive_fields_count_as_keys(scrub):
    odd = Target(tag="input", id="zx81", input_type="password", selector="#zx81")
    form = Request(
        id="r",
        started_us=2,
        method="POST",
        url="https://shop.test/?zx81=12",
        request_mime="application/x-www-form-urlencoded",
        request_body="zx81=12&keep=12",
    )
    _, result = scrub(built(typed("12", odd), [form]))
    assert result.requests[0].request_body == "zx81=<REDACTED>&keep=12"
    assert result.requests[0].url == "https://shop.test/?zx81=<REDACTED>"


def test_headers_cookies_and_multipart(scrub):
    request = Request(
        id="r",
        started_us=2,
        method="POST",
        url="/x",
        request_headers=(
            ("Cookie", "sid=1; theme=dark"),
            ("X-Auth-Token", "t"),
            ("Accept", "text/html"),
            ("Referer", "https://h.test/?email=x"),
        ),
        request_mime="multipart/form-data; boundary=B",
        request_body='--B\r\nContent-Disposition: form-data; name="password"\r\n\r\npw1\r\n--B\r\n'
        'Content-Disposition: form-data; name="note"\r\n\r\nhello\r\n--B--',
    )
    _, result = scrub(built(typed("hi", MESSAGE), [request]))
    assert result.requests[0].request_headers == (
        ("Cookie", "<REDACTED>"),
        ("X-Auth-Token", "<REDACTED>"),
        ("Accept", "text/html"),
        ("Referer", "https://h.test/?email=<REDACTED>"),
    )
    assert "pw1" not in result.requests[0].request_body
    assert 'name="password"' in result.requests[0].request_body
    assert "hello" in result.requests[0].request_body


def test_keys_types_roles_and_structure_stay(scrub):
    body = '{"email": "x@y.example", "x@y.example": 1, "type": "mail", "list": [1, true, null]}'
    request = Request(
        id="r",
        started_us=2,
        method="POST",
        url="/x",
        request_mime="application/json",
        request_body=body,
    )
    _, result = scrub(built(typed("hi", MESSAGE), [request]))
    assert json.loads(result.requests[0].request_body) == {
        "email": "<REDACTED>",
        "<REDACTED>": 1,  # a key that is data: no program calls a field so
        "type": "mail",
        "list": [1, True, None],
    }


def test_untouched_bodies_stay_byte_for_byte(scrub):
    body = '{ "a" :  [1.0, 2],\n "b": "hello" }'
    request = Request(
        id="r", started_us=2, method="POST", url="/x", request_mime="json", request_body=body
    )
    _, result = scrub(built(typed("hi", MESSAGE), [request]))
    assert result.requests[0].request_body == body


def test_values_found_in_pixels_are_removed_from_text(scrub):
    work = built(typed("hi", MESSAGE), description="the code word is marmalade")
    _, result = scrub(work, extra=[Found("Marmalade", "SECRET", "pixel", True)])
    assert result.session.description == "the code word is <REDACTED>"


def test_placeholders_are_numbered_in_order_of_time(scrub, placeholders):
    first = typed("to b@x.example", MESSAGE)
    second = typed(
        " or c@x.example or b@x.example",
        MESSAGE,
        first[-1].timestamp_us + 1,
        500,
        before="to b@x.example",
    )
    work = built([*first, *second], description="ask a@x.example")
    _, result = scrub(work, config=placeholders)
    assert result.session.description == "ask <EMAIL_1>"
    masked = [e.text for e in result.events if "masked_run" in e.flags]
    assert masked[:2] == ["<EMAIL_2>", "<EMAIL_3>"]


def test_clipped_values_are_found(scrub):
    clipped = Request(
        id="r",
        started_us=1,
        method="GET",
        url="/",
        response_mime="text/plain",
        response_body="Hi, reach me at bob.smith@co…",
    )
    work = built(typed("hi", MESSAGE), [clipped], description="all: bob.smith@corp.example")
    _, result = scrub(work)
    assert result.requests[0].response_body == "Hi, reach me at <REDACTED>…"


def test_redacting_twice_gives_the_same_bytes(patterns_only, config):
    events = typed("mail bob@corp.example and 10.0.0.1", MESSAGE)
    work = built(events)
    one, two = (
        everything(
            (s := SessionScrubber(patterns_only, config, KEY)).redact(
                work, {}, s.locate(work, {})[0]
            )
        )
        for _ in range(2)
    )
    assert one == two


@pytest.fixture(scope="module")
def login():
    """The recorded session in which a password is typed and shown."""
    for path in sorted(EXAMPLES.iterdir()):
        if '"current-password"' in (path / "input_events.jsonl").read_text(encoding="utf-8"):
            return recorded(path.name)
    raise AssertionError("no recorded session signs in")


def test_the_recorded_password_is_nowhere(scrub, login):
    work, dom = login
    shown = {e.value for e in work.trace.events if e.target and e.target.id == "password"} - {None}
    password = max(shown, key=len)
    assert len(password) > 8
    values, result = scrub(work, dom)
    assert any(v.value == password for v in values)
    text = everything(result)
    for start in range(len(password) - 5):
        assert password[start : start + 6] not in text
    assert typed_keys(result)
    assert result.ledger.balanced
    assert len(result.events) == result.ledger.raw == len(result.dispositions)
    left = {e.id for e in result.events}
    assert all(set(s.action.raw_event_ids) <= left for s in result.steps)
    assert all(s.action.target is None for s in result.steps)


def test_the_recorded_addresses_are_nowhere(scrub, login):
    work, dom = login
    _, result = scrub(work, dom)
    text = everything(result)
    assert "@example" not in text and "%40example" not in text


def test_recorders_that_log_releases_only_are_masked_too(scrub):
    events = [e for e in typed("Hunter-22!", PASSWORD) if e.type == "keyup"]
    values, result = scrub(built(events))
    assert Found("Hunter-22!", "PASSWORD", "field", True) in values
    assert not any(len(e.key or "") == 1 for e in result.events)


def test_what_recorders_add_of_a_sensitive_field_goes(scrub):
    events = typed("Hunter-22!", PASSWORD)
    change = Event(
        id="c",
        type="change",
        timestamp_us=events[-1].timestamp_us + 1,
        file="x",
        line=1,
        target=msgspec.structs.replace(PASSWORD, text="Hunter-22!"),
        value="Hunter-22!",
        additional_info={"data": "!", "input_type": "insertText", "value": "Hunter-22!"},
        extra={"oldValue": "Hunter-22"},
    )
    _, result = scrub(built([*events, change]))
    (made,) = [e for e in result.events if e.id == "c"]
    assert made.value == made.target.text == "<REDACTED>"
    assert made.additional_info == {
        "data": "<REDACTED>",
        "input_type": "insertText",
        "value": "<REDACTED>",
    }
    assert made.extra == {"oldValue": "<REDACTED>"}


def test_half_typed_values_are_gone_from_titles(scrub):
    events = typed("bob.smith@corp.example", SEARCH)
    titled = msgspec.structs.replace(events[30], window="bob.smith@corp - Search")
    events[30] = titled
    _, result = scrub(built(events))
    assert "bob.smith" not in everything(result)


def test_intermediate_values_of_names_are_replaced_with_the_name(config):
    from transforms.privacy.finder import TextFinder

    finder = TextFinder(config)
    events = typed("Dear Henrike, thank you", MESSAGE, values=True)
    work = built(events)
    scrubber = SessionScrubber(finder, config, KEY)
    values, _ = scrubber.locate(work, {})
    result = scrubber.redact(work, {}, values)
    held = [e.value for e in result.events if e.value]
    assert "Henrike" not in " ".join(held)
    assert held[-1] == "Dear <REDACTED>, thank you"


def test_what_recorders_nest_of_a_sensitive_field_goes(scrub):
    told = {
        "target": {"value": "Hunter-22!", "type": "password", "history": [{"text": "Hunter-2"}]},
        "value": 20260212,
        "values": ["old-One!"],
        "data": {"inputType": "insertText"},
        "keyCode": 72,
        "ticks": 72,
    }
    events = typed("Hunter-22!", PASSWORD)
    at = events[-1].timestamp_us + 1
    change = Event(
        id="c",
        type="change",
        timestamp_us=at,
        file="x",
        line=1,
        target=PASSWORD,
        extra=told,
        key="h",
    )
    plain = Event(
        id="p", type="focus", timestamp_us=at, file="x", line=1, extra={"by": "insertText 20260212"}
    )
    _, result = scrub(built([*events, change, plain]))
    made, other = (next(e for e in result.events if e.id == i) for i in "cp")
    gone = "<REDACTED>"
    assert made.key is None and made.extra == {
        "target": {"value": gone, "type": "password", "history": [{"text": gone}]},
        "value": gone,
        "values": ["old-One!"],
        "data": {"inputType": gone},
        "ticks": 72,
    }
    assert other.extra == {"by": f"insertText {gone}"}


def test_what_only_a_paste_tells_aside_is_searched_for_elsewhere(scrub):
    paste = Event(
        id="p",
        type="paste",
        timestamp_us=1,
        file="x",
        line=1,
        target=PASSWORD,
        additional_info={"clipboard": "Kestrel-92x"},
    )
    _, result = scrub(built([paste, *typed("hi", MESSAGE)], description="use Kestrel-92x"))
    assert result.session.description == "use <REDACTED>"


def test_a_message_after_another_is_searched_by_itself(scrub):
    chat = Target(tag="input", id="chat")
    _, result = scrub(built(typed("hi\n621-45-3809\n", chat)))
    assert typed_keys(result) == "hi" and "45" not in everything(result)


@pytest.mark.parametrize("told", ["code", "keyCode"])
def test_keys_told_by_place_or_number_are_masked(scrub, told):
    numbers = {char: ord(char) for char in "0123456789"} | {"-": 189}
    codes = {c: "Minus" if c == "-" else f"Digit{c}" for c in numbers}
    for target in (MESSAGE, PASSWORD):
        events = [
            msgspec.structs.replace(
                event,
                key=None,
                code=codes[event.key] if told == "code" else None,
                extra={"keyCode": numbers[event.key]} if told == "keyCode" else {},
            )
            for event in typed("621-45-3809", target)
        ]
        _, result = scrub(built(events))
        (left,) = result.events
        assert (left.text, left.code, left.extra) == ("<REDACTED>", None, {})


@pytest.mark.parametrize(
    ("field", "body", "made"),
    [
        ({"id": "name", "autocomplete": "name"}, {"name": "Espresso Machine 3000"}, None),
        ({"id": ":r1:", "input_type": "email"}, {":r1:": "a", "r1": "b"}, None),
        ({"id": "input-12", "input_type": "password"}, {"input": "a", "input_12": "b"}, None),
        ({"id": "zx81", "input_type": "password"}, {"zx81": "b"}, {"zx81": "<REDACTED>"}),
    ],
)
def test_names_of_fields_that_tell_nothing_are_no_keys(scrub, field, body, made):
    request = Request(
        id="r",
        started_us=2,
        method="POST",
        url="/x",
        request_mime="application/json",
        request_body=json.dumps(body),
    )
    _, result = scrub(built(typed("Jo Wren", Target(tag="input", **field)), [request]))
    assert json.loads(result.requests[0].request_body) == (made or body)


@pytest.mark.parametrize("name", ["email-subject", "emailBody", "phone message", "Email template"])
def test_what_is_written_about_mail_is_no_address(scrub, name):
    target = Target(tag="input", id=name)
    _, result = scrub(built(typed("Minutes of Monday", target)))
    assert typed_keys(result) == "Minutes of Monday"


@pytest.mark.parametrize("type", ["keydown", "unknown"])
def test_no_count_tells_how_long_a_password_is(scrub, patterns_only, config, type):
    counts = []
    for password in ("abcd-1", "abcd-1-and-much-longer"):
        events = [
            msgspec.structs.replace(
                event, type=type, flags=("naive_time",), additional_info={"data": event.key}
            )
            for event in typed(password, PASSWORD, 1_800_000_000_000_000, 900)
            if event.type == "keydown"
        ]
        work = built([*typed("ada", MESSAGE), *events])
        _, result = scrub(work)
        _, seen = SessionScrubber(patterns_only, config, KEY).locate(work, {})
        left = {event.id for event in result.events}
        noticed = counts_of({"naive_time": len(events), "inversions": 2}, work.trace.events, left)
        counts.append((seen, result.counts, noticed))
    assert counts[0] == counts[1]
    assert counts[0][2] == {"naive_time": 1, "inversions": 2}
