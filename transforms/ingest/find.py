"""Finds the sessions behind ``--input``: folders, files, archives and globs, local or remote.

Sessions are recognised by what they contain (:mod:`transforms.ingest.layouts`). Nothing is passed
over in silence: see :class:`FoundSessions`.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from schemas.traces import SessionRef
from transforms import storage
from transforms.archives import Archive, DamagedFileError, open_archive
from transforms.ingest import layouts
from transforms.ingest.session_list import Listed, SessionListError, is_list, read_list
from transforms.json_lines import without_mark
from transforms.keys import stable_hash
from transforms.listings import Listing, list_folder, readable
from transforms.session_files import (
    ArchiveFiles,
    FolderFiles,
    SessionFiles,
    only_file,
    single_file,
)

FINGERPRINTS = ("stat", "content")
MAX_SNIFFED_FILES = 1000
HEAD_BYTES = 64 << 10
MAX_RECORD_BYTES = 1 << 20
MAX_ID_LENGTH = 256
MAX_DESCRIBED = 100
"""Passed over files and folders that are looked into, for what they may be."""
LISTING_THREADS = 16
_UNKNOWN = "unknown_layout"


class InputError(ValueError):
    """An ``--input`` that names nothing to read; the message names it and what is expected."""


class PassedOver(msgspec.Struct, frozen=True, order=True):
    """A folder or file that was seen and is no session, or one that was read already."""

    uri: str
    reason: str
    dialect: str = ""
    """What it looks like, which is not read."""

    @property
    def kind(self) -> str:
        """Says what it is without naming it."""
        return f"{self.reason} ({self.dialect})" if self.dialect else self.reason


class FoundSessions(msgspec.Struct, frozen=True, kw_only=True):
    """All that was found, and what was not taken."""

    sessions: list[SessionRef]
    """Largest first, then by id; ``defect`` is set on those that will be FAILED."""
    passed_over: list[PassedOver]
    """Sorted; of a folder without any session there is one entry. Byte-identical copies of a
    session above (equal id and content) are among them: ``identical_copy``."""


class _Candidate(msgspec.Struct, frozen=True):
    uri: str
    layout: str
    files: SessionFiles | None
    stats: dict[str, storage.FileStat]
    member: str = ""
    defect: str = ""
    listed_in: str = ""
    listed: Listed | None = None


def find_sessions(
    patterns: Sequence[str], *, fingerprint: str = "stat", exclude: Sequence[str] = ()
) -> list[SessionRef]:
    """Returns the sessions behind folders, files, archives and globs; see :func:`find_inputs`."""
    return find_inputs(patterns, fingerprint=fingerprint, exclude=exclude).sessions


def find_inputs(
    patterns: Sequence[str], *, fingerprint: str = "stat", exclude: Sequence[str] = ()
) -> FoundSessions:
    """Finds sessions and says what was not taken.

    ``fingerprint`` is over (relative path, size, version) of a session's files, or over their
    bytes (``content``). ``exclude`` are globs or folders that are not looked into. Raises
    InputError when a pattern matches nothing, or nothing that is a session; a folder or file that
    is named without a wildcard and is no session gives a reference with the defect
    ``unknown_layout`` instead.
    """
    if fingerprint not in FINGERPRINTS:
        raise ValueError(f"fingerprint {fingerprint!r}: one of {', '.join(FINGERPRINTS)}")
    search = _Search([_absolute(e) for e in exclude])
    for pattern in patterns:
        search.add(pattern)
    sessions, copies = _resolved(list(search.candidates.values()), fingerprint)
    return FoundSessions(sessions=sessions, passed_over=sorted({*search.passed_over, *copies}))


def _absolute(uri: str) -> str:
    if not storage.is_local(uri):
        return uri.rstrip("/")
    return os.path.abspath(os.path.expanduser(str(storage.local_path(uri))))


class _Search:
    """Collects candidates over several patterns; a session that two of them reach counts once."""

    def __init__(self, exclude: list[str]):
        # A folder that fits is left out with everything below it.
        globs = (fnmatch.translate(e).removesuffix("\\Z") for e in exclude)
        self._exclude = re.compile("|".join(f"{g}(?:/.*)?\\Z" for g in globs)) if exclude else None
        self.candidates: dict[tuple[str, str], _Candidate] = {}
        self.passed_over: list[PassedOver] = []
        self._listings: dict[str, Listing] = {}

    def add(self, pattern: str) -> None:
        place = _absolute(pattern)
        named = not any(c in place for c in "*?[") or storage.exists(place)
        if named and storage.is_local(place):
            uris = [place] if storage.exists(place) else []
        else:
            uris = storage.glob(place)
        # A list may lie inside the output: it is named itself, and holds no sessions.
        lists = [u for u in uris if named and _is_file(u) and is_list(_head(u))]
        seen = bool(uris)
        uris = [u for u in uris if u in lists or not self._excluded(u)]
        if seen and not uris:
            raise InputError(f"--input {pattern}: that is where the run writes, not where it reads")
        if not uris:
            raise InputError(
                f"--input {pattern}: nothing is there; give a session folder, a folder of "
                "sessions, an archive, a trajectory.jsonl, or a glob of these"
            )
        found = False
        for uri in uris:
            candidates = list(self._in_list(uri) if uri in lists else self._at(uri))
            if not candidates and named:
                candidates = [self._unknown(uri)]
            for candidate in map(_with_a_name, candidates):
                self.candidates.setdefault((candidate.uri, candidate.member), candidate)
            found = found or bool(candidates)
            if not candidates and not self._part_of_session(uri):
                self._pass_over(uri, dialect=closest_dialect(uri) if self._describes() else "")
        if not found:
            hint = next(filter(None, (looks_like(uri) for uri in uris[:20])), "")
            raise InputError(f"--input {pattern}: {len(uris)} matches, none is a session{hint}")

    def _excluded(self, uri: str) -> bool:
        return self._exclude is not None and bool(self._exclude.match(uri))

    def _describes(self) -> bool:
        return len(self.passed_over) < MAX_DESCRIBED

    def _pass_over(self, uri: str, reason: str = _UNKNOWN, dialect: str = "") -> None:
        self.passed_over.append(PassedOver(readable(uri), reason, dialect))

    def _pass_over_rest(
        self, uri: str, files: SessionFiles, rest: Listing, roots: Iterable[str]
    ) -> None:
        """Notes what lies beside the sessions, a folder without any as one."""
        for name, code in rest.refused.items():
            self._pass_over(f"{uri}/{name}", code)
        above = {folder for root in roots for folder in layouts.ancestors(root)}
        groups: dict[str, list[str]] = {}
        for name in rest.files:
            folders = [f for f in reversed(layouts.ancestors(name)) if f and f not in above]
            groups.setdefault(folders[0] if folders else name, []).append(name)
        for group, names in groups.items():
            dialect = self._describes() and layouts.closest_dialect(names, _head_in(files))
            self._pass_over(f"{uri}/{group}", dialect=dialect or "")

    def _part_of_session(self, uri: str) -> bool:
        """Whether a match such as ``s1/screenshots`` lies in a session found by its neighbour."""
        return any(uri.startswith(root + "/") for root, _ in self.candidates)

    def _listing(self, folder: str) -> Listing:
        if folder not in self._listings:
            try:
                self._listings[folder] = list_folder(folder, self._excluded)
            except PermissionError as error:
                place = str(error.filename).rstrip("/")
                raise InputError(f"--input {place}: may not be listed") from None
            except (FileNotFoundError, NotADirectoryError):  # a link to nowhere, a socket
                self._listings[folder] = Listing({}, {})
        return self._listings[folder]

    def _at(self, uri: str) -> Iterable[_Candidate]:
        if not _is_file(uri):
            yield from self._in_folder(uri)
            return
        folder, _, name = uri.rpartition("/")
        base = layouts.plain_name(name)
        if base in (layouts.EVENTS_FILE, layouts.TRAJECTORY_FILE, layouts.SESSION_FILE):
            listing = self._listing(folder)
            reader = layouts.find_roots(listing.files).get("")
            if reader:
                yield _Candidate(folder, reader, FolderFiles(folder, listing), listing.files)
                return
        try:
            archive = open_archive(uri)
        except DamagedFileError as error:
            yield _Candidate(uri, f"{layouts.UNKNOWN}-archive", None, {}, defect=error.code)
            return
        if archive is not None:
            yield from self._in_archive(archive)
            return
        yield from self._single(uri)

    def _in_list(self, uri: str) -> Iterable[_Candidate]:
        """The sessions that a list of records names; what isn't there will be FAILED."""
        try:
            listed = read_list(uri)
        except SessionListError as error:
            raise InputError(f"--input {error}") from None
        for one in listed:
            there = storage.exists(one.place) or bool(storage.glob(f"{one.place}/*"))
            found = list(self._at(one.place)) if there else []
            if len(found) == 1:
                candidate = found[0]
            else:
                defect = _UNKNOWN if there else "missing_input_events"
                candidate = _Candidate(one.place, layouts.UNKNOWN, None, {}, defect=defect)
            yield msgspec.structs.replace(candidate, listed_in=uri, listed=one)

    def _in_folder(self, uri: str) -> Iterable[_Candidate]:
        listing = self._listing(uri)
        roots = layouts.find_roots([*listing.files, *listing.refused])
        parts, rest = _parts(listing, roots)
        for root, reader in roots.items():
            place, part = storage.join(uri, root), parts[root]
            if part.files:
                yield _Candidate(place, reader, FolderFiles(place, part), part.files)
            else:
                code = next(iter(part.refused.values()))
                yield _Candidate(place, layouts.UNKNOWN, None, {}, defect=code)
        found = bool(roots)
        sniffed = 0
        for name, stat in list(rest.files.items()):
            inside: list[_Candidate] = []
            if name.lower().endswith(layouts.ARCHIVE_SUFFIXES):
                inside = list(self._at(stat.uri))
            elif layouts.plain_name(name).endswith(".jsonl") and sniffed < MAX_SNIFFED_FILES:
                sniffed += 1
                inside = list(self._single(stat.uri))
            if inside:
                found = True
                del rest.files[name]
            yield from inside
        if found:
            self._pass_over_rest(uri, FolderFiles(uri, listing), rest, roots)

    def _in_archive(self, archive: Archive) -> Iterable[_Candidate]:
        listing = archive.listing
        roots = layouts.find_roots([*listing.files, *listing.refused])
        parts, rest = _parts(listing, roots)
        for root, reader in roots.items():
            files = ArchiveFiles(archive, root)
            layout = f"{reader}-archive"
            yield _Candidate(archive.uri, layout, files, parts[root].files, member=root)
        if roots:
            self._pass_over_rest(archive.uri, ArchiveFiles(archive, ""), rest, roots)

    def _single(self, uri: str) -> Iterable[_Candidate]:
        """A JSON-lines file of any name whose first line says what it is."""
        folder, _, base = uri.rpartition("/")
        files = only_file(folder, base, self._listing(folder or "/"))
        name = layouts.plain_name(base)
        if name not in files:
            return
        try:
            with files.open(name) as f:
                reader = layouts.sniff_lines(f.read(HEAD_BYTES))
        except DamagedFileError as error:
            yield _Candidate(uri, f"{layouts.UNKNOWN}-file", None, {}, defect=error.code)
            return
        if reader:
            yield _Candidate(uri, f"{reader}-file", files, files.stats)

    def _unknown(self, uri: str) -> _Candidate:
        if _is_file(uri):
            files = single_file(uri)
            return _Candidate(uri, f"{layouts.UNKNOWN}-file", files, files.stats, "", _UNKNOWN)
        listing = self._listing(uri)
        return _Candidate(
            uri, layouts.UNKNOWN, FolderFiles(uri, listing), listing.files, "", _UNKNOWN
        )


