"""Every option of the job, once: argparse, Beam's PipelineOptions and the docs come from here.

Importing this module imports neither Beam nor Arrow, so ``--help`` and a usage error answer at
once. Each option declares what it ``affects``: *prepared* (that checkpoint and all after it),
*result*, *version* (only how the dataset is written) or *nothing*; keys and versions follow from
that, and a test fails for an option that doesn't say.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import inspect
import json
import os
import typing
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Any

AFFECTS = ("prepared", "result", "version", "nothing")


class UsageError(Exception):
    """The command line or configuration is wrong: one line with what, where and what is allowed."""


def option(
    default: Any,
    help: str,
    *,
    affects: str,
    choices: Sequence[str] | None = None,
    file: bool = False,
    repeat: bool = False,
    metavar: str | None = None,
) -> Any:
    """Declares one option; ``file=True`` means its content, not its path, affects the output."""
    return dataclasses.field(
        default=default,
        metadata={
            "help": help,
            "affects": affects,
            "choices": choices,
            "file": file,
            "repeat": repeat,
            "metavar": metavar,
        },
    )


@dataclasses.dataclass(frozen=True)
class InputOptions:
    """What is read."""

    input: tuple[str, ...] = option(
        (),
        "Sessions to read: folders, files, archives or globs; local, gs:// or s3://. Repeatable.",
        affects="nothing",
        repeat=True,
    )
    fingerprint: str = option(
        "stat",
        "How a changed session is noticed: by size and modification time, or by its bytes.",
        affects="nothing",
        choices=("stat", "content"),
    )
    network_rules: str | None = option(
        None,
        "YAML rules for network traffic; the packaged ones by default.",
        affects="prepared",
        file=True,
    )
    max_line_bytes: int = option(16 << 20, "Longest line that is read.", affects="prepared")
    max_bad_lines: int = option(
        100,
        "A session with more bad lines than this, and than 1 %, is FAILED.",
        affects="prepared",
    )
    max_observation_age_s: float = option(
        30.0, "An observation older than this is none.", affects="prepared"
    )
    split_idle_s: float | None = option(
        None, "A pause longer than this begins a new task; never by default.", affects="prepared"
    )
    max_frames: int | None = option(
        None, "Frames kept per trajectory, evenly chosen; all by default.", affects="prepared"
    )
    frame_format: str = option(
        "keep",
        "Encoding of published frames.",
        affects="prepared",
        choices=("keep", "png", "webp"),
    )
    max_frame_px: int | None = option(
        None,
        "Longest side of published frames; larger ones are scaled, coordinates with them.",
        affects="prepared",
    )
    max_session_frames: int = option(
        2000,
        "Frames of one session that are read as one run; the next begins with a full OCR.",
        affects="prepared",
    )


@dataclasses.dataclass(frozen=True)
class CatalogueOptions:
    """What it can be."""

    suite: str | None = option(
        None,
        "Catalogue file (YAML or JSON) with Suites, McpServers and ActionToolMaps.",
        affects="result",
        file=True,
    )
    action_tool_map: tuple[str, ...] = option(
        (),
        "Use only these ActionToolMaps (name or id); all of the Suite by default. Repeatable.",
        affects="result",
        repeat=True,
    )


@dataclasses.dataclass(frozen=True)
class ModelOptions:
    """Who says what it is."""

    classifier: str = option(
        "offline",
        "Who classifies: rules and words on this machine, or a model endpoint.",
        affects="result",
        choices=("offline", "openai"),
    )
    model: str | None = option(None, "Name of the model.", affects="result")
    model_base_url: str | None = option(
        None, "Base URL of an OpenAI-compatible endpoint.", affects="result"
    )
    model_configuration: tuple[str, ...] = option(
        (),
        "JSON object of model settings; give several for an A/B comparison. Repeatable.",
        affects="result",
        repeat=True,
    )
    model_key_file: str | None = option(
        None,
        "File with the endpoint's key (else OPENAI_API_KEY), read on the worker.",
        affects="nothing",
    )
    model_concurrency_per_process: int = option(
        32, "Calls in flight per worker process.", affects="nothing"
    )
    model_rpm: int | None = option(None, "Calls per minute, for the whole run.", affects="nothing")
    model_tpm: int | None = option(None, "Tokens per minute, for the whole run.", affects="nothing")
    model_max_processes: int | None = option(
        None,
        "Worker processes that share the limits of the run; else what the runner's options say.",
        affects="nothing",
    )
    model_cache: str | None = option(
        None, "Where finished replies are kept; OUTPUT/cache by default.", affects="nothing"
    )
    request_timeout_s: float = option(60.0, "Time limit of one call.", affects="nothing")
    segments_per_request: int = option(1, "Segments in one call.", affects="result")
    min_confidence: float = option(
        0.8,
        "Classifications at or above this are accepted; others go to review.",
        affects="result",
    )
    max_usd: float | None = option(None, "Money the run may spend.", affects="nothing")
    max_calls: int | None = option(None, "Calls the run may make.", affects="nothing")
    price_file: str | None = option(
        None, "YAML of prices per model, for --max_usd and `plan`.", affects="nothing", file=True
    )
    calibration: str | None = option(
        None, "Calibration made by `evaluate --fit`.", affects="result", file=True
    )
    annotate: bool = option(
        False, "Have a model write a thought for each step, in hindsight.", affects="result"
    )


@dataclasses.dataclass(frozen=True)
class PrivacyOptions:
    """What must not leave."""

    privacy: str = option(
        "on",
        "The PrivacyFilter. Off publishes what was recorded, as it was.",
        affects="prepared",
        choices=("on", "off"),
    )
    scrubber_config: str | None = option(
        None,
        "YAML of scrubbing rules; the packaged ones by default.",
        affects="prepared",
        file=True,
    )
    visual: str | None = option(
        None,
        "What happens to text regions of screenshots that hold personal data; blur by default.",
        affects="prepared",
        choices=("blur", "fill", "pixelate", "gaussian", "all_text", "withhold", "off"),
    )
    privacy_key_file: str | None = option(
        None,
        "The project key (64 hex digits); made under PRIVATE on the first run.",
        affects="nothing",
    )
    private: str | None = option(
        None,
        "Where what must never be published lies; OUTPUT/private by default.",
        affects="nothing",
    )
    keep_raw: bool = option(False, "Copy raw sessions to PRIVATE.", affects="nothing")
    verify_privacy: bool = option(
        True, "Search what was written before it is published.", affects="nothing"
    )
    verify_pictures: str = option(
        "sample:200", "Pictures that are searched: sample:N, all or none.", affects="nothing"
    )


@dataclasses.dataclass(frozen=True)
class BackendOptions:
    """Where work waits."""

    backend_url: str | None = option(
        None,
        "Base URL of a Tracepipe API: sessions and catalogue come from it, statuses go to it. "
        "--input is then the place that its storage paths are relative to, and --suite overrides "
        "its catalogue.",
        affects="nothing",
    )
    backend_key_file: str | None = option(
        None, "File with the API's key (else TRACEPIPE_API_KEY).", affects="nothing"
    )
    backend_model_id: str | None = option(
        None,
        "The API's id of the Model under which Examples are created for --session.",
        affects="nothing",
    )
    session: tuple[str, ...] = option(
        (), "Sessions of the API to be run, by id. Repeatable.", affects="nothing", repeat=True
    )
    pending: bool = option(
        False, "Run the sessions of all Examples that wait in the API.", affects="nothing"
    )


@dataclasses.dataclass(frozen=True)
class OutputOptions:
    """What is written."""

    output: str | None = option(None, "Folder or bucket path of the dataset.", affects="nothing")
    targets: str = option(
        "openai,sharegpt",
        "Target formats of the training shards, comma-separated.",
        affects="result",
    )
    images: str = option(
        "reference",
        "Pictures in training rows: by path, inline, or not at all.",
        affects="result",
        choices=("reference", "data_url", "none"),
    )
    flat_tool_calls: bool = option(
        False,
        "Write {name, arguments} instead of nested tool calls in messages.jsonl.",
        affects="result",
    )
    partial_examples: str = option(
        "wait",
        "An Example with an unsure segment waits for review, or is split around it.",
        affects="result",
        choices=("wait", "split"),
    )
    validation_share: float = option(
        0.0, "Share of sessions (0–1) that goes to the `validation` split.", affects="version"
    )
    max_shard_mb: float = option(500.0, "Size at which another shard begins.", affects="version")


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """How the job runs."""

    config: str | None = option(
        None, "YAML file with the same names; the command line wins.", affects="nothing"
    )
    max_failure_ratio: float = option(
        0.5,
        "Share of FAILED sessions above which the run ends with exit code 1.",
        affects="nothing",
    )
    fail_fast: bool = option(
        False, "Let an internal error end the run instead of its session.", affects="nothing"
    )
    shared_mount: bool = option(
        False,
        "Local paths are the same files on every worker: a shared mount, or one machine.",
        affects="nothing",
    )


GROUPS = (
    InputOptions,
    OutputOptions,
    CatalogueOptions,
    ModelOptions,
    PrivacyOptions,
    BackendOptions,
    RunOptions,
)


@dataclasses.dataclass(frozen=True)
class Options(
    RunOptions,
    BackendOptions,
    PrivacyOptions,
    ModelOptions,
    CatalogueOptions,
    OutputOptions,
    InputOptions,
):
    """All options of one run, checked."""

    beam: tuple[str, ...] = ()
    """Arguments that pass through to Beam."""

    @property
    def target_names(self) -> tuple[str, ...]:
        """The requested target formats, in order, each once."""
        return tuple(dict.fromkeys(t.strip() for t in self.targets.split(",") if t.strip()))

    @property
    def configurations(self) -> tuple[dict[str, Any], ...]:
        """The model configurations; one empty configuration when none is given."""
        return tuple(json.loads(c) for c in self.model_configuration) or ({},)

    @property
    def pictures_to_verify(self) -> int | None:
        """How many published frames VerifyPrivacy reads; None for all of them."""
        if self.verify_pictures == "all":
            return None
        return int(self.verify_pictures.partition(":")[2] or 0)

    @property
    def private_root(self) -> str:
        """Where private material lies."""
        return self.private or f"{(self.output or '').rstrip('/')}/private"

    @property
    def own_places(self) -> tuple[str, ...]:
        """Where the run writes: never read as input, also where they lie inside of it."""
        return (self.output or "", self.private_root)

    @property
    def raw_copies(self) -> str:
        """Where raw sessions are copied to; "" without --keep_raw."""
        return f"{self.private_root}/raw" if self.keep_raw else ""

    @property
    def project_key_file(self) -> str:
        """Where the project key lies."""
        return self.privacy_key_file or f"{self.private_root.rstrip('/')}/project.key"


def fields(group: type) -> list[dataclasses.Field]:
    """Returns the options that a group itself declares."""
    own = inspect.get_annotations(group)
    return [f for f in dataclasses.fields(group) if f.name in own and f.metadata]


def all_fields() -> list[dataclasses.Field]:
    """Returns every option, in the order of the groups."""
    return [f for group in GROUPS for f in fields(group)]


def _base_type(field: dataclasses.Field) -> type:
    hint = typing.get_type_hints(Options)[field.name]
    for t in (bool, int, float, str):
        if hint is t or t in typing.get_args(hint):
            return t
    raise TypeError(field.name)


def _number(kind: type, name: str):
    def parse(text: str) -> Any:
        try:
            return kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"--{name} takes a number, not {text!r}") from None

    return parse


def add_arguments(parser: argparse.ArgumentParser, defaults: bool = False) -> None:
    """Adds every option to a parser, group by group.

    Without ``defaults`` an option that isn't given leaves no trace, so that a configuration file
    can be told apart from the command line.
    """
    for group in GROUPS:
        section = parser.add_argument_group((group.__doc__ or "").rstrip("."))
        for field in fields(group):
            meta = field.metadata
            kind = _base_type(field)
            shown = "" if field.default in (None, (), False) else f" Default: {field.default}."
            common: dict[str, Any] = {
                "help": (meta["help"] + shown).replace("%", "%%"),
                "default": field.default if defaults else argparse.SUPPRESS,
            }
            if kind is bool:
                section.add_argument(
                    f"--{field.name}", action=argparse.BooleanOptionalAction, **common
                )
                continue
            if kind in (int, float):
                common["type"] = _number(kind, field.name)
            if meta["repeat"]:
                common |= {"action": "extend", "nargs": "+"}
            section.add_argument(
                f"--{field.name}",
                choices=meta["choices"],
                metavar=meta["metavar"] or (None if meta["choices"] else kind.__name__.upper()),
                **common,
            )


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are UsageErrors."""

    def __init__(self, **kwargs: Any):
        super().__init__(allow_abbrev=False, **kwargs)

    def error(self, message: str) -> typing.NoReturn:
        """Raises instead of printing the whole usage."""
        raise UsageError(message)


