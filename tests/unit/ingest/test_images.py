import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from transforms.images import (
    ImageDefect,
    ImageInfo,
    decode_image,
    encode_image,
    probe_image,
    resize_image,
)

LIMIT = 1_000_000


def encoded(mode="RGB", size=(23, 17), format="PNG", colour=None, **options):
    out = io.BytesIO()
    image = Image.new(mode, size) if colour is None else Image.new(mode, size, colour)
    image.save(out, format, **options)
    return out.getvalue()


def chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png_of(*chunks, width=1, height=1):
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IEND", b"")


def code_of(call, *arguments):
    with pytest.raises(ImageDefect) as caught:
        call(*arguments)
    return caught.value.code


@pytest.mark.parametrize(
    ("format", "options", "name"),
    [
        ("PNG", {}, "png"),
        ("JPEG", {}, "jpeg"),
        ("JPEG", {"progressive": True}, "jpeg"),
        ("JPEG", {"exif": b"Exif\0\0" + bytes(3000)}, "jpeg"),
        ("WEBP", {}, "webp"),
        ("WEBP", {"lossless": True}, "webp"),
    ],
)
def test_headers_are_read_whatever_the_format(format, options, name):
    data = encoded(format=format, **options)
    assert probe_image(data, LIMIT) == ImageInfo(name, 23, 17)
    image = decode_image(data, LIMIT)
    assert (image.mode, image.size) == ("RGB", (23, 17))
    # A picture without its end is not one.
    for cut in (1, 13, len(data) // 2, len(data) - 20):
        assert code_of(probe_image, data[: len(data) - cut], LIMIT) in ("truncated", "undecodable")


def test_webp_with_alpha_has_the_extended_header():
    assert probe_image(encoded("RGBA", format="WEBP"), LIMIT) == ImageInfo("webp", 23, 17)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "zero_bytes"),
        (b"\x89PNG", "truncated"),
        (b"\x89PNG\r\n\x1a\n", "truncated"),
        (b"\xff\xd8\xff", "truncated"),
        (b"RIFF\x00\x00\x00\x00WEBP", "truncated"),
        (b"GIF89a" + bytes(99), "unsupported_format"),
        (b"BM" + bytes(99), "unsupported_format"),
        (b"\0\0\0\x1cftypavif" + bytes(99), "unsupported_format"),
        (b"<svg/>", "not_an_image"),
        (b"hello", "not_an_image"),
        (bytes(100), "not_an_image"),
        (png_of(), "undecodable"),
        (png_of(chunk(b"IDAT", b""), width=0), "undecodable"),
        (b"\xff\xd8\xff\xd9" + bytes(60), "undecodable"),
    ],
)
def test_what_is_no_picture(data, code):
    assert code_of(probe_image, data, LIMIT) == code
    assert code_of(decode_image, data, LIMIT) == code


@pytest.mark.parametrize("size", [(30_000, 30_000), (13_000, 13_000), (70_000, 1), (1 << 31, 2)])
def test_headers_of_bombs_are_enough_to_refuse_them(size):
    width, height = size
    whole = png_of(chunk(b"IDAT", zlib.compress(b"")), width=width, height=height)
    assert code_of(probe_image, whole, 50_000_000) == "too_many_pixels"
    assert code_of(decode_image, whole[:40], 50_000_000) == "too_many_pixels"


def test_the_limit_is_the_callers():
    data = encoded(size=(100, 100))
    assert probe_image(data, 10_000).width == 100
    assert code_of(probe_image, data, 9_999) == "too_many_pixels"


def test_text_and_profile_bombs_never_reach_the_decoder():
    bomb = zlib.compress(bytes(50 << 20))
    pixels = chunk(b"IDAT", zlib.compress(b"\0\x80"))
    for extra in (
        chunk(b"zTXt", b"Comment\0\0" + bomb),
        chunk(b"iTXt", b"Comment\0\1\0\0\0" + bomb),
        chunk(b"iCCP", b"profile\0\0" + bomb),
    ):
        image = decode_image(png_of(extra, pixels), LIMIT)
        assert image.getpixel((0, 0)) == (128, 128, 128)
        assert image.info == {}


def test_of_an_animation_the_first_image_counts():
    frames = [Image.new("RGB", (8, 8), c) for c in ("red", "green", "blue")]
    for format in ("PNG", "WEBP"):
        out = io.BytesIO()
        options = {"lossless": True} if format == "WEBP" else {}
        frames[0].save(out, format, save_all=True, append_images=frames[1:], **options)
        image = decode_image(out.getvalue(), LIMIT)
        assert image.getpixel((4, 4)) == (255, 0, 0) and image.size == (8, 8)


def test_scans_without_end_are_a_bomb():
    data = encoded(format="JPEG")
    scan = b"\xff\xda\x00\x0c"
    assert code_of(probe_image, data[:-2] + scan * 300 + b"\xff\xd9", LIMIT) == "decompression_bomb"


def test_damage_inside_is_found_when_decoding():
    data = bytearray(png_of(chunk(b"IDAT", b"not deflate")))
    assert probe_image(bytes(data), LIMIT).format == "png"
    assert code_of(decode_image, bytes(data), LIMIT) == "undecodable"
    stream = zlib.compress(bytes(range(250)) * 40)
    short = png_of(chunk(b"IDAT", stream[: len(stream) // 2]), width=99, height=100)
    assert code_of(decode_image, short, LIMIT) == "truncated"


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 128, (128,) * 3),
        ("1", 1, (255,) * 3),
        ("P", 0, (0, 0, 0)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 0), (255, 255, 255)),
        ("LA", (0, 0), (255, 255, 255)),
        ("I;16", 32_896, (128,) * 3),
    ],
)
def test_every_mode_becomes_rgb(mode, colour, expected):
    assert decode_image(encoded(mode, colour=colour), LIMIT).getpixel((3, 3)) == expected


def test_cmyk_becomes_rgb():
    assert decode_image(encoded("CMYK", format="JPEG"), LIMIT).mode == "RGB"


@pytest.mark.parametrize("format", ["png", "webp"])
def test_encoding_is_lossless_deterministic_and_bare(format):
    pixels = np.random.default_rng(3).integers(0, 255, (31, 47, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    image.info["dpi"] = (72, 72)
    image.info["exif"] = b"Exif\0\0secret"
    data = encode_image(image, format)
    assert data == encode_image(Image.fromarray(pixels), format)
    assert b"secret" not in data
    assert probe_image(data, LIMIT) == ImageInfo(format, 47, 31)
    assert (np.asarray(decode_image(data, LIMIT)) == pixels).all()


def test_an_unknown_format_is_a_programming_error():
    with pytest.raises(ValueError, match="png or webp"):
        encode_image(Image.new("RGB", (1, 1)), "gif")


@pytest.mark.parametrize(
    ("size", "box", "expected", "scale"),
    [
        ((100, 50), (100, 50), (100, 50), 1.0),
        ((100, 50), (999, 999), (100, 50), 1.0),
        ((200, 100), (100, 100), (100, 50), 0.5),
        ((200, 100), (200, 25), (50, 25), 0.25),
        ((5000, 1), (50, 50), (50, 1), 0.01),
    ],
)
def test_resizing_keeps_proportions_and_never_enlarges(size, box, expected, scale):
    image, used = resize_image(Image.new("RGB", size), *box)
    assert (image.size, used) == (expected, scale)
