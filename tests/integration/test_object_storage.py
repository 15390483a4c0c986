"""The job and every command on ``gs://`` and ``s3://``, against servers on this machine."""

import contextlib
import json
import os
import shutil
import subprocess
import threading
import time

import pytest

from pipeline.locks import RemoteLock
from pipeline.options import UsageError
from tests.pipeline.jobs import ENVIRONMENT, EXAMPLES, command, manifest, tracemill
from tests.support.object_stores import (
    fake_gcs_server,
    gcs_emulator,
    missing_go_tool,
    s3_server,
)
from tests.support.synthetic import write_catalogue, write_sessions
from transforms import object_stores, storage

BUCKET = "recordings"
SESSIONS = 6
PREFIXES = {"gs": f"gs://{BUCKET}", "s3": f"s3://{BUCKET}"}


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Both servers, with this process's variables leading to them."""
    folder = tmp_path_factory.mktemp("servers")
    with gcs_emulator(folder, BUCKET) as gcs, s3_server(folder, BUCKET) as s3:
        variables = {**gcs, **s3}
        with environment(variables):
            yield variables


@contextlib.contextmanager
def environment(variables):
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    ENVIRONMENT.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            ENVIRONMENT.pop(name, None)
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = ENVIRONMENT[name] = value


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Sessions (some in an archive), a catalogue, a key, and what a local run makes of them."""
    folder = tmp_path_factory.mktemp("here")
    write_sessions(folder / "in" / "folders", SESSIONS)
    write_sessions(folder / "packed", 2, first=50)
    shutil.make_archive(folder / "in" / "packed", "zip", folder / "packed")
    write_catalogue(folder / "suite.json")
    (folder / "key").write_text("cd" * 32)
    tracemill(*arguments(folder, folder / "out"))
    return folder


def arguments(root, output, *more):
    return [
        "run", f"--input={root}/in/*", f"--suite={root}/suite.json", f"--output={output}",
        f"--privacy_key_file={root}/key", "--privacy=off", "--fail_fast",
        "--fingerprint=content", *more,
    ]  # fmt: skip


@pytest.fixture(scope="module", params=sorted(PREFIXES))
def remote(request, stores, place):
    """A prefix with the same inputs, and the output of a run that has no local path at all."""
    root = PREFIXES[request.param]
    for name in ("in", "suite.json", "key"):
        for found in storage.walk(str(place / name)):
            uri = storage.join(root, os.path.relpath(found.uri, place))
            storage.write_bytes(uri, storage.read_bytes(found.uri))
    made = tracemill(*arguments(root, f"{root}/out"))
    assert f"{SESSIONS + 2} sessions (0 done before, 0 failed)" in made.stdout
    return root


def remote_manifest(root):
    return json.loads(storage.read_bytes(f"{root}/out/manifest.json"))


def test_the_dataset_is_the_one_of_a_local_run(remote, place):
    expected = manifest(place / "out")
    found = remote_manifest(remote)
    assert found["files"] == expected["files"] and len(found["files"]) > 10
    here = {os.path.relpath(s.uri, place / "out") for s in storage.walk(str(place / "out/frames"))}
    there = {s.uri.removeprefix(f"{remote}/out/") for s in storage.walk(f"{remote}/out/frames")}
    assert there == here and here
    some = expected["files"][0]
    data = storage.read_bytes(storage.join(remote, "out", found["path"], some["path"]))
    assert data == (place / "out/dataset" / some["path"]).read_bytes()


def test_a_second_run_has_nothing_to_do(remote):
    assert "nothing to do" in tracemill(*arguments(remote, f"{remote}/out")).stdout


def test_commands_read_a_remote_output(remote, place):
    output = f"{remote}/out"
    said = tracemill("status", output).stdout
    assert said == tracemill("status", place / "out").stdout
    assert "no failures" in tracemill("failures", output).stdout
    assert "would delete" in tracemill("gc", output, "--dry_run").stdout


def test_a_scrubbed_run_is_evaluated_and_forgets(stores):
    """Two of the examples with the PrivacyFilter; then evaluate and forget."""
    output = f"{PREFIXES['gs']}/scrubbed"
    names = sorted(p.name for p in (EXAMPLES / "sessions").iterdir() if p.is_dir())[:2]
    tracemill(
        "run", *(f"--input={EXAMPLES / 'sessions' / name}" for name in names),
        f"--suite={EXAMPLES / 'catalogue.yaml'}", f"--output={output}", "--visual=withhold",
        "--fail_fast",
    )  # fmt: skip
    truth = tracemill("evaluate", output, f"--truth={EXAMPLES / 'truth.jsonl'}", "--json")
    assert json.loads(truth.stdout)["missing_sessions"]
    kept = [storage.name_of(s.uri) for s in storage.walk(f"{output}/private/sessions")]
    gone = sorted(kept)[0].removesuffix(".json")
    tracemill("forget", output, gone)
    left = list(storage.walk(output))
    assert len(left) > 10
    for found in left:
        assert gone not in found.uri
        if not found.uri.endswith("forgotten.txt"):
            assert gone.encode() not in storage.read_bytes(found.uri), found.uri


def test_worker_processes_and_an_endpoint_given_as_option_of_beam(stores, remote, place):
    if not remote.startswith("s3"):
        pytest.skip("an option of S3 alone")
    options = {
        "s3_endpoint_url": "AWS_ENDPOINT_URL",
        "s3_access_key_id": "AWS_ACCESS_KEY_ID",
        "s3_secret_access_key": "AWS_SECRET_ACCESS_KEY",
        "s3_region_name": "AWS_DEFAULT_REGION",
    }
    flags = [f"--{option}={stores[variable]}" for option, variable in options.items()]
    bare = {k: v for k, v in ENVIRONMENT.items() if k not in stores}
    bare["AWS_EC2_METADATA_DISABLED"] = "true"

    def run(*given):
        made = subprocess.run(
            command(*given, *flags), env=bare, capture_output=True, text=True, timeout=120
        )
        assert made.returncode == 0, made.stderr[-2000:]
        return made.stdout

    run(
        *arguments(remote, f"{remote}/flags"),
        "--direct_num_workers=2",
        "--direct_running_mode=multi_processing",
    )
    found = json.loads(storage.read_bytes(f"{remote}/flags/manifest.json"))
    assert found["files"] == manifest(place / "out")["files"]
    assert "sessions" in run("status", f"{remote}/flags")


def test_a_bucket_that_is_not_there_is_one_line(stores, place):
    for root in ("gs://no-such-bucket", "s3://no-such-bucket"):
        made = tracemill(*arguments(place, f"{root}/out"), check=3)
        assert made.stderr.startswith("tracemill run: ") and "no-such-bucket" in made.stderr
        assert "Traceback" not in made.stderr


@pytest.mark.parametrize("kind", ["gs", "s3"])
def test_files_are_read_in_ranges(stores, kind):
    uri = f"{PREFIXES[kind]}/ranges/data"
    data = os.urandom(3 << 20)
    storage.write_bytes(uri, data)
    with storage.open_read(uri) as f:
        assert f.read(10) == data[:10]
        f.seek(2 << 20)
        assert f.read(100_000) == data[2 << 20 :][:100_000]
        f.seek(-7, 2)
        assert f.read() == data[-7:]
        f.seek(0)
        assert f.read() == data
    storage.write_bytes(uri, b"")
    with storage.open_read(uri) as f:
        assert f.read() == b""
    with pytest.raises(FileNotFoundError):
        storage.open_read(f"{uri}-not")
    with pytest.raises(FileNotFoundError):
        storage.read_bytes(f"{uri}-not")


@pytest.mark.parametrize("kind", ["gs", "s3"])
def test_globs_know_folders(stores, kind):
    root = f"{PREFIXES[kind]}/globs"
    for name in ("a1/x.json", "a1/deep/y.json", "a2/x.json", "b[1]/z.json"):
        storage.write_bytes(f"{root}/{name}", b"{}")
    assert storage.glob(f"{root}/a*") == [f"{root}/a1", f"{root}/a2"]
    assert storage.glob(f"{root}/a?/x.json") == [f"{root}/a1/x.json", f"{root}/a2/x.json"]
    assert storage.glob(f"{root}/**/y.json") == [f"{root}/a1/deep/y.json"]
    assert storage.glob(f"{root}/none*") == []
    assert [s.uri for s in storage.walk(f"{root}/b[1]")] == [f"{root}/b[1]/z.json"]
    assert [s.uri for s in storage.walk(f"{root}/a2/x.json")] == [f"{root}/a2/x.json"]
    storage.delete(f"{root}/a1")
    assert [s.uri for s in storage.walk(root)] == [f"{root}/a2/x.json", f"{root}/b[1]/z.json"]


@pytest.fixture(params=["gs", "s3"])
def conditional(request, tmp_path):
    """A store that keeps preconditions."""
    if request.param == "gs" and (why := missing_go_tool("fake-gcs-server")):
        pytest.skip(why)
    start = fake_gcs_server if request.param == "gs" else s3_server
    with start(tmp_path, BUCKET) as variables, environment(variables):
        yield PREFIXES[request.param]


def test_conditional_writes_have_one_winner(conditional):
    uri = f"{conditional}/reply"
    won = []
    barrier = threading.Barrier(8)

    def write(n):
        barrier.wait()
        if storage.put_if_absent(uri, b"%d" % n):
            won.append(n)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    data, version = storage.read_with_version(uri)
    assert data == b"%d" % won[0]
    assert storage.replace_if_unchanged(uri, b"next", version)
    assert not storage.replace_if_unchanged(uri, b"late", version)
    assert storage.read_bytes(uri) == b"next"
    assert storage.read_with_version(f"{uri}-not") == (None, "")
    assert storage.replace_if_unchanged(f"{uri}-new", b"first", "")
    assert not storage.replace_if_unchanged(f"{uri}-new", b"second", "")


def test_an_object_replaced_while_it_is_read_is_not_mixed(stores):
    """On S3 alone: the emulators of GCS ignore the generation that a read asks for."""
    uri = f"{PREFIXES['s3']}/mixed"
    storage.write_bytes(uri, b"a" * (1 << 20))
    with storage.open_read(uri) as f:
        f.read(10)
        storage.write_bytes(uri, b"b" * (1 << 20))
        with pytest.raises((storage.StorageError, object_stores.Changed, FileNotFoundError)):
            f.read()


def test_two_runs_on_one_output_one_is_refused(stores, place):
    root = PREFIXES["s3"]
    output = f"{root}/locked"
    with RemoteLock(output):
        made = tracemill(*arguments(place, output), check=2)
        assert "another run is at work there" in made.stderr
        with pytest.raises(UsageError), RemoteLock(output):
            pass
    assert not storage.exists(f"{output}/.lock.json")
    with RemoteLock(output):
        assert storage.exists(f"{output}/.lock.json")


def test_a_lock_that_nobody_renews_ends(stores):
    output = f"{PREFIXES['s3']}/abandoned"
    first = RemoteLock(output, renewed_s=0.2, expires_s=1)
    with first:
        time.sleep(1.5)
        with pytest.raises(UsageError), RemoteLock(output, renewed_s=0.2, expires_s=1):
            pass  # renewed meanwhile
    killed = RemoteLock(output, renewed_s=60, expires_s=1)
    killed.__enter__()
    time.sleep(1.2)
    with RemoteLock(output, renewed_s=0.2, expires_s=1):
        assert storage.exists(f"{output}/.lock.json")
        killed.__exit__()  # comes back to life: the lock isn't its own any more
        assert storage.exists(f"{output}/.lock.json")
