import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from schemas.findings import Region
from tests.support.drawn import draw, png
from transforms.images import ImageDefect, decode_image
from transforms.privacy.pixels.redact import Patches, holds_only_pixels, redact_frame
from transforms.privacy.pixels.settings import MODES, PixelSettings

KEY = b"k" * 32
DESTROYING = ("blur", "fill", "pixelate", "all_text")


def pixels_of(data: bytes) -> np.ndarray:
    return np.asarray(decode_image(data, 10**7))


def redact(image: np.ndarray, *regions: Region, mode: str = "blur", key: bytes = KEY) -> np.ndarray:
    return pixels_of(redact_frame(png(image), regions, PixelSettings(mode=mode), key)[0])


def region(x0=60, y0=40, x1=180, y1=60, value="578-22-9140") -> Region:
    return Region(x0, y0, x1, y1, "SSN", value)


def test_a_frame_without_regions_is_copied_byte_for_byte():
    data = png(draw([(10, 10, "Hello")]))
    assert redact_frame(data, (), PixelSettings(), KEY) == (data, "png")


@pytest.mark.parametrize("mode", DESTROYING)
def test_what_is_left_does_not_depend_on_the_pixels_that_were_there(mode):
    one = draw([(64, 42, "578-22-9140")])
    other = draw([(64, 42, "111-88-3377")])
    assert (one != other).any()
    assert (redact(one, region(), mode=mode) == redact(other, region(), mode=mode)).all()


def test_plain_gaussian_does_depend_on_them_which_is_why_it_is_documented_as_reversible():
    one, other = draw([(64, 42, "578-22-9140")]), draw([(64, 42, "111-88-3377")])
    assert (
        redact(one, region(), mode="gaussian") != redact(other, region(), mode="gaussian")
    ).any()
    assert "CAN BE UNDONE" in PixelSettings.__doc__


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(DESTROYING),
    st.integers(0, 2**32 - 1),
    st.tuples(*[st.integers(0, 70)] * 2),
    st.tuples(*[st.integers(1, 40)] * 2),
)
def test_no_pixel_inside_a_region_survives(mode, seed, corner, size):
    rng = np.random.RandomState(seed)
    box = Region(*corner, corner[0] + size[0], corner[1] + size[1], "PERSON", "x")
    base = rng.randint(0, 256, (64, 96, 3)).astype(np.uint8)
    changed = base.copy()
    inside = (slice(box.y0, box.y1), slice(box.x0, box.x1))
    changed[inside] = rng.randint(0, 256, changed[inside].shape)
    assert (redact(base, box, mode=mode) == redact(changed, box, mode=mode)).all()


def test_the_same_value_looks_the_same_wherever_it_stands_and_another_does_not():
    empty = draw([])
    at_top = redact(empty, region())[40:60, 60:180]
    below = redact(empty, region(x0=100, y0=100, x1=220, y1=120))[100:120, 100:220]
    misread = redact(empty, region(value="578-22-914O"))[40:60, 60:180]
    other = redact(empty, region(value="578-22-9141"))[40:60, 60:180]
    assert (at_top == below).all()
    assert (at_top == misread).all()
    assert (at_top != other).any()


def test_another_session_key_draws_something_else():
    empty = draw([])
    assert (redact(empty, region(), key=b"a" * 32) != redact(empty, region(), key=b"b" * 32)).any()


def test_widths_are_whole_multiples_of_the_height_so_that_lengths_do_not_show():
    empty = draw([])

    def drawn_width(x1: int) -> int:
        changed = (redact(empty, region(x1=x1), mode="fill") != empty).any((0, 2))
        return int(changed.sum())

    assert drawn_width(161) == drawn_width(175) == 120
    assert drawn_width(185) == 140


def test_a_region_at_the_edge_stays_inside_the_picture():
    image = draw([(440, 142, "Bram")])
    out = redact(image, Region(438, 140, 480, 160, "PERSON", "Bram"))
    assert out.shape == image.shape
    assert (out[140:, 438:] != image[140:, 438:]).any()


@pytest.mark.parametrize(
    "box", [(500, 10, 600, 30), (-90, 10, -10, 30), (10, 200, 50, 220), (50, 30, 40, 40)]
)
def test_a_region_outside_the_picture_changes_nothing(box):
    image = draw([(20, 20, "Bram")])
    assert (redact(image, Region(*box, "PERSON", "x")) == image).all()


def test_a_region_that_reaches_out_of_the_picture_is_cut_to_it():
    image = draw([(20, 20, "Bram")])
    out = redact(image, Region(-40, -5, 900, 50, "PERSON", "x"))
    assert (out[:44] != image[:44]).any((0, 2)).all()
    assert (out[60:] == image[60:]).all()


def test_the_background_comes_from_around_the_region():
    image = draw([(64, 42, "578-22-9140")], ink="#ffffff", paper="#205020")
    out = redact(image, region(), mode="blur")
    assert abs(int(out[41, 61, 1]) - 0x50) < 60
    assert (out[38, 60:180] == image[38, 60:180]).all()


