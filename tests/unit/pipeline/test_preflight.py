"""What workers elsewhere could not use is refused before anything starts."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pipeline.options import UsageError, parse
from pipeline.preflight import check_runner, model_processes
from transforms.classify.model.settings import ConfigurationFault

PATHS = ["--input=gs://b/in", "--output=gs://b/out"]
PORTABLE = ["--runner=PortableRunner", "--job_endpoint=runner.example.org:8099"]


@pytest.fixture
def suite(tmp_path):
    (tmp_path / "suite.json").write_text("{}")
    return f"--suite={tmp_path / 'suite.json'}"


def check(*arguments):
    check_runner(parse([*arguments]))


@pytest.fixture
def flink():
    """A server that says of itself what Flink's REST interface does."""

    class Overview(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"taskmanagers": 1, "flink-version": "1.19.3"}).encode())

        def log_message(self, *unused):
            pass

    server = HTTPServer(("127.0.0.1", 0), Overview)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "runner",
    [[], ["--runner=FnApiRunner"], ["--runner=DirectRunner"], ["--runner=PrismRunner"],
     [*PORTABLE, "--environment_type=LOOPBACK"]],
)  # fmt: skip
def test_in_process_any_path_will_do(suite, runner):
    check("--input=recordings", "--output=out", suite, *runner)


def test_a_relative_path_is_refused_even_on_a_shared_mount(suite):
    with pytest.raises(UsageError, match=r"--input recordings: .* another working directory"):
        check("--input=recordings", "--output=gs://b/out", suite, *PORTABLE, "--shared_mount")


def test_a_local_path_needs_the_word_of_the_user(suite):
    given = ["--input=/data/in", "--output=gs://b/out", suite, *PORTABLE]
    with pytest.raises(UsageError, match=r"--input /data/in: a local path.*--shared_mount"):
        check(*given)
    check(*given, "--shared_mount")


def test_workers_read_the_models_key_so_its_file_must_be_theirs(suite):
    given = [*PATHS, "--shared_mount", suite, "--classifier=openai", "--model=m", *PORTABLE]
    with pytest.raises(UsageError, match=r"--model_key_file key\.txt: workers"):
        check(*given, "--model_key_file=key.txt")
    check(*given, "--model_key_file=/shared/key.txt")
    check(*given, "--model_key_file=env:MODEL_KEY")


def test_dataflow_has_no_local_files(suite):
    given = ["--input=/data/in", "--output=gs://b/out", suite, "--shared_mount"]
    with pytest.raises(UsageError, match="no local files"):
        check(*given, "--runner=DataflowRunner")


def test_another_flink_is_refused_with_what_to_say(suite, flink):
    given = [*PATHS, suite, "--shared_mount", "--runner=FlinkRunner", f"--flink_master={flink}"]
    given.append("--job_server_java_launcher=true")  # a program that is everywhere
    with pytest.raises(UsageError, match=r"is Flink 1\.19\.3; say --flink_version=1\.19"):
        check(*given, "--flink_version=1.18")
    check(*given, "--flink_version=1.19")


def test_a_cluster_that_does_not_answer_is_refused(suite):
    given = [*PATHS, suite, "--shared_mount", "--runner=FlinkRunner", "--flink_master=127.0.0.1:9"]
    with pytest.raises(UsageError, match="no Flink REST interface"):
        check(*given, "--job_server_java_launcher=true")


def test_missing_java_and_jar_are_named(suite, tmp_path):
    given = [*PATHS, suite, "--shared_mount", "--runner=FlinkRunner"]
    with pytest.raises(UsageError, match="needs java"):
        check(*given, "--job_server_java_launcher=no-such-program")
    with pytest.raises(UsageError, match=r"job_server_jar .*: no such file"):
        check(
            *given,
            "--job_server_java_launcher=true",
            f"--flink_job_server_jar={tmp_path / 'none.jar'}",
        )


def test_a_worker_program_must_be_there(suite, flink, tmp_path):
    given = [
        *PATHS, suite, "--shared_mount", "--runner=FlinkRunner", f"--flink_master={flink}",
        "--flink_version=1.19", "--job_server_java_launcher=true", "--environment_type=PROCESS",
    ]  # fmt: skip
    boot = tmp_path / "boot.sh"
    for text in ("", "boot.sh", "{}", json.dumps({"command": str(boot)})):
        with pytest.raises(UsageError, match="environment_config"):
            check(*given, f"--environment_config={text}")
    boot.write_text("#!/bin/sh\n")
    boot.chmod(0o700)
    check(*given, "--environment_config=" + json.dumps({"command": str(boot)}))


@pytest.mark.parametrize(
    "arguments, processes",
    [
        ([], 1),
        (["--direct_num_workers=4"], 1),  # threads of one process
        (["--direct_num_workers=4", "--direct_running_mode=multi_threading"], 1),
        (["--direct_num_workers", "4", "--direct_running_mode=multi_processing"], 4),
        (["--direct_num_workers=0", "--direct_running_mode=multi_processing"], os.cpu_count()),
        (["--runner=FlinkRunner", "--parallelism=6"], 6),
        (["--runner=FlinkRunner", "--parallelism=6", "--environment_type=LOOPBACK"], 1),
        (["--runner=FlinkRunner"], None),
        (["--runner=DataflowRunner", "--max_num_workers=3", "--machine_type=n2-standard-8"], 24),
        (["--runner=DataflowRunner", "--max_num_workers=3"], None),
        (["--runner=DataflowRunner", "--max_num_workers=3", "--machine_type=n2-custom-8-64"], None),
        (PORTABLE, None),
        ([*PORTABLE, "--model_max_processes=5"], 5),
        (["--direct_running_mode=multi_processing", "--model_max_processes=5"], 5),
    ],
)
def test_limits_are_divided_among_the_processes_that_the_runner_starts(suite, arguments, processes):
    def found(*more):
        return model_processes(parse([*PATHS, suite, *arguments, *more]))

    assert found() == (processes or 1)  # without limits there is nothing to divide
    if processes is None:
        with pytest.raises(UsageError, match=r"--max_usd is divided.*--model_max_processes"):
            found("--max_usd=5")
    else:
        assert found("--max_usd=5") == processes


def test_a_configuration_of_another_model_has_its_own_price(suite, tmp_path):
    from pipeline.settings import model_settings

    prices = tmp_path / "prices.yaml"
    prices.write_text("dear: {prompt: 10, completion: 20}\ncheap: {prompt: 1, completion: 2}\n")
    given = [
        *PATHS, suite, "--classifier=openai", "--model=cheap", "--max_usd=5",
        f"--price_file={prices}", "--model_configuration", "{}",
    ]  # fmt: skip
    both = model_settings(parse([*given, '{"model": "dear"}']), (None, None))
    assert both[0].endpoint == both[1].endpoint  # one budget
    assert [m.endpoint.price_of(m.model).prompt for m in both] == [1, 10]
    workers = ["--direct_num_workers=3", "--direct_running_mode=multi_processing"]
    (one,) = model_settings(parse([*given, *workers]), (None,))
    assert one.endpoint.processes == 3
    with pytest.raises(ConfigurationFault, match="--max_usd needs the price of other"):
        model_settings(parse([*given, '{"model": "other"}']), (None, None))
