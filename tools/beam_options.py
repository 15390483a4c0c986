"""Lists the flags that the installed Beam knows, for ``pipeline/beam_options.txt``.

Run ``python tools/beam_options.py > pipeline/beam_options.txt`` after a change of Beam's version;
a test compares the two.
"""

from __future__ import annotations

import argparse
import importlib

# Each module declares options of its own, which Beam collects from the subclasses of
# PipelineOptions that have been imported.
MODULES = (
    "apache_beam.options.pipeline_options",
    "apache_beam.io.aws.clients.s3.boto3_client",
    "apache_beam.runners.dataflow.dataflow_runner",
)


def beam_flags() -> list[str]:
    """Returns every flag of every PipelineOptions class of Beam, without dashes, sorted."""
    for module in MODULES:
        importlib.import_module(module)
    from apache_beam.options.pipeline_options import PipelineOptions

    flags: set[str] = set()
    for group in PipelineOptions.__subclasses__():
        if not group.__module__.startswith("apache_beam."):
            continue
        parser = argparse.ArgumentParser(add_help=False, conflict_handler="resolve")
        group._add_argparse_args(parser)
        flags.update(f[2:] for a in parser._actions for f in a.option_strings if f[:2] == "--")
    return sorted(flags)


if __name__ == "__main__":
    print("\n".join(beam_flags()))
