"""Reads one session into a Trace: the record, its events, frames, DOM snapshots and requests.

Whatever is wrong with the data becomes a Failure or a drop in the Trace; only storage that does not
answer, and errors of our own, raise.
"""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.traces import RecorderInfo, Session, SessionRef, Trace
from transforms.archives import DamagedFileError
from transforms.ingest import layouts
from transforms.ingest.event_lines import EventReader
from transforms.ingest.find import looks_like
from transforms.ingest.gathering import Gathering, LineFault, ReadLimits, SessionFault
from transforms.ingest.network import NetworkRules, read_network
from transforms.ingest.pictures import read_frames, read_snapshots
from transforms.ingest.records import decode_record
from transforms.ingest.session_list import record_at
from transforms.ingest.times import BadTime, Clock, iso_utc
from transforms.ingest.tracepipe import read_event_files, read_screenshot_files
from transforms.ingest.trajectories import read_trajectory
from transforms.json_lines import without_mark
from transforms.listings import UnsafePathError, resolve_inside
from transforms.session_files import SessionFiles, open_session_files

__all__ = ["ReadLimits", "read_trace"]

_DEFECTS = {
    "duplicate_session": "another input has the same session id and other content",
    "link": "its files are links, which are not followed",
    "missing_input_events": "nothing lies where the list of sessions says",
    "not_utf8": "the name of its folder or file is not UTF-8",
    "unknown_layout": "no session layout that is known",
}


def read_trace(ref: SessionRef, limits: ReadLimits, network_rules: NetworkRules) -> Trace:
    """Returns the session's Trace; when ``trace.failed`` is set, it holds no events."""
    gathering = Gathering(ref, limits)
    if ref.defect:
        message = _DEFECTS.get(ref.defect, "the input cannot be read")
        if ref.defect == "unknown_layout":
            message += looks_like(ref.uri)
        return gathering.failed_trace(ref.defect, message)
    try:
        files = open_session_files(ref)
        _read(files, gathering, network_rules)
    except SessionFault as fault:
        return gathering.failed_trace(fault.code, str(fault), fault.file)
    except DamagedFileError as error:
        return gathering.failed_trace(error.code, str(error))
    return gathering.trace()


def _read(files: SessionFiles, gathering: Gathering, network_rules: NetworkRules) -> None:
    if len(files.names()) > gathering.limits.max_files:
        raise SessionFault("too_many_files", f"more than {gathering.limits.max_files} files")
    for name, code in sorted(files.refused.items()):
        gathering.drop("file", name, code)
    clock = _read_record(files, gathering)
    reader = gathering.ref.layout.partition("-")[0]
    if reader == layouts.ALIEN:
        _read_events(files, gathering, clock, layouts.TRAJECTORY_FILE)
    elif reader == layouts.TRACEPIPE:
        read_event_files(files, gathering, clock)
        read_screenshot_files(files, gathering, clock)
    else:
        _read_events(files, gathering, clock, layouts.EVENTS_FILE)
    gathering.check_bad_lines()
    if not gathering.events:
        raise _no_events(gathering)
    if reader != layouts.ALIEN:
        if reader == layouts.NATIVE:
            read_frames(files, gathering, clock)
        read_snapshots(files, gathering, clock)
    read_network(files, gathering, network_rules, clock)
    if clock.used_base and clock.created_us is None:
        gathering.counts["no_time_base"] = 1
    if gathering.session.created_at is None:
        first = min(e.timestamp_us for e in gathering.events)
        gathering.session = msgspec.structs.replace(gathering.session, created_at=iso_utc(first))


def _no_events(gathering: Gathering) -> SessionFault:
    if gathering.failed_lines:
        return SessionFault(
            "no_valid_events", f"all {gathering.failed_lines} lines of the events are bad"
        )
    return SessionFault("missing_input_events", "the session holds no input events")


