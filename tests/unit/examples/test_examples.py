"""The bundled sessions, their truth and their catalogue hold together."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from transforms.catalogue import load_catalogue

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


@pytest.fixture(scope="module")
def check_examples():
    spec = importlib.util.spec_from_file_location("examples_check", EXAMPLES / "check.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.check_examples


def test_sessions_and_truth_agree(check_examples):
    assert check_examples(EXAMPLES) == []


def test_a_wrong_label_is_found(check_examples, tmp_path):
    rows = (
        (EXAMPLES / "truth.jsonl").read_text(encoding="utf-8").replace('"TEATIME5"', '"TEATIME6"')
    )
    (tmp_path / "truth.jsonl").write_text(rows, encoding="utf-8")
    for name in ("catalogue.yaml", "sessions"):
        (tmp_path / name).symlink_to(EXAMPLES / name)
    (problem,) = check_examples(tmp_path)
    assert "apply_coupon.code" in problem


def test_suite_ids_of_sessions_are_known():
    suites = load_catalogue(str(EXAMPLES / "catalogue.yaml")).suites
    known = {suite.id for suite in suites} | {suite.name for suite in suites}
    given = set()
    for file in EXAMPLES.glob("sessions/*/session.json"):
        record = json.loads(file.read_text(encoding="utf-8"))
        given |= {record["suite_id"]} if "suite_id" in record else set()
    assert len(given) == 3
    assert given <= known


def test_trajectory_sample_points_to_elements():
    for folder in EXAMPLES.glob("alien/*"):
        rows = (folder / "trajectory.jsonl").read_text(encoding="utf-8").splitlines()
        steps = [json.loads(row) for row in rows]
        assert [step["step_id"] for step in steps] == list(range(1, len(steps) + 1))
        for step in steps:
            assert (folder / step["observation"]["screenshot_path"]).is_file()
            mark = f'element_id="{step["action"]["element_id"]}"'
            assert mark in step["observation"]["dom_tree"]
