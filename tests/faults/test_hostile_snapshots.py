"""Snapshots made to hurt: each ends soon, in a typed defect, and takes little memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

HOSTILE = """
import sys, time, resource
from transforms.dom import parse_dom, DomDefect
kind = sys.argv[1]
n = 100_000
parse_dom("<a/>", "xml"); parse_dom("{}", "json")
made = {
    "xml_deep": ("<a>" * n + "</a>" * n, "xml"),
    "html_deep": ("<div>" * n, "html"),
    "json_deep": ('{"children":[' * n + "]}" * n, "json"),
    "json_lists": ("[" * n, "json"),
    "xml_large": ("<a>" + "x" * (50 << 20) + "</a>", "xml"),
    "json_large": ('{"text":"' + "x" * (50 << 20) + '"}', "json"),
    "xml_many": ("<a>" + "<b/>" * 400_000 + "</a>", "xml"),
    "json_many": ('{"children":[' + "{}," * 1_000_000 + "{}]}", "json"),
    "json_empty_lists": ('{"a":[' + "[]," * 1_000_000 + "[]]}", "json"),
    "xml_attributes": ("<a " + " ".join(f'a{i}="x"' for i in range(400_000)) + "/>", "xml"),
    "html_many": ("<p>" * 400_000, "html"),
}
data, format = made[kind]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.process_time()
try:
    parse_dom(data, format)
    code = "none"
except DomDefect as defect:
    code = defect.code
used = time.process_time() - start
more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(code, round(used, 3), round(more / 1024, 1))
"""


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        ("xml_deep", {"dom_too_deep"}),
        ("html_deep", {"dom_too_deep"}),
        ("json_deep", {"dom_too_deep"}),
        ("json_lists", {"dom_too_deep"}),
        ("xml_large", {"dom_too_large"}),
        ("json_large", {"dom_too_large"}),
        ("xml_many", {"dom_too_large"}),
        ("json_many", {"dom_too_large"}),
        ("json_empty_lists", {"dom_too_large"}),
        ("xml_attributes", {"dom_too_large", "dom_syntax", "none"}),
        ("html_many", {"dom_too_large", "dom_too_deep"}),
    ],
)
def test_hostile_snapshots_end_soon_and_take_little(kind, codes):
    made = subprocess.run(
        [sys.executable, "-c", HOSTILE, kind], capture_output=True, text=True, check=True
    )
    code, seconds, mebibytes = made.stdout.split()
    assert code in codes
    assert float(seconds) <= 2
    assert float(mebibytes) <= 64
