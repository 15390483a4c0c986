"""The ``tracemill`` command. Imports nothing heavy before it knows what to do."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from pipeline.options import Options, Parser, UsageError, add_arguments, parse

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("pipeline.commands.run", "turn sessions into a dataset"),
    "plan": ("pipeline.commands.plan", "say what a run would ask and cost, before it does"),
    "validate": ("pipeline.commands.validate", "read sessions and say what is wrong with them"),
    "status": ("pipeline.commands.status", "say how sessions and examples of an output stand"),
    "evaluate": ("pipeline.commands.evaluate", "compare an output with labelled truth"),
    "compare": ("pipeline.commands.compare", "set the model configurations of a run side by side"),
    "failures": ("pipeline.commands.failures", "list, group or show the failures of an output"),
    "replay": ("pipeline.commands.replay", "compute the failed sessions again"),
    "gc": ("pipeline.commands.gc", "delete old versions and what nothing needs any more"),
    "forget": ("pipeline.commands.forget", "remove sessions from an output, everywhere"),
    "scan": ("pipeline.commands.scan", "search a finished output for personal data"),
    "models": ("pipeline.commands.models", "build the small OCR networks, or show which are used"),
    "config": ("pipeline.commands.config", "print a packaged configuration or the options page"),
}

JOBS = ("run", "replay", "plan")
"""Commands whose other options are Beam's."""


def usage() -> str:
    """Returns the help text of the whole command."""
    lines = [
        "usage: tracemill COMMAND [options]",
        "",
        "Recorded computer-use sessions become training data for action models.",
        "",
    ]
    lines += [f"  {name:<10}{text}" for name, (_, text) in COMMANDS.items()]
    lines += [
        "",
        "`tracemill COMMAND --help` shows a command's options. Exit codes: 0 done; "
        "1 too many failures;",
        "2 usage or configuration; 3 storage, internal error, broken ledger or a privacy hit.",
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns its exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if arguments else 2
    if arguments[0] == "--version":
        from pipeline.versions import distribution_version

        print(f"tracemill {distribution_version()}")
        return 0
    name = "run" if arguments[0].startswith("--") else arguments.pop(0)
    if name not in COMMANDS:
        import difflib

        close = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"; did you mean {close[0]}?" if close else f"; one of {', '.join(COMMANDS)}"
        print(f"tracemill: unknown command {name!r}{hint}", file=sys.stderr)
        return 2
    from pipeline.stores import use_store_options

    rest = use_store_options(arguments)
    if name in JOBS:
        from pipeline.stopping import stop_on_signals

        stop_on_signals()
    try:
        return _command(COMMANDS[name][0])(arguments if name in JOBS else rest)
    except UsageError as error:
        print(f"tracemill {name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        from pipeline.stopping import leave

        print(f"tracemill {name}: stopped; run it again to go on", file=sys.stderr)
        leave(getattr(error, "code", 130))
    except BrokenPipeError:
        return 0
    except Exception as error:
        if not _of_storage(error):
            raise
        print(f"tracemill {name}: {error}", file=sys.stderr)
        return 3


def _of_storage(error: Exception) -> bool:
    from transforms.storage import StorageError

    return isinstance(error, StorageError | OSError)


def _command(module: str) -> Callable[[Sequence[str]], int]:
    import importlib

    return importlib.import_module(module).main


def job_parser(command: str, description: str) -> Parser:
    """Returns a parser with every option of the job, for ``--help``."""
    parser = Parser(
        prog=f"tracemill {command}",
        description=description,
        epilog="Beam's own options (--runner, --direct_num_workers, …) pass through.",
    )
    add_arguments(parser, defaults=True)
    return parser


def job_options(command: str, description: str, arguments: Sequence[str]) -> Options:
    """Parses the job's options, or prints their help and leaves."""
    if "--help" in arguments or "-h" in arguments:
        job_parser(command, description).print_help()
        raise SystemExit(0)
    return parse(arguments)


if __name__ == "__main__":
    sys.exit(main())
