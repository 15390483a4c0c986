import pytest

from schemas.outcomes import Ledger
from schemas.packing import pack
from schemas.receipts import Receipt
from schemas.tables import FailureRow
from transforms.checkpoints import (
    CheckpointDefect,
    CheckpointKeys,
    CheckpointStore,
    read_table,
    table_bytes,
)

RECEIPT = Receipt("s" * 36, "a" * 32, ledger=Ledger(lines=2, raw=2, kept=1, merged=1))


def sections(audit=b"1"):
    return [("tables/x", b"rows"), ("state", b"state"), ("audit", audit)]


def test_what_is_written_is_read(tmp_path):
    store = CheckpointStore(str(tmp_path))
    written = store.write("prepared", RECEIPT, sections())
    read = store.read("prepared", RECEIPT.key)
    assert read.sections == dict(sections())
    assert read.receipt == written
    receipt = store.receipt("prepared", RECEIPT.key)
    assert receipt.reused and receipt.ledger == RECEIPT.ledger


def test_the_digest_covers_content_but_not_durations(tmp_path):
    store = CheckpointStore(str(tmp_path))
    one = store.write("prepared", RECEIPT, sections(b"12 ms"))
    two = store.write("prepared", RECEIPT, sections(b"99 ms"))
    other = store.write("prepared", RECEIPT, [*sections(), ("more", b"")])
    assert one.digest == two.digest != other.digest


@pytest.mark.parametrize("keep", [0, 5, 40, -1])
def test_a_torn_file_is_no_checkpoint(tmp_path, keep):
    store = CheckpointStore(str(tmp_path))
    store.write("prepared", RECEIPT, sections())
    path = tmp_path / "prepared" / "aa" / f"{RECEIPT.key}.ckpt"
    path.write_bytes(path.read_bytes()[:keep])
    assert store.receipt("prepared", RECEIPT.key) is None
    with pytest.raises(CheckpointDefect):
        store.read("prepared", RECEIPT.key)


def test_a_flipped_bit_is_noticed(tmp_path):
    store = CheckpointStore(str(tmp_path))
    store.write("prepared", RECEIPT, sections())
    path = tmp_path / "prepared" / "aa" / f"{RECEIPT.key}.ckpt"
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointDefect, match="damaged"):
        store.read("prepared", RECEIPT.key)


def test_keys_change_with_what_affects_them():
    keys = CheckpointKeys(b"k" * 32, "p", "r")
    prepared = keys.prepared("s", "f")
    assert prepared == keys.prepared("s", "f")
    assert prepared != keys.prepared("s", "g")
    assert prepared != CheckpointKeys(b"k" * 32, "q", "r").prepared("s", "f")
    assert keys.result("s", prepared) != CheckpointKeys(b"k" * 32, "p", "x").result("s", prepared)
    answered = CheckpointKeys(b"k" * 32, "p", "r", {"s": "answer"})
    assert answered.result("s", prepared) != keys.result("s", prepared)
    assert answered.result("t", prepared) == keys.result("t", prepared)


def test_session_ids_are_published_as_uuids():
    keys = CheckpointKeys(b"k" * 32, "p", "r")
    given = "4F1C0A5E-58a4-4a53-9c0c-7d1f4e0c2a11"
    assert keys.published_id(given) == given.lower()
    other = keys.published_id("someone@example.org")
    assert other != keys.published_id("anyone@example.org") and len(other) == 36
    assert other != CheckpointKeys(b"x" * 32, "p", "r").published_id("someone@example.org")


def test_the_project_key_is_not_in_a_repr():
    assert "kkkk" not in repr(CheckpointKeys(b"k" * 32, "p", "r"))


def test_tables_keep_rows_and_schema():
    row = FailureRow(
        session_id="s",
        stage="ReadTraces",
        code="c",
        message="m",
        file=None,
        line=3,
        column=None,
        length=None,
        shape="aaa 9",
    )
    table = read_table(table_bytes(FailureRow, [row]))
    assert table.to_pylist()[0]["shape"] == "aaa 9"
    assert read_table(table_bytes(FailureRow, [])).schema == table.schema


def test_receipts_are_small(tmp_path):

    full = Receipt(
        "s" * 36,
        "a" * 32,
        "b" * 32,
        "c" * 32,
        "d" * 24,
        "missing_input_events",
        Ledger(lines=10**6, raw=10**6, kept=10**5, dropped={"idle_move": 10**5, "focus": 10**4}),
        10**9,
        10**5,
        1000,
        10,
        10,
        True,
        True,
    )
    assert len(pack(full)) <= 300