def _head(uri: str) -> bytes:
    with storage.open_read(uri) as f:
        return f.read(HEAD_BYTES)


def _is_file(uri: str) -> bool:
    if storage.is_local(uri):
        return storage.local_path(uri).is_file()
    return storage.exists(uri)


def _parts(listing: Listing, roots: dict[str, str]) -> tuple[dict[str, Listing], Listing]:
    """Splits a listing into those of its sessions, with relative names, and the rest."""
    parts = {root: Listing({}, {}) for root in roots}
    loose = Listing({}, {})
    for name, stat in listing.files.items():
        root = layouts.root_of(name, roots)
        if root is None:
            loose.files[name] = stat
        else:
            parts[root].files[name[len(root) + 1 :] if root else name] = stat
    for name, code in listing.refused.items():
        root = layouts.root_of(name, roots)
        if root is None:
            loose.refused[name] = code
        else:
            parts[root].refused[name[len(root) + 1 :] if root else name] = code
    return parts, loose


def _with_a_name(candidate: _Candidate) -> _Candidate:
    """What cannot be named in UTF-8 cannot be told of, so it is FAILED under a readable name."""
    uri, member = readable(candidate.uri), readable(candidate.member)
    if (uri, member) == (candidate.uri, candidate.member):
        return candidate
    return _Candidate(uri, layouts.UNKNOWN, None, {}, member, defect="not_utf8")


