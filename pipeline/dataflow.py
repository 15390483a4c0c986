"""The job as a Dataflow Flex Template: its parameters, and how they become options.

Parameters are ``name=value`` strings, so an option that may be repeated takes one value; several
are given in a file, by ``config``. The metadata follows from ``pipeline.options``
(``tracemill config dataflow``).
"""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from pipeline.options import all_fields

NOT_THERE = frozenset({"shared_mount"})
"""Options that mean nothing on Dataflow."""
REQUIRED = ("input", "output", "suite")


def template_metadata() -> dict[str, Any]:
    """Returns the template's metadata.json."""
    return {
        "name": "tracemill",
        "description": "Recorded computer-use sessions become training data for action models.",
        "parameters": [_parameter(f) for f in all_fields() if f.name not in NOT_THERE],
    }


def _parameter(field: dataclasses.Field) -> dict[str, Any]:
    text = field.metadata["help"]
    if field.metadata["repeat"]:
        text += " One value; several in the file that `config` names."
    parameter: dict[str, Any] = {
        "name": field.name,
        "label": field.name.replace("_", " ").capitalize(),
        "helpText": text,
        "isOptional": field.name not in REQUIRED,
        "paramType": "TEXT",
    }
    if field.metadata["choices"]:
        choices = "|".join(re.escape(c) for c in field.metadata["choices"])
        parameter["regexes"] = [f"^({choices})$"]
    elif _is_switch(field):
        parameter["regexes"] = ["^(true|false)$"]
    return parameter


def _is_switch(field: dataclasses.Field) -> bool:
    return isinstance(field.default, bool)


def template_arguments(given: Sequence[str]) -> list[str]:
    """Turns ``--switch=true`` into ``--switch``, which is how the command line says it."""
    switches = {f.name for f in all_fields() if _is_switch(f)}
    made = []
    for argument in given:
        name, _, value = argument.removeprefix("--").partition("=")
        if name in switches and value in ("true", "false"):
            made.append(f"--{name}" if value == "true" else f"--no-{name}")
        elif not argument.startswith("--") or value or "=" not in argument:
            made.append(argument)
    return made


def template_location(beam: Sequence[str]) -> str | None:
    """Returns where the graph is to be written instead of being run, if that was asked for."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--template_location")
    return parser.parse_known_args(list(beam))[0].template_location
