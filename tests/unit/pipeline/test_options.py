import os
import subprocess
import sys

import pytest

from pipeline import options
from pipeline.options import UsageError, parse

BASE = ["--input", "a", "--output", "o", "--suite", __file__]


def test_every_option_says_what_it_affects_and_means():
    for field in options.all_fields():
        assert field.metadata["affects"] in options.AFFECTS, field.name
        assert field.metadata["help"].endswith("."), field.name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--inptu", "x"], "did you mean input"),
        (["--flink_mastr=x"], "did you mean flink_master"),
        (["--min_confidence", "1.5"], "allowed is 0 to 1"),
        (["--min_confidence", "nan"], "allowed is 0 to 1"),
        (["--split_idle_s", "nan"], "allowed is at least 0"),
        (["--max_shard_mb", "nan"], "allowed is more than 0"),
        (["--input", ""], "--input is required"),
        (["--max_line_bytes", "0"], "at least 1"),
        (["--max_calls", "many"], "takes a number"),
        (["--model_rpm", "0"], "at least 1"),
        (["--model_tpm", "0"], "at least 1"),
        (["--privacy", "maybe"], "invalid choice"),
        (["--model_configuration", "[1]"], "JSON object"),
        (["--privacy=off", "--classifier=openai", "--model=m"], "never go to a model"),
        (["--classifier=openai"], "needs --model"),
        (["--verify_pictures", "some"], "sample:N"),
        (["--scrubber_config", "missing.yaml"], "no such file"),
        (["stray"], "unexpected argument"),
    ],
)
def test_usage_errors_say_what_is_allowed(arguments, message):
    with pytest.raises(UsageError, match=message):
        parse(
            ["--output", "o", "--suite", __file__, "--input=a", *arguments]
            if arguments[0] != "stray"
            else ["stray", *BASE]
        )


@pytest.mark.parametrize("missing", ["input", "output", "suite"])
def test_required_options(missing):
    given = {"input": "a", "output": "o", "suite": __file__}
    given.pop(missing)
    with pytest.raises(UsageError, match=f"--{missing} is required"):
        parse([f"--{k}={v}" for k, v in given.items()])


def test_beam_options_pass_through():
    made = parse([*BASE, "--runner=FlinkRunner", "--parallelism", "2"])
    assert made.beam == ("--runner=FlinkRunner", "--parallelism", "2")


def test_the_command_line_wins_over_the_file(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(
        "input: [x, y]\noutput: o\nprivacy: off\nmin_confidence: 1\n"
        "model_configuration: [{temperature: 0}]\n"
    )
    made = parse([f"--config={path}", f"--suite={__file__}", "--min_confidence=0.5"])
    assert (made.input, made.privacy, made.min_confidence) == (("x", "y"), "off", 0.5)
    assert made.configurations == ({"temperature": 0},)
    path.write_text("min_confidnce: 1\n")
    with pytest.raises(UsageError, match="did you mean min_confidence"):
        parse([f"--config={path}"])


def test_a_file_option_stands_for_its_content(tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text("a: 1")
    first = options.affecting(parse([*BASE, f"--network_rules={rules}"]), "prepared")
    other = tmp_path / "copy.yaml"
    other.write_text("a: 1")
    assert first == options.affecting(parse([*BASE, f"--network_rules={other}"]), "prepared")
    other.write_text("a: 2")
    assert first != options.affecting(parse([*BASE, f"--network_rules={other}"]), "prepared")


def test_beam_option_names_are_those_of_the_installed_beam():
    from tools.beam_options import beam_flags

    assert set(beam_flags()) == options.beam_option_names()


def test_help_answers_at_once():
    # CPU time, the best of three: the machine may be busy, the imports are not.
    def once():
        started = os.times()
        made = subprocess.run(
            [sys.executable, "-m", "pipeline.cli", "run", "--help"], capture_output=True, text=True
        )
        assert made.returncode == 0 and "--min_confidence" in made.stdout
        ended = os.times()
        return (
            ended.children_user
            + ended.children_system
            - started.children_user
            - started.children_system
        )

    assert min(once() for _ in range(3)) <= 0.3


def test_help_imports_nothing_heavy():
    code = (
        "import sys, contextlib, io\nfrom pipeline.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    try: main(['run', '--help'])\n    except SystemExit: pass\n"
        "print([m for m in ('apache_beam','pyarrow','numpy','PIL','msgspec') if m in sys.modules])"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert made.stdout.strip() == "[]", made.stderr
