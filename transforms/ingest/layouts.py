"""Recognises how a session is laid out, from the names of files and the first bytes of some.

Names decide, wherever the files lie, so one function serves folders, archives and object stores.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Sequence

import msgspec

from transforms.json_lines import without_mark

NATIVE = "native"
TRACEPIPE = "tracepipe"
ALIEN = "alien"
UNKNOWN = "unknown"

_SURENESS = {TRACEPIPE: 0, ALIEN: 1, NATIVE: 2}
"""How far the file that a session is recognised by can be anything else."""

EVENTS_FILE = "input_events.jsonl"
TRAJECTORY_FILE = "trajectory.jsonl"
SESSION_FILE = "session.json"
NETWORK_FILES = ("network_traffic.jsonl", "network_traffic.har")
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")
_WEAK_FILES = {SESSION_FILE, "screenshots.jsonl", "dom.jsonl", *NETWORK_FILES}
"""Files of a session whose events are missing."""


def plain_name(name: str) -> str:
    """Returns a name without its gzip suffix."""
    return name.removesuffix(".gz").removesuffix(".gzip")


def find_roots(names: Iterable[str]) -> dict[str, str]:
    """Returns {folder: reader} of the sessions among relative paths; "" is the root itself.

    A session never holds another one, see :func:`_outermost`. A folder that has parts of a session
    but no events counts as a session too (it will be FAILED for that), unless real ones lie below
    it.
    """
    strong: dict[str, str] = {}
    weak: dict[str, str] = {}
    for name in names:
        folder, _, base = plain_name(name).rpartition("/")
        parent, _, last = folder.rpartition("/")
        if base == EVENTS_FILE:
            strong[folder] = NATIVE
        elif base == TRAJECTORY_FILE:
            if strong.get(folder) != NATIVE:
                strong[folder] = ALIEN
        elif base in _WEAK_FILES:
            weak.setdefault(folder, NATIVE)
        elif last == "input" and base.endswith(".json"):
            strong.setdefault(parent, TRACEPIPE)
        elif last == "screenshots" and base.lower().endswith(IMAGE_SUFFIXES):
            weak.setdefault(parent, NATIVE)
        elif parent.rpartition("/")[2] == "screenshot" and base.endswith(".json"):
            weak.setdefault(parent.rpartition("/")[0], TRACEPIPE)
    outermost = _outermost(strong)
    above = {a for folder in outermost for a in ancestors(folder)}
    for folder, reader in sorted(weak.items()):
        if folder in outermost or folder in above:
            continue
        if not any(a in outermost for a in ancestors(folder)):
            outermost[folder] = reader
    return dict(sorted(outermost.items()))


def _outermost(strong: dict[str, str]) -> dict[str, str]:
    """Returns those of the folders with events that lie in no other one.

    But ``input/*.json`` is a guess, and a trajectory may lie beside the sessions it was made of:
    such a folder gives way to several sessions below it, and to one of a surer kind.
    """
    inside: dict[str, list[str]] = {}
    for folder in strong:
        for outer in ancestors(folder):
            if outer in strong:
                inside.setdefault(outer, []).append(folder)
    found = dict(strong)
    for outer in sorted(inside, key=len, reverse=True):
        inner = [folder for folder in inside[outer] if folder in found]
        surer = any(_SURENESS[strong[f]] > _SURENESS[strong[outer]] for f in inner)
        if strong[outer] != NATIVE and (surer or len(inner) > 1):
            del found[outer]
        else:
            for folder in inner:
                del found[folder]
    return found


def ancestors(folder: str) -> list[str]:
    """Returns the folders above, nearest first, up to ""."""
    found = []
    while folder:
        folder = folder.rpartition("/")[0]
        found.append(folder)
    return found


def root_of(name: str, roots: dict[str, str]) -> str | None:
    """Returns the session folder a file belongs to."""
    return next((a for a in ancestors(name) if a in roots), None)


def sniff_lines(head: bytes) -> str | None:
    """Returns the reader for a JSON-lines file of any name, from its first line."""
    first = without_mark(head).lstrip().split(b"\n", 1)[0]
    try:
        record = msgspec.json.decode(first)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    if isinstance(record.get("action"), dict) and ("step_id" in record or "observation" in record):
        return ALIEN
    has_time = any(k in record for k in ("timestamp", "time_stamp", "ts", "time"))
    kind = record.get("type", record.get("event_type", record.get("action")))
    return NATIVE if has_time and isinstance(kind, str) else None


_BY_NAME = (
    (("*.trace", "*.network"), "a Playwright trace"),
    (("recording.db",), "an openadapt-capture recording"),
    (("meta.json", "events.jsonl", "frames/*"), "an openadapt-flow recording"),
    (("events.jsonl", "metadata.json"), "a DuckTrack or AgentNetTool recording"),
    (("response.log",), "a UFO log"),
    (("*.mht",), "a Problem Steps Recorder report"),
    (("manifest.json", "versions/*"), "an output of tracemill"),
)
_BY_HEAD = (
    ((b'"log"', b'"entries"'), "a HAR file without input events"),
    ((b'"title"', b'"steps"'), "a Chrome DevTools Recorder script"),
    ((b'"traj"',), "an OpenCUA AgentNet file"),
    ((b'"utterance"', b'"states"'), "a MiniWoB++ demonstration"),
    ((b'"episode_id"',), "a GUI-Odyssey or AndroidControl episode"),
    ((b'"schema_version"', b'"content"'), "an ADP trajectory"),
    ((b'"conversations"',), "ShareGPT training data"),
    ((b'"messages"',), "chat training data"),
    ((b'"type"', b'"timestamp"', b'"data"'), "an rrweb recording"),
)


def closest_dialect(names: Sequence[str], head: Callable[[str], bytes]) -> str | None:
    """Returns what else a folder or file looks like; ``head`` gives a file's first bytes."""
    bases = [(name, name.rpartition("/")[2]) for name in names]
    for patterns, dialect in _BY_NAME:
        if all(any(fnmatch.fnmatch(n, p) or b == p for n, b in bases) for p in patterns):
            return dialect
    for name, base in bases[:20]:
        if base.lower().endswith((".json", ".jsonl", ".har")):
            start = head(name)
            for marks, dialect in _BY_HEAD:
                if all(mark in start for mark in marks):
                    return dialect
    if any(base.lower().endswith((".mp4", ".webm", ".mkv")) for _, base in bases):
        return "a screen video without input events"
    return None
