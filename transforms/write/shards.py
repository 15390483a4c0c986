"""Writes one shard of a version: tables, training rows and messages, copied from checkpoints.

Same receipts, same bytes: rows in the order of session ids, row groups closed by size alone, one
write call a row group, no wall clock. What depends on the run (audit, status history) goes below
``run/`` instead.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO

import msgspec

from schemas.outcomes import Audit
from schemas.receipts import FileEntry, Receipt, ShardSummary
from schemas.tables import TABLES, AuditRow, arrow_schema, avro_schema
from transforms import prepared, storage
from transforms.checkpoints import Checkpoint, CheckpointStore, members_uri, read_table
from transforms.write.plan import split_of

ROW_GROUP_BYTES = 4 << 20
"""A row group is closed when its Arrow size passes this, which bounds memory."""
ROW_GROUP_ROWS = 20_000
SHARD_WAITING_BYTES = 8 << 20
"""When all files of a shard have more than this waiting, the fullest closes its row group."""
LOOSE_TABLES = 16
"""Waiting tables that are not yet joined; a table of one row costs some 30 kB beside its data."""
AVRO_SYNC_MARKER = bytes(range(16))
PREPARED_TABLES = ("events", "actions", "steps", "failures")
RESULT_TABLES = ("sessions", "classifications", "examples", "failures")


@dataclasses.dataclass(frozen=True)
class ShardPlaces:
    """Where a shard's files go."""

    output: str
    run_id: str
    config_hash: str
    targets: tuple[str, ...]
    validation_share: float = 0.0

    def version(self, version: str) -> str:
        """Returns the folder of a version."""
        return storage.join(self.output, "versions", version)

    def run(self) -> str:
        """Returns the run folder."""
        return storage.join(self.output, "run", self.run_id)


class _Hashing:
    """A write-only file that counts and hashes what passes through it."""

    def __init__(self, f: BinaryIO):
        self._f = f
        self.sha256 = hashlib.sha256()
        self.size = 0
        self.closed = False

    def write(self, data: Any) -> int:
        data = memoryview(data).cast("B")
        self.sha256.update(data)
        self.size += data.nbytes
        self._f.write(data)
        return data.nbytes

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False


class _ParquetFile:
    """A Parquet file that grows by Arrow tables and closes its row groups by size."""

    def __init__(self, f: BinaryIO, schema: Any):
        import pyarrow.parquet as pq

        self.hashing = _Hashing(f)
        self.schema = schema
        self.writer = pq.ParquetWriter(
            self.hashing, schema, compression="zstd", compression_level=3, version="2.6"
        )
        self.waiting: list[Any] = []
        self.rows = self.waiting_rows = self.waiting_bytes = 0

    def add(self, table: Any) -> None:
        if not table.num_rows:
            return
        self.waiting.append(table)
        self.waiting_rows += table.num_rows
        self.waiting_bytes += table.nbytes
        self.rows += table.num_rows
        if self.waiting_rows >= ROW_GROUP_ROWS or self.waiting_bytes >= ROW_GROUP_BYTES:
            self.flush()
        elif len(self.waiting) > LOOSE_TABLES:
            self.waiting = [self._joined()]

    def _joined(self) -> Any:
        import pyarrow as pa

        return pa.concat_tables(self.waiting).combine_chunks()

    def flush(self) -> None:
        if self.waiting:
            group = self._joined()
            self.writer.write_table(group, row_group_size=group.num_rows)
            self.waiting, self.waiting_rows, self.waiting_bytes = [], 0, 0

    def close(self) -> None:
        self.flush()
        self.writer.close()


def with_dom(steps: Any, dom: dict[str, str]) -> Any:
    """Replaces snapshot keys in ``observation.dom_tree`` by the snapshots themselves."""
    import pyarrow as pa
    import pyarrow.compute as pc

    at = steps.schema.get_field_index("observation")
    column = steps.column(at).combine_chunks()
    keys = pc.struct_field(column, "dom_tree")
    order = {key: i for i, key in enumerate(dom)}
    places = pa.array([order.get(k) for k in keys.to_pylist()], pa.int32())
    texts = pa.array(list(dom.values()), pa.string()).take(places)
    names = [f.name for f in column.type]
    cells = [texts if n == "dom_tree" else pc.struct_field(column, n) for n in names]
    return steps.set_column(
        at, steps.schema.field(at), pa.StructArray.from_arrays(cells, fields=list(column.type))
    )


