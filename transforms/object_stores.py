"""``gs://`` and ``s3://`` behind one small interface, through the vendors' own clients.

Beam's file systems can neither create a file only if it is absent nor replace it only if it is
unchanged, say of a missing object something else on each store, and wait 20 seconds for credentials
that an emulator doesn't have. So both stores are spoken to directly; Beam's options still say with
which endpoint and identity.

Emulators: ``STORAGE_EMULATOR_HOST`` for GCS, ``AWS_ENDPOINT_URL`` or ``--s3_endpoint_url`` for S3.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO

from transforms.storage import FileStat, StorageError

FIRST_RANGE_BYTES = 64 << 10
MAX_RANGE_BYTES = 8 << 20
DELETE_THREADS = 16
S3_DELETE_BATCH = 1000

S3_OPTIONS = (
    "s3_access_key_id",
    "s3_secret_access_key",
    "s3_session_token",
    "s3_endpoint_url",
    "s3_region_name",
    "s3_api_version",
    "s3_verify",
    "s3_disable_ssl",
)
"""Beam's options for S3; what isn't given is left to boto3's own variables and files."""

_given: dict[str, Any] = {}
_of_beam: tuple[Any, dict[str, Any]] = (None, {})


def use_options(options: Mapping[str, Any]) -> None:
    """Sets options of the stores (Beam's names) for this process, before Beam is loaded."""
    _given.clear()
    _given.update({k: v for k, v in options.items() if v is not None})


def _options() -> dict[str, Any]:
    """What this process was told; on a worker, what Beam was told by the launcher."""
    return {**_beam_options(), **_given}


def _beam_options() -> dict[str, Any]:
    global _of_beam
    beam = sys.modules.get("apache_beam.io.filesystems")
    options = beam and beam.FileSystems._pipeline_options
    if options is None:
        return {}
    if _of_beam[0] is not options:
        _of_beam = (options, options.get_all_options(drop_default=True))
    return _of_beam[1]


class Missing(Exception):
    """There is no such object."""


class Changed(Exception):
    """A condition of a write or read was not met."""


def split_uri(uri: str) -> tuple[str, str]:
    """Returns (bucket, object name)."""
    bucket, _, name = uri.partition("://")[2].partition("/")
    if not bucket:
        raise StorageError(f"{uri}: no bucket")
    return bucket, name


