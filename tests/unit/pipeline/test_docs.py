import re
from pathlib import Path

from pipeline.cli import COMMANDS
from pipeline.options import reference_markdown

ROOT = Path(__file__).resolve().parents[3]


def test_the_options_page_is_current():
    # Written by `tracemill config options > docs/options.md`.
    assert (ROOT / "docs" / "options.md").read_text() == reference_markdown() + "\n"


def test_links_in_the_docs_lead_somewhere():
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "examples/README.md"]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_nothing_is_left_to_fill_in():
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        assert "@@" not in page.read_text(), page.name


def test_commands_in_the_readme_exist():
    text = (ROOT / "README.md").read_text()
    for command in re.findall(r"(?:`tracemill|\./run_local\.sh) ([a-z]+)\b", text):
        assert command in COMMANDS, command