def with_thoughts(steps: Any, packed: bytes | None) -> Any:
    """Fills in thoughts that were written in hindsight, where the recorder gave none."""
    import pyarrow as pa

    if packed is None:
        return steps
    thoughts = dict(msgspec.msgpack.decode(packed, type=list[tuple[int, str]]))
    at = steps.schema.get_field_index("thought_trace")
    given = steps.column(at).to_pylist()
    values = [text or thoughts.get(i) for i, text in enumerate(given)]
    return steps.set_column(at, steps.schema.field(at), pa.array(values, pa.string()))


class _Shard:
    """The open files of one shard."""

    def __init__(self, places: ShardPlaces, version: str, shard: int, shards: int):
        self.places, self.root = places, places.version(version)
        self.suffix = f"{shard:05d}-of-{shards:05d}"
        self.stack = contextlib.ExitStack()
        self.parquet: dict[str, _ParquetFile] = {}
        self.jsonl: dict[str, tuple[_Hashing, list[int]]] = {}
        self.entries: list[FileEntry] = []

    def parquet_file(self, path: str, schema: Any) -> _ParquetFile:
        if path not in self.parquet:
            f = self.stack.enter_context(storage.atomic_writer(storage.join(self.root, path)))
            self.parquet[path] = _ParquetFile(f, schema)
        return self.parquet[path]

    def table(self, name: str, table: Any) -> None:
        path = f"tables/{name}/part-{self.suffix}.parquet"
        self.parquet_file(path, arrow_schema(TABLES[name])).add(table)

    def training(self, target: str, split: str, lines: bytes, table: Any) -> None:
        path = f"training/{target}/{split}-{self.suffix}"
        if f"{path}.jsonl" not in self.jsonl:
            uri = storage.join(self.root, f"{path}.jsonl")
            f = self.stack.enter_context(storage.atomic_writer(uri))
            self.jsonl[f"{path}.jsonl"] = (_Hashing(f), [0])
        out, rows = self.jsonl[f"{path}.jsonl"]
        out.write(lines)
        rows[0] += lines.count(b"\n")
        self.parquet_file(f"{path}.parquet", table.schema).add(table)

    def bound_memory(self) -> None:
        """Closes a row group when too much is waiting; by the rows alone, so always the same."""
        if sum(p.waiting_bytes for p in self.parquet.values()) > SHARD_WAITING_BYTES:
            max(self.parquet.values(), key=lambda p: p.waiting_bytes).flush()

    def small_file(self, path: str, data: bytes) -> None:
        storage.write_bytes(storage.join(self.root, path), data)
        rows = data.count(b"\n")
        self.entries.append(FileEntry(path, rows, len(data), hashlib.sha256(data).hexdigest()))

    def close(self) -> tuple[FileEntry, ...]:
        for path, parquet in self.parquet.items():
            parquet.close()
            self._entry(path, parquet.rows, parquet.hashing)
        for path, (out, rows) in self.jsonl.items():
            self._entry(path, rows[0], out)
        self.stack.close()
        return tuple(sorted(self.entries, key=lambda e: e.path))

    def _entry(self, path: str, rows: int, out: _Hashing) -> None:
        self.entries.append(FileEntry(path, rows, out.size, out.sha256.hexdigest()))


class _RunFiles:
    """What belongs to the run, not to the version: audit, status history, review lines."""

    def __init__(self, places: ShardPlaces, shard: int, shards: int):
        import fastavro.write

        self.places = places
        self.suffix = f"{shard:05d}-of-{shards:05d}"
        self.stack = contextlib.ExitStack()
        self.history = self._open("examples", "jsonl")
        self.review = self._open("review", "jsonl")
        self.audit = fastavro.write.Writer(
            self._open("audit", "avro"),
            fastavro.parse_schema(avro_schema(AuditRow)),
            codec="deflate",
            sync_marker=AVRO_SYNC_MARKER,
        )

    def _open(self, folder: str, ending: str) -> BinaryIO:
        uri = storage.join(self.places.run(), folder, f"part-{self.suffix}.{ending}")
        return self.stack.enter_context(storage.atomic_writer(uri))

    def add(self, receipt: Receipt, before: Checkpoint, after: Checkpoint) -> None:
        for checkpoint in (before, after):
            for row in prepared.read_audit(checkpoint):
                self.audit.write(msgspec.structs.asdict(self._audit_row(receipt, row)))
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        for example in after.table("examples").select(["id", "status"]).to_pylist():
            line = {
                "example_id": example["id"],
                "session_id": receipt.session_id,
                "created_at": now,
                "status": example["status"],
                "reused": receipt.reused,
            }
            self.history.write(msgspec.json.encode(line) + b"\n")
        self.review.write(after.sections.get("review", b""))

    def _audit_row(self, receipt: Receipt, row: Audit) -> AuditRow:
        return AuditRow(
            run_id=self.places.run_id,
            session_id=receipt.session_id,
            stage=row.stage,
            records_in=row.records_in,
            records_out=row.records_out,
            failed=row.failed,
            dropped=msgspec.json.encode(row.dropped, order="sorted").decode(),
            decisions=msgspec.json.encode(row.decisions, order="sorted").decode(),
            duration_ms=row.duration_ms,
            config_hash=self.places.config_hash,
            reused=receipt.reused,
        )

    def close(self) -> None:
        self.audit.flush()
        self.stack.close()