def _head_in(files: SessionFiles) -> Callable[[str], bytes]:
    """Returns what reads a file's first bytes; none where they cannot be read."""

    def head(name: str) -> bytes:
        try:
            with files.open(name) as f:
                return f.read(HEAD_BYTES)
        except (DamagedFileError, OSError):
            return b""

    return head


def looks_like(uri: str) -> str:
    """Returns "; it looks like …, which is not read" for a folder or file, or "" if it doesn't."""
    dialect = closest_dialect(uri)
    return f"; it looks like {dialect}, which is not read" if dialect else ""


def closest_dialect(uri: str) -> str:
    """Returns what else a folder or file looks like, or ""."""
    try:
        if not _is_file(uri):
            files: SessionFiles = FolderFiles(uri, list_folder(uri))
        elif archive := open_archive(uri):
            files = ArchiveFiles(archive, "")
        else:
            files = single_file(uri)
    except (DamagedFileError, OSError):
        return ""
    return layouts.closest_dialect(files.names(), _head_in(files)) or ""


def _resolved(
    candidates: list[_Candidate], fingerprint: str
) -> tuple[list[SessionRef], list[PassedOver]]:
    """Returns the sessions of all candidates, and the copies among them."""

    def ref_of(candidate: _Candidate) -> SessionRef:
        return _ref(candidate, fingerprint)

    if any(not storage.is_local(c.uri) for c in candidates):
        # Each session costs a request or two; object stores answer many at once.
        with ThreadPoolExecutor(LISTING_THREADS) as pool:
            refs = list(pool.map(ref_of, candidates))
    else:
        refs = [ref_of(c) for c in candidates]
    by_id: dict[str, list[tuple[SessionRef, _Candidate]]] = {}
    for ref, candidate in zip(refs, candidates, strict=True):
        by_id.setdefault(_id_key(ref.session_id), []).append((ref, candidate))
    sessions: list[SessionRef] = []
    copies: list[PassedOver] = []
    for same in by_id.values():
        same.sort(key=lambda pair: (pair[0].uri, pair[0].member))
        distinct: dict[str, SessionRef] = {}
        for ref, candidate in same:
            content = ref.fingerprint
            if len(same) > 1 and candidate.files is not None and fingerprint != "content":
                content = candidate.files.content_digest()
            if content in distinct:
                copies.append(PassedOver(storage.join(ref.uri, ref.member), "identical_copy"))
            else:
                distinct[content] = ref
        clash = len(distinct) > 1
        sessions.extend(
            msgspec.structs.replace(ref, defect="duplicate_session") if clash else ref
            for ref in distinct.values()
        )
    sessions.sort(key=lambda r: (-r.size_bytes, r.session_id, r.uri, r.member))
    return sessions, copies


