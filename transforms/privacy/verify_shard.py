"""VerifyPrivacy for one shard: every decoded value of its files, under its session's digests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import msgspec

from schemas.receipts import FileEntry, Receipt
from transforms import prepared, storage
from transforms.checkpoints import CheckpointKeys, CheckpointStore
from transforms.keys import session_key, stable_hash
from transforms.privacy.finder import TextFinder
from transforms.privacy.verify import EXEMPT_COLUMNS, OutputChecker

OF_THE_CATALOGUE = frozenset(["suite", "action", "tools", "system"])
"""Columns and keys whose text is the catalogue's, which its author publishes on purpose."""
DIGESTS = "digests"
"""Section of prepared checkpoints: keyed digests of what was found; useless without the key."""


class SessionChecks:
    """The checker of each session of a shard, and the hits so far."""

    def __init__(
        self,
        store: CheckpointStore,
        finder: TextFinder,
        keys: CheckpointKeys,
        members: Sequence[Receipt],
    ):
        self.store, self.finder, self.keys = store, finder, keys
        self.members = {r.session_id: r for r in members}
        self.hits: Counter[str] = Counter()
        self.sessions: dict[str, None] = {}
        """Those with hits, in order."""
        self._session = ""
        self._checker: OutputChecker | None = None
        self._seen: set[tuple[str, Any]] = set()

    def checker(self, session_id: str) -> OutputChecker:
        """Returns a session's checker; rows come session by session, so one is kept."""
        if session_id != self._session or self._checker is None:
            digests, key = load_digests(self.store, self.members[session_id], self.keys)
            self._session, self._seen = session_id, set()
            self._checker = OutputChecker(self.finder, digests, key)
        return self._checker

    def check(self, session_id: str, value: Any, table: str, column: str) -> None:
        """Checks one value; an equal text of the session is not checked twice in one column."""
        checker = self.checker(session_id)
        if isinstance(value, str):
            if (column, value) in self._seen:
                return
            self._seen.add((column, value))
        for hit in checker.check(value, table, column):
            self.hits[f"{hit.table}.{hit.column}/{hit.entity}"] += 1
            self.sessions[session_id] = None


def load_digests(
    store: CheckpointStore, receipt: Receipt, keys: CheckpointKeys
) -> tuple[frozenset[bytes], bytes]:
    """Returns (digests, key) of one session; none for a session that failed before Redact."""
    checkpoint = store.read(prepared.KIND, receipt.prepared_key)
    data = checkpoint.sections.get(DIGESTS)
    digests = frozenset(msgspec.msgpack.decode(data, type=list[bytes])) if data else frozenset()
    return digests, session_key(keys.project_key, receipt.session_id)


class VerifiedMarks:
    """Remembers whose checkpoints were searched without a hit, by these rules.

    Shards are copies of checkpoints, so another version need not search them again. A mark holds
    which share of a session was read: samples of a smaller share are part of those of a larger one.
    """

    def __init__(self, store: CheckpointStore, keys: CheckpointKeys, what: str):
        self.store, self.keys, self.what = store, keys, what

    def _uri(self, receipt: Receipt) -> str:
        name = stable_hash(self.what, receipt.key, receipt.digest, self.keys.prepared_salt)
        return storage.join(self.store.root, "verified", name[:2], name)

    def _share(self, receipt: Receipt) -> float:
        try:
            return float(storage.read_bytes(self._uri(receipt)))
        except (FileNotFoundError, ValueError):
            return 0.0

    def without(self, members: Sequence[Receipt], share: float = 1.0) -> list[Receipt]:
        """Returns the sessions of which so much was never searched."""
        return [r for r in members if self._share(r) < min(share, 1.0)]

    def add(self, members: Sequence[Receipt], share: float = 1.0) -> None:
        """Marks a share of sessions as searched without a hit."""
        for receipt in members:
            storage.write_bytes(self._uri(receipt), str(min(share, 1.0)).encode())


