"""Properties of reading: names never escape, lines are an oracle's, reading is repeatable."""

from __future__ import annotations

import io
import json
import os
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from schemas.traces import Event, SessionRef
from tests.support.session_folders import RULES, START_MS, write
from transforms.images import ImageDefect, decode_image, probe_image
from transforms.ingest.event_fields import event_of
from transforms.ingest.event_lines import EventReader
from transforms.ingest.find import find_sessions
from transforms.ingest.gathering import Gathering, LineFault, ReadLimits
from transforms.ingest.read import read_trace
from transforms.ingest.records import decode_record
from transforms.ingest.times import BadTime, Clock
from transforms.json_lines import Block, LongLine, read_blocks
from transforms.listings import UnsafePathError, resolve_inside
from transforms.normalize.coalesce import normalize_events

NAMES = st.text(
    st.one_of(st.sampled_from(list("./\\:~%\0 ")), st.characters(codec="utf-8")), max_size=40
) | st.lists(
    st.sampled_from(["..", ".", "", "a", "...", "C:", "file:", "%2e%2e", "~", "\\", "．．"]),
    max_size=8,
).map("/".join)


@given(NAMES)
@example("./A0:")
@example(".//C:")
def test_a_resolved_name_stays_inside(name):
    try:
        resolved = resolve_inside(name)
    except UnsafePathError:
        return
    assert not os.path.isabs(resolved)
    full = os.path.normpath(os.path.join("/root/session", resolved))
    assert full.startswith("/root/session/") and full == f"/root/session/{resolved}"
    assert resolve_inside(resolved) == resolved
    assert "\\" not in resolved and "\0" not in resolved


@given(
    st.lists(st.binary(max_size=30) | st.just(b"\n") | st.just(b"x" * 25), max_size=30),
    st.integers(1, 40),
    st.integers(1, 50),
)
@settings(max_examples=200)
def test_lines_are_those_of_an_oracle(parts, max_line_bytes, block_bytes):
    data = b"".join(parts)
    expected = data.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    found: dict[int, bytes | int] = {}
    for piece in read_blocks(io.BytesIO(data), max_line_bytes, block_bytes):
        if isinstance(piece, Block):
            for number, line in enumerate(piece.data.split(b"\n"), piece.first_line):
                assert number not in found
                found[number] = line
        else:
            assert isinstance(piece, LongLine) and piece.line not in found
            assert expected[piece.line - 1].startswith(piece.head)
            found[piece.line] = piece.length
    assert list(found) == sorted(found)
    assert found == {
        n: line if len(line) <= max_line_bytes else len(line) for n, line in enumerate(expected, 1)
    }


SCALARS = st.none() | st.booleans() | st.integers(-10, 2**40) | st.floats() | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
)
HUGE = st.integers(300, 4000).flatmap(lambda digits: st.sampled_from([10**digits, -(10**digits)]))
"""JSON has no bound for integers; beyond 309 digits none is a float."""
FIELD_NAMES = st.sampled_from(
    "type event_type action timestamp ts id tab url window target selector viewport x y button "
    "buttons delta_x dy key code modifiers text value touches additional_info pressed name "
    "ctrlKey pointerType file flags own".split()
)
RECORDS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["click", "key_down", "dom", "screenshot", "press", "odd", ""]),
        "timestamp": st.integers(START_MS, START_MS + 10_000) | SCALARS,
    }
) | st.dictionaries(FIELD_NAMES, VALUES, max_size=10)


@given(st.dictionaries(FIELD_NAMES, VALUES, max_size=10), RECORDS)
@settings(max_examples=200)
def test_any_record_is_an_event_or_a_fault(more, record):
    line = json.dumps({**more, **record}).encode()
    try:
        decoded, _ = decode_record(line)
        made = event_of(decoded, Clock())
    except (LineFault, BadTime) as fault:
        for value in record.values():
            # The message may name a field, never a value.
            if isinstance(value, str) and len(value) > 6:
                assert value not in str(fault)
        return
    event = Event(**{"id": "e", "file": "f", "line": 1, **made.fields})
    assert msgspec.json.decode(msgspec.json.encode(event), type=Event) == event


@given(
    st.sampled_from(
        "timestamp id x y button buttons delta_x delta_y dx dy key code text value tab url window "
        "modifiers target viewport touches additional_info own".split()
    ),
    st.sampled_from(["click", "scroll", "wheel", "touchstart", "keydown", "input"]),
    HUGE,
    st.sampled_from(
        [
            lambda n: n,
            lambda n: [n, n],
            lambda n: [{"id": n, "x": n, "y": 1}],
            lambda n: {"x": n, "y": n, "width": n, "height": n, "bounds": [n, 1, n, 1]},
            lambda n: {"scroll_top": n, "scroll_left": n, "id": n},
        ]
    ),
)
@settings(max_examples=300)
def test_a_number_that_no_float_holds_is_a_fault_of_its_record_in_any_field(name, kind, n, shaped):
    record = {"type": kind, "timestamp": START_MS, name: shaped(n)}
    lines = [json.dumps(r).encode() for r in ({"type": kind, "timestamp": START_MS}, record)]
    with tempfile.TemporaryDirectory() as root:
        write(Path(root) / "s", {"input_events.jsonl": lines})
        (ref,) = find_sessions([root + "/s"])
        trace = read_trace(ref, ReadLimits(), RULES)
        assert 1 <= len(trace.events) == 2 - len(trace.failures)
        normalize_events(trace)
        msgspec.json.encode(trace)


