"""A run for what waits in the backend: take it, run the job, say how it ended.

The input of such a run is every session taken so far (``PRIVATE/backend/sessions.jsonl``), so the
dataset grows, and what was computed before is not computed again.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from pipeline.backend.client import BackendClient, RequestRefused, read_backend_key
from pipeline.backend.entities import fetch_catalogue
from pipeline.backend.register import (
    COMPLETED,
    FAILED,
    FINAL,
    PENDING,
    PROCESSING,
    Register,
    Row,
)
from pipeline.backend.sessions import SESSION_LIST, read_sessions, write_sessions
from pipeline.dataset import read_table
from pipeline.locks import only_run
from pipeline.options import Options, UsageError
from pipeline.settings import forgotten_sessions, make_private, project_key
from schemas.outcomes import is_volatile
from transforms import storage
from transforms.catalogue import given_id
from transforms.ingest.find import usable_id
from transforms.keys import published_session_id
from transforms.listings import UnsafePathError, resolve_inside
from transforms.write.manifest import read_manifest

LISTED_FROM = 20
"""With more new sessions than this the list of all is paged through instead of asking for each."""


@contextlib.contextmanager
def taken_work(options: Options) -> Iterator[Work]:
    """Takes what waits; gives the Work whose ``options`` the job is to be run with.

    Raises UsageError, and BackendFault when the backend is away or refuses the key.
    """
    key = read_backend_key(options.backend_key_file)
    make_private(options.private_root)
    folder = storage.join(options.private_root, "backend")
    with only_run(folder), BackendClient(options.backend_url or "", key) as client:
        yield Work(options, client, folder)


class Work:
    """One run's dealings with the backend."""

    def __init__(self, options: Options, client: BackendClient, folder: str):
        self.client = client
        self.register = Register(folder)
        self.notes: list[str] = []
        """Lines for the person who started the run."""
        self._told: Counter[str] = Counter()
        self._list = storage.join(folder, SESSION_LIST)
        self._sessions = read_sessions(self._list)
        self._roots = options.input
        self._told += self.register.send(client).sent  # what an earlier run could not send
        waiting = [*self._named(options), *(self._pending() if options.pending else [])]
        chosen, self.configurations = self._choose(options, waiting)
        self._take(chosen)
        self.options = self._job_options(options, folder)
        self._start()

    @property
    def idle(self) -> bool:
        """Whether there is nothing to run, now or from before."""
        return not self._sessions

    def _pending(self) -> list[Row]:
        known = self.register.known()
        found = self.client.pages("examples", status=PENDING)
        return [_row(given) for given in found if given.get("id") not in known]

    def _named(self, options: Options) -> list[Row]:
        """The Examples of ``--session``: those that wait, else new ones."""
        rows: list[Row] = []
        known = self.register.known()
        taken = {row.session_id for row in self.register.rows}
        for session_id in dict.fromkeys(options.session):
            waiting = [
                _row(given)
                for given in self.client.pages("examples", session_id=session_id)
                if str(given.get("status", "")).upper() == PENDING and given.get("id") not in known
            ]
            if not waiting and session_id not in taken:
                waiting = self._new_rows(options, session_id)
            rows += waiting
        return rows

    def _new_rows(self, options: Options, session_id: str) -> list[Row]:
        if not options.backend_model_id:
            raise UsageError(
                f"--session {session_id}: no Example of it waits in the backend; to create one, "
                "give --backend_model_id (the id of its Model there)"
            )
        return [
            Row(
                session_id=session_id,
                model_id=options.backend_model_id,
                model_configuration=configuration,
                action_tool_map_id=map_id,
            )
            for configuration in options.configurations
            for map_id in options.action_tool_map or (None,)
        ]

    def _choose(
        self, options: Options, waiting: list[Row]
    ) -> tuple[list[Row], tuple[dict[str, Any], ...]]:
        """Returns the rows that this run can answer, and its model configurations."""
        if options.model_configuration:
            wanted = options.configurations
        else:
            wanted = _distinct([*self.register.rows, *waiting]) or ({},)
            if len(wanted) > 1:
                each = "; ".join(msgspec.json.encode(c).decode() for c in wanted)
                raise UsageError(
                    f"Examples of {len(wanted)} model configurations wait or were made here: "
                    f"{each}; choose with --model_configuration, and give each its own --output"
                )
        rows = [row for row in waiting if row.model_configuration in wanted]
        if left := len(waiting) - len(rows):
            self.notes.append(f"{left} Examples wait for another model configuration")
        return rows, wanted

    def _take(self, rows: list[Row]) -> None:
        """Adds rows to the register and their sessions to the list."""
        records = self._records({r.session_id for r in rows} - set(self._sessions))
        for row in rows:
            self.register.rows.append(row)
            record = records.get(row.session_id)
            if row.session_id in self._sessions:
                continue
            if isinstance(record, str):
                row.want(FAILED, error=_error(record))
                continue
            try:
                self._sessions[row.session_id] = _placed(record or {}, self._roots)
            except UnsafePathError:
                row.want(FAILED, error=_error("unsafe_storage_path"))
        self.register.save()
        write_sessions(self._list, self._sessions)

    def _records(self, wanted: set[str]) -> dict[str, dict[str, Any] | str]:
        """Returns the Session record of each id, or the failure code of one that has none."""
        found: dict[str, dict[str, Any] | str] = {}
        if len(wanted) > LISTED_FROM:
            for record in self.client.pages("sessions"):
                if record.get("id") in wanted:
                    found[str(record["id"])] = record
        for session_id in sorted(wanted - set(found)):
            try:
                found[session_id] = self.client.get("sessions", session_id)
            except RequestRefused:
                found[session_id] = "unknown_session"
        return {
            id_: record if isinstance(record, str) or usable_id(id_) else "unusable_session_id"
            for id_, record in found.items()
        }

    def _job_options(self, options: Options, folder: str) -> Options:
        """Returns the options of the job: input and catalogue from the backend."""
        if self.idle:
            return options
        suite = options.suite or self._fetched_catalogue(folder)
        texts = tuple(msgspec.json.encode(c).decode() for c in self.configurations)
        return dataclasses.replace(
            options, input=(self._list,), suite=suite, model_configuration=texts
        )

    def _fetched_catalogue(self, folder: str) -> str:
        """Writes the catalogue of all sessions; returns where."""
        rows = [r for r in self.register.rows if r.session_id in self._sessions]
        fetched = fetch_catalogue(
            self.client,
            {str(s["suite_id"]) for s in self._sessions.values() if s["suite_id"]},
            {r.action_tool_map_id for r in rows if r.action_tool_map_id},
        )
        if not fetched.content["suites"]:
            raise UsageError("the backend has none of the Suites that its Examples are of")
        for row in rows:
            if row.action_tool_map_id in fetched.missing and row.wanted.status not in FINAL:
                row.want(FAILED, error=_error("unknown_action_tool_map"))
        suite = storage.join(folder, "catalogue.json")
        storage.write_bytes(suite, msgspec.json.encode(fetched.content), mode=0o600)
        return suite

    def _start(self) -> None:
        """Says that processing begins; the run doesn't depend on whether it arrives."""
        for row in self.register.rows:
            if row.wanted.status == PENDING and row.session_id in self._sessions:
                row.want(PROCESSING)
        self._send()

    def finish(self) -> None:
        """Says how each Example ended, as the published version has it.

        To be called only when that version is what this run came to.
        """
        self._derive()
        self.register.save()
        self._send()
        told = ", ".join(f"{n} {s}" for s, n in sorted(self._told.items()) if s in FINAL)
        self.notes.append(f"backend: {told or 'nothing new'}")
        if waits := sum(row.wanted.status == PROCESSING for row in self.register.rows):
            self.notes.append(
                f"backend: {waits} Examples stay PROCESSING: they wait for review or another run"
            )

    def _send(self) -> None:
        """Sends what waits, and notes what could not be sent."""
        sent = self.register.send(self.client)
        self._told += sent.sent
        if sent.waiting:
            self.notes.append(
                f"backend: {sent.waiting} updates could not be sent and are kept for the next run "
                f"({sent.fault})"
            )
        if sent.refused:
            self.notes.append(f"backend: {sent.refused} updates were refused ({sent.fault})")

    def _derive(self) -> None:
        """Sets what the backend shall know of each row, from what is published."""
        output = self.options.output or ""
        manifest = read_manifest(output)
        if manifest is None:
            return
        key = project_key(self.options)
        forgotten = forgotten_sessions(self.options.private_root)
        columns = ["session_id", "status", "error_code"]
        sessions = {
            session["session_id"]: session
            for session in read_table(output, "sessions", columns).to_pylist()
        }
        examples: dict[str, list[dict[str, Any]]] = {}
        for example in read_table(output, "examples", _EXAMPLE_COLUMNS).to_pylist():
            example["model_configuration"] = msgspec.json.decode(example["model_configuration"])
            examples.setdefault(example["session_id"], []).append(example)
        # `dataset` always leads to the current version, but only a local disk has such a link.
        root = storage.join(output, "dataset" if storage.is_local(output) else manifest["path"])
        further = {(row.first, row.task) for row in self.register.rows}
        for row in self.register.rows:  # grows while it is walked
            published = published_session_id(key, row.session_id)
            if published in forgotten:
                row.want(FAILED, error=_error("forgotten"))
            here = row.session_id in self._sessions
            if not here or row.model_configuration not in self.configurations:
                continue
            session = sessions.get(published)
            if session is None:
                continue  # the version is older than this run, which ended before it had one
            if session["status"] == FAILED:
                _want_failed(row, session["error_code"])
                continue
            if row.wanted.error == _error("unknown_action_tool_map"):
                continue
            mine = _answering(row, examples.get(published, []))
            if not row.task:
                self._add_tasks(row, len(mine), further)
            _derive_row(row, mine[row.task] if row.task < len(mine) else None, root)

    def _add_tasks(self, row: Row, tasks: int, known: set[tuple[str, int]]) -> None:
        """Further tasks of a session are further Examples, which the backend doesn't know yet.

        ``known`` are those of earlier runs: (id of the Example that asked, task).
        """
        for task in range(1, tasks):
            if (row.id, task) not in known:
                self.register.rows.append(
                    Row(
                        session_id=row.session_id,
                        model_id=row.model_id,
                        model_configuration=row.model_configuration,
                        action_tool_map_id=row.action_tool_map_id,
                        task=task,
                        first=row.id,
                    )
                )


