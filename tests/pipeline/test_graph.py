"""The graph as runners get it: its proto holds no pickled coder and no secret."""

import apache_beam as beam
import pytest

from pipeline.graph import build_graph
from pipeline.options import parse
from pipeline.settings import resolve
from tests.pipeline.jobs import EXAMPLES

KEY = "ef" * 32
STAGES = [
    "FindSessions", "ReadTraces", "NormalizeEvents", "MatchObservations", "LocateSensitive",
    "Redact", "WritePrepared", "SegmentTrajectories", "ClassifySegments", "SynthesizeExamples",
    "ValidateExamples", "WriteResult", "WriteShards", "VerifyPrivacy", "Commit",
]  # fmt: skip


@pytest.fixture(scope="module")
def proto(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graph")
    (folder / "key").write_text(KEY)
    options = parse(
        [
            f"--input={EXAMPLES / 'sessions'}",
            f"--suite={EXAMPLES / 'catalogue.yaml'}",
            f"--output={folder / 'out'}",
            f"--privacy_key_file={folder / 'key'}",
        ]  # fmt: skip
    )
    pipeline = beam.Pipeline("FnApiRunner")
    build_graph(pipeline, resolve(options))
    return pipeline.to_runner_api()


def test_no_coder_in_the_graph_is_a_pickle(proto):
    urns = {c.spec.urn for c in proto.components.coders.values()}
    assert "tracemill:coder:struct:v1" in urns
    assert not [u for u in urns if "pickle" in u], urns


def test_steps_are_named_as_in_the_architecture_page(proto):
    names = {t.unique_name for t in proto.components.transforms.values()}
    assert {n for n in names if "/" not in n} >= set(STAGES)