@given(
    st.sampled_from("coordinates coordinate start path end to end_point coordinate2".split()),
    st.sampled_from(["drag", "swipe", "scroll", "click", "wait"]),
    HUGE,
    st.sampled_from(
        [lambda n: n, lambda n: [n, 1], lambda n: {"x": 1, "y": n}, lambda n: [[n, n]]]
    ),
)
def test_neither_is_one_in_a_given_action(name, kind, n, shaped):
    action = {"type": kind, name: shaped(n)}
    step = {"task_id": "t", "step_id": 1, "timestamp": START_MS, "action": action}
    with tempfile.TemporaryDirectory() as root:
        write(Path(root) / "s", {"trajectory.jsonl": [step, {**step, "action": {"type": "wait"}}]})
        (ref,) = find_sessions([root + "/s"])
        trace = read_trace(ref, ReadLimits(), RULES)
        assert 1 <= len(trace.events) == 2 - len(trace.failures)
        normalize_events(trace)


def _lines_read(data: bytes, block_mode: bool) -> tuple:
    gathering = Gathering(SessionRef("s", "/", "native", 0, ""), ReadLimits())
    reader = EventReader(gathering, Clock())
    if block_mode:
        reader._read_block("f", 1, data)
    else:
        for number, line in enumerate(data.split(b"\n"), 1):
            if line.strip():
                reader._read_slowly("f", number, line)
    return (
        gathering.events,
        [(f.code, f.line) for f in gathering.failures],
        gathering.lines,
        gathering.failed_lines,
    )


CANONICAL = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["click", "input", "keydown", "wheel", "focus"]),
        "timestamp": st.integers(START_MS, START_MS + 99)
        | st.floats(START_MS, START_MS + 99)
        | st.sampled_from(["2026-02-05T12:00:00Z", "2026-02-05T12:00:00", "1770000000", 12.5]),
    },
    optional={
        "id": st.sampled_from(["a", "b", "e000002"]),
        "x": st.integers(-9, 9) | st.floats(-9, 9),
        "text": st.text(st.characters(codec="utf-8"), max_size=5),
        "value": st.booleans() | st.text(max_size=3) | st.integers(0, 9),
        "button": st.sampled_from([0, 1, 2, "left", "right"]),
        "modifiers": st.lists(st.sampled_from(["Alt", "Shift", "Control"]), max_size=3),
        "key": st.sampled_from(["a", "Enter", "Return", "Key.enter"]),
        "target": st.fixed_dictionaries(
            {}, optional={"tag": st.just("a"), "bounds": st.just([1, 2, 3, 4])}
        ),
        "viewport": st.just({"width": 10, "height": 20}),
        "touches": st.just([{"id": 1, "x": 1, "y": 2}]),
        "additional_info": st.dictionaries(st.text(max_size=2), SCALARS.filter(lambda v: v == v)),
        "own": st.just(1),
    },
)


@given(
    st.lists(
        CANONICAL.map(json.dumps) | st.sampled_from(["", "{", "[1]", "{}{}"]),
        min_size=1,
        max_size=6,
    )
)
@settings(max_examples=150)
def test_whole_blocks_and_single_lines_give_equal_events(lines):
    data = "\n".join(lines).encode()
    assert _lines_read(data, True) == _lines_read(data, False)


@given(st.binary(max_size=200))
def test_random_bytes_are_no_picture_and_no_crash(data):
    for start in (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP"):
        for call in (probe_image, decode_image):
            with pytest.raises(ImageDefect):
                call(start + data, 10_000)


@given(
    st.dictionaries(
        st.sampled_from(
            "input_events.jsonl input_events.jsonl.gz session.json screenshots.jsonl dom.jsonl "
            "x.har network_traffic.jsonl screenshots/1.png dom/1.xml trajectory.jsonl input/1.json "
            "screenshot/1/a.json screenshot/1/a.png".split()
        ),
        st.binary(max_size=60)
        | st.lists(RECORDS.map(lambda r: json.dumps(r).encode()), max_size=4).map(b"\n".join),
        min_size=1,
    )
)
@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_folder_reads_without_a_crash_and_twice_alike(files):
    with tempfile.TemporaryDirectory() as root:
        write(Path(root) / "s", files)
        first = find_sessions([root + "/s"])
        assert first == find_sessions([root + "/s"])
        for ref in first:
            trace = read_trace(ref, ReadLimits(), RULES)
            assert trace == read_trace(ref, ReadLimits(), RULES)
            assert trace.failed or trace.events
            assert trace.ledger.lines == trace.ledger.raw + trace.ledger.failed_lines
            assert len({e.id for e in trace.events}) == len(trace.events)
            assert trace.failed or trace.ledger.raw == len(trace.events)
            msgspec.json.encode(trace)
