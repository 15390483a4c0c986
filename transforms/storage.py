"""Files, wherever they lie: local paths, ``gs://`` and ``s3://``, with the guarantees needed.

A file appears whole or not at all: locally through a temporary file, fsync and rename; object
stores make an object visible only when its upload is complete. Two writes are conditional:
:func:`put_if_absent` (first writer wins) and :func:`replace_if_unchanged` (compare and swap).
Transient errors are retried here, because the in-process runner retries nothing. Nothing here
imports Beam; object stores are spoken to by ``transforms.object_stores``.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
import random
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

T = TypeVar("T")

_HOPELESS = ("DefaultCredentialsError", "NoCredentialsError", "NoRegionError", "ImportError")
"""Errors of the stores' clients that no retry helps against."""
RETRIES = 5
FIRST_BACKOFF_S = 0.2
FIRST_READ_BYTES = 64 << 10


class StorageError(Exception):
    """Storage failed for good: the operation, the place and the cause are in the message."""


class FileStat(msgspec.Struct, frozen=True, order=True):
    """One file: its URI, size, and a token that changes when its content may have changed."""

    uri: str
    size: int
    version: str
    """mtime_ns locally; generation, etag or update time on an object store."""


def scheme(uri: str) -> str:
    """Returns ``gs``, ``s3`` … or ``""`` for a local path."""
    head, sep, _ = uri.partition("://")
    return head.lower() if sep and head.isalnum() else ""


def is_local(uri: str) -> bool:
    """Whether ``uri`` is a path on this machine (``file://`` included)."""
    return scheme(uri) in ("", "file")


def local_path(uri: str) -> Path:
    """Returns the path behind a local URI."""
    return Path(uri[7:] if scheme(uri) == "file" else uri)


def normal(uri: str) -> str:
    """Returns a place in its one spelling: without ``file://``, detours and a ``/`` at its end.

    Names that are compared must all be spelled from one root, so commands normalise what they are
    given, once.
    """
    return os.path.normpath(local_path(uri)) if is_local(uri) else uri.rstrip("/")


def join(base: str, *parts: str) -> str:
    """Joins with ``/`` whatever the scheme."""
    return "/".join([base.rstrip("/"), *(p.strip("/") for p in parts if p)])


def name_of(uri: str) -> str:
    """Returns the last component of a URI."""
    return uri.rstrip("/").rsplit("/", 1)[-1]


def _store(uri: str):
    from transforms.object_stores import store_of

    return store_of(scheme(uri))


def _missing(uri: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, "no such object", uri)


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError | FileExistsError):
        return False
    if type(error).__name__ in _HOPELESS:
        return False
    if isinstance(error, OSError) and error.errno in (*NO_ROOM, errno.ENAMETOOLONG):
        return False
    status = getattr(error, "code", None) or getattr(error, "status_code", None)
    return not (isinstance(status, int) and 400 <= status < 500 and status not in (408, 429))


NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)


def is_storage_fault(error: BaseException) -> bool:
    """Whether storage itself failed: no record is to blame, and going on is no use."""
    return isinstance(error, StorageError) or (
        isinstance(error, OSError) and error.errno in NO_ROOM
    )


def _retried(what: str, uri: str, call: Callable[[], T]) -> T:
    for attempt in range(RETRIES):
        try:
            return call()
        except (FileNotFoundError, StorageError):
            raise
        except Exception as error:  # any client library's error type may arrive here
            if attempt == RETRIES - 1 or not _is_transient(error):
                raise StorageError(f"{what} {uri}: {type(error).__name__}: {error}") from error
            time.sleep(FIRST_BACKOFF_S * 2**attempt * (0.5 + random.random()))
    raise AssertionError("unreachable")


def exists(uri: str) -> bool:
    """Whether a file (or a local folder) is there."""
    if is_local(uri):
        return local_path(uri).exists()
    return _retried("look for", uri, lambda: _store(uri).exists(uri))


