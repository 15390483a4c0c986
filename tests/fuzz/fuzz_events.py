"""Coverage-guided fuzzing of everything that parses recorded text.

Needs atheris, which is no dependency of the project: ``pip install atheris msgspec Pillow PyYAML``
in an environment of its own, then ``python tests/fuzz/fuzz_events.py CORPUS -max_total_time=300``.
The first byte of an input chooses the parser, the rest is the file. ``docs/fuzzing.md`` says what
runs have found.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import atheris  # noqa: E402
import msgspec  # noqa: E402

with atheris.instrument_imports(include=["transforms", "schemas"]):
    from schemas.traces import Event, SessionRef, Trace
    from transforms.images import ImageDefect, decode_image
    from transforms.ingest.event_lines import EventReader
    from transforms.ingest.gathering import Gathering, ReadLimits, SessionFault
    from transforms.ingest.network import NetworkRules, read_network
    from transforms.ingest.pictures import read_frames, read_snapshots
    from transforms.ingest.times import Clock
    from transforms.ingest.trajectories import read_trajectory
    from transforms.listings import UnsafePathError, resolve_inside
    from transforms.session_files import SessionFiles

LIMITS = ReadLimits(max_line_bytes=4096, max_record_bytes=4096, max_dom_bytes=2048)
RULES = NetworkRules(max_body_bytes=64)


class MemoryFiles(SessionFiles):
    """A session's files in memory."""

    def __init__(self, files: dict[str, bytes]):
        super().__init__("memory", {n: len(d) for n, d in files.items()}, {})
        self._files = files

    def open_stored(self, stored: str) -> io.BufferedReader:
        return io.BufferedReader(io.BytesIO(self._files[stored]))  # type: ignore[arg-type]


def _gathering() -> Gathering:
    return Gathering(SessionRef("s", "memory", "native", 0, ""), LIMITS)


def _check(gathering: Gathering) -> None:
    trace = gathering.trace()
    assert trace.ledger.lines == len(trace.events) + trace.ledger.failed_lines
    assert len({e.id for e in trace.events}) == len(trace.events)
    for event in trace.events:
        assert type(event) is Event and 0 <= event.timestamp_us < 1 << 53
        json.dumps([event.extra, event.additional_info], allow_nan=False)
    assert msgspec.json.decode(msgspec.json.encode(trace), type=Trace) == trace


def fuzz_events(data: bytes) -> None:
    """Reads events in blocks and, independently, line by line; both must agree."""
    made = []
    for blocks in (True, False):
        gathering = _gathering()
        reader = EventReader(gathering, Clock())
        if blocks:
            try:
                reader.read_file(MemoryFiles({"input_events.jsonl": data}), "input_events.jsonl")
            except SessionFault:
                return
            reader.finish()
            _check(gathering)
            if data[:2] == b"\x1f\x8b" or data[:1] in (b"\xef", b"\xff", b"\xfe", b"\0"):
                return
        else:
            for number, line in enumerate(data.split(b"\n"), 1):
                if len(line) > LIMITS.max_line_bytes:
                    return
                if line and not line.isspace():
                    reader._read_slowly("input_events.jsonl", number, line)
            reader.finish()
        made.append((gathering.events, [(f.code, f.line) for f in gathering.failures]))
    assert made[0] == made[1]


def fuzz_trajectory(data: bytes) -> None:
    """Reads a trajectory."""
    gathering = _gathering()
    files = MemoryFiles({"trajectory.jsonl": data, "images/1.png": b""})
    try:
        read_trajectory(files, "trajectory.jsonl", gathering, Clock())
    except SessionFault:
        return
    _check(gathering)


def fuzz_network(data: bytes) -> None:
    """Reads HAR entries and a HAR document."""
    for name in ("network_traffic.jsonl", "x.har"):
        gathering = _gathering()
        read_network(MemoryFiles({name: data}), gathering, RULES, Clock())
        _check(gathering)
        for request in gathering.requests:
            assert len((request.response_body or "").encode()) <= RULES.max_body_bytes


def fuzz_indices(data: bytes) -> None:
    """Reads the index of screenshots and of snapshots."""
    gathering = _gathering()
    files = MemoryFiles(
        {"screenshots.jsonl": data, "dom.jsonl": data, "screenshots/1.png": data, "dom/1.xml": data}
    )
    read_frames(files, gathering, Clock())
    read_snapshots(files, gathering, Clock())
    _check(gathering)


def fuzz_names(data: bytes) -> None:
    """Resolves a name."""
    name = data.decode("utf-8", "surrogateescape")
    try:
        resolved = resolve_inside(name)
    except UnsafePathError:
        return
    assert resolved == resolve_inside(resolved)
    assert not resolved.startswith("/") and ".." not in resolved.split("/")


def fuzz_images(data: bytes) -> None:
    """Decodes a picture."""
    try:
        image = decode_image(data, 100_000)
    except ImageDefect:
        return
    assert image.mode == "RGB" and image.width * image.height <= 100_000


TARGETS = (fuzz_events, fuzz_trajectory, fuzz_network, fuzz_indices, fuzz_names, fuzz_images)


def fuzz_one(data: bytes) -> None:
    """Chooses a parser by the first byte."""
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])


def write_seeds(corpus: Path) -> None:
    """Writes lines of the bundled sessions as a first corpus."""
    corpus.mkdir(parents=True, exist_ok=True)
    sources = {
        0: sorted(ROOT.glob("examples/sessions/*/input_events.jsonl"))[:2],
        1: sorted(ROOT.glob("examples/alien/*/trajectory.jsonl"))[:1],
        2: sorted(ROOT.glob("examples/sessions/*/network_traffic.jsonl"))[:1],
        3: sorted(ROOT.glob("examples/sessions/*/screenshots.jsonl"))[:1],
        5: sorted(ROOT.glob("examples/sessions/*/screenshots/0001.png"))[:1],
    }
    for target, paths in sources.items():
        for path in paths:
            lines = [path.read_bytes()] if target == 5 else path.read_bytes().split(b"\n")[::9]
            for number, line in enumerate(lines[:25]):
                name = f"seed-{target}-{path.parent.name[:8]}-{number}"
                (corpus / name).write_bytes(bytes([target]) + line[:4000])


def main() -> None:
    """Hands over to libFuzzer; the first argument is the corpus folder."""
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        write_seeds(Path(sys.argv[1]))
    atheris.Setup(sys.argv, fuzz_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
