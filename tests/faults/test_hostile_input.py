"""Files made to hurt: each costs a typed outcome, bounded time and memory, and nothing else."""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest
from PIL import Image

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
from transforms.images import ImageDefect, decode_image
from transforms.ingest.find import find_inputs
from transforms.ingest.read import ReadLimits

MB = 1 << 20
LINE = json.dumps(event()).encode() + b"\n"


class Measured:
    """CPU seconds and peak of traced memory of a block."""

    def __enter__(self) -> Measured:
        tracemalloc.start()
        self._started = time.process_time()
        return self

    def __exit__(self, *unused: object) -> None:
        self.seconds = time.process_time() - self._started
        self.peak_mb = tracemalloc.get_traced_memory()[1] / MB
        tracemalloc.stop()


def within(measured: Measured, *, mb: float, seconds: float) -> bool:
    """Whether a block kept its bounds; tracing makes it slower than it is."""
    print(f"{measured.peak_mb:.1f} MB of {mb}, {measured.seconds:.2f} s of {seconds}")
    return measured.peak_mb <= mb and measured.seconds <= seconds


def timed(files: dict, name: str) -> dict:
    """Returns a session whose index gives a picture or snapshot a time."""
    index = "dom.jsonl" if name.startswith("dom/") else "screenshots.jsonl"
    return {
        "input_events.jsonl": [event()],
        index: [{"file": name, "timestamp": START_MS}],
        **files,
    }


# Lines ----------------------------------------------------------------------------------------


def test_a_line_of_100_megabytes(tmp_path):
    path = write(tmp_path / "s", {"input_events.jsonl": LINE}) / "input_events.jsonl"
    with open(path, "ab") as f:
        f.write(b'{"type":"input","timestamp":1,"text":"')
        for _ in range(100):
            f.write(b"x" * MB)
        f.write(b'"}\n' + LINE)
    with Measured() as measured:
        trace = read(tmp_path / "s")
    assert within(measured, mb=64, seconds=2)
    assert [e.line for e in trace.events] == [1, 3]
    (failure,) = trace.failures
    assert (failure.code, failure.line) == ("line_too_long", 2)
    assert failure.length == 100 * MB + 40
    assert not trace.failed


def test_a_gzipped_line_of_100_megabytes(tmp_path):
    # Random letters, so that the ratio is not what stops it.
    noise = os.urandom(MB).hex().encode()
    with gzip.open(
        write(tmp_path / "s", {"session.json": {}}) / "input_events.jsonl.gz", "wb", 1
    ) as f:
        f.write(LINE)
        for _ in range(50):
            f.write(noise)
        f.write(b"\n" + LINE)
    with Measured() as measured:
        trace = read(tmp_path / "s")
    assert within(measured, mb=64, seconds=5)
    assert codes(trace) == [("line_too_long", "input_events.jsonl", 2)]
    assert len(trace.events) == 2


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_json_that_is_100_000_levels_deep(tmp_path, opening):
    deep = b'{"type":"click","timestamp":1770000000000,"own":' + opening * 100_000
    closed = (
        b'{"type":"click","timestamp":1770000000000,"additional_info":{"a":'
        + b"[" * 100_000
        + b"]" * 100_000
        + b"}}"
    )
    with Measured() as measured:
        trace = read_events(tmp_path, [LINE.strip(), deep, closed, opening * 100_000])
    assert within(measured, mb=16, seconds=2)
    assert len(trace.events) == 1
    assert [f.code for f in trace.failures][:2] == ["too_deep", "too_deep"]
    assert trace.failures[2].code in ("too_deep", "bad_type")


_CLICK = b'{"type":"click","timestamp":1770000000000,'


