"""Runs the job: nothing to do, or the graph on the runner that was asked for."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import re
import time
from typing import Any

import msgspec

from pipeline.dataflow import template_location
from pipeline.flink_jobs import cancel_jobs
from pipeline.locks import only_run
from pipeline.options import Options, UsageError
from pipeline.passed_over import keep_passed_over
from pipeline.preflight import check_runner
from pipeline.run_places import note_places
from pipeline.settings import RunSettings, load_prices, resolve
from pipeline.spending import spent
from pipeline.stopping import raise_if_asked, was_asked
from pipeline.stores import complete_beam_options
from schemas.receipts import Receipt, VersionPlan
from transforms import storage
from transforms.checkpoints import CheckpointStore
from transforms.ingest import raw_copies
from transforms.ingest.find import InputError, PassedOver, find_inputs
from transforms.keys import stable_hash
from transforms.storage_emulator import skip_credentials
from transforms.write.commit import write_summary
from transforms.write.manifest import link_dataset, read_manifest
from transforms.write.plan import plan_version

DEFAULT_RUNNER = "FnApiRunner"
"""In process. ``DirectRunner`` would first look for a binary on the internet."""


STORAGE_FAULT = re.compile(
    r"\b(?:(?:StorageError|CheckpointDefect): [^\n]*?"
    r"|(?:OSError|PermissionError): \[Errno \d+\] [^\n]*?)"
    r"(?= \[while running|\n|$)"
)
"""Such texts name an operation and a place, never a record."""


class InfrastructureError(Exception):
    """Storage, a runner or a commit failed: exit code 3."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    run_id: str
    version: str
    summary: dict[str, Any]
    computed: bool
    """False: every session was done before, and the version was published before."""
    seconds: float
    passed_over: dict[str, int] = dataclasses.field(default_factory=dict)
    """What of the input is no session: kind → number; ``PRIVATE/passed_over.jsonl`` names it."""


def run(options: Options, anew: frozenset[str] = frozenset(), report: Any = None) -> Outcome:
    """Runs the job to its end.

    Raises UsageError before anything starts, InfrastructureError when it could not be finished.
    ``report`` is told what is going on (see ``pipeline.report``).
    """
    started = time.monotonic()
    check_runner(options)
    settings = resolve(options)
    if place := template_location(options.beam):
        note_places(options)
        _write_template(settings, anew)
        return Outcome(settings.run_id, "", {"template": place}, False, time.monotonic() - started)
    with only_run(options.output or ""):
        note_places(options)
        try:
            found = look_up(settings, anew)
        except InputError as error:
            raise UsageError(str(error)) from None
        passed_over = keep_passed_over(options.private_root, found.passed_over)
        plan = found.plan
        if report:
            report.total = found.to_do
        manifest = read_manifest(options.output or "") if plan else None
        if plan and manifest and manifest["version"] == plan.version:
            link_dataset(options.output or "", manifest)
            seconds = time.monotonic() - started
            return Outcome("", plan.version, manifest, False, seconds, passed_over)
        summary = _run_graph(settings, anew, report)
        if passed_over:
            summary["passed_over"] = passed_over
            write_summary(storage.join(options.output or "", "run", settings.run_id), summary)
    seconds = time.monotonic() - started
    return Outcome(settings.run_id, summary["version"], summary, True, seconds, passed_over)


@dataclasses.dataclass(frozen=True)
class Found:
    """What listing the input says before anything is computed."""

    to_do: int
    """Sessions whose result does not exist yet."""
    plan: VersionPlan | None
    """Of the version, when every result exists."""
    passed_over: list[PassedOver]


def look_up(settings: RunSettings, anew: frozenset[str] = frozenset()) -> Found:
    """Lists the input and looks for finished results; raises InputError.

    Needs no Beam: a run with nothing to do answers in the time that listing takes.
    """
    o = settings.options
    store = CheckpointStore(settings.checkpoints)
    receipts: list[Receipt] = []
    to_do = 0
    found = find_inputs(o.input, fingerprint=o.fingerprint, exclude=o.own_places)
    for ref in found.sessions:
        session_id = settings.keys.published_id(ref.session_id)
        if session_id in settings.keys.forgotten:
            continue
        key = settings.keys.prepared(ref.session_id, ref.fingerprint, ref.defect)
        receipt = store.receipt("result", settings.keys.result(session_id, key))
        if (
            receipt is None
            or receipt.volatile
            or session_id in anew
            or (o.raw_copies and not raw_copies.is_kept(o.raw_copies, session_id, ref))
        ):
            to_do += 1
        else:
            receipts.append(receipt)
    if to_do:
        return Found(to_do, None, found.passed_over)
    plan = plan_version(receipts, settings.writing, int(o.max_shard_mb * 1e6))
    return Found(0, plan, found.passed_over)


def _write_template(settings: RunSettings, anew: frozenset[str]) -> None:
    """Has Dataflow's runner write the job to ``--template_location`` instead of starting it."""
    import apache_beam as beam

    from pipeline.graph import build_graph

    pipeline = beam.Pipeline(options=beam_options(settings.options, settings.run_id))
    build_graph(pipeline, settings, anew)
    pipeline.run()


