"""Bounded reading of line files: a line that is too long costs time, never memory.

Files come in blocks of whole lines, so that a decoder can take many lines at a time. Encodings
other than UTF-8 are recognised by their byte order mark and transcoded on the way.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

BLOCK_BYTES = 1 << 20
SHAPE_LENGTH = 80
HEAD_LENGTH = 4 * SHAPE_LENGTH


class Block(NamedTuple):
    """Consecutive lines, joined by newlines, without the last one's newline."""

    first_line: int
    data: bytes


class LongLine(NamedTuple):
    """A line above the limit: its number, length in bytes (newline apart) and beginning."""

    line: int
    length: int
    head: bytes


def read_blocks(
    stream: BinaryIO, max_line_bytes: int, block_bytes: int = BLOCK_BYTES
) -> Iterator[Block | LongLine]:
    """Yields the lines of a stream in order; at most ``max_line_bytes`` + one block are held.

    Lines end with ``\\n``; a ``\\r`` before it stays. Nothing after the last newline is no line.
    When the stream raises, the whole lines before that have been yielded.
    """
    block_bytes = max(1, min(block_bytes, max_line_bytes))
    line = 1
    pending: list[bytes] = []
    pending_length = 0
    while True:
        chunk = stream.read(block_bytes)
        if not chunk:
            break
        end = chunk.rfind(b"\n")
        if end < 0:
            pending_length += len(chunk)
            pending.append(chunk)
            if pending_length > max_line_bytes:
                # Too long already: only its beginning is worth keeping.
                pending = [b"".join(pending)[:HEAD_LENGTH]]
            continue
        if pending_length:
            start = chunk.find(b"\n")
            if pending_length + start > max_line_bytes:
                head = b"".join([*pending, chunk[:start]])[:HEAD_LENGTH]
                yield LongLine(line, pending_length + start, head)
                line += 1
                chunk = chunk[start + 1 :]
                end -= start + 1
            elif pending:
                chunk = b"".join([*pending, chunk])
                end += pending_length
        pending, pending_length = [], 0
        if end >= 0:
            data = chunk[:end]
            yield from _within_limit(line, data, max_line_bytes)
            line += data.count(b"\n") + 1
        rest = chunk[end + 1 :]
        if len(rest) > max_line_bytes:
            pending, pending_length = [rest[:HEAD_LENGTH]], len(rest)
        elif rest:
            pending, pending_length = [rest], len(rest)
    if pending_length > max_line_bytes:
        yield LongLine(line, pending_length, b"".join(pending)[:HEAD_LENGTH])
    elif pending_length:
        yield Block(line, b"".join(pending))


def _within_limit(line: int, data: bytes, max_line_bytes: int) -> Iterator[Block | LongLine]:
    """Splits a block in which some lines may be too long."""
    if len(data) <= max_line_bytes:
        yield Block(line, data)
        return
    good: list[bytes] = []
    first = line
    for number, text in enumerate(data.split(b"\n"), line):
        if len(text) <= max_line_bytes:
            good.append(text)
            continue
        if good:
            yield Block(first, b"\n".join(good))
            good = []
        yield LongLine(number, len(text), text[:HEAD_LENGTH])
        first = number + 1
    if good:
        yield Block(first, b"\n".join(good))


_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    # UTF-32 first: its little-endian mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Utf8Stream:
    """Reads a stream as UTF-8: a byte order mark is removed, UTF-16 and UTF-32 are transcoded."""

    def __init__(self, stream: BinaryIO):
        # One raw read at a time: when a damaged stream raises, nothing read before is lost.
        self._read = getattr(stream, "read1", stream.read)
        self._decoder: codecs.IncrementalDecoder | None = None
        self._ready = b""
        self.encoding = "utf-8"
        head = b""
        while len(head) < 4 and (more := stream.read(4 - len(head))):
            head += more
        for mark, encoding in _MARKS:
            if head.startswith(mark):
                self.encoding = encoding
                head = head[len(mark) :]
                if encoding != "utf-8":
                    self._decoder = codecs.getincrementaldecoder(encoding)("replace")
                break
        self._ready = self._converted(head)

    def _converted(self, data: bytes, final: bool = False) -> bytes:
        if self._decoder is None:
            return data
        return self._decoder.decode(data, final).encode("utf-8", "replace")

    def read(self, size: int = -1) -> bytes:
        """Reads about ``size`` bytes (all with -1); b"" only at the end."""
        if size < 0:
            return b"".join(iter(lambda: self.read(BLOCK_BYTES), b""))
        if self._ready:
            ready, self._ready = self._ready[:size], self._ready[size:]
            return ready
        while True:
            data = self._read(size)
            made = self._converted(data, final=not data)
            if made or not data:
                self._ready = made[size:]
                return made[:size]


def without_mark(data: bytes) -> bytes:
    """Returns a whole text file's bytes as UTF-8 without a byte order mark."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            rest = data[len(mark) :]
            return rest if encoding == "utf-8" else rest.decode(encoding, "replace").encode()
    return data


def shape(text: str | bytes) -> str:
    """Folds a text so that the kind of fault can be recognised and nothing can be read.

    Letters become ``a``, digits ``9``, ASCII punctuation and spaces stay, all else is ``?``; at
    most 80 characters.
    """
    if isinstance(text, bytes):
        text = text[:HEAD_LENGTH].decode("utf-8", "replace")
    return "".join(_fold(c) for c in text[:SHAPE_LENGTH])


def _fold(character: str) -> str:
    if character.isalpha():
        return "a"
    if character.isnumeric():
        return "9"
    return character if " " <= character <= "~" else "?"