class _Members:
    """Which checkpoints a version was made of; lies beside them, is not published."""

    def __init__(self, store: CheckpointStore, version: str, suffix: str):
        self.uri = members_uri(store, version, suffix)
        self.lines: list[bytes] = []

    def add(self, receipt: Receipt) -> None:
        plain = msgspec.structs.replace(receipt, reused=False)
        self.lines.append(msgspec.json.encode(plain))

    def close(self) -> None:
        storage.write_bytes(self.uri, b"".join(line + b"\n" for line in self.lines))


def write_shard(
    store: CheckpointStore,
    places: ShardPlaces,
    version: str,
    shard: int,
    shards: int,
    receipts: Iterable[Receipt],
) -> ShardSummary:
    """Writes the files of one shard; written again, they have the same names and bytes."""
    out = _Shard(places, version, shard, shards)
    run = _RunFiles(places, shard, shards)
    members = _Members(store, version, out.suffix)
    summary = ShardSummary(shard=shard)
    counts: dict[str, int] = {}
    try:
        for name in TABLES:
            out.parquet_file(f"tables/{name}/part-{out.suffix}.parquet", arrow_schema(TABLES[name]))
        for receipt in sorted(receipts, key=lambda r: r.session_id):
            before = store.read(prepared.KIND, receipt.prepared_key)
            after = store.read("result", receipt.key)
            _copy_session(out, receipt, before, after, places, counts)
            out.bound_memory()
            run.add(receipt, before, after)
            members.add(receipt)
            summary = msgspec.structs.replace(
                summary,
                sessions=summary.sessions + 1,
                ledger=summary.ledger + receipt.ledger,
            )
        members.close()
        files = out.close()
        run.close()
    except BaseException as error:
        # Leaving through the stacks with the exception makes every temporary file go away.
        for stack in (out.stack, run.stack):
            stack.__exit__(type(error), error, error.__traceback__)
        raise
    return msgspec.structs.replace(summary, files=files, counts=dict(sorted(counts.items())))


def _copy_session(
    out: _Shard,
    receipt: Receipt,
    before: Checkpoint,
    after: Checkpoint,
    places: ShardPlaces,
    counts: dict[str, int],
) -> None:
    state = prepared.read_state(before)
    for name in PREPARED_TABLES:
        table = before.table(name)
        if name == "steps":
            table = with_thoughts(with_dom(table, state.dom), after.sections.get("thoughts"))
        out.table(name, table)
    for name in RESULT_TABLES:
        out.table(name, after.table(name))
    split = split_of(receipt.session_id, places.validation_share)
    for target in places.targets:
        lines = after.sections.get(f"training/{target}.jsonl", b"")
        if lines:
            table = read_table(after.sections[f"training/{target}.arrow"])
            out.training(target, split, lines, table)
            _add(counts, f"training/{target}", lines.count(b"\n"))
    for name, data in after.sections.items():
        if name.startswith("files/"):
            out.small_file(name.removeprefix("files/"), data)
    for what, n in _counted(before, after, state):
        _add(counts, what, n)


def _add(counts: dict[str, int], what: str, n: int) -> None:
    counts[what] = counts.get(what, 0) + n


def _counted(before: Checkpoint, after: Checkpoint, state: Any) -> Iterator[tuple[str, int]]:
    """Yields what the summary counts of one session: never a value, only kinds."""
    for checkpoint in (before, after):
        for code in checkpoint.table("failures").column("code").to_pylist():
            yield f"failures/{code}", 1
    for status in after.table("examples").column("status").to_pylist():
        yield f"examples/{status}", 1
    for status in after.table("classifications").column("status").to_pylist():
        yield f"classifications/{status}", 1
    for reasons in after.table("classifications").column("reasons").to_pylist():
        for reason in reasons:
            yield f"review/{reason}", 1
    for dropped in state.dropped:
        yield f"dropped/{dropped.kind}/{dropped.reason}", 1
    for dropped in msgspec.msgpack.decode(after.sections.get("dropped", b"\x90")):
        yield f"dropped/{dropped['kind']}/{dropped['reason']}", 1
    for what, n in state.counts.items():
        yield f"counts/{what}", n
