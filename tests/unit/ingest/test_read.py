import gzip
import io
import json
import pathlib
import zipfile

import pytest
from PIL import Image

from schemas.traces import GivenStep, RecorderInfo, Viewport
from tests.support.session_folders import (
    START_MS,
    codes,
    drops,
    encoded,
    event,
    png,
    read,
    read_events,
    write,
)
from transforms.ingest.find import find_sessions
from transforms.ingest.read import ReadLimits
from transforms.session_files import SessionFiles, open_session_files

EXAMPLES = pathlib.Path(__file__).parents[3] / "examples"
VIEWPORT = {"width": 1024, "height": 640, "device_pixel_ratio": 2}


def us(n):
    return (START_MS + n) * 1000


# The bundled sessions -------------------------------------------------------------------------


@pytest.mark.skipif(not (EXAMPLES / "sessions").exists(), reason="no bundled sessions")
def test_the_bundled_sessions_read_without_a_failure():
    refs = find_sessions([str(EXAMPLES / "sessions"), str(EXAMPLES / "alien")])
    assert len(refs) > 5
    for ref in refs:
        trace = read(pathlib.Path(ref.uri))
        assert trace.failures == () and trace.events, ref.uri
        assert trace.frames and trace.ledger.lines == trace.ledger.raw == len(trace.events)
        kinds = {(d.kind, d.reason) for d in trace.dropped}
        assert kinds <= {("request", "asset"), ("request", "telemetry")}, ref.uri


# The record -----------------------------------------------------------------------------------


def test_the_record_is_read(tmp_path):
    record = {
        "id": "mine",
        "user_id": 12,
        "suite_id": "mail",
        "description": "Send it.",
        "created_at": "2026-02-05T12:00:00+02:00",
        "storage_path": "uploads/mine",
        "recorder": {"window": "Recorder", "stop_hotkey": "Ctrl+Shift+F9"},
        "own": [1],
    }
    session = read(
        write(tmp_path, {"session.json": record, "input_events.jsonl": [event()]})
    ).session
    assert (session.id, session.user_id, session.suite_id) == ("mine", "12", "mail")
    assert session.created_at == "2026-02-05T10:00:00.000Z"
    assert (session.description, session.storage_path) == ("Send it.", "uploads/mine")
    assert session.recorder == RecorderInfo(window="Recorder", stop_hotkey=("Ctrl", "Shift", "F9"))


@pytest.mark.parametrize("path", ["../../etc", "/home/someone", "https://x.example.com/a", "C:\\x"])
def test_a_storage_path_that_leads_elsewhere_is_replaced(tmp_path, path):
    write(tmp_path / "s", {"session.json": {"storage_path": path}, "input_events.jsonl": [event()]})
    trace = read(tmp_path / "s")
    assert trace.session.storage_path == "sessions/s"
    assert trace.counts["unsafe_storage_path"] == 1


def test_without_a_record_the_first_event_gives_the_time(tmp_path):
    trace = read_events(tmp_path, [event(5), event(2)])
    assert trace.session.created_at == "2026-02-02T02:40:00.200Z"
    assert (trace.session.id, trace.session.storage_path) == ("session", "sessions/session")


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (b"{", "invalid_json"),
        (b"[]", "bad_type"),
        (b'{"created_at": "soon"}', "bad_timestamp"),
        (b'{"created_at": 5}', "bad_timestamp"),
        (b'{"a":"' + b"x" * (1 << 20) + b'"}', "too_large"),
    ],
)
def test_a_bad_record_is_a_failure_and_no_end(tmp_path, record, code):
    trace = read(write(tmp_path, {"session.json": record, "input_events.jsonl": [event()]}))
    assert codes(trace) == [(code, "session.json", None)]
    assert not trace.failed and len(trace.events) == 1


def test_monotonic_times_lie_behind_created_at(tmp_path):
    write(
        tmp_path,
        {
            "session.json": {
                "created_at": START_MS,
                "recorder": {"clock": "monotonic"},
            },
            "input_events.jsonl": [
                {"type": "focus", "timestamp": 812.5},
                {"type": "blur", "timestamp": 813.75},
            ],
            "screenshots.jsonl": [{"file": "1.png", "timestamp": 812.25}],
            "screenshots/1.png": png(),
        },
    )
    trace = read(tmp_path)
    assert [e.timestamp_us for e in trace.events] == [us(0), us(1250)]
    assert trace.frames[0].timestamp_us == us(-250)


