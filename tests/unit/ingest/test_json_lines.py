import io

import pytest

from transforms.json_lines import Block, LongLine, Utf8Stream, read_blocks, shape, without_mark


def test_lines_come_in_blocks_with_their_numbers():
    blocks = list(read_blocks(io.BytesIO(b"one\ntwo\nthree"), 100, block_bytes=6))
    assert blocks == [Block(1, b"one"), Block(2, b"two"), Block(3, b"three")]


def test_a_long_line_is_counted_and_the_next_one_read():
    data = b"a\n" + b"x" * 1000 + b"\nb\n" + b"y" * 500
    found = list(read_blocks(io.BytesIO(data), 64))
    assert found[0] == Block(1, b"a")
    assert found[1][:2] == (2, 1000) and found[1].head.startswith(b"xxx")
    assert found[2] == Block(3, b"b")
    assert found[3][:2] == (4, 500)


def test_a_line_at_the_limit_passes():
    assert list(read_blocks(io.BytesIO(b"12345\n123456\n"), 5)) == [
        Block(1, b"12345"),
        LongLine(2, 6, b"123456"),
    ]


def test_lines_before_an_error_are_read():
    class Broken(io.BytesIO):
        def read(self, size=-1):
            data = super().read(size)
            if not data:
                raise OSError
            return data

    blocks = read_blocks(Broken(b"one\ntwo\nthr"), 100)
    assert next(blocks) == Block(1, b"one\ntwo")
    with pytest.raises(OSError):
        next(blocks)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-8"])
@pytest.mark.parametrize("size", [-1, 1, 3, 7])
def test_byte_order_marks_are_obeyed_and_removed(encoding, size):
    data = "zażółć 🎻\nend".encode(encoding)
    stream = Utf8Stream(io.BytesIO(data))
    read = b"".join(iter(lambda: stream.read(size), b""))
    assert read.decode() == "zażółć 🎻\nend"
    assert without_mark(data).decode() == "zażółć 🎻\nend"


def test_a_shape_shows_no_text():
    assert shape("Zoë's PIN: 4711 №٣\n\u202e") == "aaa'a aaa: 9999 ?9??"
    assert len(shape("x" * 1000)) == 80
    assert shape(b"\xff\xfeab") == "??aa"