def verify_files(
    checks: SessionChecks, root: str, files: Sequence[FileEntry], members: Sequence[Receipt]
) -> dict[str, int]:
    """Checks the files of one shard; returns ``<table>.<column>/<entity>`` → number of hits.

    Only rows of the sessions in ``checks`` are looked at.

    Args:
        checks: with the shard's members.
        root: folder of the version.
        files: of the shard.
        members: receipts of the shard's result checkpoints, in the order they were written.
    """
    by_example = dict(_examples(checks.store, members))
    for entry in files:
        uri = storage.join(root, entry.path)
        if entry.path.startswith("tables/"):
            for session_id, column, value in _table_values(uri, checks.members):
                checks.check(session_id, value, entry.path.split("/")[1], column)
        elif entry.path.startswith("training/") and entry.path.endswith(".jsonl"):
            target = entry.path.split("/")[1]
            for session_id, line in _training_lines(checks.store, uri, target, members):
                if session_id in checks.members:
                    row = recorded_part(msgspec.json.decode(line))
                    checks.check(session_id, row, f"training_{target}", "row")
        elif entry.path.startswith("examples/"):
            session_id = by_example[entry.path.split("/")[1]]
            if session_id not in checks.members:
                continue
            for line in storage.read_bytes(uri).splitlines():
                row = recorded_part(msgspec.json.decode(line))
                checks.check(session_id, row, "examples", "messages")
    return dict(sorted(checks.hits.items()))


def recorded_part(row: Any) -> Any:
    """Returns a training row or message without what comes from the catalogue."""
    if isinstance(row, list):
        return [recorded_part(item) for item in row if not _is_system(item)]
    if isinstance(row, dict) and not _is_system(row):
        return {k: recorded_part(v) for k, v in row.items() if k not in OF_THE_CATALOGUE}
    return None if isinstance(row, dict) else row


def _is_system(item: Any) -> bool:
    return isinstance(item, dict) and item.get("role") == "system"


def _examples(store: CheckpointStore, members: Sequence[Receipt]) -> Iterator[tuple[str, str]]:
    for receipt in members:
        if receipt.examples:
            table = store.read("result", receipt.key).table("examples")
            for example_id in table.column("id").to_pylist():
                yield example_id, receipt.session_id


def _table_values(uri: str, sessions: Collection[str]) -> Iterator[tuple[str, str, Any]]:
    """Yields (session, column, value) of every cell that may hold text, session by session."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with storage.open_read(uri) as f:
        file = pq.ParquetFile(pa.PythonFile(f))
        columns = [
            field.name
            for field in file.schema_arrow
            if field.name not in EXEMPT_COLUMNS | OF_THE_CATALOGUE and _may_hold_text(field.type)
        ]
        wanted = pa.array(list(sessions), pa.string())
        for batch in file.iter_batches(
            batch_size=256, columns=["session_id", *columns], use_threads=False
        ):
            of_them = pc.is_in(batch.column("session_id"), wanted)
            for row in batch.filter(of_them).to_pylist():
                for column in columns:
                    if row[column]:
                        yield row["session_id"], column, row[column]


def _may_hold_text(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return True
    if pa.types.is_list(kind):
        return _may_hold_text(kind.value_type)
    if pa.types.is_struct(kind):
        return any(_may_hold_text(field.type) for field in kind)
    return False


def _training_lines(
    store: CheckpointStore, uri: str, target: str, members: Sequence[Receipt]
) -> Iterator[tuple[str, bytes]]:
    """Yields (session, line); rows have no session of their own, their order gives it.

    A file holds the lines of its members' checkpoints in their order, or those of one split, so
    both are walked together and one session at a time is in memory.
    """
    written = (
        (receipt.session_id, line)
        for receipt in members
        if receipt.examples
        for line in store.read("result", receipt.key).lines(f"training/{target}.jsonl")
    )
    with storage.open_read(uri) as f:
        for line in f:
            wanted = line.rstrip(b"\n")
            session_id = next((owner for owner, copy in written if copy == wanted), None)
            if session_id is None:
                raise ValueError(f"{uri}: a line that no checkpoint of the shard holds")
            yield session_id, wanted
