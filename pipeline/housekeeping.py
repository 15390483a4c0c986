"""Taking things away from an output: what nothing needs any more, and what must be forgotten."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Collection, Iterable
from typing import Any

import msgspec

from pipeline.backend.sessions import forget_listed
from pipeline.dataset import manifest_of, read_table
from pipeline.options import Options
from pipeline.passed_over import NAME as PASSED_OVER
from pipeline.run_places import Places
from pipeline.settings import forgotten_sessions, new_run_id
from schemas.receipts import Receipt
from transforms import storage
from transforms.checkpoints import (
    CheckpointDefect,
    CheckpointStore,
    members_folder,
    read_members,
)
from transforms.classify.model.cache import ReplyCache
from transforms.results import reply_keys
from transforms.write.commit import CommitSettings, commit
from transforms.write.plan import plan_version, shard_of
from transforms.write.shards import ShardPlaces, write_shard

STALE_TEMPORARY_S = 24 * 3600.0


@dataclasses.dataclass
class Removed:
    """What was (or would be) deleted: number of files and bytes by kind."""

    files: dict[str, int] = dataclasses.field(default_factory=dict)
    bytes: dict[str, int] = dataclasses.field(default_factory=dict)

    def add(self, kind: str, stat: storage.FileStat) -> None:
        """Counts one file."""
        self.files[kind] = self.files.get(kind, 0) + 1
        self.bytes[kind] = self.bytes.get(kind, 0) + stat.size

    def lines(self) -> list[str]:
        """Returns one line per kind."""
        return [
            f"{n:>8} {kind:<14}{self.bytes[kind] / 1e6:>10.1f} MB"
            for kind, n in sorted(self.files.items())
        ] or ["       0 files"]


def versions_of(output: str) -> list[str]:
    """Returns the versions that lie in an output."""
    root = storage.join(output, "versions")
    return sorted({s.uri[len(root) :].strip("/").split("/")[0] for s in storage.walk(root)})


def collect_garbage(output: str, keep: Collection[str] = (), dry_run: bool = False) -> Removed:
    """Deletes versions but the current one (and ``keep``), and what only they needed.

    Replies of models in ``cache/`` are never touched: they were paid for.
    """
    manifest = manifest_of(output)
    kept = {manifest["version"], *keep}
    store = CheckpointStore(storage.join(output, "checkpoints"), read_only=dry_run)
    members = [r for v in sorted(kept) for r in read_members(store, v)]
    if not members and manifest["sessions"]:
        # Without the list every checkpoint would look like an orphan.
        raise storage.StorageError(f"{store.root}: the list of version members is missing")
    published = storage.join(output, manifest["path"])
    files = {storage.join(published, f["path"]) for f in manifest["files"]}
    if files and files.isdisjoint(s.uri for s in storage.walk(published)):
        # Names that nothing matches would all be swept.
        raise storage.StorageError(f"{published}: no file of the manifest lies there")
    checkpoints = {store.uri("result", r.key) for r in members}
    checkpoints |= {store.uri("prepared", r.prepared_key) for r in members}
    frames = _frames_of(store, members)
    removed = Removed()
    if not dry_run:
        _remember_reply_keys(store, checkpoints)

    def sweep(kind: str, folder: str, needed: Any) -> None:
        for stat in storage.walk(storage.join(output, folder)):
            if not needed(stat.uri):
                removed.add(kind, stat)
                if not dry_run:
                    storage.delete(stat.uri)

    in_version = [storage.join(output, "versions", v) + "/" for v in kept]
    lists = [storage.join(store.root, "versions", v) + "/" for v in kept]
    sweep("versions", "versions", lambda u: u.startswith(tuple(in_version)))
    sweep("lists", "checkpoints/versions", lambda u: u.startswith(tuple(lists)))
    for kind in ("prepared", "result"):
        sweep("checkpoints", f"checkpoints/{kind}", lambda u: u in checkpoints)
    sweep("marks", "checkpoints/verified", lambda u: False)
    sweep("frames", "frames", lambda u: storage.name_of(u) in frames)
    for stat in storage.walk(output):
        if storage.is_temporary(stat.uri) and _is_stale(stat):
            removed.add("temporary", stat)
            if not dry_run:
                storage.delete(stat.uri)
    if not dry_run and storage.is_local(output):
        _remove_empty_folders(output)
    return removed


def _is_stale(stat: storage.FileStat) -> bool:
    return stat.version.isdigit() and time.time() - int(stat.version) / 1e9 > STALE_TEMPORARY_S


def _frames_of(store: CheckpointStore, members: Iterable[Receipt]) -> set[str]:
    from transforms import prepared

    return {
        frame
        for receipt in members
        for frame in prepared.read_state(store.read("prepared", receipt.prepared_key)).frame_ids
    }


def _remove_empty_folders(output: str) -> None:
    for top in ("versions", "frames", "checkpoints"):
        root = storage.local_path(output) / top
        for folder in sorted(root.rglob("*"), key=lambda p: -len(p.parts)):
            if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
                folder.rmdir()


def reply_keys_by_session(store: CheckpointStore) -> dict[str, set[str]]:
    """Returns session id → keys of the model replies about it, of all results that ever were."""
    found: dict[str, set[str]] = {}
    for stat in storage.walk(storage.join(store.root, "result")):
        try:
            checkpoint = store.read("result", storage.name_of(stat.uri).removesuffix(".ckpt"))
        except CheckpointDefect:
            continue
        found.setdefault(checkpoint.receipt.session_id, set()).update(reply_keys(checkpoint))
    for stat in storage.walk(storage.join(store.root, "replies")):
        session_id = storage.name_of(stat.uri).removesuffix(".txt")
        keys = storage.read_bytes(stat.uri).decode("ascii").split()
        found.setdefault(session_id, set()).update(keys)
    return found


def _remember_reply_keys(store: CheckpointStore, needed: Collection[str]) -> None:
    """Notes the replies of results that are about to go: `forget` must find them later, too."""
    doomed: dict[str, set[str]] = {}
    for stat in storage.walk(storage.join(store.root, "result")):
        if stat.uri in needed:
            continue
        with contextlib.suppress(CheckpointDefect):
            checkpoint = store.read("result", storage.name_of(stat.uri).removesuffix(".ckpt"))
            if keys := set(reply_keys(checkpoint)):
                doomed.setdefault(checkpoint.receipt.session_id, set()).update(keys)
    for session_id, keys in doomed.items():
        uri = storage.join(store.root, "replies", f"{session_id}.txt")
        with contextlib.suppress(FileNotFoundError):
            keys = keys | set(storage.read_bytes(uri).decode("ascii").split())
        storage.write_bytes(uri, ("\n".join(sorted(keys)) + "\n").encode())


def _delete_replies(store: CheckpointStore, cache: str, sessions: Collection[str]) -> None:
    """Deletes the model replies that only these sessions rest on, damaged copies too."""
    by_session = reply_keys_by_session(store)
    gone: set[str] = set().union(*(by_session.get(s, set()) for s in sessions))
    gone -= set().union(*(keys for s, keys in by_session.items() if s not in sessions))
    for key in gone:
        storage.delete(ReplyCache(cache).path(key))
    for stat in list(storage.walk(storage.join(cache, "quarantine"))) if gone else ():
        if storage.name_of(stat.uri).partition(".")[0] in gone:
            storage.delete(stat.uri)


def known_sessions(output: str, places: Places, wanted: Collection[str]) -> set[str]:
    """Returns which of these sessions an output knows, or was already told to forget.

    Looked for in the current version first; an older one, or a run that never published, may have
    left checkpoints of others.
    """
    known = set(read_table(output, "sessions", ["session_id"])["session_id"].to_pylist())
    known = known.union(*map(forgotten_sessions, places.private))
    store = CheckpointStore(storage.join(output, "checkpoints"))
    for kind in ("prepared", "result") if not known.issuperset(wanted) else ():
        for stat in storage.walk(storage.join(store.root, kind)):
            receipt = store.receipt(kind, storage.name_of(stat.uri).removesuffix(".ckpt"))
            known.update([receipt.session_id] if receipt else [])
    return known.intersection(wanted)


def forget(output: str, places: Places, sessions: Collection[str]) -> str:
    """Removes sessions from an output, everywhere; returns the current version's name.

    A version without them is published first; then the old versions, their checkpoints,
    frames, replies of models and private records go, and their lines below ``run/`` and
    ``review/``. The sessions are remembered as forgotten, so that another run over the same input
    doesn't bring them back. Each step may be repeated: what was interrupted is started again.
    """
    manifest = manifest_of(output)
    store = CheckpointStore(storage.join(output, "checkpoints"))
    members = read_members(store, manifest["version"])
    staying = [r for r in members if r.session_id not in sessions]
    for private in places.private:
        _remember_forgotten(private, sessions)
    version = manifest["version"]
    if len(staying) < len(members):
        version = _write_version(output, store, staying, manifest)
    for private in places.private:
        forget_listed(private, _own_ids(private, sessions))
        for session_id in sessions:
            storage.delete(storage.join(private, "sessions", f"{session_id}.json"))
            storage.delete(storage.join(private, "raw", session_id))
            storage.delete(storage.join(private, "raw", f"{session_id}.json"))
        storage.delete(storage.join(private, PASSED_OVER))  # it may name a copy; runs make it anew
    for cache in places.cache:
        _delete_replies(store, cache, sessions)
    collect_garbage(output)
    for session_id in sessions:
        storage.delete(storage.join(store.root, "replies", f"{session_id}.txt"))
    _strike_out(output, frozenset(sessions))
    return version


def _remember_forgotten(private: str, sessions: Collection[str]) -> None:
    remembered = sorted(forgotten_sessions(private) | set(sessions))
    uri = storage.join(private, "forgotten.txt")
    storage.write_bytes(uri, ("\n".join(remembered) + "\n").encode(), mode=0o600)


def _own_ids(private: str, sessions: Collection[str]) -> set[str]:
    """Returns the recorders' own ids of published sessions, as the private records have them."""
    found = set()
    for session_id in sessions:
        with contextlib.suppress(FileNotFoundError):
            data = storage.read_bytes(storage.join(private, "sessions", f"{session_id}.json"))
            found.add(msgspec.json.decode(data)["input_id"])
    return found


