"""A list of Session records as ``--input``: one JSON object a line, like a backend's answer.

``storage_path`` says where the session lies, relative to the list's folder; ``uri`` stands in for
it where the two differ. The record is used instead of the session's own session.json. A list is
read only where it is named itself: one found inside a folder could lead anywhere.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from transforms import storage
from transforms.json_lines import without_mark
from transforms.listings import UnsafePathError, resolve_inside

MAX_LIST_BYTES = 1 << 30
MAX_LINE_BYTES = 1 << 20


class SessionListError(ValueError):
    """A list that can't be used; the message names its line."""


class Listed(NamedTuple):
    """One session of a list."""

    session_id: str
    place: str
    """Where the session lies."""
    offset: int
    """Of the record's line in the list, bytes."""
    line: bytes


def is_list(head: bytes) -> bool:
    """Whether a file's first bytes are those of a list of Session records."""
    try:
        record = _record(without_mark(head).lstrip().split(b"\n", 1)[0], "")
    except SessionListError:
        return False
    return "id" in record and "storage_path" in record


def read_list(uri: str) -> list[Listed]:
    """Returns the sessions of a list; raises SessionListError."""
    folder = uri.rpartition("/")[0]
    listed: list[Listed] = []
    seen: set[str] = set()
    offset = 0
    for number, line in enumerate(storage.read_bytes(uri, MAX_LIST_BYTES).split(b"\n"), 1):
        at, offset = offset, offset + len(line) + 1
        if not line.strip():
            continue
        record = _record(line, f"{uri}:{number}")
        given, path, place = record.get("id"), record.get("storage_path"), record.get("uri")
        if not isinstance(given, str) or not given:
            raise SessionListError(f"{uri}:{number}: 'id' is missing")
        if given in seen:
            raise SessionListError(f"{uri}:{number}: an id that stands above already")
        seen.add(given)
        if not isinstance(place, str) or not place:
            try:
                place = storage.join(folder, resolve_inside(str(path)))
            except UnsafePathError:
                raise SessionListError(
                    f"{uri}:{number}: 'storage_path' leads out of the list's folder; give 'uri'"
                ) from None
        listed.append(Listed(given, place.rstrip("/"), at, line))
    return listed


def record_at(uri: str, offset: int) -> dict[str, Any]:
    """Returns the record whose line begins at ``offset``; raises SessionListError."""
    with storage.open_read(uri) as f:
        f.seek(offset)
        return _record(f.readline(MAX_LINE_BYTES), uri)


def _record(line: bytes, where: str) -> dict[str, Any]:
    try:
        record = msgspec.json.decode(without_mark(line))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise SessionListError(f"{where}: not a JSON object")
    return record
