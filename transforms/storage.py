"""Files, wherever they lie: local paths, ``gs://`` and ``s3://``, with the guarantees needed.

A file appears whole or not at all: locally through a temporary file, fsync and rename; object
stores make an object visible only when its upload is closed. Two writes are conditional, because
Beam's file systems have no create-if-absent: :func:`put_if_absent` (first writer wins) and
:func:`replace_if_unchanged` (compare and swap). Transient errors are retried here, because the
in-process runner retries nothing. Local paths never import Beam.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import random
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

T = TypeVar("T")

RETRIES = 5
FIRST_BACKOFF_S = 0.2


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
    return Path(uri[7:] if uri.startswith("file://") else uri)


def join(base: str, *parts: str) -> str:
    """Joins with ``/`` whatever the scheme."""
    return "/".join([base.rstrip("/"), *(p.strip("/") for p in parts if p)])


def name_of(uri: str) -> str:
    """Returns the last component of a URI."""
    return uri.rstrip("/").rsplit("/", 1)[-1]


def _filesystem(uri: str):
    from apache_beam.io.filesystems import FileSystems

    return FileSystems.get_filesystem(uri)


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError | FileExistsError):
        return False
    if isinstance(error, OSError) and error.errno in (
        errno.ENOSPC,
        errno.EROFS,
        errno.ENAMETOOLONG,
    ):
        return False
    status = getattr(error, "code", None) or getattr(error, "status_code", None)
    return not (isinstance(status, int) and 400 <= status < 500 and status not in (408, 429))


def _retried(what: str, uri: str, call: Callable[[], T]) -> T:
    for attempt in range(RETRIES):
        try:
            return call()
        except FileNotFoundError:
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
    return _retried("look for", uri, lambda: _filesystem(uri).exists(uri))


def open_read(uri: str) -> BinaryIO:
    """Opens a file for reading bytes; raises FileNotFoundError when it isn't there."""
    if is_local(uri):
        return open(local_path(uri), "rb")
    from apache_beam.io.filesystem import CompressionTypes

    return _retried(
        "open",
        uri,
        lambda: _filesystem(uri).open(uri, compression_type=CompressionTypes.UNCOMPRESSED),
    )


def read_bytes(uri: str, limit: int | None = None) -> bytes:
    """Reads a whole file, or its first ``limit`` bytes."""

    def call() -> bytes:
        with open_read(uri) as f:
            return f.read() if limit is None else f.read(limit)

    return call() if is_local(uri) else _retried("read", uri, call)


