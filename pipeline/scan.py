"""Searches a finished output for what should not be in it: VerifyPrivacy, long after the run."""

from __future__ import annotations

import dataclasses
from typing import Any

from pipeline.dataset import manifest_of, read_table
from pipeline.options import UsageError
from schemas.receipts import FileEntry, Receipt
from transforms import prepared, storage
from transforms.checkpoints import CheckpointKeys, CheckpointStore, read_members
from transforms.keys import ProjectKeyError, load_project_key
from transforms.places import frame_path
from transforms.privacy.config import ScrubberConfigError, load_scrubber_config
from transforms.privacy.filter import PrivacyFilter
from transforms.privacy.pixels.verify import read_pictures, sampled
from transforms.privacy.settings import PrivacySettings
from transforms.privacy.verify import OutputChecker
from transforms.privacy.verify_shard import SessionChecks, load_digests, verify_files


@dataclasses.dataclass(frozen=True)
class Scanned:
    """What a scan looked at and found."""

    values_of_sessions: int
    pictures: int
    hits: dict[str, int]
    """``<table>.<column>/<entity>`` → number; never a value."""
    sessions: list[str]
    """Published ids of the sessions in which something was found."""


def scan(output: str, key_file: str, scrubber_config: str | None, pictures: int | None) -> Scanned:
    """Searches the current version of an output.

    Args:
        output: folder or bucket path.
        key_file: the project key, without which found values are not recognised again.
        scrubber_config: rules; the packaged ones when None.
        pictures: how many frames are read; None for all.
    """
    manifest = manifest_of(output)
    try:
        keys = CheckpointKeys(load_project_key(key_file, create=False), "", "")
        config = load_scrubber_config(scrubber_config)
    except (ProjectKeyError, ScrubberConfigError) as error:
        raise UsageError(str(error)) from None
    suites = {s for s in read_table(output, "sessions", ["suite"])["suite"].to_pylist() if s}
    config = dataclasses.replace(config, allow=config.allow | {s.casefold() for s in suites})
    loaded = PrivacyFilter(PrivacySettings(config))
    store = CheckpointStore(storage.join(output, "checkpoints"), read_only=True)
    members = read_members(store, manifest["version"])
    files = [FileEntry(**f) for f in manifest["files"]]
    checks = SessionChecks(store, loaded.finder, keys, members)
    hits = verify_files(checks, storage.join(output, manifest["path"]), files, members)
    looked_at = 0
    for receipt in members:
        frames = _frames(store, receipt, pictures, sum(r.frames for r in members))
        looked_at += len(frames) if loaded.engine else 0
        for entity, n in _in_pictures(output, store, receipt, frames, loaded, keys).items():
            hits[f"frames.pixels/{entity}"] = hits.get(f"frames.pixels/{entity}", 0) + n
            checks.sessions[receipt.session_id] = None
    return Scanned(len(members), looked_at, dict(sorted(hits.items())), sorted(checks.sessions))


def _frames(
    store: CheckpointStore, receipt: Receipt, pictures: int | None, total: int
) -> list[str]:
    state = prepared.read_state(store.read(prepared.KIND, receipt.prepared_key))
    seen = dict.fromkeys(s.observation.frame for s in state.steps if s.observation.frame)
    return sampled(seen, 1.0 if pictures is None else pictures / max(total, 1))


def _in_pictures(
    output: str,
    store: CheckpointStore,
    receipt: Receipt,
    frames: list[str],
    loaded: PrivacyFilter,
    keys: CheckpointKeys,
) -> dict[str, int]:
    if not frames or loaded.engine is None:
        return {}
    checker = OutputChecker(loaded.finder, *load_digests(store, receipt, keys))

    def check(text: str) -> set[str]:
        return {hit.entity for hit in checker.check(text, "frames", "pixels")}

    def read(frame: str) -> Any:
        return storage.read_bytes(storage.join(output, frame_path(frame)))

    return read_pictures(frames, read, check, loaded.engine, loaded.settings.pixels)
