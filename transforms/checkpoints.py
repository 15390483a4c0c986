"""Checkpoints: one file with every row that a half of the pipeline made for one session.

*prepared* (read … redact) and *result* (segment … validate) are the units of resume. A checkpoint
is found by its key, a hash of everything that affects its content, so a changed option finds
nothing and an unchanged one finds all. Layout of a file::

    magic | u32 header length | header (msgpack: receipt, sections, digest) | sections

A section is bytes: msgpack state, Arrow IPC tables, JSONL lines. The digest in the header covers
the sections (durations apart), so a torn or damaged file is no checkpoint. Tables are kept in
Arrow so that writing a version is copying, not conversion.
"""

from __future__ import annotations

import functools
import hashlib
import struct
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from schemas.receipts import Receipt
from schemas.tables import arrow_schema
from transforms import storage
from transforms.keys import load_project_key, published_session_id, stable_hash

MAGIC = b"tracemill checkpoint 1\n"
UNDIGESTED = ("audit", "replies")
"""Sections that differ between equal runs: durations, and requests that only the first run made."""
HEADER_READ = 8192


class _Header(msgspec.Struct):
    receipt: Receipt
    sections: list[tuple[str, int]]
    checksum: str


class CheckpointDefect(storage.StorageError):
    """A file that is not a whole checkpoint: another run makes it anew."""


class CheckpointKeys(msgspec.Struct, frozen=True):
    """How keys follow from a session: salts hold options, code versions and file contents."""

    project_key: bytes
    prepared_salt: str
    result_salt: str
    answers: dict[str, str] = msgspec.field(default_factory=dict)
    """Published session id → hash of its review answers."""
    forgotten: frozenset[str] = frozenset()
    """Published ids of sessions that `forget` removed: they are not read again."""
    key_uri: str = ""
    """Where the project key lies. With it the key itself never enters a graph: workers read it."""

    def __reduce__(self) -> Any:
        key = b"" if self.key_uri else self.project_key
        rest = (self.prepared_salt, self.result_salt, self.answers, self.forgotten, self.key_uri)
        return _keys_with_key, (key, *rest)

    def __repr__(self) -> str:
        return f"CheckpointKeys({self.prepared_salt}, {self.result_salt})"

    def published_id(self, session_id: str) -> str:
        """Returns the id under which a session is published."""
        return published_session_id(self.project_key, session_id)

    def prepared(self, session_id: str, fingerprint: str, defect: str = "") -> str:
        """Returns the key of the prepared checkpoint."""
        return stable_hash("prepared", session_id, fingerprint, defect, self.prepared_salt)

    def result(self, session_id: str, prepared_key: str) -> str:
        """Returns the key of the result checkpoint; ``session_id`` is the published one."""
        return stable_hash(
            "result", prepared_key, self.result_salt, self.answers.get(session_id, "")
        )


@functools.lru_cache(maxsize=4)
def _project_key(uri: str) -> bytes:
    return load_project_key(uri, create=False)


def _keys_with_key(key: bytes, *rest: Any) -> CheckpointKeys:
    return CheckpointKeys(key or _project_key(rest[-1]), *rest)


def table_bytes(row_type: type[msgspec.Struct], rows: Sequence[msgspec.Struct]) -> bytes:
    """Converts row Structs to an Arrow IPC stream with the table's derived schema."""
    import pyarrow as pa

    schema = arrow_schema(row_type)
    columns = []
    for field in schema:
        values = [getattr(row, field.name) for row in rows]
        if values and isinstance(values[0], msgspec.Struct):
            values = [msgspec.structs.asdict(v) for v in values]
        columns.append(pa.array(values, type=field.type))
    return arrow_bytes(pa.Table.from_arrays(columns, schema=schema))


