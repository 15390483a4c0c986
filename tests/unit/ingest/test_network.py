import base64
import json

import pytest

from tests.support.session_folders import START_MS, codes, drops, encoded, event, read, write
from transforms.ingest.find import find_sessions
from transforms.ingest.network import (
    ConfigError,
    NetworkRule,
    NetworkRules,
    load_network_rules,
)
from transforms.ingest.read import ReadLimits, read_trace

URL = "https://shop.example.org/api/cart?token=abc&q=x"


def entry(url=URL, **changes):
    made = {
        "startedDateTime": "2026-02-02T02:40:01.000Z",
        "time": 12.5,
        "request": {"method": "post", "url": url, "headers": [], "cookies": [{"name": "s"}]},
        "response": {
            "status": 200,
            "headers": [],
            "content": {"mimeType": "application/json", "text": '{"ok":true}'},
        },
        "timings": {"wait": 3},
    }
    for place, value in changes.items():
        target = made
        *path, last = place.split("__")
        for part in path:
            target = target[part]
        target[last] = value
    return made


def read_entries(tmp_path, rows, rules=None, name="network_traffic.jsonl"):
    folder = write(tmp_path / "s", {"input_events.jsonl": [event()], name: rows})
    (ref,) = find_sessions([str(folder)])
    return read_trace(ref, ReadLimits(), rules or load_network_rules(None))


def headers(*names):
    return [{"name": n, "value": "v"} for n in names]


def test_an_entry_becomes_a_request(tmp_path):
    row = entry(
        request__headers=headers("Accept"),
        request__postData={"mimeType": "application/json", "text": '{"sku":1}'},
        response__headers=headers("Content-Type"),
        tab="tab-1",
    )
    (made,) = read_entries(tmp_path, [row]).requests
    assert (made.id, made.method, made.url) == ("r000001", "POST", URL)
    assert (made.started_us, made.duration_ms, made.status) == ((START_MS + 1000) * 1000, 12.5, 200)
    assert made.request_headers == (("Accept", "v"),)
    assert (made.request_mime, made.request_body) == ("application/json", '{"sku":1}')
    assert made.response_headers == (("Content-Type", "v"),)
    assert (made.response_mime, made.response_body) == ("application/json", '{"ok":true}')
    assert (made.tab, made.flags) == ("tab-1", ())


@pytest.mark.parametrize("name", ["network_traffic.har", "any.har", "network_traffic.jsonl"])
def test_a_har_document_is_read_too(tmp_path, name):
    document = {"log": {"version": "1.2", "creator": {}, "entries": [entry(), entry()]}}
    data = b"\xef\xbb\xbf" + json.dumps(document).encode()
    assert len(read_entries(tmp_path, data, name=name).requests) == 2


def test_what_authenticates_is_removed(tmp_path):
    secret = (
        "Authorization authorization Proxy-Authorization Cookie Set-Cookie X-Auth-Token X-Token "
        "X-Api-Key X-Goog-Api-Key Api-Key X-CSRF-Token x-xsrf-token X-Amz-Security-Token DPoP "
        "X-Access-Token X-Session-Id WWW-Authenticate X-Custom-Key Private-Token"
    ).split()
    row = entry(
        "https://ann:hunter2@shop.example.org:8443/x",
        request__headers=headers(*secret, "Accept"),
        response__headers=headers(*secret, "ETag"),
    )
    (made,) = read_entries(tmp_path, [row]).requests
    assert (made.request_headers, made.response_headers) == ((("Accept", "v"),), (("ETag", "v"),))
    assert made.url == "https://shop.example.org:8443/x"
    assert made.flags == ("credentials_removed",)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (entry("https://a.example.org/app.js"), "asset"),
        (entry("https://a.example.org/LOGO.PNG?v=1"), "asset"),
        (entry(response__content={"mimeType": "image/webp"}), "asset"),
        (entry(_resourceType="font"), "asset"),
        (entry("https://www.google-analytics.com/g/x"), "telemetry"),
        (entry("https://google-analytics.com/g/x"), "telemetry"),
        (entry("https://a.example.org/telemetry/batch"), "telemetry"),
        (entry("https://ad.doubleclick.net/x"), "advertisement"),
        (entry(request__method="OPTIONS"), "preflight"),
        (entry("https://a.example.org/api/javascript.json"), None),
        (entry("https://a.example.org/collection"), None),
        (entry("https://a.example.org/"), None),
    ],
)
def test_the_bundled_rules(tmp_path, row, reason):
    trace = read_entries(tmp_path, [row])
    assert drops(trace) == ([("request", "r000001", reason)] if reason else [])
    assert len(trace.requests) == (reason is None)


