"""``manifest.json``: the one file that says which version is the dataset."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import msgspec

from schemas.receipts import FileEntry, ShardSummary, VersionPlan
from transforms import storage

NAME = "manifest.json"
FORMAT = 1


def read_manifest(output: str) -> dict[str, Any] | None:
    """Returns the manifest of an output, or None when nothing was ever published there."""
    try:
        return msgspec.json.decode(storage.read_bytes(storage.join(output, NAME)))
    except FileNotFoundError:
        return None


def build_manifest(
    plan: VersionPlan, shards: list[ShardSummary], facts: dict[str, Any]
) -> dict[str, Any]:
    """Returns the manifest of a version; equal versions have equal manifests."""
    files: list[FileEntry] = sorted((f for s in shards for f in s.files), key=lambda f: f.path)
    return {
        "format": FORMAT,
        "version": plan.version,
        "path": f"versions/{plan.version}",
        "privacy": facts["privacy"],
        "sessions": plan.sessions,
        "failed_sessions": plan.failed_sessions,
        "examples": plan.examples,
        "configuration": facts,
        "ledger": msgspec.to_builtins(plan.ledger),
        "files": [msgspec.structs.asdict(f) for f in files],
    }


def publish(output: str, manifest: dict[str, Any]) -> None:
    """Points the manifest, and locally the ``dataset`` link, at a version.

    Safe to repeat; of two writers that race, each whole manifest is one or the other's.
    """
    uri = storage.join(output, NAME)
    data = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
    for _ in range(5):
        current, version = storage.read_with_version(uri)
        if current == data or storage.replace_if_unchanged(uri, data, version):
            break
    else:
        raise storage.StorageError(f"replace {uri}: it kept changing under this run")
    link_dataset(output, manifest)


def link_dataset(output: str, manifest: dict[str, Any]) -> None:
    """Points the ``dataset`` link at the manifest's version, where there are links.

    A run that was killed just before it is made up for by the next one.
    """
    if not storage.is_local(output):
        return
    target = manifest["path"]
    link = storage.local_path(output) / "dataset"
    if link.is_symlink() and os.readlink(link) == target:
        return
    temporary = link.with_name(f".dataset.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    os.symlink(target, temporary)
    os.replace(temporary, link)
