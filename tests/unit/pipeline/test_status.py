import pytest

from pipeline.commands.status import _session_line


@pytest.mark.parametrize(
    ("status", "reasons", "end"),
    [
        ("PENDING", ["missing_parameter"], "1 examples waits: missing_parameter"),
        ("COMPLETED", ["missing_parameter"], "1 examples split around: missing_parameter"),
        ("COMPLETED", [], "1 examples"),
    ],
)
def test_only_a_pending_example_waits(status, reasons, end):
    row = {
        "session_id": "s",
        "status": "COMPLETED",
        "error_code": None,
        "suite": "Postbox",
        "events": 3,
        "steps": 2,
    }
    assert _session_line(row, [{"status": status, "review_reasons": reasons}]).endswith(end)
