"""The prepared checkpoint: what is written of a session that fails late, and what it counts."""

import apache_beam as beam
import msgspec

from schemas.outcomes import Audit, Ledger
from schemas.traces import Session, SessionRef
from schemas.trajectories import PreparedSession
from schemas.work import SessionWork
from transforms.checkpoints import CheckpointKeys, CheckpointStore
from transforms.prepared import KIND, WritePrepared, read_audit, read_state

KEYS = CheckpointKeys(b"k" * 32, "p", "r")


def work_of(description, **fields):
    session = Session(id="s", description=description)
    ref = SessionRef(session_id="s", uri="s", layout="native", size_bytes=1, fingerprint="f")
    ledger = Ledger(lines=9, raw=9, kept=9)
    prepared = PreparedSession(session=session, ledger=fields.pop("published", ledger))
    return SessionWork(ref=ref, key="a" * 32, ledger=ledger, prepared=prepared, **fields)


def written(folder, work):
    write = WritePrepared(str(folder / "checkpoints"), str(folder / "private"), KEYS)
    with beam.Pipeline("FnApiRunner") as pipeline:
        pipeline | beam.Create([0]) | beam.Map(lambda _: work) | write
    store = CheckpointStore(str(folder / "checkpoints"))
    return store.receipt(KIND, work.key), store.read(KIND, work.key)


def test_a_session_that_cannot_be_written_is_a_failed_one(tmp_path):
    receipt, checkpoint = written(tmp_path, work_of("half a character: \ud83d"))
    assert (receipt.failed, receipt.volatile) == ("internal_error", True)
    (failure,) = read_state(checkpoint).failures
    assert failure.stage == "WritePrepared" and "UnicodeEncodeError" in failure.message


def test_audit_rows_count_what_is_published(tmp_path):
    rows = (
        Audit(
            session_id="",
            stage="ReadTraces",
            records_in=1,
            records_out=9,
            decisions={"naive_time": 9, "renamed_id": 2},
        ),
        Audit(
            session_id="",
            stage="NormalizeEvents",
            records_in=9,
            records_out=1,
            decisions={"dropped_idle_move": 4},
        ),
    )
    published = Ledger(lines=3, raw=3, kept=2, dropped={"idle_move": 1})
    work = work_of("x", audit=rows, published=published)
    prepared = msgspec.structs.replace(work.prepared, counts={"naive_time": 3})
    _, checkpoint = written(tmp_path, msgspec.structs.replace(work, prepared=prepared))
    read, normalised = read_audit(checkpoint)
    assert (read.records_out, read.decisions) == (3, {"naive_time": 3})
    assert (normalised.records_in, normalised.decisions) == (3, {"dropped_idle_move": 1})
