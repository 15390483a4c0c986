import pytest

from pipeline.backend.register import COMPLETED, FAILED, PROCESSING, Row, Update
from pipeline.backend.work import _derive_row


@pytest.mark.parametrize(
    ("code", "status"),
    [("timeout", PROCESSING), ("http_503", PROCESSING), ("unmapped_action", FAILED)],
)
def test_what_another_run_may_not_meet_is_not_final(code, status):
    row = Row(session_id="s", wanted=Update(PROCESSING))
    _derive_row(row, {"status": FAILED, "error_code": code}, "out")
    assert row.wanted.status == status
    done = Row(session_id="s", wanted=Update(COMPLETED, "there"))
    _derive_row(done, {"status": FAILED, "error_code": "timeout"}, "out")
    assert done.wanted == Update(COMPLETED, "there")
