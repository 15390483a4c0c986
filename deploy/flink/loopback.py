"""Beam's servers on the loopback interface: a change of one class in an assembled jar.

Beam's Java server factory is given an address and takes only its port: job server and
TaskManagers would listen for workers, who need no password, on every interface. Here
``forPort(address.getPort())`` becomes ``forAddress(address)``, which takes the whole address.
The class file's format is chapter 4 of the Java virtual machine's specification.
"""

from __future__ import annotations

import re
import struct
import zipfile
from pathlib import Path

FACTORY = "org/apache/beam/sdk/fn/server/ServerFactory$InetSocketAddressServerFactory.class"
TEXT, METHOD, NAME_AND_TYPE = 1, 10, 12
SIZES = {3: 4, 4: 4, 5: 8, 6: 8, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4}
"""Tag of a constant → how many bytes follow it; texts bring their length with them."""
NUMBER = struct.Struct(">H")


class UnknownClass(Exception):
    """The class is not the one that this module knows."""


def patch_jar(jar: Path) -> None:
    """Changes the class in a jar, in place."""
    with zipfile.ZipFile(jar, "a", zipfile.ZIP_DEFLATED) as archive:
        changed = patched(archive.read(FACTORY))
        # A second entry of that name would leave it to the reader which one counts.
        archive.filelist.remove(archive.NameToInfo.pop(FACTORY))
        archive.writestr(FACTORY, changed)


def patched(data: bytes) -> bytes:
    """Returns the class with the whole address passed on; raises UnknownClass."""
    constants, end = _constants(data)
    name = _find(constants, TEXT, lambda c: c == b"forPort")
    pair = _find(constants, NAME_AND_TYPE, lambda c: c.startswith(NUMBER.pack(name)))
    call = _find(constants, METHOD, lambda c: c.endswith(NUMBER.pack(pair)))
    kind = constants[NUMBER.unpack(constants[pair][1][2:])[0]][1]
    if not kind.startswith(b"(I)"):
        raise UnknownClass(FACTORY)
    first = len(constants)
    constants[pair] = NAME_AND_TYPE, NUMBER.pack(first) + NUMBER.pack(first + 1)
    constants.append((TEXT, b"forAddress"))
    constants.append((TEXT, b"(Ljava/net/SocketAddress;)" + kind[3:]))
    # invokevirtual getPort, invokestatic forPort → the address stays on the stack.
    static = b"\xb8" + NUMBER.pack(call)
    rest, changes = re.subn(
        rb"\xb6..(?=" + re.escape(static) + rb")", b"\0\0\0", data[end:], flags=re.DOTALL
    )
    if changes != 1:
        raise UnknownClass(FACTORY)
    return data[:8] + NUMBER.pack(len(constants)) + _packed(constants) + rest


def _constants(data: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """Returns the constants by number (0 and the second halves of long ones are (0, b"")), and
    where they end."""
    (count,) = NUMBER.unpack_from(data, 8)
    constants: list[tuple[int, bytes]] = [(0, b"")]
    at = 10
    while len(constants) < count:
        tag = data[at]
        if tag == TEXT:
            start, size = at + 3, NUMBER.unpack_from(data, at + 1)[0]
        else:
            start, size = at + 1, SIZES[tag]
        at = start + size
        constants.append((tag, data[start:at]))
        if size == 8 and tag in (5, 6):
            constants.append((0, b""))
    return constants, at


def _packed(constants: list[tuple[int, bytes]]) -> bytes:
    parts = []
    for tag, content in constants:
        if tag:
            length = NUMBER.pack(len(content)) if tag == TEXT else b""
            parts.append(bytes([tag]) + length + content)
    return b"".join(parts)


def _find(constants: list[tuple[int, bytes]], wanted: int, matches) -> int:
    found = [i for i, (tag, c) in enumerate(constants) if tag == wanted and matches(c)]
    if len(found) != 1:
        raise UnknownClass(FACTORY)
    return found[0]
