"""What would only fail on a worker, long after the start, refused before anything starts."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import urllib.request
from pathlib import Path
from typing import Any

from pipeline.options import Options, UsageError
from transforms import storage

IN_PROCESS = ("fnapi", "direct", "prism", "bundlebaseddirect", "interactive")
PLACES = (
    "input", "output", "suite", "private", "model_cache", "privacy_key_file", "model_key_file",
)  # fmt: skip
"""Options that workers read or write by path; the other files are read by the launcher."""
TIMEOUT_S = 10


def check_runner(options: Options) -> None:
    """Refuses paths, programs and versions that workers elsewhere could not use: UsageError."""
    beam = _beam_flags(options.beam)
    runner = (beam.runner or "FnApiRunner").rpartition(".")[2]
    if _in_process(runner, beam):
        return
    _check_paths(options, runner)
    if runner.casefold() == "flinkrunner":
        _check_flink(beam)
    if (beam.environment_type or "").upper() == "PROCESS":
        _check_process(beam)


def _beam_flags(arguments: tuple[str, ...]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in (
        "runner", "environment_type", "environment_config", "flink_master", "flink_version",
        "job_server_java_launcher", "job_endpoint", "flink_job_server_jar",
        "direct_num_workers", "direct_running_mode", "parallelism", "max_num_workers",
    ):  # fmt: skip
        parser.add_argument(f"--{name}")
    parser.add_argument("--worker_machine_type", "--machine_type", dest="machine_type")
    return parser.parse_known_args(list(arguments))[0]


def _in_process(runner: str, beam: argparse.Namespace) -> bool:
    """Whether the workers are this process or its children, with the same files and Python."""
    if runner.casefold().removesuffix("runner") in IN_PROCESS:
        return True
    return (beam.environment_type or "").upper() == "LOOPBACK"


LIMITS = ("max_usd", "max_calls", "model_rpm", "model_tpm")


def model_processes(options: Options) -> int:
    """Among how many processes the limits on a model are divided: UsageError when none can tell."""
    if options.model_max_processes is not None:
        return options.model_max_processes
    beam = _beam_flags(options.beam)
    runner = (beam.runner or "FnApiRunner").rpartition(".")[2]
    found = _processes(runner.casefold(), beam)
    limit = next((n for n in LIMITS if getattr(options, n) is not None), None)
    if found is None and limit is not None:
        raise UsageError(
            f"--{limit} is divided among the processes of the run, and how many {runner} starts "
            "cannot be told from its options; say --model_max_processes"
        )
    return found or 1


def _processes(runner: str, beam: argparse.Namespace) -> int | None:
    """Most worker processes that a runner's options allow; None when they do not say."""
    if _in_process(runner, beam):
        if beam.direct_running_mode != "multi_processing":
            return 1
        return _number(beam.direct_num_workers or "1") or os.cpu_count()
    if runner == "flinkrunner":
        return _number(beam.parallelism)
    if runner == "dataflowrunner":
        # A process per core, as the machine's name ends: n2-standard-8 (not n2-custom-8-16384).
        cores = re.fullmatch(r"(?!.*custom).*-(\d+)", beam.machine_type or "")
        workers = _number(beam.max_num_workers)
        return workers * int(cores[1]) if workers and cores else None
    return None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _check_paths(options: Options, runner: str) -> None:
    for name in PLACES:
        value = getattr(options, name)
        for path in [value] if isinstance(value, str) else value or ():
            if not storage.is_local(path) or path.startswith("env:"):
                continue
            if not os.path.isabs(storage.local_path(path)):
                raise UsageError(
                    f"--{name} {path}: workers of {runner} have another working directory; give "
                    "an absolute path on a shared mount, gs:// or s3://"
                )
            if runner.casefold() == "dataflowrunner":
                raise UsageError(f"--{name} {path}: Dataflow has no local files; use gs://")
            if not options.shared_mount:
                raise UsageError(
                    f"--{name} {path}: a local path, which workers of {runner} may not see; use "
                    "gs:// or s3://, or say --shared_mount when it is the same folder everywhere"
                )


def _check_flink(beam: argparse.Namespace) -> None:
    if not beam.job_endpoint and not shutil.which(beam.job_server_java_launcher or "java"):
        raise UsageError("--runner FlinkRunner: Beam's job server needs java, which is not here")
    jar = beam.flink_job_server_jar
    if jar and "://" not in jar and not Path(jar).is_file():
        raise UsageError(f"--flink_job_server_jar {jar}: no such file")
    if not beam.flink_master or beam.flink_master.startswith("["):
        return
    there = _flink_version(beam.flink_master)
    asked = beam.flink_version or _beam_default("flink_version")
    if there.split(".")[:2] != asked.split(".")[:2]:
        raise UsageError(
            f"--flink_version {asked}: the cluster at {beam.flink_master} is Flink {there}; say "
            f"--flink_version={'.'.join(there.split('.')[:2])}"
        )


def _flink_version(master: str) -> str:
    url = master if "://" in master else f"http://{master}"
    try:
        with urllib.request.urlopen(f"{url}/overview", timeout=TIMEOUT_S) as reply:
            overview: dict[str, Any] = json.load(reply)
        if not overview["taskmanagers"]:
            raise UsageError(f"--flink_master {master}: the cluster has no TaskManager")
        return overview["flink-version"]
    except (OSError, ValueError, KeyError):
        raise UsageError(
            f"--flink_master {master}: no Flink REST interface answers there"
        ) from None


def _beam_default(name: str) -> str:
    from apache_beam.options.pipeline_options import PipelineOptions

    return PipelineOptions([]).get_all_options()[name]


def _check_process(beam: argparse.Namespace) -> None:
    text = beam.environment_config or ""
    if text and not text.lstrip().startswith("{"):
        raise UsageError(f'--environment_config {text}: PROCESS takes {{"command": "/path"}}')
    try:
        command = json.loads(text)["command"]
    except (ValueError, KeyError, TypeError):
        raise UsageError('--environment_config: PROCESS takes {"command": "/path"}') from None
    master = (beam.flink_master or "").rpartition("://")[2].partition(":")[0]
    here = master in ("localhost", "127.0.0.1") or master.startswith("[")
    if not os.path.isabs(command) or (here and not os.access(command, os.X_OK)):
        raise UsageError(
            f"--environment_config {command}: takes the absolute path of a program that starts "
            "workers, as it is on every TaskManager (see deploy/flink)"
        )