def test_relative_times_need_no_created_at(tmp_path):
    trace = read_events(tmp_path, [{"type": "focus", "timestamp": 1.5}])
    assert trace.counts == {"no_time_base": 1, "relative_time": 1}
    assert trace.session.created_at == "2000-01-01T00:00:01.500Z"


# Sessions that fail ---------------------------------------------------------------------------


@pytest.mark.parametrize("content", [None, b"", b"\n\n  \n", b"\xef\xbb\xbf\n"])
def test_no_events_fail_the_session(tmp_path, content):
    files = {"session.json": {"id": "s", "user_id": "u"}}
    if content is not None:
        files["input_events.jsonl"] = content
    trace = read(write(tmp_path, files))
    assert trace.failed.code == "missing_input_events"
    assert trace.failed.stage == "ReadTraces" and trace.failed.session_id == "s"
    assert trace.session.user_id == "u"


def test_only_bad_lines_fail_the_session(tmp_path):
    trace = read_events(tmp_path, [b"no", b"no"])
    assert trace.failed.code == "no_valid_events" and len(trace.failures) == 3
    assert trace.ledger.balanced


@pytest.mark.parametrize(
    ("good", "bad", "fails"),
    [(10, 100, False), (10, 101, True), (19_900, 199, False), (10_000, 200, True)],
)
def test_too_many_bad_lines_fail_the_session(tmp_path, good, bad, fails):
    trace = read_events(tmp_path, [event(n) for n in range(good)] + [b"oops"] * bad)
    assert bool(trace.failed) == fails
    assert (trace.ledger.lines, trace.ledger.failed_lines) == (good + bad, bad)
    if fails:
        assert trace.failed.code == "too_many_bad_lines" and trace.events == ()
        assert trace.ledger.balanced and trace.ledger.dropped == {"session_failed": good}
        assert f"{bad} of {good + bad} lines are bad" in trace.failed.message


def test_failure_rows_are_bounded_and_the_rest_is_counted(tmp_path):
    limits = ReadLimits(max_bad_lines=5000)
    trace = read_events(tmp_path, [event()] + [b"oops"] * 1500, limits)
    assert len(trace.failures) == 1000
    assert trace.counts["failures_not_listed"] == 500
    assert trace.counts["failed/invalid_json"] == 1500
    hopeless = read_events(tmp_path / "2", [b"oops"] * 30_000)
    assert hopeless.failed.code == "too_many_bad_lines"
    assert hopeless.ledger.lines == 10_001


def test_lines_above_the_limit_fail_alone(tmp_path):
    long = {**event(1), "text": "x" * 5000}
    trace = read_events(tmp_path, [event(), long, event(2)], ReadLimits(max_line_bytes=1024))
    assert [e.line for e in trace.events] == [1, 3]
    (failure,) = trace.failures
    assert (failure.code, failure.line) == ("line_too_long", 2)
    assert failure.length == len(json.dumps(long)) and len(failure.shape) == 80


# Files ----------------------------------------------------------------------------------------


def test_gzip_marks_and_line_ends_make_no_difference(tmp_path):
    rows = [event(n, text="früh 🎻") for n in range(50)]
    plain = encoded(rows)
    variants = {
        "a": {"input_events.jsonl": plain},
        "b": {"input_events.jsonl.gz": gzip.compress(plain)},
        "c": {"input_events.jsonl": gzip.compress(plain)},
        "d": {"input_events.jsonl": b"\xef\xbb\xbf" + plain.replace(b"\n", b"\r\n")},
        "e": {"input_events.jsonl": plain.decode().encode("utf-16")},
        "f": {"input_events.jsonl": plain.rstrip()},
    }
    for name, files in variants.items():
        write(tmp_path / name, files)
    expected = read(tmp_path / "a").events
    assert len(expected) == 50
    for name in variants:
        trace = read(tmp_path / name)
        assert (trace.events, trace.failures) == (expected, ()), name
    zipped = tmp_path / "g.zip"
    with zipfile.ZipFile(zipped, "w") as z:
        z.writestr("s/input_events.jsonl.gz", gzip.compress(plain))
    assert read(zipped).events == expected


