"""The changed class passes on the whole address, and nothing else of it changes."""

import struct
import zipfile

import pytest

from deploy.flink.loopback import FACTORY, UnknownClass, patch_jar, patched

BUILDER = b"Lexample/Builder;"
CONSTANTS = [
    (1, b"example/Builder"), (7, struct.pack(">H", 1)), (5, bytes(8)), (1, b"forPort"),
    (1, b"(I)" + BUILDER), (12, struct.pack(">HH", 5, 6)), (10, struct.pack(">HH", 2, 7)),
    (1, b"limit"), (12, struct.pack(">HH", 9, 6)), (10, struct.pack(">HH", 2, 10)),
]  # fmt: skip
"""A long one (5) takes two numbers: forPort is 5, its type 6, the call 8, another call 11."""
CODE = b"\x2b\xb6\x00\x0b\xb8\x00\x08\x11\xb6\x00\x0b"


def class_file(constants, code):
    pool = b"".join(
        bytes([tag]) + (struct.pack(">H", len(content)) if tag == 1 else b"") + content
        for tag, content in constants
    )
    count = len(constants) + 1 + sum(tag == 5 for tag, _ in constants)
    return b"\xca\xfe\xba\xbe\0\0\0\x34" + struct.pack(">H", count) + pool + code


def test_the_whole_address_is_passed_on():
    expected = list(CONSTANTS)
    expected[5] = (12, struct.pack(">HH", 12, 13))
    expected += [(1, b"forAddress"), (1, b"(Ljava/net/SocketAddress;)" + BUILDER)]
    code = b"\x2b\0\0\0\xb8\x00\x08\x11\xb6\x00\x0b"
    assert patched(class_file(CONSTANTS, CODE)) == class_file(expected, code)


@pytest.mark.parametrize(
    "constants, code",
    [
        (CONSTANTS, b"\x2b\x11"),
        ([(1, b"other") if c == (1, b"forPort") else c for c in CONSTANTS], CODE),
    ],
    ids=["no such call", "no such name"],
)
def test_another_class_is_refused(constants, code):
    with pytest.raises(UnknownClass):
        patched(class_file(constants, code))


def test_a_jar_has_the_class_once(tmp_path):
    jar = tmp_path / "a.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        archive.writestr("other", b"stays")
        archive.writestr(FACTORY, class_file(CONSTANTS, CODE))
    patch_jar(jar)
    with zipfile.ZipFile(jar) as archive:
        assert archive.namelist() == ["other", FACTORY]
        assert archive.read("other") == b"stays"
        assert b"forAddress" in archive.read(FACTORY)
        assert archive.testzip() is None
