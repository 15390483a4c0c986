"""Sentences of real technical English: what names are put into, and what must not be flagged.

They come from docstrings of the standard library and from the descriptions of installed packages;
packages whose name hashes to the held-out part are for measuring only. Sentences that seem to name
people are left out: nobody has said whether they do.
"""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import re
import sysconfig
import zlib
from pathlib import Path

HELD_OUT_OF_10 = 4
"""Tenths of the packages whose texts are for measuring."""

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(`])|\n\s*\n|\n(?=\s*[-*#>|])")
_CODE = re.compile(r">>>|[{}|\\=`]|__|\(\)|^\s*[.$]|https?://|\]\(|<[a-z/]|::|\bbadge\b", re.M)
_CAPITALISED = re.compile(r"(?<!^)(?<![.!?:\"'] )\b[A-Z][a-zà-ÿ]+")


def is_held_out(package: str) -> bool:
    """Whether a package's texts are kept for measuring."""
    return zlib.crc32(package.lower().encode()) % 10 < HELD_OUT_OF_10


def sentences_of(text: str) -> list[str]:
    """Returns the plain sentences of a text, blanks folded, without code and markup."""
    found = []
    for part in _SENTENCE_END.split(text):
        sentence = " ".join(part.split()).strip("*#->_ ")
        if 20 < len(sentence) < 240 and sentence[:1].isalpha() and not _CODE.search(sentence):
            found.append(sentence)
    return found


@functools.lru_cache(1)
def library_sentences() -> tuple[str, ...]:
    """Returns sentences of the standard library's docstrings."""
    found: set[str] = set()
    base = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted([*base.glob("*.py"), *base.glob("*/*.py")]):
        if path.parts[-2] in ("test", "tests", "site-packages", "idlelib", "lib2to3"):
            continue
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                found.update(sentences_of(ast.get_docstring(node) or ""))
    return tuple(sorted(found))


@functools.lru_cache(2)
def package_texts(held_out: bool) -> tuple[tuple[str, str], ...]:
    """Returns (package, long description) of the installed packages of one part."""
    texts = {}
    for package in importlib.metadata.distributions():
        name = package.metadata["Name"]
        if not name or name.lower() == "tracemill" or is_held_out(name) != held_out:
            continue
        body = package.metadata.get_payload() or package.metadata.get("Description") or ""
        if isinstance(body, str) and len(body) > 200:
            texts[name] = body
    return tuple(sorted(texts.items()))


@functools.lru_cache(2)
def package_sentences(held_out: bool) -> tuple[str, ...]:
    """Returns sentences of the installed packages' descriptions."""
    found: set[str] = set()
    for _, body in package_texts(held_out):
        found.update(sentences_of(body))
    return tuple(sorted(found))


def without_people(sentences, is_name, is_word) -> tuple[str, ...]:
    """Returns the sentences in which no capitalised word is a name and nothing else."""
    return tuple(
        sentence
        for sentence in sentences
        if not any(is_name(w) and not is_word(w) for w in _CAPITALISED.findall(sentence))
    )