def test_a_truncated_gzip_keeps_what_came_before(tmp_path):
    rows = encoded([event(n, text=str(n * 7919)) for n in range(5000)])
    trace = read(write(tmp_path, {"input_events.jsonl.gz": gzip.compress(rows)[:-2000]}))
    assert not trace.failed
    assert 3000 < len(trace.events) < 5000
    (failure,) = trace.failures
    assert failure.code == "truncated_gzip" and failure.line == len(trace.events) + 1
    assert trace.ledger.lines == len(trace.events) + 1


def test_names_that_are_refused_are_told(tmp_path):
    write(tmp_path / "s", {"input_events.jsonl": [event()]})
    (tmp_path / "secret.png").write_bytes(png())
    (tmp_path / "s" / "screenshots").mkdir()
    (tmp_path / "s" / "screenshots" / "1.png").symlink_to(tmp_path / "secret.png")
    trace = read(tmp_path / "s")
    assert drops(trace) == [("file", "screenshots/1.png", "link")]
    assert trace.frames == ()


def test_the_files_of_a_session_are_opened_once(tmp_path):
    (ref,) = find_sessions([str(write(tmp_path / "s", {"input_events.jsonl": [event()]}))])
    assert open_session_files(ref) is open_session_files(ref)


# Screenshots and snapshots --------------------------------------------------------------------


def test_times_of_screenshots_come_from_four_places(tmp_path):
    write(
        tmp_path,
        {
            "input_events.jsonl": [
                event(0),
                event(3, type="screenshot", file="screenshots/c.png", tab="t3"),
                event(4, type="screenshot", additional_info={"path": "a.png"}),
                event(7, type="click", screenshot="screenshots/d.png", path="screenshots/e.png"),
            ],
            "screenshots.jsonl": [
                {"file": "screenshots/a.png", "timestamp": START_MS + 1, "tab": "t1"},
                {"file": "a.png", "timestamp": START_MS + 9, "viewport": VIEWPORT},
            ],
            "screenshots/a.png": png(10, 20),
            "screenshots/b.png": png(11, 21),
            "screenshots/b.json": {"timestamp": "2026-02-02T02:40:00.002Z", "tab": "t2"},
            "screenshots/c.png": png(12, 22),
            "screenshots/d.png": png(15, 25),
            "screenshots/e.png": png(),
            "screenshots/20260202T024000.500Z.png": png(13, 23),
            f"screenshots/{START_MS + 600}.png": png(14, 24),
            "screenshots/orphan.png": png(),
        },
    )
    trace = read(tmp_path)
    assert [(f.file, f.timestamp_us, f.width, f.tab) for f in trace.frames] == [
        ("screenshots/a.png", us(1), 10, "t1"),
        ("screenshots/b.png", us(2), 11, "t2"),
        ("screenshots/a.png", us(9), 10, None),
        ("screenshots/c.png", us(300), 12, "t3"),
        ("screenshots/20260202T024000.500Z.png", us(500), 13, None),
        (f"screenshots/{START_MS + 600}.png", us(600), 14, None),
        ("screenshots/d.png", us(700), 15, None),
    ]
    assert trace.frames[2].viewport == Viewport(1024.0, 640.0, 2.0)
    assert drops(trace) == [
        ("frame", "screenshots/e.png", "orphan"),
        ("frame", "screenshots/orphan.png", "orphan"),
    ]
    assert len(trace.events) == 4


def test_screenshots_that_are_no_pictures_are_dropped_with_the_reason(tmp_path):
    whole = png()
    files = {
        "good.png": whole,
        "zero.png": b"",
        "cut.png": whole[:-20],
        "text.png": b"<html>",
        "gif.png": b"GIF89a" + bytes(50),
        "huge.png": whole + bytes(3000),
    }
    rows = [{"file": n, "timestamp": START_MS + i} for i, n in enumerate(files)]
    write(
        tmp_path,
        {
            "input_events.jsonl": [event()],
            "screenshots.jsonl": [*rows, rows[0], {"file": "none.png", "timestamp": START_MS}],
            **{f"screenshots/{n}": data for n, data in files.items()},
        },
    )
    trace = read(tmp_path, ReadLimits(max_frame_bytes=2000))
    assert [f.file for f in trace.frames] == ["screenshots/good.png"]
    assert sorted(drops(trace)) == [
        ("frame", "screenshots/cut.png", "truncated"),
        ("frame", "screenshots/gif.png", "unsupported_format"),
        ("frame", "screenshots/good.png", "duplicate"),
        ("frame", "screenshots/huge.png", "too_large"),
        ("frame", "screenshots/text.png", "not_an_image"),
        ("frame", "screenshots/zero.png", "zero_bytes"),
    ]
    assert trace.counts["missing_frame_files"] == 1
    assert not trace.failures


