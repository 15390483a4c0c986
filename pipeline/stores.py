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
    "s3_endpoint_url": "AWS_ENDPOINT_URL",
    "s3_region_name": "AWS_DEFAULT_REGION",
    "s3_access_key_id": "AWS_ACCESS_KEY_ID",
    "s3_secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "s3_session_token": "AWS_SESSION_TOKEN",
}
"""Options that boto3 takes from the environment too, which worker processes here inherit."""
SENT = ("s3_endpoint_url", "s3_region_name")
"""Sent from the environment to workers elsewhere; keys never are."""


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
    for name, variable in VARIABLES.items():
        if value := getattr(given, name):
            os.environ[variable] = value
    return rest


def complete_beam_options(made: Any) -> None:
    """Fills Beam's options for S3 from the environment where they are not given."""
    from apache_beam.options.pipeline_options import S3Options

    s3 = made.view_as(S3Options)
    for name in SENT:
        value = os.environ.get(VARIABLES[name])
        if getattr(s3, name) is None and value:
            setattr(s3, name, value)