def walk(root: str, follow_links: bool = False) -> Iterator[FileStat]:
    """Yields every file below ``root`` (or ``root`` itself), sorted by URI.

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
            for name in sorted(files):
                full = os.path.join(folder, name)
                s = os.stat(full) if follow_links else os.lstat(full)
                if stat.S_ISREG(s.st_mode):
                    yield FileStat(full, s.st_size, str(s.st_mtime_ns))
        return
    prefix = root.rstrip("/")
    seen = False
    for meta in _listed(prefix + "/**"):
        seen = True
        yield meta
    if not seen:
        yield from _listed(prefix)


def _listed(pattern: str) -> list[FileStat]:
    def call() -> list[FileStat]:
        (found,) = _filesystem(pattern).match([pattern])
        stats = []
        for meta in found.metadata_list:
            token = getattr(meta, "last_updated_in_seconds", None)
            stats.append(FileStat(meta.path, meta.size_in_bytes, str(token)))
        return sorted(stats)

    return _retried("list", pattern, call)


def glob(pattern: str) -> list[str]:
    """Returns the URIs (folders too, locally) that match a glob, sorted; no match is an empty list.

    On object stores, where there are no folders, the "folders" are the distinct prefixes at the
    pattern's depth.
    """
    if is_local(pattern):
        import glob as local_glob

        return sorted(local_glob.glob(str(local_path(pattern)), recursive=True))
    depth = pattern.rstrip("/").count("/")
    pattern = pattern.rstrip("/")
    found = {"/".join(s.uri.split("/")[: depth + 1]) for s in _listed(pattern + "/**")}
    found.update(s.uri for s in _listed(pattern))
    return sorted(found)


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
            os.chmod(temporary, 0o666 & ~_umask() if mode is None else mode)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        return
    # A remote writer that is closed makes its object visible, even after an exception inside the
    # block: so bytes are spooled first and uploaded only when they are complete.
    with tempfile.SpooledTemporaryFile(max_size=64 << 20) as spool:
        yield spool  # type: ignore[misc]

        def upload() -> None:
            from apache_beam.io.filesystem import CompressionTypes

            spool.seek(0)
            target = _filesystem(uri).create(uri, compression_type=CompressionTypes.UNCOMPRESSED)
            with target:
                shutil.copyfileobj(spool, target, 1 << 20)

        _retried("write", uri, upload)


def is_temporary(uri: str) -> bool:
    """Whether a local file is one that an atomic write was killed before finishing."""
    name = name_of(uri)
    return name.startswith(".") and name.endswith(".tmp")


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def write_bytes(uri: str, data: bytes, mode: int | None = None) -> None:
    """Writes a whole file atomically; an existing one is replaced."""

    def call() -> None:
        with atomic_writer(uri, mode) as f:
            f.write(data)

    _retried("write", uri, call)


def put_if_absent(uri: str, data: bytes, mode: int | None = None) -> bool:
    """Creates a file only if it isn't there; returns whether this call created it.

    Atomic on every storage: a link locally, ``if_generation_match=0`` on GCS, ``If-None-Match: *``
    on S3. Of two racing writers exactly one gets True.
    """
    kind = scheme(uri)
    if kind == "gs":
        return _gcs_upload(uri, data, generation=0)
    if kind == "s3":
        return _s3_upload(uri, data, {"IfNoneMatch": "*"})
    path = local_path(uri)
    if path.exists():
        return False

    def call() -> bool:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as f:
                f.write(data)
                f.flush()
                os.fsync(f.fileno())
            os.chmod(temporary, 0o666 & ~_umask() if mode is None else mode)
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
    kind = scheme(uri)
    if kind == "gs":
        return _gcs_read(uri)
    if kind == "s3":
        return _s3_read(uri)
    try:
        data = read_bytes(uri)
    except FileNotFoundError:
        return None, ""
    return data, _content_token(data)


def replace_if_unchanged(uri: str, data: bytes, version: str) -> bool:
    """Replaces a file only if it is still what ``read_with_version`` returned; returns success."""
    kind = scheme(uri)
    if kind == "gs":
        return _gcs_upload(uri, data, generation=int(version or 0))
    if kind == "s3":
        return _s3_upload(uri, data, {"IfMatch": version} if version else {"IfNoneMatch": "*"})
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


def _split_bucket(uri: str) -> tuple[str, str]:
    bucket, _, name = uri.partition("://")[2].partition("/")
    return bucket, name


def _gcs_bucket(bucket: str):
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage as gcs

    if os.environ.get("STORAGE_EMULATOR_HOST"):
        client = gcs.Client(project="local", credentials=AnonymousCredentials())
    else:
        client = gcs.Client()
    return client.bucket(bucket)


def _gcs_upload(uri: str, data: bytes, generation: int) -> bool:
    from google.api_core.exceptions import PreconditionFailed

    bucket, name = _split_bucket(uri)

    def call() -> bool:
        try:
            _gcs_bucket(bucket).blob(name).upload_from_string(data, if_generation_match=generation)
        except PreconditionFailed:
            return False
        return True

    return _retried("create", uri, call)


def _gcs_read(uri: str) -> tuple[bytes | None, str]:
    from google.api_core.exceptions import NotFound

    bucket, name = _split_bucket(uri)

    def call() -> tuple[bytes | None, str]:
        blob = _gcs_bucket(bucket).blob(name)
        try:
            data = blob.download_as_bytes()
        except NotFound:
            return None, ""
        return data, str(blob.generation)

    return _retried("read", uri, call)


def _s3_client():
    import boto3

    # The same variables that boto3 documents; an endpoint makes emulators and other vendors work.
    return boto3.client("s3", endpoint_url=os.environ.get("AWS_ENDPOINT_URL") or None)


def _s3_upload(uri: str, data: bytes, condition: dict[str, str]) -> bool:
    from botocore.exceptions import ClientError

    bucket, name = _split_bucket(uri)

    def call() -> bool:
        try:
            _s3_client().put_object(Bucket=bucket, Key=name, Body=data, **condition)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in (409, 412):
                return False
            raise
        return True

    return _retried("create", uri, call)


def _s3_read(uri: str) -> tuple[bytes | None, str]:
    from botocore.exceptions import ClientError

    bucket, name = _split_bucket(uri)

    def call() -> tuple[bytes | None, str]:
        try:
            reply = _s3_client().get_object(Bucket=bucket, Key=name)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None, ""
            raise
        return reply["Body"].read(), reply["ETag"]

    return _retried("read", uri, call)


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
        _retried("delete", uri, lambda: _filesystem(uri).delete(targets))
