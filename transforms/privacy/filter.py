"""The PrivacyFilter of one process: finders and engines, applied to one session at a time.

Locate everything first, replace afterwards: fields, key sequences, text and pixels feed one list
of findings; what text finds is searched for in pixels and the other way round; then both are
redacted. Findings are in clear and stay in memory.
"""

from __future__ import annotations

import re
import threading

import msgspec

from schemas.findings import Findings, Found
from schemas.outcomes import Failure
from schemas.traces import Frame
from schemas.work import SessionWork
from transforms.checkpoints import CheckpointKeys
from transforms.keys import session_key
from transforms.privacy.boxes import sensitive_boxes
from transforms.privacy.pixels.engine import OcrEngine, load_engine
from transforms.privacy.pixels.locate import locate_regions
from transforms.privacy.pixels.models import models_folder
from transforms.privacy.pixels.pictures import Pictures
from transforms.privacy.pixels.redact import redact_frame
from transforms.privacy.publish import (
    MAX_FRAME_BYTES,
    event_rows,
    prepare,
    publish_frames,
    published_record,
)
from transforms.privacy.session_order import counts_of
from transforms.privacy.settings import PrivacySettings, PublishSettings
from transforms.privacy.text import (
    NAMED_ENTITIES,
    SessionScrubber,
    TextFinder,
)
from transforms.privacy.verify import value_digests
from transforms.privacy.words import is_interface_word
from transforms.session_files import open_session_files
from transforms.snapshots import session_snapshots

KINDS = {"png": "png", "jpg": "jpeg", "webp": "webp"}
"""Extension → format name, as frames are described."""
UNREAD_MODES = frozenset(["off", "withhold"])


