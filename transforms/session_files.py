"""The files of one session, wherever they lie: a folder, an archive, an object store's prefix.

Names are relative posix paths; nothing outside the session can be named. Whatever is gzipped is
read as what is inside, with limits on size and ratio. Objects here are read-only after they are
made and safe to share between threads.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from typing import BinaryIO

from schemas.traces import SessionRef
from transforms import storage
from transforms.archives import (
    GZIP_MAGIC,
    OPEN_ARCHIVES,
    Archive,
    DamagedFileError,
    Gunzip,
    buffered,
    cached_archive,
)
from transforms.listings import (
    Listing,
    UnsafePathError,
    list_folder,
    open_no_links,
    resolve_inside,
)

__all__ = [
    "DamagedFileError",
    "SessionFiles",
    "UnsafePathError",
    "open_session_files",
    "resolve_inside",
]

READ_BYTES = 1 << 20
GZIP_SUFFIXES = (".gz", ".gzip")
PICTURE_FOLDERS = ("images/", "screenshots/")


class SessionFiles:
    """Read access to the files of one session."""

    def __init__(self, uri: str, sizes: Mapping[str, int], refused: Mapping[str, str]):
        self.uri = uri
        self.refused = dict(refused)
        """Names that are not read, with the reason."""
        self._stored: dict[str, str] = {}
        self._sizes: dict[str, int] = {}
        for name in sorted(sizes):
            plain = _without_gzip_suffix(name)
            # A plain file wins over its gzipped twin, which then keeps its own name.
            shown = name if plain != name and plain in sizes else plain
            self._stored[shown] = name
            self._sizes[shown] = sizes[name]

    def stored_names(self) -> list[str]:
        """Returns the relative paths of all files as they are stored, sorted."""
        return sorted(self._stored.values())

    def names(self) -> list[str]:
        """Returns the relative paths of all files, sorted; a ``.gz`` suffix is not shown."""
        return sorted(self._stored)

    def __contains__(self, name: str) -> bool:
        return name in self._stored

    def size(self, name: str) -> int:
        """Returns the size of a file as stored (compressed, if it is)."""
        return self._sizes[resolve_inside(name)]

    def open(self, name: str) -> BinaryIO:
        """Opens a file for reading; gzip is undone.

        Raises UnsafePathError, FileNotFoundError, and while reading DamagedFileError
        (``truncated_gzip``, ``damaged_gzip``, ``decompression_bomb``, ``damaged_archive`` …).
        """
        resolved = resolve_inside(name)
        stored = self._stored.get(resolved)
        if stored is None:
            raise FileNotFoundError(f"{self.uri}: no such file in the session")
        raw = self.open_stored(stored)
        if not hasattr(raw, "peek"):
            raw = buffered(raw)
        if raw.peek(2)[:2] == GZIP_MAGIC:  # type: ignore[attr-defined]
            return buffered(Gunzip(raw))
        return raw

    def read(self, name: str, limit: int) -> bytes:
        """Reads a whole file of at most ``limit`` bytes; else DamagedFileError ``too_large``."""
        parts: list[bytes] = []
        length = 0
        with self.open(name) as f:
            # In pieces: a reader asked for the limit would set that much memory aside at once.
            while data := f.read(min(READ_BYTES, limit + 1 - length)):
                parts.append(data)
                length += len(data)
                if length > limit:
                    raise DamagedFileError("too_large", f"more than {limit} bytes")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def fits(self, name: str, limit: int) -> bool:
        """Whether a file's content has at most ``limit`` bytes; only gzipped ones are read."""
        stored = self._stored[resolve_inside(name)]
        if stored == _without_gzip_suffix(stored):
            return self.size(name) <= limit
        try:
            self.read(name, limit)
        except DamagedFileError:
            return False
        return True

    def content_digest(self) -> str:
        """Returns a hash over the paths and bytes of all files, as stored."""
        total = hashlib.blake2b(digest_size=16)
        for stored in self.stored_names():
            one = hashlib.blake2b(digest_size=32)
            try:
                with self.open_stored(stored) as f:
                    while data := f.read(1 << 20):
                        one.update(data)
            except (DamagedFileError, UnsafePathError) as error:
                one.update(error.code.encode())
            total.update(stored.encode("utf-8", "surrogatepass") + b"\0" + one.digest())
        return total.hexdigest()

    @property
    def is_local(self) -> bool:
        """Whether files are read without a request each."""
        return True

    def open_stored(self, stored: str) -> BinaryIO:
        """Opens a file as it is stored; its faults are those of :meth:`open`."""
        raise NotImplementedError


def _without_gzip_suffix(name: str) -> str:
    for suffix in GZIP_SUFFIXES:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name


class FolderFiles(SessionFiles):
    """A session in a folder or below a prefix."""

    def __init__(self, uri: str, listing: Listing):
        super().__init__(uri, {n: s.size for n, s in listing.files.items()}, listing.refused)
        self.stats = listing.files

    @property
    def is_local(self) -> bool:
        """Whether files are read without a request each."""
        return storage.is_local(self.uri)

    def open_stored(self, stored: str) -> BinaryIO:
        if not self.is_local:
            return storage.open_read(self.stats[stored].uri)
        return open_no_links(str(storage.local_path(self.uri)), stored)


class ArchiveFiles(SessionFiles):
    """A session in a folder of an archive (``member`` is "" for its root)."""

    def __init__(self, archive: Archive, member: str):
        self._archive = archive
        self._prefix = f"{member}/" if member else ""
        cut = len(self._prefix)
        listing = archive.listing
        sizes = {name[cut:]: listing.files[name].size for name in archive.below(self._prefix)}
        refused = {
            n[cut:] if n.startswith(self._prefix) else n: code
            for n, code in listing.refused.items()
            if n.startswith(self._prefix) or code != "link"
        }
        super().__init__(storage.join(archive.uri, member), sizes, refused)

    def open_stored(self, stored: str) -> BinaryIO:
        return self._archive.open_member(self._prefix + stored)


@functools.lru_cache(maxsize=OPEN_ARCHIVES)
def _opened_files(uri: str, member: str, container: str, fingerprint: str) -> SessionFiles:
    if container == "archive":
        archive = cached_archive(uri, fingerprint)
        if archive is None:
            raise DamagedFileError("damaged_archive", "not an archive any more")
        return ArchiveFiles(archive, member)
    if container == "file":
        return single_file(uri)
    return FolderFiles(uri, list_folder(uri))


def single_file(uri: str) -> FolderFiles:
    """Returns a session that is one file: only it, and picture folders beside it, can be seen."""
    folder, _, name = uri.rpartition("/")
    start = len(folder) + 1

    def elsewhere(place: str) -> bool:
        inside = place[start:]
        return inside != name and not f"{inside}/".startswith(PICTURE_FOLDERS)

    return only_file(folder, name, list_folder(folder or "/", elsewhere))


def only_file(folder: str, name: str, listing: Listing) -> FolderFiles:
    """Returns a session that is one file of a folder that was listed."""
    kept = {n: s for n, s in listing.files.items() if n == name or n.startswith(PICTURE_FOLDERS)}
    return FolderFiles(folder, Listing(kept, {}))


def open_session_files(ref: SessionRef) -> SessionFiles:
    """Returns the files of a session; cached, because fused stages open the same one in turn.

    Raises DamagedFileError for an archive that cannot be read, StorageError for storage itself.
    """
    container = ref.layout.partition("-")[2]
    return _opened_files(ref.uri, ref.member, container, ref.fingerprint)
