"""MatchObservations for one session: reads what matching needs from the session's files."""

from __future__ import annotations

from schemas.outcomes import Dropped
from schemas.traces import Frame
from schemas.trajectories import NormalizedSession, Step
from schemas.work import SessionWork
from transforms.images import ImageDefect, decode_image
from transforms.normalize.frames import frame_fingerprint, select_frames
from transforms.normalize.match import MatchSettings, match_observations
from transforms.session_files import DamagedFileError, open_session_files
from transforms.snapshots import session_snapshots

MAX_FRAME_BYTES = 64 << 20


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

    snapshots = session_snapshots(work.ref, trace)
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
    steps = match_observations(trace, normalized, settings, lambda s: snapshots.tree(s.file))
    steps, unused = select_frames(steps, tuple(frames.values()), fingerprint, settings.max_frames)
    return steps, (*dropped.values(), *snapshots.defects.values(), *unused)