@pytest.mark.parametrize(
    "line",
    [
        _CLICK + b'"additional_info":{"a":[' + b"[]," * 5_000_000 + b"[]]}}",
        _CLICK + b'"x":NaN,"own":[' + b"{}," * 5_000_000 + b"{}]}",
        _CLICK + b",".join(b'"k%d":1' % n for n in range(1_000_000)) + b"}",
        _CLICK + b'"touches":[' + b'{"id":1,"x":1,"y":2},' * 500_000 + b"{}]}",
    ],
    ids=["lists", "objects", "keys", "touches"],
)
def test_a_line_of_a_million_values(tmp_path, line):
    with Measured() as measured:
        trace = read_events(tmp_path, [LINE.strip(), line, LINE.strip()])
    assert within(measured, mb=64, seconds=4)
    assert codes(trace) == [("too_many_values", "input_events.jsonl", 2)]
    assert len(trace.events) == 2


def test_commas_in_a_text_are_no_values(tmp_path):
    long = b'{"type":"dom","timestamp":1770000000000,"html":"<p>' + b'a, \\", ' * 500_000 + b'"}'
    trace = read_events(tmp_path, [LINE.strip(), long])
    assert not trace.failures and len(trace.dom) == 1


def test_more_fingers_than_hands_have(tmp_path):
    rows = [event(type="touchstart", touches=[{"id": n, "x": 1, "y": 2} for n in range(65)])]
    assert codes(read_events(tmp_path, [*rows, event()])) == [("bad_type", "input_events.jsonl", 1)]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [(b"[]," * 10_000_000, "too_many_values"), (b"[]," * 50_000, "too_many_bad_lines")],
)
def test_a_har_of_things_that_are_no_entries(tmp_path, entries, expected):
    har = b'{"log":{"entries":[' + entries + b"[]]}}"
    files = {"input_events.jsonl": [event()], "network_traffic.har": har}
    write(tmp_path, files)
    with Measured() as measured:
        trace = read(tmp_path)
    assert within(measured, mb=len(har) / MB + 64, seconds=4)
    assert trace.ledger.lines == 1 and f"failed/{expected}" in trace.counts


def test_numbers_that_are_none(tmp_path):
    rows = [
        b'{"type":"wheel","timestamp":1770000000000,"delta_y":NaN,"own":[Infinity]}',
        b'{"type":"wheel","timestamp":1770000000000,"delta_y":1e999}',
        b'{"type":"wheel","timestamp":Infinity}',
        b'{"type":"wheel","timestamp":' + b"9" * 5000 + b"}",
        b'{"type":"wheel","timestamp":1770000000000,"x":' + b"9" * 400 + b"}",
        b'{"type":"wheel","timestamp":1770000000000,"own":' + b"9" * 400 + b"}",
    ]
    trace = read_events(tmp_path, rows)
    assert [(e.line, e.delta_y, e.flags) for e in trace.events[:2]] == [
        (1, None, ("not_a_number",)),
        (2, None, ("not_a_number",)),
    ]
    assert {f.line for f in trace.failures} == {3, 4, 5}
    json.dumps([e.extra for e in trace.events], allow_nan=False)


def test_lone_surrogates_and_duplicate_keys(tmp_path):
    rows = [
        b'{"type":"input","timestamp":1770000000000,"text":"\\ud800","own":{"\\udfff":"\\ud83d"}}',
        b'{"type":"input","timestamp":1770000000001,"text":"a","text":"b"}',
    ]
    trace = read_events(tmp_path, rows)
    assert [e.text for e in trace.events] == ["\ufffd", "b"]
    assert trace.events[0].extra == {"own": {"\ufffd": "\ufffd"}}
    assert "lone_surrogate" in trace.events[0].flags


def test_ten_thousand_events_of_one_id(tmp_path):
    with Measured() as measured:
        trace = read_events(tmp_path, [event(n, id="same") for n in range(10_000)])
    assert within(measured, mb=64, seconds=2)
    assert len({e.id for e in trace.events}) == 10_000
    assert [e.id for e in trace.events][:3] == ["same", "same~2", "same~3"]


def test_marks_line_ends_and_encodings_mixed_in_one_file(tmp_path):
    rows = b"\r\n".join(
        [
            b"\xef\xbb\xbf" + LINE.strip(),
            '{"type":"input","timestamp":1770000000001,"text":"é"}'.encode("latin-1"),
            '{"type":"input","timestamp":1770000000001,"text":"é"}'.encode(),
            '{"type":"input","timestamp":1770000000002}'.encode("utf-16-le"),
            b"\xef\xbb\xbf" + LINE.strip(),
            LINE.strip() + b"\0",
        ]
    )
    trace = read_events(tmp_path, rows)
    assert [e.line for e in trace.events] == [1, 3]
    assert trace.failures[0].code == "invalid_encoding"
    assert len(trace.failures) == 4 and not trace.failed