def test_a_jpeg_named_png_is_read_as_what_it_is(tmp_path):
    out = io.BytesIO()
    Image.new("RGB", (30, 20)).save(out, "JPEG")
    write(
        tmp_path, {"input_events.jsonl": [event()], f"screenshots/{START_MS}.png": out.getvalue()}
    )
    (frame,) = read(tmp_path).frames
    assert (frame.format, frame.width, frame.height) == ("jpeg", 30, 20)


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (b"{", "invalid_json"),
        ({"timestamp": START_MS}, "missing_field"),
        ({"file": "1.png"}, "missing_field"),
        ({"file": "1.png", "timestamp": "soon"}, "bad_timestamp"),
        ({"file": "1.png", "timestamp": START_MS, "own": "x" * (1 << 20)}, "line_too_long"),
    ],
)
def test_bad_index_lines_are_failures_outside_the_ledger(tmp_path, row, code):
    good = {"file": "2.png", "timestamp": START_MS}
    write(
        tmp_path,
        {
            "input_events.jsonl": [event()],
            "screenshots.jsonl": [row, good],
            "screenshots/1.png": png(),
            "screenshots/2.png": png(),
        },
    )
    trace = read(tmp_path)
    assert codes(trace) == [(code, "screenshots.jsonl", 1)]
    assert [f.file for f in trace.frames] == ["screenshots/2.png"]
    assert trace.ledger.lines == 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../../secret.png", "parent_path"),
        ("/etc/secret.png", "absolute_path"),
        ("https://example.com/1.png", "url"),
        ("C:\\Users\\x.png", "drive_letter"),
    ],
)
def test_an_index_cannot_name_files_elsewhere(tmp_path, name, reason):
    write(
        tmp_path,
        {
            "input_events.jsonl": [event(), event(1, type="screenshot", file=name)],
            "screenshots.jsonl": [{"file": name, "timestamp": START_MS}],
        },
    )
    assert drops(read(tmp_path)) == [("frame", name, reason)] * 2


def test_backslashes_in_an_index_are_separators(tmp_path):
    write(
        tmp_path,
        {
            "input_events.jsonl": [event()],
            "screenshots.jsonl": [{"file": ".\\screenshots\\1.png", "timestamp": START_MS}],
            "screenshots/1.png": png(),
        },
    )
    assert [f.file for f in read(tmp_path).frames] == ["screenshots/1.png"]


def test_snapshots_and_their_sidecars(tmp_path):
    write(
        tmp_path,
        {
            "input_events.jsonl": [event(), event(5, type="dom", file="dom/e.html")],
            "dom.jsonl": [{"file": "dom/a.json", "timestamp": START_MS + 1, "tab": "t"}],
            "dom/a.json": {"tag": "body"},
            "dom/b.xml": b"<node/>",
            "dom/b.json": {"timestamp": START_MS + 2},
            "dom/e.html": b"<html/>",
            "dom/f.json": {"tag": "body"},
            f"dom/{START_MS + 3}.json": {"tag": "body"},
            "dom/empty.xml": b"",
            "dom/empty.json": {"timestamp": START_MS + 4},
            "dom/big.htm": b"<p>" * 1000,
            "dom/big.json": {"timestamp": START_MS + 4},
            f"dom/{START_MS + 5}.xml.gz": gzip.compress(b"<p>" * 1000),
            "dom/notes.txt": b"",
        },
    )
    trace = read(tmp_path, ReadLimits(max_dom_bytes=1000))
    assert [(d.file, d.timestamp_us, d.format, d.tab) for d in trace.dom] == [
        ("dom/a.json", us(1), "json", "t"),
        ("dom/b.xml", us(2), "xml", None),
        (f"dom/{START_MS + 3}.json", us(3), "json", None),
        ("dom/e.html", us(500), "html", None),
    ]
    assert drops(trace) == [
        ("dom", "dom/f.json", "orphan"),
        ("dom", f"dom/{START_MS + 5}.xml", "too_large"),
        ("dom", "dom/big.htm", "too_large"),
        ("dom", "dom/empty.xml", "zero_bytes"),
    ]


# One file an event ----------------------------------------------------------------------------


