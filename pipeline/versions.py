"""What the code is, as hashes: a checkpoint made by other code is not found.

Hashing sources rather than bumping a number by hand means a changed rule can never meet a
checkpoint of the old one. Libraries that decide bytes (encoders, parsers, recognisers) count too.
"""

from __future__ import annotations

import functools
import hashlib
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

PARTS = {
    "prepared": (
        "schemas",
        "transforms/*.py",
        "transforms/ingest",
        "transforms/normalize",
        "transforms/privacy",
    ),
    "result": ("schemas", "transforms/*.py", "transforms/classify", "transforms/synthesize"),
    "version": ("schemas", "transforms/write"),
}
LIBRARIES = {
    "prepared": (
        "lxml numpy pillow msgspec presidio-analyzer spacy hyperscan phonenumbers onnxruntime "
        "rapidocr rapidocr-onnxruntime opencv-python-headless"
    ).split(),
    "result": ["msgspec", "orjson", "openai"],
    "version": ["pyarrow", "fastavro"],
}


def distribution_version() -> str:
    """Returns the version of the installed distribution, or that of this checkout."""
    try:
        return metadata.version("tracemill")
    except metadata.PackageNotFoundError:
        return "0+source"


def _library_version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "missing"


@functools.cache
def code_version(part: str) -> str:
    """Returns a hash of the sources and libraries that make a part: prepared, result, version."""
    digest = hashlib.blake2b(digest_size=10)
    for place in PARTS[part]:
        paths = ROOT.glob(place) if "*" in place else (ROOT / place).rglob("*")
        for path in sorted(p for p in paths if p.is_file() and "__pycache__" not in p.parts):
            digest.update(str(path.relative_to(ROOT)).encode())
            digest.update(path.read_bytes())
    for name in LIBRARIES[part]:
        digest.update(f"{name}={_library_version(name)};".encode())
    return digest.hexdigest()
