"""What would go to Dataflow: the graph that ``--template_location`` writes, against an emulator."""

import json
import subprocess

import pytest

from deploy.dataflow import main as flex
from pipeline.dataflow import template_arguments, template_metadata
from pipeline.options import all_fields, parse
from tests.pipeline.jobs import ENVIRONMENT, EXAMPLES, command, tracemill
from tests.pipeline.test_graph import STAGES
from tests.support.object_stores import gcs_emulator
from tests.support.pickles import unpacked

BUCKET = "gs://dataflow"
KEY = "ab" * 32
IMAGE = "europe-west1-docker.pkg.dev/example/tracemill:1"
MODEL_KEY = "sk-invented-0123456789abcdef"


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Writes a template to the emulator; returns (job, graph proto, all that was staged)."""
    from apache_beam.portability.api import beam_runner_api_pb2
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage as gcs

    folder = tmp_path_factory.mktemp("dataflow")
    with gcs_emulator(folder, "dataflow") as variables:
        client = gcs.Client(
            project="local",
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": variables["STORAGE_EMULATOR_HOST"]},
        )
        bucket = client.bucket("dataflow")
        bucket.blob("key").upload_from_string(KEY)
        bucket.blob("model-key").upload_from_string(MODEL_KEY)
        bucket.blob("suite.yaml").upload_from_string((EXAMPLES / "catalogue.yaml").read_bytes())
        made = subprocess.run(
            command(
                "run", f"--input={BUCKET}/recordings/*", f"--suite={BUCKET}/suite.yaml",
                f"--output={BUCKET}/out", f"--privacy_key_file={BUCKET}/key", "--visual=withhold",
                "--classifier=openai", "--model=gpt-4o-mini",
                "--model_base_url=https://models.example.org/v1",
                f"--model_key_file={BUCKET}/model-key",
                "--runner=DataflowRunner", "--project=tracemill-example", "--region=europe-west1",
                f"--temp_location={BUCKET}/temp", f"--template_location={BUCKET}/template/job.json",
                f"--sdk_container_image={IMAGE}", "--sdk_location=container",
                "--machine_type=n2-standard-4", "--max_num_workers=20",
                "--number_of_worker_harness_threads=1",
            ),
            env={**ENVIRONMENT, **variables, "OPENAI_API_KEY": MODEL_KEY},
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr[-3000:]
        assert "was written to gs://dataflow/template/job.json" in made.stdout
        staged = {b.name: b.download_as_bytes() for b in client.list_blobs("dataflow")}
    job = json.loads(staged["template/job.json"])
    (graph,) = [data for name, data in staged.items() if name.endswith("pipeline.pb")]
    proto = beam_runner_api_pb2.Pipeline.FromString(graph)
    return job, proto, staged


def test_the_graph_shows_our_stages(template):
    _, proto, _ = template
    names = {t.unique_name for t in proto.components.transforms.values()}
    assert {n for n in names if "/" not in n} >= set(STAGES)


def test_no_coder_is_a_pickle(template):
    _, proto, _ = template
    coders = proto.components.coders
    pickles = {i for i, c in coders.items() if "pickle" in c.spec.urn}
    while more := {
        i for i, c in coders.items() if i not in pickles and pickles & set(c.component_coder_ids)
    }:
        pickles |= more
    found = [c.unique_name for c in proto.components.pcollections.values() if c.coder_id in pickles]
    # Dataflow's runner makes Any of what is a side input; ours are bytes, so nothing is pickled.
    side_inputs = {"Plan.None", "AllChecks.None"}
    assert coders and {name.rpartition("/")[2] for name in found} == side_inputs


def test_workers_run_our_image(template):
    job, proto, _ = template
    images = [e.payload.decode(errors="replace") for e in proto.components.environments.values()]
    assert any(IMAGE in image for image in images)
    (pool,) = [p for p in job["environment"]["workerPools"] if p["kind"] == "harness"]
    assert pool["machineType"] == "n2-standard-4"
    assert pool["autoscalingSettings"]["maxNumWorkers"] == 20
    assert IMAGE in json.dumps(pool)


def test_no_secret_leaves_the_launcher(template):
    """The project's key and the model's are named, never sent; pickled steps are looked into."""
    _, proto, staged = template
    given = {"key", "model-key"}
    texts = [data for name, data in staged.items() if name not in given]
    payloads = [t.spec.payload for t in proto.components.transforms.values()]
    unpacked_texts = [inner for payload in payloads for inner in unpacked(payload)]
    assert any(b"_ListSessions" in inner for inner in unpacked_texts)
    for data in [*texts, *unpacked_texts]:
        for secret in (KEY.encode(), bytes.fromhex(KEY), MODEL_KEY.encode()):
            assert secret not in data


def test_metadata_names_every_option():
    metadata = template_metadata()
    assert json.loads(tracemill("config", "dataflow").stdout) == metadata
    names = {p["name"] for p in metadata["parameters"]}
    assert names == {f.name for f in all_fields()} - {"shared_mount"}
    assert [p["name"] for p in metadata["parameters"] if not p["isOptional"]] == [
        "input", "output", "suite",
    ]  # fmt: skip
    for parameter in metadata["parameters"]:
        assert {"name", "label", "helpText", "isOptional", "paramType"} <= set(parameter)


def test_parameters_become_options():
    given = [
        "--input=gs://b/in/*", "--output=gs://b/out", "--suite=gs://b/s.yaml", "--fail_fast=true",
        "--verify_privacy=false", "--runner=DataflowRunner",
    ]  # fmt: skip
    options = parse(template_arguments(given))
    assert options.fail_fast and not options.verify_privacy
    assert options.beam == ("--runner=DataflowRunner",)
    assert flex.main is not None
