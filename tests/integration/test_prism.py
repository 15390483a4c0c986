"""Equal files from Prism, Beam's Go runner, and certainty about which engine DirectRunner is."""

import subprocess
import sys

import pytest

from tests.pipeline.jobs import ENVIRONMENT, job, tracemill, version_files
from tests.support.object_stores import go_tool, missing_go_tool
from tests.support.synthetic import write_catalogue, write_sessions

RECORDING = """
import sys
from apache_beam.runners.direct import direct_runner
from apache_beam.runners.portability import fn_api_runner, prism_runner
for runner in (fn_api_runner.FnApiRunner, prism_runner.PrismRunner,
               direct_runner.BundleBasedDirectRunner):
    def recorded(self, *arguments, _run=runner.run_pipeline, _name=runner.__name__, **named):
        print("engine", _name, file=sys.stderr)
        return _run(self, *arguments, **named)
    runner.run_pipeline = recorded
from pipeline.cli import main
sys.exit(main())
"""
"""Says which runner is asked to run; everything else is as it is."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prism")
    write_sessions(folder / "sessions", 8)
    write_catalogue(folder / "suite.json")
    (folder / "key").write_text("cd" * 32)
    tracemill(*arguments(folder, folder / "one"))
    return folder


def arguments(place, output, *more):
    given = job(place / "sessions", place / "suite.json", output)
    return [*given, f"--privacy_key_file={place / 'key'}", *more]


def engines(place, output, *more):
    made = subprocess.run(
        [sys.executable, "-c", RECORDING, *map(str, arguments(place, output, *more))],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr[-3000:]
    return [ln.split()[1] for ln in made.stderr.splitlines() if ln.startswith("engine ")]


def test_the_default_and_the_direct_runner_are_known_engines(place, tmp_path):
    assert engines(place, tmp_path / "default") == ["FnApiRunner"]
    # DirectRunner tries Prism where it finds the binary, and falls back.
    tried = engines(place, tmp_path / "direct", "--runner=DirectRunner")
    assert tried in (["FnApiRunner"], ["PrismRunner"], ["PrismRunner", "FnApiRunner"])
    for name in ("default", "direct"):
        assert version_files(tmp_path / name) == version_files(place / "one")


@pytest.mark.skipif(bool(missing_go_tool("prism")), reason=missing_go_tool("prism") or "is there")
def test_prism_writes_equal_files(place, tmp_path):
    prism = ["--runner=PrismRunner", f"--prism_location={go_tool('prism')}"]
    assert engines(place, tmp_path / "out", *prism) == ["PrismRunner"]
    assert version_files(tmp_path / "out") == version_files(place / "one")
