"""The parsed DOM and accessibility snapshots of the session that is being worked on.

Three fused stages need them one after the other, and parsing is a good part of their work, so the
trees of the latest session are kept. Trees are read, never changed.
"""

from __future__ import annotations

import threading

from schemas.outcomes import Dropped
from schemas.traces import DomSnapshot, SessionRef, Trace
from transforms.dom import DomDefect, DomTree, parse_dom
from transforms.session_files import DamagedFileError, SessionFiles, open_session_files

MAX_DOM_BYTES = 20 << 20
MAX_KEPT_BYTES = 64 << 20
"""Of a session with more snapshots than this (as files), each stage parses the rest again."""

_of_thread = threading.local()


class SessionSnapshots:
    """Parses the snapshots of one session, each at most once while they are kept."""

    def __init__(self, trace: Trace, files: SessionFiles):
        self._by_file = {s.file: s for s in trace.dom}
        self._files = files
        self._trees: dict[str, DomTree] = {}
        self._kept_bytes = 0
        self.defects: dict[str, Dropped] = {}
        """Snapshots that could not be parsed, by file."""

    def tree(self, file: str) -> DomTree | None:
        """Returns a snapshot's tree; None, and an entry in ``defects``, when it has none."""
        if file in self.defects:
            return None
        if file in self._trees:
            return self._trees[file]
        snapshot = self._by_file[file]
        try:
            tree = _parsed(self._files, snapshot)
        except (DomDefect, DamagedFileError) as defect:
            self.defects[file] = Dropped(kind="dom", record=file, reason=defect.code)
            return None
        self._kept_bytes += snapshot.size_bytes
        if self._kept_bytes <= MAX_KEPT_BYTES:
            self._trees[file] = tree
        return tree

    def trees(self) -> dict[str, DomTree]:
        """Returns file → tree of every snapshot that could be parsed."""
        made = {file: self.tree(file) for file in self._by_file}
        return {file: tree for file, tree in made.items() if tree is not None}


def _parsed(files: SessionFiles, snapshot: DomSnapshot) -> DomTree:
    data = snapshot.inline
    if data is None:
        data = files.read(snapshot.file, MAX_DOM_BYTES)
    return parse_dom(data, snapshot.format, max_bytes=MAX_DOM_BYTES)


def session_snapshots(ref: SessionRef, trace: Trace) -> SessionSnapshots:
    """Returns the snapshots of a session; of the latest one of this thread, those kept."""
    latest = getattr(_of_thread, "latest", None)
    if latest is None or latest[0] is not trace:
        latest = (trace, SessionSnapshots(trace, open_session_files(ref)))
        _of_thread.latest = latest
    return latest[1]