def arrow_bytes(table: Any) -> bytes:
    """Serialises an Arrow table as one IPC stream, LZ4-compressed."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table.combine_chunks())
    return sink.getvalue().to_pybytes()


def read_table(data: bytes) -> Any:
    """Returns the Arrow table of a section."""
    import pyarrow as pa

    return pa.ipc.open_stream(data).read_all()


class Checkpoint:
    """A checkpoint that was read: its receipt and its sections."""

    def __init__(self, receipt: Receipt, sections: dict[str, bytes]):
        self.receipt = receipt
        self.sections = sections

    def table(self, name: str) -> Any:
        """Returns the Arrow table ``tables/<name>``, or None when the checkpoint has none."""
        data = self.sections.get(f"tables/{name}")
        return None if data is None else read_table(data)

    def lines(self, name: str) -> list[bytes]:
        """Returns the lines of a JSONL section."""
        return self.sections.get(name, b"").splitlines()


class CheckpointStore:
    """Reads and writes checkpoints below one folder (``OUTPUT/checkpoints``).

    ``read_only``: a damaged one stays where it is.
    """

    def __init__(self, root: str, read_only: bool = False):
        self.root, self.read_only = root, read_only

    def uri(self, kind: str, key: str) -> str:
        """Returns where a checkpoint lies; ``kind`` is prepared or result."""
        return storage.join(self.root, kind, key[:2], f"{key}.ckpt")

    def write(self, kind: str, receipt: Receipt, sections: Iterable[tuple[str, bytes]]) -> Receipt:
        """Writes a checkpoint atomically; returns its receipt with digest filled in."""
        parts = sorted(sections)
        digest = hashlib.blake2b(digest_size=12)
        checksum = hashlib.blake2b(digest_size=16)
        for name, data in parts:
            checksum.update(data)
            if name not in UNDIGESTED:
                digest.update(name.encode() + struct.pack("<Q", len(data)))
                digest.update(data)
        receipt = msgspec.structs.replace(receipt, digest=digest.hexdigest(), reused=False)
        header = msgspec.msgpack.encode(
            _Header(receipt, [(n, len(d)) for n, d in parts], checksum.hexdigest())
        )
        with storage.atomic_writer(self.uri(kind, receipt.key)) as f:
            f.write(MAGIC + struct.pack("<I", len(header)) + header)
            for _, data in parts:
                f.write(data)
        return receipt

    def receipt(self, kind: str, key: str) -> Receipt | None:
        """Returns a checkpoint's receipt without reading its sections; None when there is none."""
        uri = self.uri(kind, key)
        try:
            with storage.open_read(uri) as f:
                header, _ = _read_header(f.read(HEADER_READ), f)
                size = sum(length for _, length in header.sections)
                # A file of the wrong length was torn by a storage that isn't atomic.
                if storage.is_local(uri) and f.seek(0, 2) != size + _header_end(header, f):
                    return None
        except (FileNotFoundError, CheckpointDefect):
            return None
        return msgspec.structs.replace(header.receipt, reused=True)

    def read(self, kind: str, key: str) -> Checkpoint:
        """Reads a whole checkpoint; raises CheckpointDefect when it is missing or damaged.

        A damaged one is removed: its length may be right, and then only reading it whole tells.
        """
        uri = self.uri(kind, key)
        try:
            data = storage.read_bytes(uri)
        except FileNotFoundError:
            raise CheckpointDefect(f"{uri} is missing; run again to make it anew") from None
        try:
            return _whole(data)
        except CheckpointDefect as error:
            if not self.read_only:
                storage.delete(uri)
            verb = "is" if self.read_only else "was removed, being"
            raise CheckpointDefect(f"{uri} {verb} {error}; run again to make it anew") from None

    def delete(self, kind: str, key: str) -> None:
        """Removes a checkpoint; a missing one is no error."""
        storage.delete(self.uri(kind, key))


def members_folder(store: CheckpointStore, version: str) -> str:
    """Returns where the lists of a version's checkpoints lie; they are not published."""
    return storage.join(store.root, "versions", version)


def members_uri(store: CheckpointStore, version: str, suffix: str) -> str:
    """Returns where the list of one shard's checkpoints lies."""
    return storage.join(members_folder(store, version), f"part-{suffix}.jsonl")


def read_members(store: CheckpointStore, version: str, shard: int | None = None) -> list[Receipt]:
    """Returns the receipts of the result checkpoints that a version (or one shard) was made of.

    Raises StorageError where a session is listed twice: it would be written twice.
    """
    folder = members_folder(store, version)
    prefix = "part-" if shard is None else f"part-{shard:05d}-"
    members = [
        msgspec.json.decode(line, type=Receipt)
        for part in storage.walk(folder)
        if storage.name_of(part.uri).startswith(prefix)
        for line in storage.read_bytes(part.uri).splitlines()
    ]
    if len({r.session_id for r in members}) < len(members):
        raise storage.StorageError(f"{folder}: a session is listed twice")
    return members


def _header_end(header: _Header, f: Any) -> int:
    f.seek(len(MAGIC))
    (length,) = struct.unpack("<I", f.read(4))
    return len(MAGIC) + 4 + length


def _whole(data: bytes) -> Checkpoint:
    """Returns the checkpoint that a file's bytes are."""
    header, at = _read_header(data, None)
    view = memoryview(data)
    checksum = hashlib.blake2b(digest_size=16)
    sections = {}
    for name, length in header.sections:
        sections[name] = bytes(view[at : at + length])
        checksum.update(sections[name])
        at += length
    if checksum.hexdigest() != header.checksum:
        raise CheckpointDefect("damaged")
    return Checkpoint(header.receipt, sections)


def _read_header(data: bytes, more: Any) -> tuple[_Header, int]:
    start = len(MAGIC) + 4
    if not data.startswith(MAGIC) or len(data) < start:
        raise CheckpointDefect("no checkpoint")
    (length,) = struct.unpack("<I", data[start - 4 : start])
    if len(data) < start + length and more is not None:
        data += more.read(start + length - len(data))
    try:
        header = msgspec.msgpack.decode(data[start : start + length], type=_Header)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise CheckpointDefect("damaged in its header") from None
    return header, start + length
