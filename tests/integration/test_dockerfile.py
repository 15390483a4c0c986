"""The Dockerfile's steps go through without an image, and nothing in it goes unnoticed."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.check_dockerfile import Build, Unknown, instructions

ROOT = Path(__file__).resolve().parent.parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_image_without_an_image():
    made = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "check_dockerfile.py")],
        capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout[-3000:] + made.stderr[-3000:]
    assert made.stdout.endswith("ok\n")


def test_every_instruction_of_the_dockerfile_is_known(tmp_path):
    build = Build(tmp_path)
    words = [word for word, _ in instructions(DOCKERFILE)]
    assert len(words) > 15 and words[0] == "FROM"
    assert all(hasattr(build, f"_do_{word.lower()}") for word in words)


@pytest.mark.parametrize(
    "line", ["FROM alpine", "HEALTHCHECK NONE", 'ENTRYPOINT ["sh"]', "COPY no-such-file ./"]
)
def test_what_is_not_known_fails(tmp_path, line):
    build = Build(tmp_path)
    ((word, rest),) = instructions(line)
    with pytest.raises((Unknown, FileNotFoundError)):
        build.do(word, rest)


def test_the_beam_image_is_the_release_of_the_lock():
    (line,) = [ln for ln in DOCKERFILE.splitlines() if "apache/beam_python" in ln]
    release = line.split("sdk:")[1].split()[0]
    assert f"apache-beam=={release}" in (ROOT / "requirements.lock").read_text().replace(
        "[gcp,aws]", ""
    ).replace("[aws,gcp]", "")