def test_one_file_an_event(tmp_path):
    write(
        tmp_path / "s",
        {
            "input/1770000000100-b.json": event(1, id="b"),
            "input/1770000000000-a.json": b"\xef\xbb\xbf" + encoded(event(7)),
            "input/1770000000200-c.json": b"{",
            "input/1770000000300-d.json": event(3),
            "input/readme.txt": b"",
            "screenshot/100/u1.json": {"timestamp": START_MS + 5, "viewport": VIEWPORT},
            "screenshot/100/u1.png": png(9, 9),
            "screenshot/200/u2.json": {"timestamp": START_MS + 2, "file": "shot.jpg"},
            "screenshot/200/shot.jpg": png(8, 8),
            "screenshot/300/u3.json": {"timestamp": START_MS},
            "screenshot/400/u4.png": png(),
            "screenshot/500/u5.json": {"no": "time"},
        },
    )
    trace = read(tmp_path / "s")
    assert trace.ref.layout == "tracepipe"
    assert [(e.id, e.file, e.line, e.timestamp_us) for e in trace.events] == [
        ("e000001", "input/1770000000000-a.json", 1, us(700)),
        ("b", "input/1770000000100-b.json", 1, us(100)),
        ("e000003", "input/1770000000300-d.json", 1, us(300)),
    ]
    assert [(f.file, f.timestamp_us, f.width) for f in trace.frames] == [
        ("screenshot/200/shot.jpg", us(2), 8),
        ("screenshot/100/u1.png", us(5), 9),
    ]
    assert codes(trace) == [
        ("invalid_json", "input/1770000000200-c.json", 1),
        ("missing_field", "screenshot/500/u5.json", 1),
    ]
    assert drops(trace) == [("frame", "screenshot/400/u4.png", "orphan")]
    assert trace.counts["missing_frame_files"] == 1
    assert (trace.ledger.lines, trace.ledger.failed_lines) == (4, 1)


# Trajectories ---------------------------------------------------------------------------------


def step(n=1, **action):
    return {
        "task_id": "uuid-1234",
        "step_id": n,
        "timestamp": START_MS / 1000 + n,
        "observation": {
            "screenshot_path": f"images/step_{n}.png",
            "dom_tree": "<xml><a/></xml>",
            "active_window": "Notepad",
        },
        "thought_trace": "Save it.",
        "action": {"type": "click", "coordinates": [100, 200], "element_id": 42, **action},
    }


def test_a_trajectory_step_is_an_event_with_its_own_observation(tmp_path):
    write(tmp_path, {"trajectory.jsonl": [step()], "images/step_1.png": png(50, 40)})
    trace = read(tmp_path)
    (made,) = trace.events
    assert (made.id, made.type, made.timestamp_us) == ("e000001", "click", us(1000))
    assert (made.x, made.y, made.button, made.window) == (100.0, 200.0, "left", "Notepad")
    assert trace.given == (
        GivenStep(
            event_id="e000001",
            task_id="uuid-1234",
            step_id=1,
            thought="Save it.",
            element_id="42",
        ),
    )
    (frame,) = trace.frames
    assert (frame.file, frame.event_id, frame.width) == ("images/step_1.png", "e000001", 50)
    (dom,) = trace.dom
    assert (dom.event_id, dom.inline, dom.format) == ("e000001", "<xml><a/></xml>", "xml")
    assert trace.ledger.lines == trace.ledger.raw == 1