class RangedFile(io.RawIOBase):
    """An object that is read in ranges, which grow while it is read in order."""

    def __init__(self, size: int, fetch: Callable[[int, int], bytes], first: bytes = b""):
        self._size, self.fetch = size, fetch
        self._start, self._held = 0, first
        self._at = 0
        self._range = FIRST_RANGE_BYTES

    def readable(self) -> bool:  # noqa: D102
        return True

    def seekable(self) -> bool:  # noqa: D102
        return True

    def seek(self, offset: int, whence: int = 0) -> int:  # noqa: D102
        base = (0, self._at, self._size)[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:  # noqa: D102
        return self._at

    def readinto(self, buffer: Any) -> int:  # noqa: D102
        wanted = min(len(buffer), self._size - self._at)
        if wanted <= 0:
            return 0
        if not self._start <= self._at < self._start + len(self._held):
            in_order = self._at == self._start + len(self._held)
            self._range = min(self._range * 2, MAX_RANGE_BYTES) if in_order else FIRST_RANGE_BYTES
            end = min(self._size, self._at + max(wanted, self._range))
            self._start, self._held = self._at, self.fetch(self._at, end)
        skip = self._at - self._start
        data = self._held[skip : skip + wanted]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


class GcsStore:
    """Google Cloud Storage; a version is an object's generation."""

    def __init__(self) -> None:
        from google.cloud import storage as gcs

        if os.environ.get("STORAGE_EMULATOR_HOST"):
            from google.auth.credentials import AnonymousCredentials

            self._client = gcs.Client(project="local", credentials=AnonymousCredentials())
        elif _options().get("impersonate_service_account"):
            from apache_beam.io.filesystems import FileSystems
            from apache_beam.io.gcp.gcsio import create_storage_client

            self._client = create_storage_client(FileSystems._pipeline_options)
        else:
            self._client = gcs.Client(project=_options().get("project"))

    def _blob(self, uri: str) -> Any:
        bucket, name = split_uri(uri)
        return self._client.bucket(bucket).blob(name)

    def _found(self, uri: str) -> Any:
        bucket, name = split_uri(uri)
        blob = self._client.bucket(bucket).get_blob(name)
        if blob is None:
            raise Missing(uri)
        return blob

    def exists(self, uri: str) -> bool:
        """Whether the object is there."""
        return bool(self._blob(uri).exists())

    def open(self, uri: str) -> RangedFile:
        """Opens an object; all of it is read from the generation that is current now."""
        blob = self._found(uri)
        generation = blob.generation

        def fetch(start: int, end: int) -> bytes:
            return _gcs_bytes(uri, blob, start, end - 1, generation)

        return RangedFile(blob.size, fetch)

    def read(self, uri: str, limit: int | None) -> bytes:
        """Returns the object's bytes, or the first ``limit`` of them."""
        if limit is None:
            return _gcs_bytes(uri, self._blob(uri), None, None, None)
        with self.open(uri) as f:
            return io.BufferedReader(f).read(limit)

    def read_with_version(self, uri: str) -> tuple[bytes, str]:
        """Returns (bytes, generation)."""
        blob = self._found(uri)
        # An emulator may know no generations.
        return _gcs_bytes(uri, blob, None, None, blob.generation), str(blob.generation or "")

    def upload(self, uri: str, data: BinaryIO, size: int) -> None:
        """Writes an object from a file of ``size`` bytes."""
        self._blob(uri).upload_from_file(data, size=size)

    def upload_if(self, uri: str, data: bytes, version: str) -> None:
        """Writes an object if its version is still ``version`` ("" for none); else Changed."""
        from google.api_core.exceptions import PreconditionFailed

        try:
            self._blob(uri).upload_from_string(
                data, "application/octet-stream", if_generation_match=int(version or 0)
            )
        except PreconditionFailed:
            raise Changed(uri) from None

    def listed(self, prefix: str) -> Iterator[FileStat]:
        """Yields the objects whose URI begins with ``prefix``."""
        bucket, name = split_uri(prefix)
        for blob in self._client.list_blobs(bucket, prefix=name):
            version = str(blob.generation or blob.updated.timestamp())
            yield FileStat(f"gs://{bucket}/{blob.name}", blob.size, version)

    def delete(self, uris: Iterable[str]) -> None:
        """Deletes objects; missing ones are no error."""
        from google.api_core.exceptions import NotFound

        def one(uri: str) -> None:
            with contextlib.suppress(NotFound):
                self._blob(uri).delete()

        with ThreadPoolExecutor(DELETE_THREADS) as pool:
            list(pool.map(one, uris))


def _gcs_bytes(uri: str, blob: Any, start: Any, end: Any, generation: Any) -> bytes:
    from google.api_core.exceptions import NotFound, PreconditionFailed

    condition = {} if generation is None else {"if_generation_match": generation}
    try:
        return blob.download_as_bytes(start=start, end=end, **condition)
    except NotFound:
        raise Missing(uri) from None
    except PreconditionFailed:
        raise Changed(f"{uri} was replaced while it was read") from None


class S3Store:
    """Amazon S3 and what speaks its protocol; a version is an object's ETag."""

    def __init__(self) -> None:
        import boto3

        o = _options()
        self._client = boto3.session.Session().client(
            "s3",
            aws_access_key_id=o.get("s3_access_key_id"),
            aws_secret_access_key=o.get("s3_secret_access_key"),
            aws_session_token=o.get("s3_session_token"),
            endpoint_url=o.get("s3_endpoint_url"),
            region_name=o.get("s3_region_name"),
            api_version=o.get("s3_api_version"),
            verify=o.get("s3_verify"),
            use_ssl=not o.get("s3_disable_ssl"),
        )

    def _call(self, method: str, uri: str, **arguments: Any) -> Any:
        from botocore.exceptions import ClientError

        bucket, name = split_uri(uri)
        try:
            return getattr(self._client, method)(Bucket=bucket, Key=name, **arguments)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            code = error.response.get("Error", {}).get("Code")
            if status == 404 and code != "NoSuchBucket":
                raise Missing(uri) from None
            if status in (409, 412):
                raise Changed(uri) from None
            error.status_code = status  # type: ignore[attr-defined]
            raise

    def exists(self, uri: str) -> bool:
        """Whether the object is there."""
        try:
            self._call("head_object", uri)
        except Missing:
            return False
        return True

    def open(self, uri: str) -> RangedFile:
        """Opens an object; all of it is read from the version that is current now."""
        head = self._call("head_object", uri)

        def fetch(start: int, end: int) -> bytes:
            where = f"bytes={start}-{end - 1}"
            reply = self._call("get_object", uri, Range=where, IfMatch=head["ETag"])
            return reply["Body"].read()

        return RangedFile(head["ContentLength"], fetch)

    def read(self, uri: str, limit: int | None) -> bytes:
        """Returns the object's bytes, or the first ``limit`` of them."""
        if limit is None:
            return self._call("get_object", uri)["Body"].read()
        with self.open(uri) as f:
            return io.BufferedReader(f).read(limit)

    def read_with_version(self, uri: str) -> tuple[bytes, str]:
        """Returns (bytes, ETag)."""
        reply = self._call("get_object", uri)
        return reply["Body"].read(), reply["ETag"]

    def upload(self, uri: str, data: BinaryIO, size: int) -> None:
        """Writes an object from a file of ``size`` bytes; large ones in parts."""
        from boto3.s3.transfer import TransferConfig

        bucket, name = split_uri(uri)
        # boto3 closes what it uploaded, and a retry needs the file again.
        self._client.upload_fileobj(
            _Unclosed(data), bucket, name, Config=TransferConfig(use_threads=False)
        )

    def upload_if(self, uri: str, data: bytes, version: str) -> None:
        """Writes an object if its version is still ``version`` ("" for none); else Changed."""
        condition = {"IfMatch": version} if version else {"IfNoneMatch": "*"}
        try:
            self._call("put_object", uri, Body=data, **condition)
        except Missing:
            raise Changed(uri) from None

    def listed(self, prefix: str) -> Iterator[FileStat]:
        """Yields the objects whose URI begins with ``prefix``."""
        bucket, name = split_uri(prefix)
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=name)
        for page in pages:
            for found in page.get("Contents", ()):
                yield FileStat(f"s3://{bucket}/{found['Key']}", found["Size"], found["ETag"])

    def delete(self, uris: Iterable[str]) -> None:
        """Deletes objects; missing ones are no error."""
        names: dict[str, list[str]] = {}
        for uri in uris:
            bucket, name = split_uri(uri)
            names.setdefault(bucket, []).append(name)
        for bucket, keys in names.items():
            for at in range(0, len(keys), S3_DELETE_BATCH):
                batch = [{"Key": k} for k in keys[at : at + S3_DELETE_BATCH]]
                reply = self._client.delete_objects(
                    Bucket=bucket, Delete={"Objects": batch, "Quiet": True}
                )
                if reply.get("Errors"):
                    first = reply["Errors"][0]
                    raise StorageError(f"delete s3://{bucket}/{first['Key']}: {first['Code']}")


class _Unclosed:
    """A file whose close does nothing."""

    def __init__(self, f: BinaryIO):
        self._f = f

    def close(self) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self._f, name)


STORES: dict[str, Callable[[], Any]] = {"gs": GcsStore, "s3": S3Store}
_SETTINGS = ("STORAGE_EMULATOR_HOST", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")


def store_of(kind: str) -> GcsStore | S3Store:
    """Returns the store of a scheme; one client a process, which threads share."""
    if kind not in STORES:
        raise StorageError(f"{kind}://: takes local paths, gs:// and s3://")
    names = S3_OPTIONS if kind == "s3" else ("project", "impersonate_service_account")
    options = _options()
    settings = (*(options.get(n) for n in names), *(os.environ.get(n) for n in _SETTINGS))
    return _store(kind, settings)


@functools.lru_cache(maxsize=8)
def _store(kind: str, settings: tuple) -> GcsStore | S3Store:
    try:
        return STORES[kind]()
    except ImportError as error:
        extra = {"gs": "gcp", "s3": "aws"}[kind]
        raise StorageError(f"{kind}:// needs tracemill[{extra}]: {error.name} is missing") from None