def open_read(uri: str) -> BinaryIO:
    """Opens a file for reading bytes; raises FileNotFoundError when it isn't there."""
    if is_local(uri):
        return open(local_path(uri), "rb")
    from transforms.object_stores import Missing, RangedFile

    def call() -> RangedFile:
        try:
            return _store(uri).open(uri)
        except Missing:
            raise _missing(uri) from None

    opened = _retried("open", uri, call)
    fetch = opened.fetch
    opened.fetch = lambda start, end: _retried("read", uri, lambda: fetch(start, end))
    return io.BufferedReader(opened, FIRST_READ_BYTES)  # type: ignore[return-value]


def read_bytes(uri: str, limit: int | None = None) -> bytes:
    """Reads a whole file, or its first ``limit`` bytes."""
    if is_local(uri):
        with open_read(uri) as f:
            return f.read() if limit is None else f.read(limit)
    from transforms.object_stores import Missing

    def call() -> bytes:
        try:
            return _store(uri).read(uri, limit)
        except Missing:
            raise _missing(uri) from None

    return _retried("read", uri, call)


def walk(root: str, follow_links: bool = False) -> Iterator[FileStat]:
    """Yields every file below ``root`` (or ``root`` itself), in order; URIs begin as ``root`` does.

    Local symbolic links are not followed: a link could leave the folder.
    """
    if is_local(root):
        path = local_path(root)
        if path.is_file():
            s = path.stat()
            yield FileStat(root, s.st_size, str(s.st_mtime_ns))
            return
        for folder, folders, files in os.walk(path, followlinks=follow_links):
            folders.sort()
            here = join(root, folder[len(str(path)) :])
            for name in sorted(files):
                full = os.path.join(folder, name)
                s = os.stat(full) if follow_links else os.lstat(full)
                if stat.S_ISREG(s.st_mode):
                    yield FileStat(f"{here}/{name}", s.st_size, str(s.st_mtime_ns))
        return
    prefix = root.rstrip("/")
    below = _listed(prefix + "/")
    yield from below or [s for s in _listed(prefix) if s.uri == prefix]


def _listed(prefix: str) -> list[FileStat]:
    """Returns the objects whose URI begins with ``prefix``, sorted."""
    return _retried("list", prefix, lambda: sorted(_store(prefix).listed(prefix)))


def glob(pattern: str) -> list[str]:
    """Returns the URIs (folders too) that match a glob, sorted; no match is an empty list.

    On object stores, where there are no folders, the "folders" are the distinct prefixes at the
    pattern's depth; ``**`` there matches objects alone.
    """
    if is_local(pattern):
        import glob as local_glob

        return sorted(local_glob.glob(str(local_path(pattern)), recursive=True))
    pattern = pattern.rstrip("/")
    matches = _glob_expression(pattern).fullmatch
    fixed = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
    uris = (s.uri for s in _listed(fixed))
    if "**" not in pattern:
        depth = pattern.count("/") + 1
        uris = ("/".join(uri.split("/")[:depth]) for uri in uris)
    return sorted({uri for uri in uris if matches(uri)})


def _glob_expression(pattern: str) -> re.Pattern[str]:
    pieces = []
    for piece in re.split(r"(\*\*/?|\*|\?|\[[^]/]+\])", pattern):
        if piece.startswith("**"):
            pieces.append("(?:.*/)?" if piece.endswith("/") else ".*")
        elif piece in ("*", "?"):
            pieces.append("[^/]" + piece.replace("?", ""))
        elif piece.startswith("["):
            pieces.append("[" + piece[1:].replace("!", "^", 1 if piece[1] == "!" else 0))
        else:
            pieces.append(re.escape(piece))
    return re.compile("".join(pieces), re.DOTALL)


def make_folder(uri: str, mode: int = 0o777) -> None:
    """Makes a local folder with its parents; object stores need none."""
    if is_local(uri):
        local_path(uri).mkdir(parents=True, exist_ok=True, mode=mode)


