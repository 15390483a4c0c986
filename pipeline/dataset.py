"""Reading what a run published; trusts the manifest alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.options import UsageError
from transforms import storage
from transforms.write.manifest import read_manifest


def manifest_of(output: str) -> dict[str, Any]:
    """Returns the manifest of an output; raises UsageError when nothing was published there."""
    manifest = read_manifest(output)
    if manifest is None:
        raise UsageError(f"{output}: no manifest.json, so nothing was published there yet")
    return manifest


def read_table(output: str, name: str, columns: Sequence[str] | None = None) -> Any:
    """Returns a table of the current version as one Arrow table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    manifest = manifest_of(output)
    parts = [f["path"] for f in manifest["files"] if f["path"].startswith(f"tables/{name}/")]
    if not parts:
        raise UsageError(f"{output}: version {manifest['version']} has no table {name!r}")
    tables = []
    for part in parts:
        # None of Arrow's threads: one that still runs when Python ends aborts the process.
        data = pa.BufferReader(storage.read_bytes(storage.join(output, manifest["path"], part)))
        tables.append(
            pq.read_table(
                data, columns=list(columns or []) or None, use_threads=False, pre_buffer=False
            )
        )
    return pa.concat_tables(tables)
