"""From a located session to what may be published: frames, rows and the prepared state.

Frames are named by the hash of the bytes that are published, never of what was recorded, and are
shared by versions. Coordinates move with the pixels: a scaled frame changes ``frame_scale``.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Sequence

import msgspec

from schemas.outcomes import Disposition, Dropped
from schemas.tables import EventRow
from schemas.traces import Event, Frame, Session
from schemas.trajectories import PreparedSession, Step
from schemas.work import SessionWork
from transforms import storage
from transforms.checkpoints import CheckpointKeys
from transforms.images import ImageDefect, decode_image, encode_image, resize_image
from transforms.places import frame_path
from transforms.privacy.settings import PublishSettings
from transforms.session_files import DamagedFileError, SessionFiles

MAX_FRAME_BYTES = 64 << 20
EXTENSIONS = {"png": "png", "jpeg": "jpg", "webp": "webp"}


@dataclasses.dataclass(frozen=True)
class PublishedFrame:
    """One frame as it lies below ``OUTPUT/frames``."""

    name: str
    """``<id>.<ext>``."""
    width: int
    height: int
    scale: tuple[float, float]
    """Published pixels per recorded pixel."""


RedactFrame = Callable[[Frame, bytes], tuple[bytes, str]]
"""(frame, recorded bytes) → (redacted bytes, format); raises ImageDefect."""


def publish_frame(
    frame: Frame, data: bytes, redact: RedactFrame, settings: PublishSettings
) -> PublishedFrame:
    """Redacts, scales and encodes one frame and stores it; raises ImageDefect."""
    data, kind = redact(frame, data)
    width, height, scale = frame.width, frame.height, (1.0, 1.0)
    too_large = settings.max_frame_px and max(width, height) > settings.max_frame_px
    recode = settings.frame_format not in ("keep", kind)
    if too_large or recode:
        image = decode_image(data, frame.width * frame.height)
        if too_large:
            image, _ = resize_image(image, settings.max_frame_px, settings.max_frame_px)
            scale = (image.width / width, image.height / height)
            width, height = image.width, image.height
        kind = settings.frame_format if settings.frame_format != "keep" else "png"
        data = encode_image(image, kind)
    name = f"{hashlib.sha256(data).hexdigest()[:32]}.{EXTENSIONS[kind]}"
    storage.put_if_absent(storage.join(settings.output, frame_path(name)), data)
    return PublishedFrame(name, width, height, scale)


def publish_frames(
    steps: Sequence[Step],
    frames: Iterable[Frame],
    files: SessionFiles,
    redact: RedactFrame,
    withheld: dict[str, str],
    settings: PublishSettings,
) -> tuple[tuple[Step, ...], tuple[str, ...], tuple[Dropped, ...]]:
    """Publishes every frame that a step observes; returns steps, frame names and dropped frames.

    A frame that is withheld or turns out broken leaves its steps without one.
    """
    by_file = {f.file: f for f in frames}
    used = dict.fromkeys(s.observation.frame for s in steps if s.observation.frame)
    published: dict[str, PublishedFrame] = {}
    dropped = []
    for file in used:
        frame = by_file[file]
        reason = withheld.get(file)
        if reason is None:
            try:
                data = files.read(file, MAX_FRAME_BYTES)
                published[file] = publish_frame(frame, data, redact, settings)
                continue
            except (ImageDefect, DamagedFileError) as defect:
                reason = defect.code
        dropped.append(Dropped(kind="frame", record=file, reason=reason))
    made = tuple(_with_frame(s, published.get(s.observation.frame or "")) for s in steps)
    names = tuple(sorted({p.name for p in published.values()}))
    return made, names, tuple(dropped)


def _with_frame(step: Step, frame: PublishedFrame | None) -> Step:
    seen = step.observation
    if seen.frame is None:
        return step
    if frame is None:
        seen = msgspec.structs.replace(
            seen, frame=None, frame_timestamp_us=None, frame_size=None, frame_scale=None
        )
    else:
        sx, sy = seen.frame_scale or (1.0, 1.0)
        seen = msgspec.structs.replace(
            seen,
            frame=frame.name,
            frame_size=(frame.width, frame.height),
            frame_scale=(sx * frame.scale[0], sy * frame.scale[1]),
        )
    return msgspec.structs.replace(step, observation=seen)


_OWN_COLUMNS = frozenset(["id", "type", "timestamp_us", "tab", "url", "window", "target"])
_UNPUBLISHED = frozenset(["file", "line"])


def event_rows(
    session_id: str, events: Sequence[Event], dispositions: Sequence[Disposition]
) -> tuple[EventRow, ...]:
    """Returns ``tables/events`` rows of (scrubbed) events, in the order of their dispositions."""
    by_id = {e.id: e for e in events}
    rows = []
    for disposition in dispositions:
        event = by_id[disposition.event_id]
        rest = msgspec.to_builtins(event)
        for name in _OWN_COLUMNS | _UNPUBLISHED:
            rest.pop(name, None)
        target = msgspec.json.encode(event.target).decode() if event.target else None
        rows.append(
            EventRow(
                session_id=session_id,
                event_id=event.id,
                type=event.type,
                timestamp_us=event.timestamp_us,
                tab=event.tab,
                url=event.url,
                window=event.window,
                target=target,
                payload=msgspec.json.encode(rest, order="sorted").decode() if rest else None,
                disposition=disposition.outcome,
                reason=disposition.reason,
            )
        )
    return tuple(rows)


def published_record(session: Session, session_id: str, keys: CheckpointKeys) -> Session:
    """Returns the Session record under its published id; a user id that is no UUID is keyed too."""
    user = session.user_id
    return msgspec.structs.replace(
        session,
        id=session_id,
        user_id=keys.published_id(f"user:{user}") if user and not _is_uuid(user) else user,
        storage_path=f"sessions/{session_id}",
        recorder=None,
    )


def _is_uuid(text: str) -> bool:
    import uuid

    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def published_task(task_id: str, raw_id: str, session_id: str) -> str:
    """Returns a task id in which the session goes by its published id."""
    if task_id == raw_id or task_id.startswith(f"{raw_id}#"):
        return session_id + task_id[len(raw_id) :]
    return task_id


def unscrubbed(
    work: SessionWork,
    files: SessionFiles,
    dom_text: Callable[[str], str | None],
    keys: CheckpointKeys,
    settings: PublishSettings,
) -> SessionWork:
    """Publishes a session as it was recorded, for ``--privacy=off``."""
    trace = work.trace
    assert trace is not None
    session_id = keys.published_id(work.ref.session_id)

    def keep(frame: Frame, data: bytes) -> tuple[bytes, str]:
        decode_image(data, frame.width * frame.height)  # a frame that doesn't decode is dropped
        return data, frame.format

    steps, names, dropped = publish_frames(work.steps, trace.frames, files, keep, {}, settings)
    return prepare(
        work,
        session=published_record(trace.session, session_id, keys),
        steps=steps,
        requests=trace.requests,
        dom_text=dom_text,
        rows=event_rows(session_id, trace.events, work.dispositions),
        frame_ids=names,
        dropped=dropped,
    )


def prepare(
    work: SessionWork,
    *,
    session: Session,
    steps: Sequence[Step],
    requests: Sequence,
    dom_text: Callable[[str], str | None],
    rows: Sequence[EventRow],
    frame_ids: Sequence[str],
    dropped: Sequence[Dropped],
    counts: dict[str, int] | None = None,
) -> SessionWork:
    """Assembles the prepared session; snapshots get running names, each distinct text once."""
    names: dict[str, str | None] = {}
    texts: dict[str, str] = {}
    by_text: dict[str, str] = {}
    made = []
    for recorded, step in zip(work.steps, steps, strict=True):
        # Of the recorded id, for scrubbing may have changed a session's that holds an address.
        task_id = published_task(recorded.task_id, work.ref.session_id, session.id)
        if task_id != recorded.task_id:
            step = msgspec.structs.replace(step, task_id=task_id)
        key = step.observation.dom
        if key is not None:
            if key not in names:
                text = dom_text(key)
                if text is not None and text not in by_text:
                    by_text[text] = f"d{len(by_text) + 1:04d}"
                    texts[by_text[text]] = text
                names[key] = by_text[text] if text is not None else None
            seen = msgspec.structs.replace(step.observation, dom=names[key])
            step = msgspec.structs.replace(step, observation=seen)
        made.append(step)
    all_dropped = (*work.dropped, *dropped)
    prepared = PreparedSession(
        session=session,
        steps=tuple(made),
        requests=tuple(requests),
        dom=texts,
        ledger=work.ledger,
        failures=tuple(msgspec.structs.replace(f, session_id=session.id) for f in work.failures),
        dropped=all_dropped,
        counts={**work.counts, **(counts or {})},
        frame_ids=tuple(frame_ids),
    )
    return msgspec.structs.replace(
        work, prepared=prepared, event_rows=tuple(rows), dropped=all_dropped
    )