def test_a_million_bad_lines_end_early(tmp_path):
    with Measured() as measured:
        trace = read_events(tmp_path, b"x\n" * 1_000_000)
    assert within(measured, mb=32, seconds=10)
    assert trace.failed.code == "too_many_bad_lines"
    assert len(trace.failures) <= 1001 and trace.ledger.lines < 20_000


def test_nothing_of_a_bad_line_is_repeated(tmp_path):
    secret = "hunter2@example.org"
    rows = [
        f'{{"type":"input","timestamp":"{secret}"}}',
        f'{{"type":"input","timestamp":1770000000000,"x":"{secret}"}}',
        f'{{"{secret}": ',
        f'{{"type":["{secret}"],"timestamp":1}}',
        f'"{secret}"',
        secret,
        f'{{"type":"input","timestamp":1770000000000,"text":"{secret}\x01"}}',
    ]
    trace = read_events(tmp_path, [LINE.strip(), *(r.encode() for r in rows)])
    assert len(trace.failures) == len(rows)
    for failure in trace.failures:
        said = f"{failure.message} {failure.shape} {failure.code}"
        assert "hunter" not in said and "example" not in said


# Archives and compression ---------------------------------------------------------------------


def test_a_gzip_that_ends_too_early(tmp_path):
    packed = gzip.compress(b"".join(encoded(event(n)) + b"\n" for n in range(3000)))
    trace = read(write(tmp_path, {"input_events.jsonl.gz": packed[: len(packed) // 2]}))
    assert trace.failures[-1].code == "truncated_gzip" and len(trace.events) > 500


def test_a_gzip_bomb(tmp_path):
    # 2 GB of blank lines in 2 MB.
    data = gzip.compress(b"\n" * (16 * MB), 9) * 128
    assert len(data) < 4 * MB
    with Measured() as measured:
        trace = read(write(tmp_path, {"input_events.jsonl.gz": data}))
    assert within(measured, mb=64, seconds=5)
    assert trace.failed.code == "decompression_bomb"


def test_a_gzip_bomb_beside_the_events(tmp_path):
    data = gzip.compress(bytes(300 * MB), 9)
    write(
        tmp_path,
        {
            **timed({"screenshots/1.png": data}, "screenshots/1.png"),
            "network_traffic.jsonl": data,
            "session.json.gz": data,
            "dom/1.xml.gz": data,
            "dom/1.json": {"timestamp": START_MS},
        },
    )
    with Measured() as measured:
        trace = read(tmp_path)
    assert within(measured, mb=64, seconds=8)
    assert len(trace.events) == 1 and not trace.failed
    assert {("frame", "screenshots/1.png"), ("dom", "dom/1.xml")} == {d[:2] for d in drops(trace)}
    assert {"network_traffic.jsonl", "session.json"} == {f.file for f in trace.failures}


def zip_of(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in members.items():
            z.writestr(name, data)
    return path


def test_zip_slip(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    place = zip_of(
        tmp_path / "x.zip",
        {
            "s/input_events.jsonl": LINE,
            "../outside/evil.json": b"{}",
            "s/../../outside/evil.json": b"{}",
            "/etc/evil": b"",
            "..\\outside\\evil": b"",
            "s/screenshots/" + "y" * 300: b"",
        },
    )
    trace = read(place)
    assert len(trace.events) == 1 and list(outside.iterdir()) == []
    assert {d.reason for d in trace.dropped} == {"parent_path", "absolute_path", "long_name"}


def test_zip_bombs(tmp_path):
    place = zip_of(
        tmp_path / "x.zip", {"s/input_events.jsonl": LINE, "s/dom/1.xml": bytes(100 * MB)}
    )
    with Measured() as measured:
        trace = read(place)
    assert within(measured, mb=16, seconds=2)
    assert drops(trace) == [("file", "dom/1.xml", "decompression_bomb")]
    main = zip_of(tmp_path / "y.zip", {"input_events.jsonl": b"\n" * (100 * MB)})
    assert read(main).failed.code == "decompression_bomb"


def test_a_zip_whose_header_lies_about_its_size(tmp_path):
    place = zip_of(tmp_path / "x.zip", {"input_events.jsonl": LINE * 10})
    data = bytearray(place.read_bytes())
    central = data.rfind(b"PK\x01\x02")
    struct.pack_into("<I", data, central + 24, len(LINE) * 3)
    place.write_bytes(data)
    trace = read(place)
    # What the archive says is read, no more; the checksum then tells that it lied.
    assert len(trace.events) <= 3
    assert trace.failures and trace.failures[-1].code in ("damaged_archive", "no_valid_events")


def test_links_in_a_tar(tmp_path):
    place = tmp_path / "x.tar.gz"
    with tarfile.open(place, "w:gz") as tar:
        for name, kind, target in (
            ("s/input_events.jsonl", tarfile.REGTYPE, ""),
            ("s/session.json", tarfile.SYMTYPE, "/etc/passwd"),
            ("s/network_traffic.jsonl", tarfile.LNKTYPE, "../../etc/passwd"),
            ("s/screenshots", tarfile.SYMTYPE, "/tmp"),
            ("s/dom.jsonl", tarfile.FIFOTYPE, ""),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            info.size = len(LINE) if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(LINE) if info.size else None)
    trace = read(place)
    assert len(trace.events) == 1
    assert {(d.record, d.reason) for d in trace.dropped} == {
        ("session.json", "link"),
        ("network_traffic.jsonl", "link"),
        ("screenshots", "link"),
        ("dom.jsonl", "special_file"),
    }


def tar_header(name: bytes, size: int, kind: bytes) -> bytes:
    """Returns one ustar header block."""
    head = bytearray(512)
    head[: len(name)] = name
    head[100:108], head[124:136] = b"0000644\0", b"%011o\0" % size
    head[156:157], head[257:265] = kind, b"ustar\x0000"
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head)


def tar_of(*parts: bytes) -> bytes:
    return b"".join(parts) + bytes(1024)


EVENTS_IN_TAR = tar_header(b"input_events.jsonl", len(LINE), b"0") + LINE.ljust(512, b"\0")


@pytest.mark.parametrize("kind", [b"L", b"x"], ids=["GNU long name", "pax"])
def test_a_tar_of_nested_extension_headers(tmp_path, kind):
    content = b"a\0" if kind == b"L" else b"11 path=ab\n"
    one = tar_header(b"x", len(content), kind) + content.ljust(512, b"\0")
    with Measured() as measured:
        trace = read(write_tar(tmp_path / "many.tar", one * 1000, EVENTS_IN_TAR))
    assert trace.failed.code == "damaged_archive"
    assert within(measured, mb=16, seconds=2)


@pytest.mark.parametrize("kind", [b"L", b"x", b"g"])
def test_an_extension_header_of_a_gigabyte(tmp_path, kind):
    path = tmp_path / "x.tar"
    with path.open("wb") as f:  # sparse: it takes no room
        f.write(tar_header(b"x", 1 << 30, kind))
        f.seek(1 << 30, os.SEEK_CUR)
        f.write(EVENTS_IN_TAR + bytes(1024))
    with Measured() as measured:
        trace = read(path)
    assert trace.failed.code == "damaged_archive"
    assert within(measured, mb=16, seconds=2)


def test_a_tar_with_a_member_of_negative_size(tmp_path):
    head = bytearray(tar_header(b"x", 0, b"0"))
    head[124:136] = b"\xff" * 10 + b"\xfe\x00"
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    assert read(write_tar(tmp_path / "x.tar", bytes(head))).failed.code == "damaged_archive"


def write_tar(path: Path, *parts: bytes) -> Path:
    path.write_bytes(tar_of(*parts))
    return path


def test_a_long_name_in_a_tar_is_still_read(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        for name in ("s/input_events.jsonl", "s/screenshots/" + "y" * 200 + ".png"):
            info = tarfile.TarInfo(name)
            info.size = len(LINE)
            tar.addfile(info, io.BytesIO(LINE))
    assert len(read(tmp_path / "x.tar").events) == 1


def test_a_zip_whose_own_name_of_a_member_is_no_utf8(tmp_path):
    place = zip_of(tmp_path / "x.zip", {"session.json": b"{}", "input_events.jsonl": LINE})
    data = bytearray(place.read_bytes())
    at = data.find(b"input_events")
    struct.pack_into("<H", data, at - 30 + 6, 0x800)  # flag: the name is UTF-8
    data[at] = 0xFF
    place.write_bytes(data)
    trace = read(place)
    assert trace.failed and "damaged_archive" in {f.code for f in trace.failures}


# Names and links ------------------------------------------------------------------------------


def test_links_out_of_a_folder(tmp_path):
    secret = write(tmp_path / "secret", {"x.png": png(), "e.jsonl": LINE})
    root = write(
        tmp_path / "s",
        {
            "input_events.jsonl": [event(), event(1, type="screenshot", file="shots/x.png")],
            "screenshots.jsonl": [{"file": "shots/x.png", "timestamp": START_MS}],
        },
    )
    (root / "shots").symlink_to(secret)
    (root / "network_traffic.jsonl").symlink_to(secret / "e.jsonl")
    trace = read(root)
    assert trace.frames == () and trace.requests == ()
    assert ("file", "shots", "link") in drops(trace)
    (root / "input_events.jsonl").unlink()
    (root / "input_events.jsonl").symlink_to(secret / "e.jsonl")
    assert read(root).failed.code == "link"


@pytest.mark.parametrize(
    "name", ["a\0b.png", "x" * 5000, "screenshots/" + "é" * 200, "\n", "\u202e.png", "a/" * 3000]
)
def test_impossible_names_in_an_index(tmp_path, name):
    write(
        tmp_path,
        {
            "input_events.jsonl": [event(), event(1, type="screenshot", file=name)],
            "screenshots.jsonl": [{"file": name, "timestamp": START_MS}],
        },
    )
    trace = read(tmp_path)
    assert not trace.failures and trace.frames == () and len(trace.events) == 2
    assert all(len(d.record) <= 200 for d in trace.dropped)
    assert len(trace.dropped) + trace.counts.get("missing_frame_files", 0) == 2


def test_clashing_session_ids(tmp_path):
    for n in range(3):
        write(tmp_path / str(n), {"input_events.jsonl": [event(n)], "session.json": {"id": "one"}})
    found = find_inputs([str(tmp_path)])
    assert [r.defect for r in found.sessions] == ["duplicate_session"] * 3


def test_files_of_zero_bytes(tmp_path):
    names = "session.json screenshots.jsonl dom.jsonl network_traffic.jsonl x.har".split()
    write(
        tmp_path,
        {
            **{name: b"" for name in names},
            "input_events.jsonl": [event()],
            f"screenshots/{START_MS}.png": b"",
            f"dom/{START_MS}.xml": b"",
        },
    )
    trace = read(tmp_path)
    assert len(trace.events) == 1 and not trace.failed
    assert {f.file for f in trace.failures} == {"session.json", "x.har"}
    assert {d.reason for d in trace.dropped} == {"zero_bytes"}


# Pictures and snapshots -----------------------------------------------------------------------


def chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png_of(width: int, height: int, *chunks: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"".join([b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), *chunks, chunk(b"IEND", b"")])


def deflated(size: int) -> bytes:
    packer = zlib.compressobj(9)
    parts = [packer.compress(bytes(min(MB, size - n))) for n in range(0, size, MB)]
    return b"".join(parts) + packer.flush()


@pytest.mark.parametrize("side", [30_000, 13_000])
def test_pictures_of_900_and_169_megapixels(tmp_path, side):
    data = png_of(side, side, chunk(b"IDAT", deflated(8 * MB)))
    with Measured() as measured:
        trace = read(write(tmp_path, timed({"screenshots/1.png": data}, "screenshots/1.png")))
        with pytest.raises(ImageDefect, match="too_many_pixels"):
            decode_image(data, 50_000_000)
    assert within(measured, mb=16, seconds=2)
    assert drops(trace) == [("frame", "screenshots/1.png", "too_many_pixels")]


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_a_transparent_picture_is_laid_on_white_in_little_memory(mode):
    out = io.BytesIO()
    Image.new(mode, (5000, 5000)).save(out, "PNG", **({"transparency": 0} if mode == "P" else {}))
    code = (
        "import sys; from transforms.images import decode_image;"
        "decode_image(open(sys.argv[1], 'rb').read(), 25 * 10**6);"
        "print(next(s.split()[1] for s in open('/proc/self/status') if s.startswith('VmHWM')))"
    )
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        file.write(out.getvalue())
        file.flush()
        made = subprocess.run(
            [sys.executable, "-c", code, file.name], capture_output=True, text=True, check=True
        )
    assert int(made.stdout) < 300 * 1024


def test_text_and_profile_bombs_in_a_picture():
    bomb = deflated(300 * MB)
    pixels = chunk(b"IDAT", zlib.compress(bytes(4)))
    for extra in (chunk(b"zTXt", b"a\0\0" + bomb) * 20, chunk(b"iCCP", b"a\0\0" + bomb)):
        data = png_of(1, 1, extra, pixels)
        with Measured() as measured:
            image = decode_image(data, 1000)
        assert image.size == (1, 1)
        assert within(measured, mb=32, seconds=1)


def test_pixels_that_unpack_to_more_than_the_picture_holds():
    data = png_of(100, 100, chunk(b"IDAT", deflated(500 * MB)))
    with Measured() as measured:
        assert decode_image(data, 1_000_000).size == (100, 100)
    assert within(measured, mb=16, seconds=2)


def test_an_animation_of_ten_thousand_frames():
    control = struct.pack(">IIIIIHHBB", 1, 1, 1, 0, 0, 1, 1, 0, 0)
    frames = chunk(b"acTL", struct.pack(">II", 10_000, 0)) + chunk(b"fcTL", control)
    more = b"".join(
        chunk(b"fdAT", struct.pack(">I", n) + zlib.compress(bytes(4))) for n in range(10_000)
    )
    data = png_of(1, 1, frames, chunk(b"IDAT", zlib.compress(b"\0\1\2\3")), more)
    with Measured() as measured:
        image = decode_image(data, 1000)
    assert image.getpixel((0, 0)) == (1, 2, 3)
    assert within(measured, mb=32, seconds=2)


def test_a_snapshot_of_50_megabytes(tmp_path):
    path = write(tmp_path, timed({"dom/1.xml": b""}, "dom/1.xml")) / "dom" / "1.xml"
    with open(path, "wb") as f:
        for _ in range(50):
            f.write(b"<a>" * (MB // 3))
    with Measured() as measured:
        trace = read(tmp_path)
    assert within(measured, mb=16, seconds=1)
    assert drops(trace) == [("dom", "dom/1.xml", "too_large")]
    inline = event(1, type="dom", html="<p>" * 8_000_000)
    rows = encoded([event(), inline])
    trace = read_events(tmp_path / "2", rows, ReadLimits(max_line_bytes=64 * MB))
    assert [d.reason for d in trace.dropped] == ["too_large"] and len(trace.events) == 2


def test_memory_of_the_whole_process_for_a_long_line(tmp_path):
    """The same bound as above, over everything the process allocates."""
    import subprocess

    path = write(tmp_path / "s", {"input_events.jsonl": LINE}) / "input_events.jsonl"
    with open(path, "ab") as f:
        for _ in range(100):
            f.write(b"x" * MB)
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from tests.support.session_folders import read\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "trace = read(Path(sys.argv[1]))\n"
        "print(len(trace.events), trace.failures[0].code, peak() - before)\n"
    )
    root = Path(__file__).parents[2]
    made = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "s")],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    events, code, grown_kb = made.stdout.split()
    assert (events, code) == ("1", "line_too_long")
    assert int(grown_kb) <= 64 * 1024
