"""Which object stores the command line and the environment name, said once to all who ask.

Beam's options (``--s3_endpoint_url`` …) and boto3's variables (``AWS_ENDPOINT_URL``) mean the same
store: what is given in one place counts for our own clients, for Beam's, and on workers.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import Any

IDENTITY = ("project", "impersonate_service_account")
VARIABLES = {
    "s3_endpoint_url": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    "s3_region_name": ("AWS_REGION", "AWS_DEFAULT_REGION"),
}
"""Sent to workers, which have another environment; keys never are."""


def use_store_options(arguments: Sequence[str]) -> list[str]:
    """Sets the options of stores for this process; returns the other arguments."""
    if not any(a.startswith(("--s3_", "--project", "--impersonate")) for a in arguments):
        return list(arguments)
    from transforms.object_stores import S3_OPTIONS, use_options

    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in (*S3_OPTIONS, *IDENTITY):
        if name == "s3_disable_ssl":
            parser.add_argument(f"--{name}", action="store_true", default=None)
        else:
            parser.add_argument(f"--{name}")
    given, rest = parser.parse_known_args(list(arguments))
    use_options(vars(given))
    return rest


def complete_beam_options(made: Any) -> None:
    """Fills Beam's options for S3 from the environment where they are not given."""
    from apache_beam.options.pipeline_options import S3Options

    s3 = made.view_as(S3Options)
    for name, variables in VARIABLES.items():
        value = next((os.environ[v] for v in variables if os.environ.get(v)), None)
        if getattr(s3, name) is None and value:
            setattr(s3, name, value)