def _ref(candidate: _Candidate, fingerprint: str) -> SessionRef:
    files = candidate.files
    if files is None:
        print_of = stable_hash("defect", candidate.uri, candidate.defect)
    elif fingerprint == "content":
        print_of = files.content_digest()
    else:
        print_of = stable_hash(
            "stat", [(n, s.size, s.version) for n, s in sorted(candidate.stats.items())]
        )
    if candidate.listed is not None:
        # What the record says of the session is part of it.
        print_of = stable_hash("listed", print_of, candidate.listed.line.decode("utf-8", "replace"))
    return SessionRef(
        session_id=_session_id(candidate),
        uri=candidate.uri,
        layout=candidate.layout,
        size_bytes=sum(s.size for s in candidate.stats.values()),
        fingerprint=print_of,
        member=candidate.member,
        defect=candidate.defect,
        listed_in=candidate.listed_in,
        listed_at=candidate.listed.offset if candidate.listed else 0,
    )


def _session_id(candidate: _Candidate) -> str:
    """Returns the list's id, else session.json's, else the name of folder, archive or file."""
    files = candidate.files
    if candidate.listed is not None and usable_id(candidate.listed.session_id):
        return candidate.listed.session_id
    if files is not None and layouts.SESSION_FILE in files and "file" not in candidate.layout:
        try:
            record = msgspec.json.decode(
                without_mark(files.read(layouts.SESSION_FILE, MAX_RECORD_BYTES))
            )
            given = record.get("id", record.get("session_id"))
            if usable_id(str(given)) and isinstance(given, str | int):
                return str(given)
        except (
            DamagedFileError,
            OSError,
            msgspec.DecodeError,
            UnicodeError,
            AttributeError,
            RecursionError,
        ):
            pass  # reading reports the damage; the folder's name will do here
    name = storage.name_of(candidate.member or candidate.uri)
    if candidate.layout.endswith(("-archive", "-file")) and not candidate.member:
        name = layouts.plain_name(name)
        for suffix in (*layouts.ARCHIVE_SUFFIXES, ".jsonl"):
            name = name.removesuffix(suffix) or name
    return name if usable_id(name) else hashlib.sha256(os.fsencode(name)).hexdigest()[:32]


def usable_id(text: str) -> bool:
    """Whether a text can be a session's id: not empty, not endless, printable, encodable."""
    if not 0 < len(text) <= MAX_ID_LENGTH or text != text.strip():
        return False
    return not any(c < " " or c == "\x7f" or "\ud800" <= c <= "\udfff" for c in text)


def _id_key(session_id: str) -> str:
    """Folds the spellings of a UUID, which are published as one."""
    try:
        return str(uuid.UUID(session_id))
    except ValueError:
        return session_id