@contextlib.contextmanager
def atomic_writer(uri: str, mode: int | None = None) -> Iterator[BinaryIO]:
    """Opens a file that becomes visible, whole, when the block ends without an exception."""
    if is_local(uri):
        path = local_path(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as f:
                yield f
                f.flush()
                os.fsync(f.fileno())
            os.chmod(temporary, 0o666 & ~_UMASK if mode is None else mode)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        return
    # Spooled first and uploaded only when it is complete: nothing half is ever visible.
    with tempfile.SpooledTemporaryFile(max_size=64 << 20) as spool:
        yield spool  # type: ignore[misc]
        size = spool.tell()

        def upload() -> None:
            spool.seek(0)
            _store(uri).upload(uri, spool, size)

        _retried("write", uri, upload)


def is_temporary(uri: str) -> bool:
    """Whether a local file is one that an atomic write was killed before finishing."""
    name = name_of(uri)
    return name.startswith(".") and name.endswith(".tmp")


def _read_umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


# Read once: it can only be read by changing it, and two threads at that could leave it changed.
_UMASK = _read_umask()


def write_bytes(uri: str, data: bytes, mode: int | None = None) -> None:
    """Writes a whole file atomically; an existing one is replaced."""

    def call() -> None:
        with atomic_writer(uri, mode) as f:
            f.write(data)

    _retried("write", uri, call)


def put_if_absent(
    uri: str, data: bytes, mode: int | None = None, outlives_power: bool = True
) -> bool:
    """Creates a file only if it isn't there; returns whether this call created it.

    Atomic on every storage: a link locally, ``if_generation_match=0`` on GCS, ``If-None-Match: *``
    on S3. Of two racing writers at most one gets True. On an object store a request whose answer
    was lost can make False of a success: callers look at what is there. With ``outlives_power``
    false a local file is not synced: it outlives its process at once, a power failure only later.
    """
    if not is_local(uri):
        return _upload_if(uri, data, "")
    path = local_path(uri)
    if path.exists():
        return False

    def call() -> bool:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as f:
                f.write(data)
                if outlives_power:
                    f.flush()
                    os.fsync(f.fileno())
            os.chmod(temporary, 0o666 & ~_UMASK if mode is None else mode)
            try:
                os.link(temporary, path)
            except FileExistsError:
                return False
            return True
        finally:
            os.unlink(temporary)

    return _retried("create", uri, call)


def read_with_version(uri: str) -> tuple[bytes | None, str]:
    """Returns (content, token) for :func:`replace_if_unchanged`; (None, "") when it isn't there."""
    if not is_local(uri):
        from transforms.object_stores import Missing

        def call() -> tuple[bytes | None, str]:
            try:
                return _store(uri).read_with_version(uri)
            except Missing:
                return None, ""

        return _retried("read", uri, call)
    try:
        data = read_bytes(uri)
    except FileNotFoundError:
        return None, ""
    return data, _content_token(data)


def replace_if_unchanged(uri: str, data: bytes, version: str) -> bool:
    """Replaces a file only if it is still what ``read_with_version`` returned; returns success."""
    if not is_local(uri):
        return _upload_if(uri, data, version)
    path = local_path(uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_name(f".{path.name}.lock"), "a+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        current, token = read_with_version(uri)
        if token != version and current != data:
            return False
        write_bytes(uri, data)
        return True


def _content_token(data: bytes) -> str:
    import hashlib

    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _upload_if(uri: str, data: bytes, version: str) -> bool:
    from transforms.object_stores import Changed

    def call() -> bool:
        try:
            _store(uri).upload_if(uri, data, version)
        except Changed:
            return False
        return True

    return _retried("create", uri, call)


def delete(uri: str) -> None:
    """Deletes a file or a local folder with all below it; what isn't there is no error."""
    if is_local(uri):
        path = local_path(uri)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
        return
    targets = [s.uri for s in walk(uri)]
    if targets:
        _retried("delete", uri, lambda: _store(uri).delete(targets))
