"""The plan: figures of what would be asked, without writing or asking anything."""

import json
import socket

import pytest

from pipeline.cli import main
from tests.pipeline.jobs import EXAMPLES

MAIL, BOARD = "2b5ae6c3-19bc-527c-ad8f-9ddbf1dea57a", "38b3c78a-4012-5e81-9fe9-5d627d9b7d2f"


@pytest.fixture
def run_plan(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr(socket, "socket", None)

    def planned(*more, sessions=(MAIL, BOARD), model=("--classifier=openai", "--model=fake")):
        arguments = ["plan", "--json", f"--suite={EXAMPLES / 'catalogue.yaml'}"]
        arguments += [f"--input={EXAMPLES / 'sessions' / s}" for s in sessions]
        arguments += [f"--output={tmp_path / 'out'}", "--visual=withhold", *model, *more]
        assert main(arguments) == 0
        assert not (tmp_path / "out").exists()
        return json.loads(capsys.readouterr().out)

    return planned


def test_a_plan_counts_and_writes_nothing(run_plan, tmp_path):
    prices = tmp_path / "prices.yaml"
    prices.write_text("fake: {prompt: 1.0, completion: 2.0}\n")
    made = run_plan(f"--price_file={prices}")
    (asking,) = made["asking"]
    assert (made["sessions"], made["done_before"], made["failed"]) == (2, 0, 0)
    assert asking["calls"] == made["segments"] == 14
    assert asking["pictures"] == 0
    usual = (asking["prompt_tokens"] + 2 * asking["completion_tokens"]) / 1e6
    assert asking["usd"] == pytest.approx(usual, abs=1e-4)
    assert asking["most_completion_tokens"] == 14 * 1024
    assert any("as recorded" in note for note in made["notes"])


def test_what_changes_a_run_changes_its_plan(run_plan):
    plain = run_plan()["asking"][0]
    assert plain["usd"] is None
    packed = run_plan("--segments_per_request=4")["asking"][0]
    assert packed["calls"] < plain["calls"] / 2
    assert packed["prompt_tokens"] < plain["prompt_tokens"]
    votes = run_plan("--model_configuration", '{"votes": 3}')["asking"][0]
    assert votes["calls"] == 3 * plain["calls"]
    both = run_plan("--model_configuration", "{}", '{"model": "other"}')["asking"]
    assert [a["model"] for a in both] == ["fake", "other"]
    assert both[0]["calls"] == both[1]["calls"] == plain["calls"]
    assert run_plan("--annotate")["asking"][0]["calls"] == plain["calls"] + 3
    pictured = run_plan("--visual=off")["asking"][0]
    assert pictured["pictures"] > 10
    assert pictured["prompt_tokens"] > plain["prompt_tokens"] + 1000 * pictured["pictures"]
    shared = run_plan("--visual=off", "--segments_per_request=4")["asking"][0]
    assert (shared["calls"], shared["pictures"]) == (packed["calls"], 0)
    assert "about 4 to review" in " ".join(run_plan("--max_calls=10")["notes"])
    offline = run_plan(model=())
    assert (offline["asking"][0]["calls"], offline["asking"][0]["usd"]) == (0, 0)


def test_a_configured_limit_of_tokens_holds_for_every_kind_of_request(run_plan):
    made = run_plan("--annotate", "--model_configuration", '{"max_completion_tokens": 4096}')
    (asking,) = made["asking"]
    assert asking["most_completion_tokens"] == 4096 * asking["calls"]
