"""How rows gather to row groups: the same bytes, however the tables came."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transforms.write import shards


def written(tables, loose=None, monkeypatch=None) -> tuple[bytes, int]:
    """Returns (file, most tables that waited at once)."""
    if loose:
        monkeypatch.setattr(shards, "LOOSE_TABLES", loose)
    out, most = io.BytesIO(), 0
    file = shards._ParquetFile(out, tables[0].schema)
    for table in tables:
        file.add(table)
        most = max(most, len(file.waiting))
    file.close()
    return out.getvalue(), most


@pytest.mark.parametrize("loose", [1, 7, 10_000])
def test_joining_what_waits_changes_no_byte(loose, monkeypatch):
    tables = [
        pa.table({"id": [f"s{n:04d}"], "text": pa.array([None if n % 3 else "x" * n], pa.string())})
        for n in range(1, 900)
    ]
    data, most = written(tables)
    assert most <= shards.LOOSE_TABLES + 1
    assert written(tables, loose, monkeypatch)[0] == data
    assert pq.read_table(io.BytesIO(data)).equals(pa.concat_tables(tables))


def test_row_groups_close_by_size(monkeypatch):
    monkeypatch.setattr(shards, "ROW_GROUP_ROWS", 250)
    tables = [pa.table({"id": list(range(100))}) for _ in range(10)]
    file = pq.ParquetFile(io.BytesIO(written(tables)[0]))
    rows = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    assert rows == [300, 300, 300, 100]
