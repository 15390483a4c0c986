"""MatchObservations for one session: reads what matching needs from the session's files."""

from __future__ import annotations

import functools

from schemas.outcomes import Dropped
from schemas.traces import DomSnapshot, Frame
from schemas.trajectories import NormalizedSession, Step
from schemas.work import SessionWork
from transforms.dom import DomDefect, DomTree, parse_dom
from transforms.images import ImageDefect, decode_image
from transforms.normalize.frames import frame_fingerprint, select_frames
from transforms.normalize.match import MatchSettings, match_observations
from transforms.session_files import DamagedFileError, SessionFiles, open_session_files

MAX_DOM_BYTES = 20 << 20
MAX_FRAME_BYTES = 64 << 20


def read_dom(files: SessionFiles, snapshot: DomSnapshot) -> DomTree:
    """Parses a snapshot of a session; raises DomDefect when it is none."""
    if snapshot.inline is not None:
        return parse_dom(snapshot.inline, snapshot.format, max_bytes=MAX_DOM_BYTES)
    data = files.read(snapshot.file, MAX_DOM_BYTES)
    return parse_dom(data, snapshot.format, max_bytes=MAX_DOM_BYTES)


def observe(
    work: SessionWork, settings: MatchSettings
) -> tuple[tuple[Step, ...], tuple[Dropped, ...]]:
    """Returns the session's steps, and the frames and snapshots that were dropped on the way.

    A snapshot that cannot be parsed costs its step the element, not the session.
    """
    trace = work.trace
    assert trace is not None
    files = open_session_files(work.ref)
    dropped: dict[str, Dropped] = {}

    @functools.lru_cache(maxsize=8)
    def dom(key: str) -> DomTree | None:
        try:
            return read_dom(files, snapshots[key])
        except (DomDefect, DamagedFileError) as defect:
            dropped[key] = Dropped(kind="dom", record=key, reason=defect.code)
            return None

    snapshots = {s.file: s for s in trace.dom}
    frames = {f.file: f for f in trace.frames}

    def fingerprint(frame: Frame) -> object | None:
        try:
            data = files.read(frame.file, MAX_FRAME_BYTES)
            return frame_fingerprint(decode_image(data, frame.width * frame.height))
        except (ImageDefect, DamagedFileError) as defect:
            dropped[frame.file] = Dropped(kind="frame", record=frame.file, reason=defect.code)
            return None

    normalized = NormalizedSession(
        actions=work.actions,
        dispositions=work.dispositions,
        ledger=work.ledger,
        counts=work.counts,
    )
    steps = match_observations(trace, normalized, settings, lambda s: dom(s.file))
    steps, unused = select_frames(steps, tuple(frames.values()), fingerprint, settings.max_frames)
    return steps, (*dropped.values(), *unused)