@pytest.mark.parametrize(
    "response", [None, {"status": 0}, {"status": -1}, {"status": None}, {"status": "x"}]
)
def test_a_missing_response_leaves_an_incomplete_request(tmp_path, response):
    trace = read_entries(tmp_path, [entry(response=response)])
    assert (trace.requests[0].status, trace.requests[0].flags) == (None, ("incomplete",))
    assert trace.counts["incomplete_requests"] == 1


def test_bodies_are_capped_between_characters(tmp_path):
    rules = NetworkRules(max_body_bytes=10)
    row = entry(
        response__content={"mimeType": "text/plain", "text": "éééééé"},
        request__postData={"text": "0123456789"},
    )
    (made,) = read_entries(tmp_path, [row], rules).requests
    assert (made.response_body, made.request_body) == ("ééééé", "0123456789")
    assert made.flags == ("body_capped",)


@pytest.mark.parametrize(
    ("mime", "data", "body"),
    [
        ("application/json", b'{"a":1}', '{"a":1}'),
        ("text/plain; charset=utf-8", "é".encode(), "é"),
        ("image/png", b"\x89PNG", None),
        ("application/octet-stream", b"abc", None),
        ("text/plain", b"\xff\xfe", None),
    ],
)
def test_only_texts_come_out_of_base64(tmp_path, mime, data, body):
    content = {"mimeType": mime, "encoding": "base64", "text": base64.b64encode(data).decode()}
    (made,) = read_entries(tmp_path, [entry(response__content=content)], NetworkRules()).requests
    assert made.response_body == body
    assert made.flags == (() if body else ("body_removed",))


def test_form_parameters_become_a_body(tmp_path):
    post = {
        "mimeType": "application/x-www-form-urlencoded",
        "params": [{"name": "a", "value": "b c"}],
    }
    (made,) = read_entries(tmp_path, [entry(request__postData=post)]).requests
    assert made.request_body == "a=b+c"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (b"{", "invalid_json"),
        ({"request": {"url": URL}}, "missing_field"),
        ({**entry(), "request": {"method": "GET"}}, "missing_field"),
        ({**entry(), "request": {"url": 5}}, "bad_type"),
        ({**entry(), "startedDateTime": "soon"}, "bad_timestamp"),
        (b'{"startedDateTime":"\xff"}', "invalid_encoding"),
        (b'{"request":' + b"[" * 100_000, "bad_type"),
    ],
)
def test_bad_entries_are_failures_outside_the_ledger(tmp_path, row, code):
    trace = read_entries(tmp_path, [row, entry()])
    assert codes(trace) == [(code, "network_traffic.jsonl", 1)]
    assert [r.id for r in trace.requests] == ["r000002"]
    assert (trace.ledger.lines, trace.failed) == (1, None)


def test_a_broken_document_is_one_failure(tmp_path):
    trace = read_entries(tmp_path, b'{"log": 1}', name="network_traffic.har")
    assert codes(trace) == [("bad_type", "network_traffic.har", None)]


def test_urls_that_cannot_be_parsed_are_kept(tmp_path):
    (made,) = read_entries(tmp_path, [entry("http://[bad/")]).requests
    assert made.url == "http://[bad/"