def test_what_was_drawn_is_kept_only_while_it_is_small():
    patches = Patches(most_bytes=100_000)
    background = np.full(3, 255, np.uint8)
    for number in range(9):
        seed = bytes([number]) * 32
        patch = patches.replacement("blur", (0, 0, 400, 20), 20, background, seed)
        again = patches.replacement("blur", (0, 100, 400, 120), 20, background, seed)
        assert patch is again and patches.size <= 100_000
    assert patches.replacement("fill", (0, 0, 400, 400), 20, background, b"").shape == (400, 400, 3)
    assert patches.size == 0


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_gives_the_same_bytes_again(mode):
    data = png(draw([(64, 42, "578-22-9140")]))
    once = redact_frame(data, [region()], PixelSettings(mode=mode), KEY)
    assert once == redact_frame(data, [region()], PixelSettings(mode=mode), KEY)
    assert (once[0] == data) == (mode == "off")


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_chunk(data: bytes, kind: bytes, body: bytes) -> bytes:
    return data[:33] + chunk(kind, body) + data[33:]


PLAIN = png(draw([(10, 10, "Hello")]))


@pytest.mark.parametrize(
    "data",
    [
        with_chunk(PLAIN, b"tEXt", b"Author\0Bram Olsavik"),
        with_chunk(PLAIN, b"eXIf", b"MM\0*Bram"),
        with_chunk(PLAIN, b"iCCP", b"Bram's screen\0\0" + zlib.compress(b"x")),
        with_chunk(PLAIN, b"gAMA", struct.pack(">I", 100)),
        with_chunk(PLAIN, b"acTL", struct.pack(">II", 2, 0)),
        PLAIN + b"old picture, cropped away",
        PLAIN[:-16] + bytes(4) + PLAIN[-12:],
    ],
    ids=["text", "exif", "profile", "gamma", "animation", "trailing", "checksum"],
)
def test_png_with_anything_beside_its_pixels_is_encoded_anew(data):
    assert not holds_only_pixels(data, "png")


@pytest.mark.parametrize(
    "data",
    [
        with_chunk(PLAIN, b"tEXt", b"Author\0Bram Olsavik"),
        with_chunk(PLAIN, b"eXIf", b"MM\0*Bram Olsavik"),
        PLAIN + b"Bram Olsavik",
    ],
    ids=["text", "exif", "trailing"],
)
def test_nothing_of_it_is_left(data):
    out, extension = redact_frame(data, (), PixelSettings(), KEY)
    assert extension == "png"
    assert b"Bram" not in out
    assert (pixels_of(out) == pixels_of(PLAIN)).all()


def test_rows_beyond_the_picture_are_not_copied():
    _, height = struct.unpack_from(">II", PLAIN, 16)
    taller = PLAIN[:20] + struct.pack(">I", height - 20) + PLAIN[24:]
    taller = taller[:29] + struct.pack(">I", zlib.crc32(taller[12:29])) + taller[33:]
    assert holds_only_pixels(PLAIN, "png")
    assert not holds_only_pixels(taller, "png")


def test_the_lower_bytes_of_deep_samples_are_not_published():
    grey = np.full((40, 60), 200 << 8, np.uint16)
    grey[10:20, 10:30] += 255
    data = png(grey)
    assert not holds_only_pixels(data, "png")
    out, _ = redact_frame(data, (), PixelSettings(), KEY)
    assert (pixels_of(out) == 200).all()


def test_colours_hidden_by_transparency_are_not_published():
    rgba = np.zeros((40, 60, 4), np.uint8)
    rgba[..., 0] = 200
    out, _ = redact_frame(png(rgba), (), PixelSettings(), KEY)
    assert (pixels_of(out) == 255).all()
    assert Image.open(io.BytesIO(out)).mode == "RGB"


def jpeg(**options) -> bytes:
    out = io.BytesIO()
    Image.fromarray(draw([(10, 10, "Hello")])).save(out, "JPEG", quality=90, **options)
    return out.getvalue()


def described(text: str) -> bytes:
    exif = Image.Exif()
    exif[0x010E] = text
    return exif.tobytes()


def test_plain_jpeg_and_webp_are_copied():
    out = io.BytesIO()
    Image.fromarray(draw([])).save(out, "WEBP", lossless=True)
    assert redact_frame(jpeg(), (), PixelSettings(), KEY) == (jpeg(), "jpg")
    assert redact_frame(out.getvalue(), (), PixelSettings(), KEY) == (out.getvalue(), "webp")


@pytest.mark.parametrize(
    "data",
    [
        jpeg(comment=b"Bram Olsavik"),
        jpeg(exif=described("Bram Olsavik")),
        jpeg() + b"Bram Olsavik",
    ],
    ids=["comment", "exif", "trailing"],
)
def test_metadata_of_jpeg_are_stripped_without_changing_a_pixel(data):
    out, extension = redact_frame(data, (), PixelSettings(), KEY)
    assert extension == "webp"
    assert b"Bram" not in out
    assert (pixels_of(out) == pixels_of(data)).all()


def test_text_in_a_png_with_regions_goes_too():
    information = PngImagePlugin.PngInfo()
    information.add_text("Author", "Bram Olsavik")
    data = png(draw([(64, 42, "578-22-9140")]), pnginfo=information)
    out, _ = redact_frame(data, [region()], PixelSettings(), KEY)
    assert b"Bram" not in out


@pytest.mark.parametrize("cut", [0, 7, 40, 300])
def test_a_broken_picture_raises_and_is_never_passed_through(cut):
    with pytest.raises(ImageDefect):
        redact_frame(PLAIN[:cut], (), PixelSettings(), KEY)


@pytest.mark.parametrize("mode", ["blurred", "", "OFF"])
def test_an_unknown_mode_is_refused_with_what_is_allowed(mode):
    with pytest.raises(ValueError, match="allowed: blur, fill"):
        PixelSettings(mode=mode)