def test_the_documented_timestamp_is_relative(tmp_path):
    write(
        tmp_path,
        {
            "session.json": {"created_at": START_MS},
            "trajectory.jsonl": [{**step(), "timestamp": 1678888}],
        },
    )
    (made,) = read(tmp_path).events
    assert made.timestamp_us == us(1_678_888_000) and made.flags == ("relative_time",)


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ({"type": "double_click"}, {"type": "dblclick", "button": "left"}),
        ({"type": "right_click"}, {"type": "contextmenu", "button": "right"}),
        ({"type": "type", "text": "hi"}, {"type": "input", "text": "hi"}),
        (
            {"type": "press", "keys": ["ctrl", "S"]},
            {"type": "keydown", "key": "S", "modifiers": ("Control",)},
        ),
        ({"type": "hotkey", "keys": "Control+Shift+p"}, {"modifiers": ("Control", "Shift")}),
        ({"type": "press", "key": "+"}, {"key": "+", "modifiers": ()}),
        ({"type": "scroll", "direction": "up", "amount": 300}, {"delta_x": 0, "delta_y": -300}),
        ({"type": "scroll", "direction": "down", "amount": 3}, {"delta_x": 0, "delta_y": 300}),
        ({"type": "scroll", "delta_y": 80}, {"type": "wheel", "delta_y": 80.0}),
        ({"type": "click", "coordinates": None, "coordinate": [7, 8]}, {"x": 7.0, "y": 8.0}),
        ({"type": "navigate", "url": "https://example.org"}, {"url": "https://example.org"}),
        ({"type": "switch_tab"}, {"type": "tabswitch"}),
        ({"type": "drag", "coordinates": [1, 2, 3, 4]}, {"type": "unknown", "x": 1.0, "y": 2.0}),
        ({"type": "click", "coordinates": None, "x": 7, "y": 8}, {"x": 7.0, "y": 8.0}),
        ({"type": "wait", "coordinates": None}, {"type": "unknown", "x": None, "flags": ()}),
        ({"type": "dance"}, {"type": "unknown", "flags": ("unknown_type",)}),
    ],
)
def test_each_action_has_its_event(tmp_path, action, expected):
    (made,) = read(write(tmp_path, {"trajectory.jsonl": [step(**action)]})).events
    assert {name: getattr(made, name) for name in expected} == expected
    assert made.additional_info["type"] == action["type"]


def test_a_drag_keeps_its_path(tmp_path):
    given = step(type="drag", coordinates=[1, 2], end_coordinates={"x": 5, "y": 6})
    (made,) = read(write(tmp_path, {"trajectory.jsonl": [given]})).events
    assert made.additional_info["path"] == [[1.0, 2.0], [5.0, 6.0]]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"action": None}, "missing_field"),
        ({"action": "click"}, "bad_type"),
        ({"action": {}}, "missing_field"),
        ({"timestamp": None}, "missing_field"),
        ({"timestamp": "x"}, "bad_timestamp"),
        ({"observation": 3}, "bad_type"),
        ({"step_id": 1.5}, "bad_type"),
        ({"action": {"type": "click", "coordinates": [1]}}, "bad_type"),
        ({"action": {"type": "click", "coordinates": ["a", "b"]}}, "bad_type"),
    ],
)
def test_bad_steps_are_failures(tmp_path, change, code):
    write(tmp_path, {"trajectory.jsonl": [{**step(), **change}, step(2)]})
    trace = read(tmp_path)
    assert codes(trace) == [(code, "trajectory.jsonl", 1)]
    assert len(trace.events) == 1 and trace.ledger.failed_lines == 1


def test_a_step_without_its_picture_stays(tmp_path):
    bad = step(2)
    bad["observation"]["screenshot_path"] = "../../x.png"
    write(tmp_path, {"trajectory.jsonl": [step(), bad, step(3)], "images/step_3.png": b"no"})
    trace = read(tmp_path)
    assert len(trace.events) == 3 and trace.frames == ()
    assert trace.counts["missing_frame_files"] == 1
    assert drops(trace) == [
        ("frame", "trajectory.jsonl#2", "parent_path"),
        ("frame", "images/step_3.png", "not_an_image"),
    ]


def test_pictures_read_side_by_side_are_accounted_for_in_order(tmp_path, monkeypatch):
    names = [f"screenshots/{START_MS + n}.png" for n in range(40)]
    pictures = {name: png() if n % 3 else b"" for n, name in enumerate(names)}
    write(tmp_path, {"input_events.jsonl": [event()], **pictures})
    alone = read(tmp_path)
    monkeypatch.setattr("transforms.session_files.FolderFiles.is_local", False)
    monkeypatch.setattr(
        "transforms.session_files.FolderFiles.open_stored",
        lambda self, stored: io.BytesIO(pictures.get(stored) or (tmp_path / stored).read_bytes()),
    )
    together = read(tmp_path)
    assert (together.frames, together.dropped) == (alone.frames, alone.dropped)
    assert len(alone.dropped) == 14


def test_pictures_of_event_files_are_found_without_listing_the_session_for_each(
    tmp_path, monkeypatch
):
    files = {"input/1.json": event()}
    for n in range(30):
        files[f"screenshot/{n}/a.json"] = {"timestamp": START_MS + n}
        files[f"screenshot/{n}/deep/b.png"] = png()
    listed = []
    plain = SessionFiles.names
    monkeypatch.setattr(SessionFiles, "names", lambda self: listed.append(1) or plain(self))
    assert len(read(write(tmp_path / "s", files)).frames) == 30
    assert len(listed) < 30
