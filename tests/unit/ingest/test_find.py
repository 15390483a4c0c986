import io
import os
import shutil
import tarfile
import zipfile

import msgspec
import pytest

from schemas.packing import pack
from tests.support.session_folders import RULES, event, png, read, write
from transforms.ingest.find import InputError, PassedOver, find_inputs, find_sessions
from transforms.ingest.layouts import find_roots
from transforms.ingest.read import ReadLimits, read_trace

EVENTS = {"input_events.jsonl": [event()]}
STEP = {"task_id": "t", "step_id": 1, "timestamp": 1_770_000_000, "action": {"type": "wait"}}


def found(*patterns, **options):
    """Returns (id, layout, defect) of the sessions behind patterns."""
    refs = find_sessions([str(p) for p in patterns], **options)
    return [(r.session_id, r.layout, r.defect) for r in refs]


def zipped(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in files.items():
            z.writestr(name, data)
    return path


def test_a_folder_of_sessions_the_largest_first(tmp_path):
    write(tmp_path / "a", EVENTS)
    write(tmp_path / "b", {"input_events.jsonl": [event(), event(1)]})
    write(tmp_path / "c", EVENTS)
    write(tmp_path / "notes", {"readme.md": b"nothing"})
    assert [i for i, _, _ in found(tmp_path)] == ["b", "a", "c"]
    assert [i for i, _, _ in found(tmp_path / "*")] == ["b", "a", "c"]


def test_each_layout_by_its_contents(tmp_path):
    write(tmp_path / "native", EVENTS)
    write(tmp_path / "steps", {"trajectory.jsonl": [STEP]})
    write(tmp_path / "pipe", {"input/1-a.json": event(), "screenshot/1/a.json": {}})
    write(tmp_path / "empty", {"session.json": {"id": "given"}})
    write(tmp_path / "pictures", {"screenshots/1.png": png()})
    assert set(found(tmp_path)) == {
        ("native", "native", ""),
        ("steps", "alien", ""),
        ("pipe", "tracepipe", ""),
        ("given", "native", ""),
        ("pictures", "native", ""),
    }


@pytest.mark.parametrize(
    "named", ["input_events.jsonl", "session.json", ".", "*", "*.jsonl", "../s/input*"]
)
def test_a_session_by_any_of_its_files(tmp_path, named):
    write(tmp_path / "s", {**EVENTS, "session.json": {"id": "mine"}, "dom/1.xml": b"<a/>"})
    assert found(tmp_path / "s" / named) == [("mine", "native", "")]


def test_files_of_any_name_by_their_first_line(tmp_path):
    write(tmp_path, {"monday.jsonl": [STEP], "log.jsonl": [event()], "other.jsonl": [{"a": 1}]})
    assert found(tmp_path / "*.jsonl") == [
        ("monday", "alien-file", ""),
        ("log", "native-file", ""),
    ]
    assert set(found(tmp_path)) == {("monday", "alien-file", ""), ("log", "native-file", "")}
    assert len(read(tmp_path / "log.jsonl").events) == 1


def test_archives_of_one_and_of_several_sessions(tmp_path):
    line = b'{"type":"focus","timestamp":1770000000000}\n'
    zipped(tmp_path / "one.zip", {"input_events.jsonl": line})
    zipped(tmp_path / "wrapped.zip", {"inner/input_events.jsonl": line * 2})
    zipped(tmp_path / "many.zip", {"x/a/trajectory.jsonl": b"", "x/b/input/1.json": line})
    for name, mode in (("plain.tar", "w"), ("packed.tar.gz", "w:gz"), ("short.tgz", "w:gz")):
        with tarfile.open(tmp_path / name, mode) as tar:
            info = tarfile.TarInfo("./input_events.jsonl")
            info.size = len(line)
            tar.addfile(info, io.BytesIO(line))
    assert {(i, layout) for i, layout, _ in found(tmp_path)} == {
        ("one", "native-archive"),
        ("inner", "native-archive"),
        ("a", "alien-archive"),
        ("b", "tracepipe-archive"),
        ("plain", "native-archive"),
        ("packed", "native-archive"),
        ("short", "native-archive"),
    }
    for ref in find_sessions([str(tmp_path)]):
        trace = read_trace(ref, ReadLimits(), RULES)
        assert len(trace.events) == {"a": 0, "inner": 2}.get(ref.session_id, 1)


def test_a_session_in_a_session_is_part_of_it(tmp_path):
    write(tmp_path / "s", {**EVENTS, "backup/input_events.jsonl": [event()]})
    assert found(tmp_path) == [("s", "native", "")]
    assert find_roots(["session.json", "a/input_events.jsonl", "a/input_events.jsonl.gz"]) == {
        "a": "native"
    }
    assert find_roots(["s/input_events.jsonl", "s/trajectory.jsonl"]) == {"s": "native"}
    assert find_roots([]) == {}


def test_a_guess_gives_way_to_the_sessions_below_it(tmp_path):
    """An ``input`` folder of something else, or one trajectory of all, hid every session."""
    assert find_roots(["input/x.json", "s/input_events.jsonl"]) == {"s": "native"}
    assert find_roots(["trajectory.jsonl", "a/trajectory.jsonl", "b/trajectory.jsonl"]) == {
        "a": "alien",
        "b": "alien",
    }
    assert find_roots(["trajectory.jsonl", "a/input/1.json", "a/old/input/1.json"]) == {"": "alien"}
    assert find_roots(["s/trajectory.jsonl", "s/backup/trajectory.jsonl"]) == {"s": "alien"}
    write(tmp_path, {"trajectory.jsonl": [STEP], "images/1.png": png()})
    write(tmp_path, {"a/input_events.jsonl": [event()], "b/input_events.jsonl": [event(1)]})
    assert set(found(tmp_path)) == {
        ("a", "native", ""),
        ("b", "native", ""),
        ("trajectory", "alien-file", ""),
    }
    assert found(tmp_path / "trajectory.jsonl") == [("trajectory", "alien-file", "")]


def test_loose_files_beside_session_folders_are_read_too(tmp_path):
    write(tmp_path / "s", EVENTS)
    write(tmp_path, {"monday.jsonl": [event(1)], "deep/tuesday.jsonl": [event(2)]})
    assert {i for i, _, _ in found(tmp_path)} == {"s", "monday", "tuesday"}
    assert len(read(tmp_path / "deep" / "tuesday.jsonl").events) == 1


def test_what_lies_beside_sessions_is_told_once_a_folder_with_what_it_looks_like(tmp_path):
    write(tmp_path / "in" / "s", EVENTS)
    write(
        tmp_path / "in",
        {
            "web/r.json": {"title": "x", "steps": []},
            "web/more/r.json": {},
            "readme.md": b"x",
            "x/t/input_events.jsonl": [event(1)],
            "x/a.har": {"log": {"entries": []}},
        },
    )
    result = find_inputs([str(tmp_path / "in")])
    assert [r.session_id for r in result.sessions] == ["s", "t"]
    assert [(os.path.relpath(p.uri, tmp_path), p.kind) for p in result.passed_over] == [
        ("in/readme.md", "unknown_layout"),
        ("in/web", "unknown_layout (a Chrome DevTools Recorder script)"),
        ("in/x/a.har", "unknown_layout (a HAR file without input events)"),
    ]
    zipped(tmp_path / "one.zip", {"s/input_events.jsonl": b"", "r.json": b'{"title":1,"steps":[]}'})
    (told,) = find_inputs([str(tmp_path / "one.zip")]).passed_over
    assert told.uri == str(tmp_path / "one.zip/r.json") and "DevTools" in told.dialect


def test_a_glob_may_match_what_is_neither_file_nor_folder(tmp_path):
    write(tmp_path / "s", EVENTS)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    result = find_inputs([str(tmp_path / "*")])
    assert [r.session_id for r in result.sessions] == ["s"]
    assert [os.path.basename(p.uri) for p in result.passed_over] == ["link", "pipe"]


def test_names_that_are_not_utf8_are_failed_or_passed_over(tmp_path):
    """What cannot be written down must end neither the run nor in silence."""
    write(tmp_path / "in" / "good", {**EVENTS, "screenshots/1.png": png()})
    root = os.fsencode(tmp_path / "in")
    os.makedirs(root + b"/s\xe9")
    for name in (b"s\xe9/input_events.jsonl", b"good/screenshots/\xe9.png", b"\xe9.zip"):
        with open(root + b"/" + name, "wb") as f:
            f.write(b'{"type":"focus","timestamp":1770000000000}\n')
    for pattern in (tmp_path / "in", tmp_path / "in" / "*", os.fsdecode(root + b"/s\xe9")):
        result = find_inputs([str(pattern)])
        pack(result.sessions)
        msgspec.json.encode(result.passed_over)
        failed = next(r for r in result.sessions if r.defect)
        assert (failed.session_id, failed.defect) == ("s\\udce9", "not_utf8")
        assert read_trace(failed, ReadLimits(), RULES).failed.code == "not_utf8"
    trace = read(tmp_path / "in" / "good")
    assert [(d.record, d.reason) for d in trace.dropped if d.kind == "file"] == [
        ("screenshots/\\udce9.png", "not_utf8")
    ]
    result = find_inputs([str(tmp_path / "in")])
    assert [p.kind for p in result.passed_over] == ["not_utf8"]
    assert find_inputs([os.fsdecode(root + b"/\xe9.zip")]).sessions[0].defect == "not_utf8"


def test_one_session_reached_twice_counts_once(tmp_path):
    write(tmp_path / "a", EVENTS)
    result = find_inputs([str(tmp_path), str(tmp_path / "a"), str(tmp_path / "a" / "*")])
    assert [r.session_id for r in result.sessions] == ["a"]
    assert result.passed_over == []


def test_clashing_ids_with_other_bytes_fail_both(tmp_path):
    write(tmp_path / "x" / "s", EVENTS)
    write(tmp_path / "y" / "s", {"input_events.jsonl": [event(9)]})
    write(tmp_path / "z", EVENTS)
    assert sorted(found(tmp_path)) == [
        ("s", "native", "duplicate_session"),
        ("s", "native", "duplicate_session"),
        ("z", "native", ""),
    ]
    ref = next(r for r in find_sessions([str(tmp_path)]) if r.defect)
    trace = read_trace(ref, ReadLimits(), RULES)
    assert trace.failed.code == "duplicate_session" and trace.events == ()


@pytest.mark.parametrize("fingerprint", ["stat", "content"])
def test_an_identical_copy_is_read_once(tmp_path, fingerprint):
    write(tmp_path / "x" / "s", EVENTS)
    shutil.copytree(tmp_path / "x" / "s", tmp_path / "y" / "s")
    os.utime(tmp_path / "y" / "s" / "input_events.jsonl", (1, 1))
    zipped(
        tmp_path / "s.zip",
        {"input_events.jsonl": (tmp_path / "x/s/input_events.jsonl").read_bytes()},
    )
    result = find_inputs([str(tmp_path)], fingerprint=fingerprint)
    assert [r.uri for r in result.sessions] == [str(tmp_path / "s.zip")]
    assert result.passed_over == [
        PassedOver(str(tmp_path / "x" / "s"), "identical_copy"),
        PassedOver(str(tmp_path / "y" / "s"), "identical_copy"),
    ]


def test_spellings_of_one_uuid_are_one_id(tmp_path):
    identifier = "0f0e0d0c-0b0a-4908-8706-050403020100"
    write(tmp_path / "a", {**EVENTS, "session.json": {"id": identifier}})
    write(tmp_path / "b", {**EVENTS, "session.json": {"id": identifier.upper()}})
    assert {d for _, _, d in found(tmp_path)} == {"duplicate_session"}


def test_fingerprints_follow_the_files(tmp_path):
    folder = write(tmp_path / "s", {**EVENTS, "screenshots/1.png": png(), ".DS_Store": b"x"})

    def prints():
        return [
            find_sessions([str(folder)], fingerprint=kind)[0].fingerprint
            for kind in ("stat", "content")
        ]

    before = prints()
    assert prints() == before
    write(folder, {".DS_Store": b"changed"})
    assert prints() == before
    os.utime(folder / "screenshots/1.png", (5, 5))
    stat, content = prints()
    assert stat != before[0] and content == before[1]
    (folder / "screenshots/1.png").rename(folder / "screenshots/2.png")
    assert prints()[1] != content


def test_nothing_there_names_the_pattern(tmp_path):
    with pytest.raises(InputError, match="missing: nothing is there"):
        find_sessions([str(tmp_path / "missing")])
    with pytest.raises(InputError, match="nothing is there"):
        find_sessions([str(tmp_path / "*.zip")])
    write(tmp_path / "a", {"x.txt": b"x"})
    with pytest.raises(InputError, match="1 matches, none is a session"):
        find_sessions([str(tmp_path / "*")])


@pytest.mark.parametrize(
    ("files", "dialect"),
    [
        ({"events.json": [{"type": 4, "timestamp": 1, "data": {}}]}, "an rrweb recording"),
        ({"trace.trace": b"", "trace.network": b""}, "a Playwright trace"),
        ({"events.jsonl": b"", "metadata.json": b"{}"}, "a DuckTrack or AgentNetTool recording"),
        ({"r.json": {"title": "x", "steps": []}}, "a Chrome DevTools Recorder script"),
        ({"a.har": {"log": {"entries": []}}}, "a HAR file without input events"),
        ({"recording.db": b"SQLite"}, "an openadapt-capture recording"),
        ({"demo.mp4": b"x"}, "a screen video without input events"),
        ({"manifest.json": b"{}", "versions/1/x": b""}, "an output of tracemill"),
        ({"notes.txt": b""}, None),
    ],
)
def test_what_is_named_and_no_session_fails_with_the_closest_dialect(tmp_path, files, dialect):
    folder = write(tmp_path / "thing", files)
    assert found(folder) == [("thing", "unknown", "unknown_layout")]
    trace = read(folder)
    assert trace.failed.code == "unknown_layout"
    if dialect:
        assert f"it looks like {dialect}, which is not read" in trace.failed.message
    else:
        assert "looks like" not in trace.failed.message
    with pytest.raises(InputError) as caught:
        find_sessions([str(tmp_path / "th*")])
    assert (dialect or "none is a session") in str(caught.value)


def test_what_is_passed_over_is_told(tmp_path):
    write(tmp_path / "real" / "s", EVENTS)
    write(tmp_path / "real", {"photos.zip": b"PK\x05\x06" + bytes(18)})
    (tmp_path / "real" / "link").symlink_to(tmp_path)
    result = find_inputs([str(tmp_path / "real")])
    assert [r.session_id for r in result.sessions] == ["s"]
    assert result.passed_over == [
        PassedOver(str(tmp_path / "real" / "link"), "link"),
        PassedOver(str(tmp_path / "real" / "photos.zip"), "unknown_layout"),
    ]


def test_damaged_archives_are_failed_sessions(tmp_path):
    write(tmp_path, {"bad.zip": b"PK\x03\x04 and no more", "worse.tar.gz": b"\x1f\x8b and no more"})
    assert set(found(tmp_path)) == {
        ("bad", "unknown-archive", "damaged_archive"),
        ("worse", "unknown-archive", "damaged_gzip"),
    }


def test_exclusions(tmp_path):
    write(tmp_path / "a", EVENTS)
    write(tmp_path / "out" / "b", EVENTS)
    write(tmp_path / "c-draft", EVENTS)
    options = {"exclude": [str(tmp_path / "out"), "*-draft"]}
    assert found(tmp_path, exclude=[str(tmp_path / "out"), str(tmp_path / "*-draft")]) == [
        ("a", "native", "")
    ]
    assert found(tmp_path / "*", exclude=options["exclude"][:1])[0][0] == "a"
    with pytest.raises(InputError):
        find_sessions([str(tmp_path / "out")], exclude=[str(tmp_path / "out")])


@pytest.mark.parametrize(
    "record",
    [
        b'{"id": ""}',
        b'{"id": "a\\u0000b"}',
        b'{"id": {"a": 1}}',
        b"[1]",
        b"{broken",
        b'{"id": "\\ud800"}',
        b"\xff\xfe\x00",
        b'{"id": "' + b"x" * 300 + b'"}',
    ],
)
def test_unusable_ids_give_way_to_the_folders_name(tmp_path, record):
    write(tmp_path / "folder", {**EVENTS, "session.json": record})
    assert found(tmp_path) == [("folder", "native", "")]


def test_readable_ids_however_they_are_written(tmp_path):
    write(tmp_path / "a", {**EVENTS, "session.json": '{"id": "früh"}'.encode("utf-16")})
    write(tmp_path / "b", {**EVENTS, "session.json": b'{"session_id": 12}'})
    assert {i for i, _, _ in found(tmp_path)} == {"früh", "12"}


def test_relative_and_file_uris_become_absolute(tmp_path, monkeypatch):
    write(tmp_path / "s", EVENTS)
    monkeypatch.chdir(tmp_path)
    for pattern in ("s", "./s/", "*", f"file://{tmp_path}/s"):
        (ref,) = find_sessions([pattern])
        assert ref.uri == str(tmp_path / "s")


def test_an_unknown_fingerprint_is_a_programming_error(tmp_path):
    with pytest.raises(ValueError, match="stat, content"):
        find_sessions([str(tmp_path)], fingerprint="mtime")


def test_a_folder_that_may_not_be_listed_is_named(tmp_path, monkeypatch):
    write(tmp_path / "closed" / "s", EVENTS)

    def scandir(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("transforms.listings.os.scandir", scandir)
    with pytest.raises(InputError, match="closed: may not be listed"):
        find_sessions([str(tmp_path / "closed")])


def test_the_place_that_a_run_writes_to_is_no_input(tmp_path):
    write(tmp_path / "s", {"input_events.jsonl": [event()]})
    with pytest.raises(InputError, match="where the run writes"):
        find_inputs([str(tmp_path)], exclude=[str(tmp_path)])
