"""Copies of sessions as they were recorded, below PRIVATE: what ``--keep_raw`` keeps.

Files are copied as they are stored, so that damage is kept too. ``<session id>.json`` beside a
session's folder is written last: it says of what the copy is, and which files are not in it. Such
names may say who somebody is; they are nowhere else.
"""

from __future__ import annotations

import shutil

import msgspec

from schemas.traces import SessionRef
from transforms import storage
from transforms.session_files import (
    DamagedFileError,
    SessionFiles,
    UnsafePathError,
    open_session_files,
)


class Kept(msgspec.Struct, frozen=True):
    """What was copied of a session."""

    fingerprint: str
    missing: dict[str, str]
    """File → code of why it could not be copied; "" stands for all of the session."""


def is_kept(folder: str, session_id: str, ref: SessionRef) -> bool:
    """Whether the session, as it is now, was copied before, or cannot be."""
    if ref.defect:
        return True
    try:
        data = storage.read_bytes(_record(folder, session_id))
        return msgspec.json.decode(data, type=Kept).fingerprint == ref.fingerprint
    except (FileNotFoundError, msgspec.MsgspecError):
        return False


def keep(folder: str, session_id: str, ref: SessionRef) -> dict[str, str]:
    """Copies a session's files; returns which could not be, with the code of why."""
    missing: dict[str, str] = {}
    place = storage.join(folder, session_id)
    storage.delete(place)
    try:
        files = open_session_files(ref)
    except DamagedFileError as error:
        missing[""] = error.code
    else:
        for name in files.stored_names():
            if code := _copy(files, name, storage.join(place, name)):
                missing[name] = code
    record = msgspec.json.encode(Kept(ref.fingerprint, missing))
    storage.write_bytes(_record(folder, session_id), record, mode=0o600)
    return missing


def _copy(files: SessionFiles, name: str, place: str) -> str:
    """Copies one file; returns why it could not, or ""."""
    try:
        with files.open_stored(name) as source, storage.atomic_writer(place, mode=0o600) as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
    except (DamagedFileError, UnsafePathError) as error:
        return error.code
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        return "name_clash"  # archives may hold both ``a`` and ``a/b``
    except FileNotFoundError:
        return "vanished"
    return ""


def _record(folder: str, session_id: str) -> str:
    return storage.join(folder, f"{session_id}.json")