_EXAMPLE_COLUMNS = [
    "session_id", "model_configuration", "action_tool_map_id", "task", "status", "example_path",
    "error_code",
]  # fmt: skip


def _answering(row: Row, examples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the published Examples that a row asks for, by task.

    A row that names no map gets those of the first.
    """
    made = [e for e in examples if e["model_configuration"] == row.model_configuration]
    maps = sorted({str(e["action_tool_map_id"]) for e in made})
    wanted = given_id(row.action_tool_map_id) if row.action_tool_map_id else "".join(maps[:1])
    mine = [e for e in made if str(e["action_tool_map_id"]) == wanted]
    return sorted(mine, key=lambda e: e["task"])


def _derive_row(row: Row, example: dict[str, Any] | None, root: str) -> None:
    if example is None:
        row.want(FAILED, error=_error("no_canonical_action"))
    elif example["status"] == COMPLETED:
        folder = str(example["example_path"]).rpartition("/")[0]
        row.want(COMPLETED, storage_path=storage.join(root, folder) + "/")
    elif example["status"] == FAILED:
        _want_failed(row, example["error_code"])
    elif row.wanted.status not in FINAL:
        row.want(PROCESSING)  # it waits for a person's review


def _want_failed(row: Row, code: str | None) -> None:
    """FAILED is final: what another run may not meet again does not count yet."""
    if code is None or not is_volatile(code):
        row.want(FAILED, error=_error(code))
    elif row.wanted.status not in FINAL:
        row.want(PROCESSING)


def _error(code: str | None) -> dict[str, str]:
    """What the backend is told of a failure: its code, and nothing of the recording."""
    code = code or "failed"
    return {"code": code, "message": f"{code}: see `tracemill failures` on the output"}


def _placed(record: dict[str, Any], roots: tuple[str, ...]) -> dict[str, Any]:
    """Returns a Session record with the ``uri`` where its ``storage_path`` leads.

    Relative paths lie below ``--input``. The backend may name buckets, but no place on this
    machine outside of ``--input``: UnsafePathError.
    """
    path = str(record.get("storage_path") or "")
    kept = {name: record.get(name) for name in _SESSION_FIELDS}
    if storage.scheme(path) in ("gs", "s3"):
        if ".." in path.split("/"):
            raise UnsafePathError("a storage path with ..")
        return {**kept, "uri": path}
    if not roots:
        raise UsageError(
            f"the backend's storage paths are relative ({path}): give the folder or bucket path "
            "they are relative to as --input"
        )
    root = roots[0].rstrip("/")
    inside = path.removeprefix(root + "/") if path.startswith("/") else path
    return {**kept, "uri": storage.join(root, resolve_inside(inside))}


_SESSION_FIELDS = ("id", "user_id", "suite_id", "description", "created_at", "storage_path")


def _row(given: dict[str, Any]) -> Row:
    return Row(
        id=str(given.get("id")),
        session_id=str(given.get("session_id")),
        model_id=str(given.get("model_id") or ""),
        model_configuration=given.get("model_configuration") or {},
        action_tool_map_id=given.get("action_tool_map_id") or None,
        given_path=str(given.get("storage_path") or ""),
    )


def _distinct(rows: list[Row]) -> tuple[dict[str, Any], ...]:
    found: list[dict[str, Any]] = []
    for row in rows:
        if row.model_configuration not in found:
            found.append(row.model_configuration)
    return tuple(found)