WRITTEN = ("output", "private", "model_cache")
"""Options that name places to write to."""


def output_place(text: str) -> str:
    """Returns a folder or bucket path in its one spelling: the type of every OUTPUT."""
    from transforms import storage

    return storage.normal(text)


def parse(arguments: Sequence[str]) -> Options:
    """Parses a command line (and its ``--config`` file) into checked Options."""
    parser = Parser(add_help=False)
    add_arguments(parser)
    known, unknown = parser.parse_known_args(list(arguments))
    given = vars(known)
    values = _from_file(given["config"]) if given.get("config") else {}
    values.update({k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})
    values.update({k: output_place(values[k]) for k in WRITTEN if values.get(k)})
    options = Options(**values, beam=tuple(_beam_arguments(unknown)))
    check(options)
    return options


def _from_file(path: str) -> dict[str, Any]:
    import yaml

    from transforms import storage

    try:
        data = yaml.safe_load(storage.read_bytes(path)) or {}
    except FileNotFoundError:
        raise UsageError(f"--config {path}: no such file") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        raise UsageError(f"{path}{where}: not YAML") from None
    if not isinstance(data, dict):
        raise UsageError(f"{path}: expected `name: value` lines")
    by_name = {f.name: f for f in all_fields()}
    values: dict[str, Any] = {}
    for name, value in data.items():
        if name not in by_name:
            raise UsageError(f"{path}: unknown option {name!r}{_closest(name, by_name)}")
        field = by_name[name]
        kind = _base_type(field)
        items = value if isinstance(value, list) else [value]
        if field.metadata["repeat"]:
            values[name] = tuple(json.dumps(v) if isinstance(v, dict) else str(v) for v in items)
        elif kind is float and isinstance(value, int) and not isinstance(value, bool):
            values[name] = float(value)
        elif kind is str and isinstance(value, bool) and field.metadata["choices"]:
            values[name] = "on" if value else "off"  # YAML reads a bare on/off as a boolean
        elif value is None or (
            isinstance(value, kind) and (kind is bool) == isinstance(value, bool)
        ):
            values[name] = value
        else:
            raise UsageError(f"{path}: {name} takes {kind.__name__}, not {value!r}")
        choices = field.metadata["choices"]
        if choices and values[name] is not None and values[name] not in choices:
            raise UsageError(f"{path}: {name}: {value!r} is not one of {', '.join(choices)}")
    return values


