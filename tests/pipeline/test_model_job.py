"""The whole job with a model behind real sockets: faults, kills, budgets, A/B, and no leaks."""

from __future__ import annotations

import collections
import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time

import pyarrow.parquet as pq
import pytest

from pipeline.cli import main
from tests.pipeline.jobs import ENVIRONMENT, EXAMPLES, ROOT, command, summary, version_files
from tests.support.model_server import ModelServer
from transforms import storage
from transforms.classify.model.cache import request_key

KEY = "sk-test-5up3r-s3cret"
MAIL, BOARD = "4e9d7e1f-98ec-54c5-bd79-96ee56cfcd71", "38b3c78a-4012-5e81-9fe9-5d627d9b7d2f"
SESSIONS = [MAIL, BOARD, "2b5ae6c3-19bc-527c-ad8f-9ddbf1dea57a"]
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server():
    with ModelServer(key=KEY) as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def environment():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", KEY)
        yield


class Place:
    """Sessions, their prepared halves, and the options that all runs share."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "key").write_text("ab" * 32)
        (folder / "scrubber.yaml").write_text("names: {model: none}\n")

    def arguments(self, output, *more, sessions=SESSIONS):
        return [
            "run", "--input", *(str(EXAMPLES / "sessions" / s) for s in sessions),
            f"--suite={EXAMPLES / 'catalogue.yaml'}", f"--output={output}", "--visual=withhold",
            f"--scrubber_config={self.folder / 'scrubber.yaml'}", "--fail_fast",
            f"--privacy_key_file={self.folder / 'key'}", *map(str, more),
        ]  # fmt: skip

    def begun(self, output):
        """An output whose first halves are done."""
        shutil.copytree(self.folder / "base/checkpoints/prepared", output / "checkpoints/prepared")
        return output


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("model"))
    assert main(made.arguments(made.folder / "base")) == 0
    return made


@pytest.fixture
def out(place, tmp_path):
    return place.begun(tmp_path / "out")


def asking(server, *more):
    """Options of a run that asks the server; each run has an endpoint of its own."""
    return [
        "--classifier=openai", "--model=fake-1", f"--model_base_url={server.base_url}",
        *(() if any("timeout" in str(m) for m in more)
          else (f"--request_timeout_s={20 + next(_numbers) / 1000}",)),
        *more,
    ]  # fmt: skip


def table(output, name):
    return pq.read_table(output / "dataset" / "tables" / name).to_pylist()


def without_results(output):
    shutil.rmtree(output / "checkpoints" / "result")
    (output / "manifest.json").unlink()


@pytest.fixture(scope="module")
def undisturbed(place, server):
    server.reset(key=KEY, keep_bodies=True)
    output = place.begun(place.folder / "undisturbed")
    assert main(place.arguments(output, *asking(server))) == 0
    return output, server.bodies()


def test_every_segment_is_accounted_for_once_whatever_the_endpoint_does(
    place, server, undisturbed, out
):
    expected = {
        (r["session_id"], r["segment_id"]) for r in table(undisturbed[0], "classifications")
    }
    faults = ("429", "500", "reset", "garbage", "blank", "truncated", "refusal", "wrong_label")
    server.reset(key=KEY, faults=dict.fromkeys(faults, 0.07), retry_after_s=0.05)
    assert main(place.arguments(out, *asking(server))) == 0
    rows = table(out, "classifications")
    assert len(rows) == len(expected)
    assert {(r["session_id"], r["segment_id"]) for r in rows} == expected
    assert len({r["fault"] for r in server.trace()}) > 3
    refused = [r for r in rows if "refused" in r["reasons"]]
    assert len(refused) == sum(r["fault"] == "refusal" for r in server.trace())
    queue = [json.loads(line) for line in (out / "review/queue.jsonl").open()]
    waiting = {r["segment_id"] for r in rows if r["status"] in ("review", "failed")}
    assert sorted(q["segment_id"] for q in queue) == sorted(waiting)
    # All that could be mended was: the same answers as without faults.
    same = {r["segment_id"]: r["action"] for r in table(undisturbed[0], "classifications")}
    # One may be out of luck with all its repairs; that is told, above.
    answered = [r for r in rows if r not in refused and r["status"] != "failed"]
    assert len(answered) > len(rows) / 2
    assert all(r["action"] == same[r["segment_id"]] for r in answered)


def test_a_warm_run_asks_nothing_and_gives_the_same_bytes(place, server, undisturbed, tmp_path):
    output = tmp_path / "out"
    shutil.copytree(undisturbed[0], output, symlinks=True)
    without_results(output)
    server.reset(key=KEY)
    assert main(place.arguments(output, *asking(server))) == 0
    assert server.count() == 0
    assert version_files(output) == version_files(undisturbed[0])


def test_the_summary_says_what_this_run_asked_and_paid(place, server, out, tmp_path, capsys):
    prices = tmp_path / "prices.yaml"
    prices.write_text("fake-1: {prompt: 10, completion: 20}\n")
    server.reset(key=KEY, plan=["", "500"])
    arguments = place.arguments(out, *asking(server, f"--price_file={prices}"))
    assert main(arguments) == 0
    model = summary(out)["model"]
    assert model["calls"] == server.count() == model["replies"] + 1
    tokens = model["prompt_tokens"] * 10 + model["completion_tokens"] * 20
    assert model["usd"] == pytest.approx(tokens / 1e6, abs=1e-4) and model["usd"] > 0
    assert f"model: {model['calls']} calls, 0 replies from the cache" in capsys.readouterr().out
    # It is this run's: what a warm run reads from the cache was paid before.
    without_results(out)
    assert main(arguments) == 0
    again = summary(out)["model"]
    assert (again["calls"], again["usd"], again["prompt_tokens"]) == (0, 0, 0)
    assert again["cache_hits"] >= model["replies"]


def cached(output):
    return {storage.name_of(s.uri).removesuffix(".json") for s in storage.walk(f"{output}/cache")}


@pytest.mark.slow
def test_killed_at_random_moments_it_pays_for_nothing_twice(place, server, undisturbed, out):
    rng = random.Random(11)
    server.reset(key=KEY, latency_s=[0.1, 0.4], keep_bodies=True)
    concurrency, kills, seen = 3, 0, 0
    arguments = place.arguments(out, *asking(server, "--model_concurrency_per_process=3"))
    for _ in range(3):
        before = cached(out)
        process = subprocess.Popen(
            command(*arguments), env=ENVIRONMENT | {"OPENAI_API_KEY": KEY}, cwd=ROOT,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        while server.count() <= seen and process.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.uniform(0.0, 0.6))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
        bodies = server.bodies()
        asked = {request_key(json.loads(b)) for b in bodies[seen:]}
        assert not asked & before
        seen = len(bodies)
    assert kills >= 2
    before = cached(out)
    server.reset(key=KEY, keep_bodies=True)
    assert main(arguments) == 0
    assert not {request_key(json.loads(b)) for b in server.bodies()} & before
    assert seen + server.count() <= len(undisturbed[1]) + kills * concurrency
    assert version_files(out) == version_files(undisturbed[0])


@pytest.mark.parametrize(
    "config, says",
    [
        ({"status": 401}, "HTTP 401"),
        ({"status": 403}, "HTTP 403"),
        ({"models": ["other"]}, "HTTP 404"),
        ({"quota": True}, "insufficient_quota"),
    ],
)
def test_a_configuration_fault_ends_the_run_with_one_line(place, server, out, capfd, config, says):
    server.reset(key=KEY, echo_key=True, **config)
    begun = time.monotonic()
    assert main(place.arguments(out, *asking(server))) == 2
    assert time.monotonic() - begun < 20
    said = capfd.readouterr()
    assert says in said.err and said.err.count("\n") == 1 and not said.out
    assert KEY not in said.err
    assert not (out / "manifest.json").exists()


@pytest.mark.slow
def test_a_configuration_fault_in_worker_processes_too(place, server, out):
    server.reset(key=KEY, status=401, echo_key=True)
    made = subprocess.run(
        command(*place.arguments(out, *asking(server, "--model_max_processes=2")),
                "--direct_num_workers=2", "--direct_running_mode=multi_processing"),
        env=ENVIRONMENT | {"OPENAI_API_KEY": KEY}, cwd=ROOT, capture_output=True, text=True,
        timeout=90,
    )  # fmt: skip
    assert made.returncode == 2, made.stderr[-3000:]
    assert [line for line in made.stderr.splitlines() if "HTTP 401" in line][-1].startswith(
        "tracemill run: "
    )
    assert KEY not in made.stdout + made.stderr
    assert server.count() < 20


def test_a_missing_key_is_said_before_anything_starts(place, server, out, capsys, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    assert main(place.arguments(out, *asking(server))) == 2
    assert "OPENAI_API_KEY is not set" in capsys.readouterr().err


def test_recordings_that_were_not_scrubbed_never_go_to_a_model(place, server, out, capsys):
    server.reset(key=KEY)
    assert main(place.arguments(out, "--privacy=off", *asking(server))) == 2
    assert "unscrubbed" in capsys.readouterr().err
    assert server.count() == 0


def test_a_spent_budget_leaves_the_rest_to_the_next_run(place, server, undisturbed, out):
    everything = len(undisturbed[1])
    server.reset(key=KEY)
    assert main(place.arguments(out, *asking(server, "--max_calls=4"))) == 0
    assert server.count() == 4
    rows = table(out, "classifications")
    left = [r for r in rows if "budget" in r["reasons"]]
    assert {r["status"] for r in left} == {"review"}
    assert len(rows) - len(left) == 4
    reasons = {r for e in table(out, "examples") for r in e["review_reasons"]}
    assert "budget" in reasons
    assert main(place.arguments(out, *asking(server, "--max_calls=1000"))) == 0
    assert server.count() == everything
    assert version_files(out) == version_files(undisturbed[0])


def test_the_key_is_nowhere(place, server, undisturbed, out, capfd):
    import apache_beam as beam

    from pipeline.graph import build_graph
    from pipeline.options import parse
    from pipeline.runner import beam_options
    from pipeline.settings import resolve

    server.reset(key=KEY, echo_key=True, faults={"500": 0.2, "429": 0.1}, retry_after_s=0.05)
    (place.folder / "model-key").write_text(KEY + "\n")
    arguments = place.arguments(
        out, *asking(server, f"--model_key_file={place.folder / 'model-key'}", "--annotate")
    )
    assert main(arguments) == 0
    said = capfd.readouterr()
    assert KEY not in said.out + said.err
    for output in (out, undisturbed[0]):
        for path in output.rglob("*"):
            if path.is_file():
                assert KEY.encode() not in path.read_bytes(), path
    for given in (arguments, place.arguments(out, *asking(server))):
        options = parse(given[1:])
        pipeline = beam.Pipeline(options=beam_options(options))
        build_graph(pipeline, resolve(options))
        assert KEY.encode() not in pipeline.to_runner_api().SerializeToString()
        assert KEY not in json.dumps(pipeline.options.get_all_options(), default=repr)
        assert KEY not in repr(options) + repr(resolve(options))


def test_two_configurations_give_two_examples_each_with_its_own(place, server, out, capsys):
    server.reset(key=KEY, keep_bodies=True)
    configurations = ['{"temperature": 0}', '{"model": "fake-2", "seed": 5}']
    given = asking(server, "--model_configuration", *configurations)
    assert main(place.arguments(out, *given, sessions=[BOARD])) == 0
    examples = table(out, "examples")
    assert sorted(
        (e["model"], json.dumps(json.loads(e["model_configuration"]))) for e in examples
    ) == [
        ("fake-1", '{"temperature": 0}'),
        ("fake-2", '{"model": "fake-2", "seed": 5}'),
    ]
    bodies = [json.loads(b) for b in server.bodies()]
    asked = collections.Counter((b["model"], b.get("seed")) for b in bodies)
    assert set(asked) == {("fake-1", None), ("fake-2", 5)}
    rows = table(out, "classifications")
    assert len(rows) == len(bodies)
    assert all(json.loads(r["usage"])["prompt_tokens"] > 0 for r in rows)
    for example in examples:
        own = [r for r in rows if r["model"] == example["model"]]
        calls = sum(json.loads(r["usage"])["calls"] for r in own)
        assert json.loads(example["usage"])["calls"] == calls > 0
    comparison = json.loads((out / "run/latest/comparison.json").read_text())
    assert [c["model"] for c in comparison["configurations"]] == ["fake-1", "fake-2"]
    # The server's answers depend on what was recorded alone.
    assert comparison["agreement"][0]["same_action"] == 1.0
    capsys.readouterr()
    truth = ["--truth", str(EXAMPLES / "truth.jsonl")]
    assert main(["compare", str(out), *truth, "--json"]) == 0
    compared = json.loads(capsys.readouterr().out)["configurations"]
    assert all(0 <= c["action_accuracy"] <= 1 for c in compared)
    assert main(["compare", str(out), *truth]) == 0
    assert "action accuracy" in capsys.readouterr().out


def test_a_fitted_calibration_is_used_without_asking_again(place, server, undisturbed, tmp_path):
    output, file = tmp_path / "out", tmp_path / "calibration.json"
    shutil.copytree(undisturbed[0], output, symlinks=True)
    fit = ["evaluate", str(output), "--truth", str(EXAMPLES / "truth.jsonl"), "--fit", str(file)]
    assert main(fit) == 0
    server.reset(key=KEY)
    assert main(place.arguments(output, *asking(server, f"--calibration={file}"))) == 0
    assert server.count() == 0
    before, after = (table(o, "classifications") for o in (undisturbed[0], output))
    assert all(r["calibrated"] for r in after if r["said_action"])
    assert [r["said_confidence"] for r in after] == [r["confidence"] for r in before]
    # The server knows nothing of the truth: after labels its confidence is low.
    assert sum(r["confidence"] or 0 for r in after) < sum(r["confidence"] or 0 for r in before)


def test_the_plan_is_what_the_run_asks(place, undisturbed, tmp_path, capsys):
    given = ["--classifier=openai", "--model=fake-1"]
    assert main(["plan", "--json", *place.arguments(tmp_path / "out", *given)[1:]]) == 0
    (planned,) = json.loads(capsys.readouterr().out)["asking"]
    assert planned["calls"] == len(undisturbed[1])
    sent = sum(len(body) for body in undisturbed[1]) / 3.5
    assert 0.7 * sent < planned["prompt_tokens"] < 1.3 * sent
    assert not (tmp_path / "out").exists()


def test_thoughts_are_in_the_steps_and_in_the_conversations(place, server, out):
    server.reset(key=KEY)
    more = ("--annotate", "--min_confidence=0", "--partial_examples=split")
    assert main(place.arguments(out, *asking(server, *more))) == 0
    steps = table(out, "steps")
    thoughts = [s["thought_trace"] for s in steps if s["thought_trace"]]
    assert len(thoughts) > len(steps) / 2
    assert not [t for t in thoughts if not t.startswith("I ")]
    (rows,) = (out / "dataset" / "training" / "sharegpt").glob("*.jsonl")
    text = rows.read_text()
    assert "<think>" in text and thoughts[0].split("because")[1].strip() in text


def test_thoughts_that_the_budget_left_out_come_with_the_next_run(
    place, server, undisturbed, tmp_path
):
    out = tmp_path / "out"
    shutil.copytree(undisturbed[0], out, symlinks=True)
    server.reset(key=KEY)
    # All classifications are in the cache; there is money for one request for thoughts.
    assert main(place.arguments(out, *asking(server, "--annotate", "--max_calls=1"))) == 0
    assert server.count() == 1
    first = [s for s in table(out, "steps") if s["thought_trace"]]
    assert main(place.arguments(out, *asking(server, "--annotate"))) == 0
    steps = table(out, "steps")
    assert len(first) < len([s for s in steps if s["thought_trace"]]) > len(steps) / 2


def test_what_was_scrubbed_never_left_the_machine(undisturbed):
    sent = "\n".join(undisturbed[1])
    assert "<recorded_data>" in sent and "<REDACTED>" in sent
    found = set()
    for session in SESSIONS:
        for path in (EXAMPLES / "sessions" / session).glob("*.jsonl"):
            text = path.read_text()
            found |= set(re.findall(r"[\w.]+@[\w.]+\.(?:example|org|com|net)\b", text))
            found |= set(re.findall(r'"type": ?"password"[^}]*"value": ?"([^"]{6,})"', text))
    assert len(found) > 5
    assert not [value for value in found if value in sent]
    assert summary(undisturbed[0])["published"]


def test_forgetting_a_session_deletes_what_the_model_said_of_it(
    place, server, undisturbed, tmp_path
):
    output = tmp_path / "out"
    shutil.copytree(undisturbed[0], output, symlinks=True)
    # An older result is gone from the checkpoints; what was asked for it must be found, too.
    more = asking(server, "--model_configuration", '{"seed": 3}')
    server.reset(key=KEY, keep_bodies=True)
    assert main(place.arguments(output, *more)) == 0
    assert main(["gc", str(output)]) == 0
    everything = [json.loads(b) for b in undisturbed[1] + server.bodies()]
    assert {request_key(b) for b in everything} <= cached(output)
    assert main(["forget", str(output), MAIL]) == 0
    left = cached(output)
    about_mail = [b for b in everything if "Sign in to my mail" in json.dumps(b)]
    others = [b for b in everything if b not in about_mail]
    assert about_mail and others
    assert not {request_key(b) for b in about_mail} & left
    assert {request_key(b) for b in others} <= left
    # What stays is not asked for again.
    server.reset(key=KEY)
    assert main(place.arguments(output, *more)) == 0
    assert server.count() == 0


def test_a_model_words_the_request_that_nobody_recorded(place, server, tmp_path):
    session = "0814a693-2a4a-5bb7-aaee-e9031569ecd2"
    out = tmp_path / "out"
    assert main(place.arguments(out, sessions=[session])) == 0
    # A person accepts what the offline classifier said: then the whole task is.
    answers = [
        {
            "session_id": session,
            "segment_id": r["segment_id"],
            "action": r["action"],
            "parameters": json.loads(r["parameters"]),
        }
        for r in table(out, "classifications")
    ]
    (out / "review/answers.jsonl").write_text("".join(json.dumps(a) + "\n" for a in answers))
    server.reset(key=KEY, keep_bodies=True)
    given = place.arguments(out, *asking(server), sessions=[session])
    assert main(given) == 0
    (example,) = table(out, "examples")
    assert (example["status"], example["request_source"]) == ("COMPLETED", "model")
    (rows,) = (out / "dataset" / "training" / "openai").glob("*.jsonl")
    (row,) = [json.loads(line) for line in rows.open()]
    assert "Please: Show only cards" in json.dumps(row["messages"][1]["content"])
    assert sum("Write the request" in body for body in server.bodies()) == 1
    assert json.loads(example["usage"])["calls"] == server.count()

    # Kept like every reply; and a model that makes values up is not believed.
    without_results(out)
    server.reset(key=KEY)
    assert main(given) == 0
    assert server.count() == 0
    shutil.rmtree(out / "cache")
    without_results(out)
    server.reset(key=KEY, fixed_text='{"request": "Send 4711 EUR to x@evil.example."}')
    assert main(given) == 0
    (example,) = table(out, "examples")
    assert (example["status"], example["request_source"]) == ("COMPLETED", "template")
