"""Archives and compressed files from strangers, read in place with limits; nothing is extracted.

A zip or tar is opened once and then only read by position, so that threads can share it. Sizes and
ratios are checked while unpacking, because headers can lie.
"""

from __future__ import annotations

import bisect
import gzip
import io
import os
import shutil
import stat
import struct
import tarfile
import tempfile
import threading
import zipfile
import zlib
from typing import IO, Any, BinaryIO

from transforms import storage
from transforms.listings import IGNORED, Listing, UnsafePathError, resolve_inside

MAX_MEMBERS = 500_000
MAX_UNPACKED_BYTES = 32 << 30
MAX_RATIO = 250
RATIO_FLOOR_BYTES = 16 << 20
"""Below this size no ratio is suspicious."""
MAX_HEADER_BYTES = 1 << 20
"""Of one member of a tar, with long names and other extensions, which are read into memory."""
OPEN_ARCHIVES = 4
GZIP_MAGIC = b"\x1f\x8b"


class DamagedFileError(Exception):
    """A file that cannot be read to its end, or must not be; ``code`` says why."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code


def buffered(raw: Any) -> BinaryIO:
    """Puts a buffer in front of a raw stream."""
    return io.BufferedReader(raw, 1 << 16)


class Gunzip(io.RawIOBase):
    """Decompresses gzip with a limit on ratio and size; faults are DamagedFileError."""

    def __init__(self, raw: BinaryIO):
        self._source = _Counted(raw)
        self._gzip = gzip.GzipFile(fileobj=self._source, mode="rb")  # type: ignore[call-overload]
        self._made = 0

    def readable(self) -> bool:  # noqa: D102
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # noqa: D102
        try:
            # One step at a time: when the end is missing, what came before is not lost.
            data = self._gzip.read1(len(buffer))
        except EOFError:
            raise DamagedFileError("truncated_gzip", "the gzip stream ends too early") from None
        except (gzip.BadGzipFile, zlib.error):
            raise DamagedFileError("damaged_gzip", "not a valid gzip stream") from None
        buffer[: len(data)] = data
        self._made += len(data)
        check_ratio(self._made, self._source.count)
        return len(data)

    def close(self) -> None:  # noqa: D102
        if not self.closed:
            self._gzip.close()
            self._source.raw.close()
        super().close()


class _Counted:
    """Counts the bytes that are read through it."""

    def __init__(self, raw: BinaryIO):
        self.raw = raw
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        data = self.raw.read(size)
        self.count += len(data)
        return data

    def seekable(self) -> bool:
        return False


def check_ratio(unpacked: int, packed: int) -> None:
    """Raises DamagedFileError ``decompression_bomb`` when so little made so much."""
    if unpacked > RATIO_FLOOR_BYTES and unpacked > MAX_RATIO * max(packed, 1):
        raise DamagedFileError(
            "decompression_bomb", f"unpacks to more than {MAX_RATIO} times its size"
        )
    if unpacked > MAX_UNPACKED_BYTES:
        raise DamagedFileError("too_large", f"unpacks to more than {MAX_UNPACKED_BYTES} bytes")


class Archive:
    """An opened zip or tar: its listing, and its members by name."""

    def __init__(self, uri: str, listing: Listing):
        self.uri = uri
        self.listing = listing
        self._names = list(listing.files)

    def below(self, prefix: str) -> list[str]:
        """Returns the members whose names begin with ``prefix``."""
        start = bisect.bisect_left(self._names, prefix)
        end = bisect.bisect_left(self._names, prefix + "\U0010ffff", start)
        return self._names[start:end]

    def open_member(self, name: str) -> BinaryIO:
        """Opens one listed member, as stored."""
        raise NotImplementedError


_ZIP_FAULTS = (
    zipfile.BadZipFile, struct.error, OSError, OverflowError, RuntimeError, ValueError,
)  # fmt: skip
"""What zipfile raises for damage: texts that are no UTF-8 and unknown methods among it."""


class _ZipArchive(Archive):
    def __init__(self, uri: str, file: BinaryIO, token: str):
        try:
            self._zip = zipfile.ZipFile(file)
            infos = self._zip.infolist()
        except _ZIP_FAULTS:
            raise DamagedFileError("damaged_archive", "not a readable zip archive") from None
        _check_members(len(infos))
        files: dict[str, storage.FileStat] = {}
        refused: dict[str, str] = {}
        self._members: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            if info.is_dir() or IGNORED.search(info.filename):
                continue
            if info.orig_filename != info.filename and "\0" in info.orig_filename:
                refused[info.filename] = "nul_byte"
                continue
            kind = stat.S_IFMT(info.external_attr >> 16)
            name = _member_name(info.filename, kind == stat.S_IFLNK, refused)
            if name is None:
                continue
            if info.flag_bits & 1:
                refused[name] = "encrypted"
                continue
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                refused[name] = "unsupported_compression"
                continue
            try:
                check_ratio(info.file_size, info.compress_size)
            except DamagedFileError as error:
                refused[name] = error.code
                continue
            self._members[name] = info
            files[name] = storage.FileStat(name, info.file_size, f"{token}/{info.CRC:08x}")
        super().__init__(uri, Listing.of(files, refused))

    def open_member(self, name: str) -> BinaryIO:
        try:
            return buffered(_Guarded(self._zip.open(self._members[name])))
        except _ZIP_FAULTS:
            raise DamagedFileError("damaged_archive", "a member cannot be opened") from None


class _Guarded(io.RawIOBase):
    """Turns a member's faults into DamagedFileError."""

    def __init__(self, member: IO[bytes]):
        self._member = member

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        try:
            data = self._member.read(len(buffer))
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError):
            raise DamagedFileError("damaged_archive", "a member is damaged") from None
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._member.close()
        super().close()