class PrivacyFilter:
    """Locates and redacts sessions. Loading it takes seconds, so a process keeps one."""

    def __init__(self, settings: PrivacySettings):
        assert settings.scrubber is not None
        self.settings = settings
        self.config = settings.scrubber
        self.finder = TextFinder(self.config)
        self.engine: OcrEngine | None = None
        if settings.pixels.mode not in UNREAD_MODES:
            self.engine = load_engine(models_folder(), settings.pixels.max_det_pixels)

    def scrubber(self, work: SessionWork, keys: CheckpointKeys) -> SessionScrubber:
        """Returns the scrubber of one session, with that session's key."""
        key = session_key(keys.project_key, work.ref.session_id)
        return SessionScrubber(self.finder, self.config, key)

    def locate(self, work: SessionWork, keys: CheckpointKeys) -> SessionWork:
        """Fills in the findings of a session: values, regions of frames, frames to withhold."""
        trace = work.trace
        assert trace is not None
        files = open_session_files(work.ref)
        trees = session_snapshots(work.ref, trace).trees()
        scrubber = self.scrubber(work, keys)
        values, counts = scrubber.locate(work, trees)
        fields = scrubber.fields_of(work, trees)

        pictures = Pictures(self.settings.pixels.max_pixels)

        def load(frame: Frame):
            return pictures.pixels(files.read(frame.file, MAX_FRAME_BYTES))

        regions, read, withheld, seen = locate_regions(
            self._used_frames(work),
            load,
            lambda text: self.finder.find(text, "ocr"),
            values,
            sensitive_boxes(trace, trees, fields.of_node),
            self.engine,
            self.settings.pixels,
            prepare=lambda texts: self.finder.find_many(texts, "ocr"),
        )
        findings = Findings(
            values=with_read(values, read),
            regions=regions,
            withheld=withheld,
            counts={**counts, **seen},
        )
        return msgspec.structs.replace(work, findings=findings)

    def _used_frames(self, work: SessionWork) -> list[Frame]:
        assert work.trace is not None
        used = {s.observation.frame for s in work.steps}
        frames = [f for f in work.trace.frames if f.file in used]
        return sorted(frames, key=lambda f: (f.timestamp_us, f.file))

    def redact(
        self, work: SessionWork, keys: CheckpointKeys, publishing: PublishSettings
    ) -> SessionWork:
        """Replaces what was found, publishes frames, and assembles the prepared session."""
        trace, findings = work.trace, work.findings
        assert trace is not None and findings is not None
        files = open_session_files(work.ref)
        trees = session_snapshots(work.ref, trace).trees()
        session_id = keys.published_id(work.ref.session_id)
        made = self.scrubber(work, keys).redact(work, trees, findings.values)
        key = session_key(keys.project_key, work.ref.session_id)
        published_key = session_key(keys.project_key, session_id)

        def redact(frame: Frame, data: bytes) -> tuple[bytes, str]:
            regions = findings.regions.get(frame.file, ())
            data, extension = redact_frame(data, regions, self.settings.pixels, key)
            return data, KINDS[extension]

        steps, names, dropped = publish_frames(
            made.steps, trace.frames, files, redact, findings.withheld, publishing
        )
        scrubbed = msgspec.structs.replace(
            work,
            ledger=made.ledger,
            counts=counts_of(work.counts, trace.events, {event.id for event in made.events}),
            failures=made.failures,
            dropped=made.dropped,
            findings=None,
            digests=tuple(sorted(value_digests(findings.values, published_key))),
        )
        return prepare(
            scrubbed,
            session=published_record(made.session, session_id, keys),
            steps=steps,
            requests=made.requests,
            dom_text=made.dom.get,
            rows=event_rows(session_id, made.events, made.dispositions),
            frame_ids=names,
            dropped=[
                msgspec.structs.replace(d, record=self._name(d.record, work, keys)) for d in dropped
            ],
            counts={f"privacy/{k}": n for k, n in {**findings.counts, **made.counts}.items()},
        )

    def redact_failed(self, work: SessionWork, keys: CheckpointKeys) -> SessionWork:
        """Scrubs what is kept of a session that failed before: file names in its failures."""
        failures = tuple(self._scrubbed(f, work, keys) for f in work.failures)
        dropped = tuple(
            msgspec.structs.replace(d, record=self._name(d.record, work, keys))
            for d in work.dropped
        )
        return msgspec.structs.replace(work, failures=failures, dropped=dropped)

    def _scrubbed(self, failure: Failure, work: SessionWork, keys: CheckpointKeys) -> Failure:
        if failure.file is None or failure.code == "internal_error":
            return failure
        return msgspec.structs.replace(failure, file=self._name(failure.file, work, keys))

    def _name(self, name: str, work: SessionWork, keys: CheckpointKeys) -> str:
        return self.scrubber(work, keys).redact_text(name, "prose", ())


def with_read(values: tuple[Found, ...], read: tuple[Found, ...]) -> tuple[Found, ...]:
    """Returns values with those that only pixels showed and that texts are searched for."""
    known = {(v.value, v.entity) for v in values}
    return (*values, *(v for v in read if (v.value, v.entity) not in known and _is_telling(v)))


def _is_telling(found: Found) -> bool:
    """Whether what pixels alone showed is searched for in texts too.

    Words of interfaces that were taken for something else are not. A name is only when it has two
    real words: recognisers misread "1 pt" as one now and then, and every "1 pt" of the session
    would go. Where it was read, it is blurred in any case.
    """
    if is_interface_word(found.value):
        return False
    if found.entity not in NAMED_ENTITIES:
        return True
    words = re.findall(r"[^\W\d_]{3,}", found.value)
    return len(words) >= 2


_loaded: list[PrivacyFilter] = []
_loading = threading.Lock()


def privacy_filter(settings: PrivacySettings) -> PrivacyFilter:
    """Returns this process's filter for the settings; stages of one process share it."""
    with _loading:
        if not _loaded or _loaded[0].settings != settings:
            _loaded[:] = [PrivacyFilter(settings)]
        return _loaded[0]