def _write_version(
    output: str, store: CheckpointStore, receipts: list[Receipt], manifest: dict[str, Any]
) -> str:
    facts = manifest["configuration"]
    max_shard_mb = facts.get("max_shard_mb", Options.max_shard_mb)
    plan = plan_version(receipts, facts["writing"], int(max_shard_mb * 1e6))
    run_id = new_run_id()
    places = ShardPlaces(
        output, run_id, facts["writing"], tuple(facts["targets"]), facts["validation_share"]
    )
    for folder in (places.version(plan.version), members_folder(store, plan.version)):
        storage.delete(folder)  # a run that was killed may have left another number of shards
    groups: dict[int, list[Receipt]] = {}
    for receipt in receipts:
        groups.setdefault(shard_of(receipt.session_id, plan.shards), []).append(receipt)
    shards = [
        write_shard(store, places, plan.version, shard, plan.shards, group)
        for shard, group in sorted(groups.items() or [(0, [])])
    ]
    return commit(plan, shards, CommitSettings(output, run_id, facts))


def _strike_out(output: str, sessions: frozenset[str]) -> None:
    """Removes the sessions' lines from run folders and review files."""
    for folder in ("run", "review"):
        for stat in list(storage.walk(storage.join(output, folder))):
            if stat.uri.endswith(".jsonl"):
                _filter_lines(stat.uri, sessions)
            elif stat.uri.endswith(".avro"):
                _filter_avro(stat.uri, sessions)


def _filter_lines(uri: str, sessions: frozenset[str]) -> None:
    lines = storage.read_bytes(uri).splitlines()
    staying = [line for line in lines if not _is_about(line, sessions)]
    if len(staying) != len(lines):
        storage.write_bytes(uri, b"".join(line + b"\n" for line in staying))


def _is_about(line: bytes, sessions: frozenset[str]) -> bool:
    try:
        return msgspec.json.decode(line).get("session_id") in sessions
    except (msgspec.MsgspecError, UnicodeDecodeError, AttributeError):
        # People write answers, and may slip: then any mention counts.
        return any(session_id.encode() in line for session_id in sessions)


def _filter_avro(uri: str, sessions: frozenset[str]) -> None:
    import fastavro

    with storage.open_read(uri) as f:
        reader = fastavro.reader(f)
        schema = reader.writer_schema
        rows = list(reader)
    staying = [r for r in rows if r["session_id"] not in sessions]
    if len(staying) != len(rows):
        with storage.atomic_writer(uri) as out:
            fastavro.writer(out, schema, staying, codec="deflate")