class _TarArchive(Archive):
    """An uncompressed tar, read by position: no state changes after the index is made."""

    def __init__(self, uri: str, file: BinaryIO, token: str):
        self._file = file
        files: dict[str, storage.FileStat] = {}
        refused: dict[str, str] = {}
        links: dict[str, str] = {}
        self._places: dict[str, tuple[int, int]] = {}
        end = os.fstat(file.fileno()).st_size
        count = 0
        headers = _Headers(file)
        try:
            with tarfile.open(fileobj=headers, mode="r:") as tar:  # type: ignore[call-overload]
                for info in tar:
                    headers.count = 0
                    _check_members(count := count + 1)
                    if info.size < 0:
                        raise DamagedFileError("damaged_archive", "a member of negative size")
                    if info.isdir() or IGNORED.search(info.name):
                        continue
                    name = _member_name(info.name, info.issym(), refused)
                    if name is None:
                        continue
                    if info.islnk():
                        links[name] = info.linkname
                    elif not info.isreg() or info.issparse():
                        refused[name] = "special_file"
                    elif info.offset_data + info.size > end:
                        raise DamagedFileError("damaged_archive", "the archive ends too early")
                    else:
                        self._places[name] = (info.offset_data, info.size)
        except (tarfile.TarError, OSError, ValueError, EOFError, OverflowError, RecursionError):
            raise DamagedFileError("damaged_archive", "not a readable tar archive") from None
        for name, target in links.items():
            # tar stores the second name of a file as a hard link to its first.
            try:
                self._places[name] = self._places[resolve_inside(target)]
            except (KeyError, UnsafePathError):
                refused[name] = "link"
        for name in sorted(self._places):
            files[name] = storage.FileStat(name, self._places[name][1], token)
        super().__init__(uri, Listing.of(files, refused))

    def open_member(self, name: str) -> BinaryIO:
        start, size = self._places[name]
        return buffered(_Slice(self._file, start, size))


