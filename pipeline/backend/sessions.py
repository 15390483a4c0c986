"""The list of the sessions taken so far: a list of Session records, which is a run's ``--input``.

It lies under PRIVATE, because descriptions and ids are what people wrote.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from transforms import storage

SESSION_LIST = "sessions.jsonl"


def read_sessions(uri: str) -> dict[str, dict[str, Any]]:
    """Returns id → record; nothing when nothing was taken."""
    try:
        lines = storage.read_bytes(uri).splitlines()
    except FileNotFoundError:
        return {}
    records = [msgspec.json.decode(line) for line in lines]
    return {record["id"]: record for record in records}


def write_sessions(uri: str, sessions: dict[str, dict[str, Any]]) -> None:
    """Writes the whole list, for its owner only."""
    lines = (msgspec.json.encode(record) + b"\n" for record in sessions.values())
    storage.write_bytes(uri, b"".join(lines), mode=0o600)


def forget_listed(private: str, forgotten: Collection[str]) -> None:
    """Takes sessions, named by their own ids, off the list."""
    uri = storage.join(private, "backend", SESSION_LIST)
    sessions = read_sessions(uri)
    staying = {id_: record for id_, record in sessions.items() if id_ not in forgotten}
    if len(staying) != len(sessions):
        write_sessions(uri, staying)