# Rules ----------------------------------------------------------------------------------------


def rules_of(tmp_path, text):
    path = tmp_path / "rules.yaml"
    path.write_bytes(encoded(text) if isinstance(text, bytes) else text.encode())
    return load_network_rules(str(path))


def test_rules_are_read(tmp_path):
    made = rules_of(
        tmp_path,
        "max_body_bytes: 9\nremove_headers: X-Own\nkeep:\n- {name: api, paths: ['/api/*']}\n"
        "drop:\n- name: all\n  hosts: ['*']\n",
    )
    assert made == NetworkRules(
        keep=(NetworkRule(name="api", paths=("/api/*",)),),
        drop=(NetworkRule(name="all", hosts=("*",)),),
        max_body_bytes=9,
        remove_headers=("X-Own",),
    )
    assert made.reason_to_drop("h", "/API/x", "GET", "xhr", "") is None
    assert made.reason_to_drop("h", "/x", "GET", "xhr", "") == "all"
    assert rules_of(tmp_path, "") == NetworkRules()


def test_own_headers_are_removed_too(tmp_path):
    row = entry(request__headers=headers("X-Own", "Cookie", "Accept"))
    (made,) = read_entries(tmp_path, [row], NetworkRules(remove_headers=("X-Own",))).requests
    assert made.request_headers == (("Accept", "v"),)


def test_all_conditions_of_a_rule_must_hold():
    rule = NetworkRule(name="r", hosts=("*.example.org",), methods=("get", "head"))
    assert rule.fits("a.example.org", "/", "get", "", "")
    assert rule.fits("example.org", "/", "head", "", "")
    assert not rule.fits("a.example.org", "/", "post", "", "")
    assert not rule.fits("example.com", "/", "get", "", "")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("drop:\n- name: a\n  host: ['x']\n", 3, "unknown key 'host'; did you mean hosts?"),
        ("\n\ndorp: []\n", 3, "unknown key 'dorp'; did you mean drop?"),
        ("drop:\n- hosts: ['x']\n", 2, "a rule needs a name"),
        ("drop:\n- name: a\n", 2, "the rule a has no condition"),
        ("drop:\n- name: a\n  hosts: ['[a']\n", 3, "'[a' is a bad glob"),
        ("drop:\n- name: a\n  hosts: ['https://x']\n", 3, "is a URL; give host and path apart"),
        ("drop:\n- name: a\n  paths: [1]\n", 3, "expected a glob"),
        ("drop:\n- name: a b\n  paths: [x]\n", 2, "expected letters, digits"),
        ("drop: x\n", 1, "expected a list of rules"),
        ("- a\n", 1, "expected entries out of keep, drop"),
        ("max_body_bytes: -1\n", 1, "expected a number of bytes"),
        ("max_body_bytes: many\n", 1, "expected a number of bytes"),
        ("keep: []\nkeep: []\n", 2, "keep is given twice"),
        ("keep: [\n", 2, "not valid YAML"),
    ],
)
def test_mistakes_in_rules_name_file_and_line(tmp_path, text, line, message):
    with pytest.raises(ConfigError) as caught:
        rules_of(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path}/rules.yaml:{line}: ")
    assert message in str(caught.value)


def test_rules_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        load_network_rules(str(tmp_path / "none.yaml"))
    with pytest.raises(ConfigError, match="UTF-8"):
        rules_of(tmp_path, b"\xff\xfe")
    with pytest.raises(ConfigError):
        load_network_rules(str(tmp_path))


def test_the_session_survives_a_damaged_network_file(tmp_path):
    folder = write(
        tmp_path / "s", {"input_events.jsonl": [event()], "network_traffic.jsonl.gz": b"\x1f\x8b"}
    )
    trace = read(folder)
    assert codes(trace)[0][0] == "truncated_gzip" and len(trace.events) == 1
