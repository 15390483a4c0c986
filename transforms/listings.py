"""Which files lie below a folder or prefix, by names that cannot leave it.

Names are relative posix paths. ``..``, absolute paths, drive letters, URLs, NUL bytes and links are
refused with a code, never followed.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable
from typing import BinaryIO

import msgspec

from transforms import storage

MAX_NAME_BYTES = 1024
MAX_PART_BYTES = 255
IGNORED = re.compile(r"(^|/)(\.(?!\.?(/|$))[^/]*|__MACOSX|Thumbs\.db|desktop\.ini)(/|$)")
"""What operating systems leave behind; never part of a session."""


class UnsafePathError(ValueError):
    """A name that does not stay inside the session; ``code`` says in which way."""

    def __init__(self, code: str):
        super().__init__(f"unsafe path ({code})")
        self.code = code


_DRIVE = re.compile(r"^[A-Za-z]:")
_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+:")


def is_utf8(name: str) -> bool:
    """Whether a name can be written down; the system gives bytes that are none as surrogates."""
    return name.isascii() or not any("\ud800" <= c <= "\udfff" for c in name)


def readable(name: str) -> str:
    """Returns a name with escapes for what is not UTF-8 in it, so that it can be told."""
    return name.encode("utf-8", "backslashreplace").decode()


def resolve_inside(name: str) -> str:
    """Returns a name as a relative posix path that cannot leave its folder.

    Backslashes are separators, ``.`` and empty components vanish. Raises UnsafePathError with the
    code ``empty``, ``not_utf8``, ``nul_byte``, ``control_character``, ``absolute_path``,
    ``drive_letter``, ``url``, ``parent_path`` or ``long_name``.
    """
    if not is_utf8(name):
        raise UnsafePathError("not_utf8")
    if "\0" in name:
        raise UnsafePathError("nul_byte")
    if any(c < " " or c == "\x7f" for c in name):
        raise UnsafePathError("control_character")
    path = name.replace("\\", "/")
    if path.startswith("/"):
        raise UnsafePathError("absolute_path")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    for shown in (path, "/".join(parts)):  # what "./C:" resolves to is no better than "C:"
        if _DRIVE.match(shown):
            raise UnsafePathError("drive_letter")
        if _URL.match(shown):
            raise UnsafePathError("url")
    if ".." in parts:
        raise UnsafePathError("parent_path")
    if not parts:
        raise UnsafePathError("empty")
    sizes = [len(part.encode()) for part in parts]
    if max(sizes) > MAX_PART_BYTES or sum(sizes) + len(parts) > MAX_NAME_BYTES:
        raise UnsafePathError("long_name")
    return "/".join(parts)


class Listing(msgspec.Struct, frozen=True):
    """The files below a folder or in an archive."""

    files: dict[str, storage.FileStat]
    """Relative posix path → stat; sorted by path."""
    refused: dict[str, str]
    """Name as found, made readable → code (``link``, ``parent_path`` …)."""

    @classmethod
    def of(cls, files: dict[str, storage.FileStat], refused: dict[str, str]) -> Listing:
        """Returns the sorted listing of what was found."""
        told = ((readable(name), code) for name, code in refused.items())
        return cls(dict(sorted(files.items())), dict(sorted(told)))


def list_folder(uri: str, skip: Callable[[str], bool] = lambda uri: False) -> Listing:
    """Lists the files below a folder or prefix, without the URIs that ``skip`` is true for."""
    return _list_local(uri, skip) if storage.is_local(uri) else _list_remote(uri, skip)


def _list_local(uri: str, skip: Callable[[str], bool]) -> Listing:
    root = str(storage.local_path(uri))
    files: dict[str, storage.FileStat] = {}
    refused: dict[str, str] = {}
    open_folders = [""]
    while open_folders:
        folder = open_folders.pop()
        with os.scandir(os.path.join(root, folder)) as entries:
            for entry in entries:
                name = f"{folder}/{entry.name}" if folder else entry.name
                if IGNORED.search(name) or skip(entry.path):
                    continue
                if entry.is_symlink():
                    refused[name] = "link"
                elif entry.is_dir(follow_symlinks=False):
                    open_folders.append(name)
                elif entry.is_file(follow_symlinks=False):
                    _admit(name, entry.path, entry.stat(follow_symlinks=False), files, refused)
                else:
                    refused[name] = "special_file"
    return Listing.of(files, refused)


def _admit(
    name: str,
    path: str,
    found: os.stat_result,
    files: dict[str, storage.FileStat],
    refused: dict[str, str],
) -> None:
    try:
        # A name that resolve_inside would change could not be opened by that name again.
        if resolve_inside(name) != name:
            raise UnsafePathError("backslash")
    except UnsafePathError as error:
        refused[name] = error.code
        return
    files[name] = storage.FileStat(path, found.st_size, str(found.st_mtime_ns))


def _list_remote(uri: str, skip: Callable[[str], bool]) -> Listing:
    prefix = uri.rstrip("/") + "/"
    files: dict[str, storage.FileStat] = {}
    refused: dict[str, str] = {}
    for found in storage.walk(uri):
        if not found.uri.startswith(prefix) or found.uri.endswith("/"):
            continue
        name = found.uri[len(prefix) :]
        if IGNORED.search(name) or skip(found.uri):
            continue
        try:
            if resolve_inside(name) != name:
                raise UnsafePathError("backslash")
        except UnsafePathError as error:
            refused[name] = error.code
            continue
        files[name] = found
    return Listing.of(files, refused)


def open_no_links(root: str, name: str) -> BinaryIO:
    """Opens ``root/name`` component by component, refusing links, also ones made since listing."""
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        *parents, last = name.split("/")
        for part in parents:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        handle = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise UnsafePathError("link") from None
        raise
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise UnsafePathError("special_file")
    return os.fdopen(handle, "rb")