class _Headers:
    """A tar as it is read for its index; ``count`` is what was read of one member's headers."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self.seek, self.tell = file.seek, file.tell
        self.count = 0

    def read(self, size: int) -> bytes:
        self.count += size
        if self.count > MAX_HEADER_BYTES:
            raise DamagedFileError("damaged_archive", "the headers of a member are too large")
        return self._file.read(size)


class _Slice(io.RawIOBase):
    """A stretch of a file, read without moving the file's own position."""

    def __init__(self, file: BinaryIO, start: int, size: int):
        self._file = file
        self._next = start
        self._end = start + size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        n = min(len(buffer), self._end - self._next)
        data = os.pread(self._file.fileno(), n, self._next) if n else b""
        if len(data) < n and not data:
            raise DamagedFileError("damaged_archive", "the archive ends too early")
        buffer[: len(data)] = data
        self._next += len(data)
        return len(data)


def _check_members(count: int) -> None:
    if count > MAX_MEMBERS:
        raise DamagedFileError("too_many_members", f"more than {MAX_MEMBERS} members")


def _member_name(name: str, is_link: bool, refused: dict[str, str]) -> str | None:
    try:
        resolved = resolve_inside(name)
    except UnsafePathError as error:
        refused[name] = error.code
        return None
    if is_link:
        refused[resolved] = "link"
        return None
    return resolved


def archive_kind(head: bytes) -> str | None:
    """Returns ``zip``, ``tar`` or ``gzip`` from a file's first 512 bytes, else None."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head[257:262] == b"ustar":
        return "tar"
    if head.startswith(GZIP_MAGIC):
        return "gzip"
    return None


def open_archive(uri: str) -> Archive | None:
    """Opens a zip, tar or tar.gz by content; None when the file is none of these."""
    file = storage.open_read(uri)
    head = file.read(512)
    kind = archive_kind(head)
    if kind is None:
        file.close()
        return None
    stat_of = next(iter(storage.walk(uri)), None)
    token = f"{stat_of.size}/{stat_of.version}" if stat_of else ""
    if storage.is_local(uri):
        file.seek(0)
    if kind == "gzip":
        with _from_start(file, head) as start, buffered(Gunzip(start)) as plain:
            head = plain.read(512)
            if archive_kind(head) != "tar":
                return None
            return _TarArchive(uri, _spooled(plain, head), token)
    if not storage.is_local(uri):
        with file:
            file = _spooled(file, head)
    return _ZipArchive(uri, file, token) if kind == "zip" else _TarArchive(uri, file, token)


class _Rejoined(io.RawIOBase):
    """A stream whose beginning was read already."""

    def __init__(self, head: bytes, rest: BinaryIO):
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        data = self._head[: len(buffer)] or self._rest.read(len(buffer))
        self._head = self._head[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._rest.close()
        super().close()


def _from_start(file: BinaryIO, head: bytes) -> BinaryIO:
    if file.seekable():
        file.seek(0)
        return file
    return buffered(_Rejoined(head, file))


def _spooled(stream: BinaryIO, head: bytes) -> BinaryIO:
    """Copies what was read and the rest to a file without a name, which vanishes with us."""
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the archive
    copy.write(head)
    shutil.copyfileobj(stream, copy, 1 << 20)
    copy.seek(0)
    return copy  # type: ignore[return-value]


_opened: dict[tuple[str, str], Archive] = {}
_opened_lock = threading.Lock()


def cached_archive(uri: str, token: str) -> Archive | None:
    """Returns an opened archive, kept for the next call with the same token (its fingerprint)."""
    with _opened_lock:
        archive = _opened.pop((uri, token), None)
        if archive is not None:
            _opened[uri, token] = archive
            return archive
    archive = open_archive(uri)
    if archive is not None:
        with _opened_lock:
            _opened[uri, token] = archive
            while len(_opened) > OPEN_ARCHIVES:
                _opened.pop(next(iter(_opened)))
    return archive