def _read_events(files: SessionFiles, gathering: Gathering, clock: Clock, expected: str) -> None:
    name = _main_file(files, gathering, expected)
    if gathering.ref.layout.partition("-")[0] == layouts.ALIEN:
        read_trajectory(files, name, gathering, clock)
        return
    reader = EventReader(gathering, clock)
    reader.read_file(files, name)
    reader.finish()


def _main_file(files: SessionFiles, gathering: Gathering, expected: str) -> str:
    ref = gathering.ref
    if ref.layout.endswith("-file"):
        expected = layouts.plain_name(ref.uri.rpartition("/")[2])
    if expected in files:
        return expected
    for name in (expected, expected + ".gz"):
        if name in files.refused:
            raise SessionFault(files.refused[name], "the file is not read", name)
    raise SessionFault("missing_input_events", f"there is no {expected}", expected)


def _read_record(files: SessionFiles, gathering: Gathering) -> Clock:
    """Reads the Session record, as far as there is one; returns the session's clock.

    The record of a list of sessions stands above session.json.
    """
    record = _own_record(files, gathering)
    if gathering.ref.listed_in:
        listed = record_at(gathering.ref.listed_in, gathering.ref.listed_at)
        record |= {name: value for name, value in listed.items() if value is not None}
    if not record:
        return Clock()
    created_us = _created_us(record, gathering)
    recorder = _recorder(record)
    gathering.session = Session(
        id=gathering.ref.session_id,
        user_id=_text(record.get("user_id")),
        suite_id=_text(record.get("suite_id")),
        description=_text(record.get("description")),
        created_at=None if created_us is None else iso_utc(created_us),
        storage_path=_storage_path(record, gathering),
        recorder=recorder,
    )
    return Clock(created_us, monotonic=bool(recorder and recorder.clock == "monotonic"))


def _own_record(files: SessionFiles, gathering: Gathering) -> dict[str, Any]:
    """Returns session.json; empty where there is none, or none that can be read."""
    if layouts.SESSION_FILE not in files or gathering.ref.layout.endswith("-file"):
        return {}
    name = layouts.SESSION_FILE
    try:
        data = without_mark(files.read(name, gathering.limits.max_record_bytes))
    except DamagedFileError as error:
        gathering.fail(error.code, str(error), file=name)
        return {}
    try:
        record, _ = decode_record(data)
    except LineFault as fault:
        gathering.fail(fault.code, str(fault), file=name, column=fault.column, text=data)
        return {}
    return record


def _created_us(record: dict[str, Any], gathering: Gathering) -> int | None:
    given = record.get("created_at", record.get("started_at"))
    if given is None:
        return None
    try:
        us, flags = Clock().read(given)
    except BadTime as error:
        gathering.fail("bad_timestamp", f"created_at: {error}", file=layouts.SESSION_FILE)
        return None
    if "relative_time" in flags:
        gathering.fail(
            "bad_timestamp", "created_at: no date in 2000–2100", file=layouts.SESSION_FILE
        )
        return None
    return us


def _recorder(record: dict[str, Any]) -> RecorderInfo | None:
    given = record.get("recorder")
    if not isinstance(given, dict):
        given = {}
    clock = given.get("clock", record.get("clock"))
    hotkey = given.get("stop_hotkey", record.get("stop_hotkey"))
    if isinstance(hotkey, str):
        hotkey = hotkey.split("+")
    keys = tuple(str(k).strip() for k in hotkey) if isinstance(hotkey, list) else ()
    info = RecorderInfo(
        window=_text(given.get("window")),
        stop_hotkey=tuple(k for k in keys if k),
        clock=clock.lower() if isinstance(clock, str) else None,
    )
    return info if info != RecorderInfo() else None


def _storage_path(record: dict[str, Any], gathering: Gathering) -> str:
    """Keeps a given path that could be followed from the storage's root, else derives one."""
    given = record.get("storage_path")
    if isinstance(given, str) and given:
        try:
            return resolve_inside(given)
        except UnsafePathError:
            gathering.counts["unsafe_storage_path"] += 1
    return gathering.session.storage_path


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and value != "" else None