def _closest(name: str, names: typing.Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def beam_option_names() -> frozenset[str]:
    """Returns the flags that Beam itself knows (``beam_options.txt``, checked by a test)."""
    text = Path(__file__).with_name("beam_options.txt").read_text(encoding="utf-8")
    return frozenset(text.split())


def _beam_arguments(arguments: Sequence[str]) -> list[str]:
    """Passes on what Beam knows; refuses what nobody knows, which Beam alone would ignore."""
    known = beam_option_names()
    for argument in arguments:
        if not argument.startswith("--"):
            continue
        name = argument[2:].partition("=")[0]
        if name not in known and name.removeprefix("no_") not in known:
            names = [f.name for f in all_fields()] + sorted(known)
            raise UsageError(f"unknown option --{name}{_closest(name, names)}")
    stray = [
        a
        for i, a in enumerate(arguments)
        if not a.startswith("-")
        and (i == 0 or "=" in arguments[i - 1] or not arguments[i - 1].startswith("--"))
    ]
    if stray:
        raise UsageError(f"unexpected argument {stray[0]!r}; options begin with --")
    return list(arguments)


def check(options: Options) -> None:
    """Refuses what cannot work, before anything starts; raises UsageError."""
    for name in ("output",) if options.backend_url else ("input", "output", "suite"):
        given = getattr(options, name)
        if not given or (name == "input" and not all(given)):
            raise UsageError(f"--{name} is required")
    if options.backend_url and not (options.session or options.pending):
        raise UsageError("--backend_url needs --session ID or --pending: what shall be run?")
    if not options.backend_url and (options.session or options.pending):
        raise UsageError("--session and --pending need --backend_url")
    if options.backend_url and len(options.input) > 1:
        raise UsageError("--input: one place at most that the API's storage paths are relative to")
    for low, high, names in (
        (0, 1, ("min_confidence", "max_failure_ratio", "validation_share")),
        (
            1,
            None,
            (
                "max_line_bytes",
                "model_concurrency_per_process",
                "model_max_processes",
                "model_rpm",
                "model_tpm",
                "segments_per_request",
                "max_session_frames",
                "max_frame_px",
                "max_frames",
            ),
        ),
        (
            0,
            None,
            (
                "max_bad_lines",
                "max_observation_age_s",
                "split_idle_s",
                "max_usd",
                "max_calls",
            ),
        ),
    ):
        for name in names:
            value = getattr(options, name)
            if value is not None and not low <= value <= (inf if high is None else high):
                allowed = f"{low} to {high}" if high is not None else f"at least {low}"
                raise UsageError(f"--{name} {value}: allowed is {allowed}")
    if not options.max_shard_mb > 0:
        raise UsageError(f"--max_shard_mb {options.max_shard_mb}: allowed is more than 0")
    for text in options.model_configuration:
        try:
            ok = isinstance(json.loads(text), dict)
        except ValueError:
            ok = False
        if not ok:
            raise UsageError(f"--model_configuration {text!r}: takes a JSON object")
    if options.privacy == "off" and options.classifier != "offline":
        raise UsageError(
            "--privacy=off with --classifier=openai: unscrubbed recordings never go to a model; "
            "use --privacy=on or --classifier=offline"
        )
    if options.classifier == "openai" and not options.model:
        raise UsageError("--classifier=openai needs --model")
    kind, _, number = options.verify_pictures.partition(":")
    if options.verify_pictures not in ("all", "none") and not (
        kind == "sample" and number.isdigit()
    ):
        raise UsageError(
            f"--verify_pictures {options.verify_pictures}: allowed is sample:N, all or none"
        )
    for field in all_fields():
        value = getattr(options, field.name)
        if field.metadata["file"] and value and "://" not in value and not os.path.isfile(value):
            raise UsageError(f"--{field.name} {value}: no such file")


def affecting(options: Options, what: str) -> dict[str, Any]:
    """Returns the values that affect ``what``; a file option stands for its content's hash."""
    from transforms import storage
    from transforms.keys import stable_hash

    values: dict[str, Any] = {}
    for field in all_fields():
        if field.metadata["affects"] != what:
            continue
        value = getattr(options, field.name)
        if field.metadata["file"] and value:
            value = stable_hash(storage.read_bytes(value).hex())
        values[field.name] = value
    return values


def reference_markdown() -> str:
    """Returns the options page of the docs."""
    lines = [
        "# Options",
        "",
        "Made by `tracemill config options`. Beam's own options pass through.",
        "",
    ]
    for group in GROUPS:
        lines += [
            f"## {(group.__doc__ or '').rstrip('.')}",
            "",
            "| option | default | affects | meaning |",
            "|---|---|---|---|",
        ]
        for field in fields(group):
            default = "" if field.default in (None, ()) else f"`{field.default}`"
            choices = field.metadata["choices"]
            meaning = field.metadata["help"] + (f" One of {', '.join(choices)}." if choices else "")
            lines.append(
                f"| `--{field.name}` | {default} | {field.metadata['affects']} | {meaning} |"
            )
        lines.append("")
    return "\n".join(lines)