def _run_graph(settings: RunSettings, anew: frozenset[str], report: Any) -> dict[str, Any]:
    import apache_beam as beam

    from pipeline.graph import build_graph

    o = settings.options
    output = o.output or ""
    run_folder = storage.join(output, "run", settings.run_id)
    progress = None
    if storage.is_local(output):
        storage.make_folder(run_folder)
        progress = os.path.join(str(storage.local_path(run_folder)), "progress.log")
    _quiet_beam()
    given = beam_options(o, settings.run_id)
    if master := _flink_master(given):
        # We hold the lock, so a job that is at work here has lost its launcher.
        cancel_jobs(master, job_names(output))
    pipeline = beam.Pipeline(options=given)
    build_graph(pipeline, settings, anew, progress)
    watching = report.watch(progress) if report and progress else contextlib.nullcontext()
    try:
        with watching:
            running = None
            try:
                running = pipeline.run()
                running.wait_until_finish()
            except BaseException:
                # A signal may come as another exception, see pipeline.stopping.
                if was_asked():
                    _cancel(running, given)
                raise
    except Exception as error:
        raise_if_asked()
        summary = _read_summary(run_folder)
        if summary and not summary["published"]:
            raise InfrastructureError("; ".join(summary["objections"])) from None
        if fault := _configuration_fault(error):
            raise UsageError(fault) from None
        if o.fail_fast:
            raise
        raise InfrastructureError(_first_line(error, _keep_stack(settings, error))) from error
    summary = _read_summary(run_folder)
    if summary is None:
        raise InfrastructureError(f"{run_folder}: the run ended without a summary")
    if o.classifier != "offline":
        priced = (o.model or "") in load_prices(o.price_file)
        if model := spent(running, priced):
            summary["model"] = model
            write_summary(run_folder, summary)
    if progress:
        _link_latest(output, settings.run_id)
    return summary


def _cancel(running: Any, options: Any) -> None:
    """Ends a job that was submitted to a runner elsewhere."""
    from apache_beam.options.pipeline_options import GoogleCloudOptions

    if master := _flink_master(options):
        cancel_jobs(master, options.view_as(GoogleCloudOptions).job_name)
    elif running is not None:
        with contextlib.suppress(Exception):
            running.cancel()


def _flink_master(options: Any) -> str:
    """Returns the address of the Flink cluster that the job goes to, or ""."""
    from apache_beam.options.pipeline_options import FlinkRunnerOptions

    master = options.view_as(FlinkRunnerOptions).flink_master or ""
    return "" if master.startswith("[") else master


def _configuration_fault(error: BaseException) -> str | None:
    """Returns what a worker said of the configuration; it may come as text of another process."""
    found = re.search(r"ConfigurationFault: ([^\n]*?)(?: \[while running|\n|$)", repr_chain(error))
    return found.group(1) if found else None


def repr_chain(error: BaseException) -> str:
    """Returns the types and texts of an exception and all that led to it."""
    parts = []
    seen: BaseException | None = error
    while seen is not None:
        parts.append(f"{type(seen).__name__}: {seen}")
        seen = seen.__cause__ or seen.__context__
    return "\n".join(parts)


def _keep_stack(settings: RunSettings, error: BaseException) -> str:
    """Keeps the stack for whoever mends it; privately, because its texts are anybody's."""
    import traceback

    uri = storage.join(settings.options.private_root, "logs", f"{settings.run_id}.txt")
    text = "".join(traceback.format_exception(error))
    with contextlib.suppress(storage.StorageError, OSError):
        storage.write_bytes(uri, text.encode("utf-8", "replace"), mode=0o600)
    return uri


def _first_line(error: BaseException, stack: str) -> str:
    """Says what went wrong without a record's text: only our own error types speak."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, storage.StorageError | OSError):
            return f"{type(cause).__name__}: {cause}"
        cause = cause.__cause__ or cause.__context__
    # Beam puts a worker's exception into another one's text.
    if found := STORAGE_FAULT.search(repr_chain(error)):
        return found.group(0)
    return f"the runner failed with {type(error).__name__}; the stack is in {stack}"


def beam_options(options: Options, run_id: str = "") -> Any:
    """Returns Beam's PipelineOptions: what the user passed on, and what this job needs.

    ``schemas.coders`` is a plugin, because a worker must know our coder before it reads the graph.
    """
    from apache_beam.options.pipeline_options import (
        GoogleCloudOptions,
        PipelineOptions,
        SetupOptions,
        StandardOptions,
    )

    made = PipelineOptions(list(options.beam))
    if not made.view_as(StandardOptions).runner:
        made.view_as(StandardOptions).runner = DEFAULT_RUNNER
    named = made.view_as(GoogleCloudOptions)
    if run_id and not named.job_name:  # on every runner, not only Google's
        named.job_name = job_names(options.output or "") + run_id.lower()
    setup = made.view_as(SetupOptions)
    setup.save_main_session = False
    setup.beam_plugins = [*(setup.beam_plugins or []), "schemas.coders"]
    complete_beam_options(made)
    skip_credentials()
    return made


def job_names(output: str) -> str:
    """Returns how the names of all jobs on one output begin."""
    return f"tracemill-{stable_hash('output', output)[:8]}-"


def _quiet_beam() -> None:
    """Beam logs every exception on its way out with its text, which may be anybody's.

    What ends a run is said in one line and kept privately (``_keep_stack``) instead.
    """
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    logging.getLogger().setLevel(logging.ERROR)


def _read_summary(run_folder: str) -> dict[str, Any] | None:
    try:
        data = storage.read_bytes(storage.join(run_folder, "summary.json"))
    except FileNotFoundError:
        return None
    return msgspec.json.decode(data)


def _link_latest(output: str, run_id: str) -> None:
    folder = storage.local_path(output) / "run"
    temporary = folder / f".latest.{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    os.symlink(run_id, temporary)
    os.replace(temporary, folder / "latest")
