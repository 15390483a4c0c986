import io

import pytest
from PIL import Image

from tests.support.model_sessions import contexts
from transforms.classify.model.evidence import gather
from transforms.classify.model.pictures import (
    MAX_BYTES,
    Sent,
    frames_around,
    prepare_picture,
    with_points,
)


def encoded(width, height, kind="PNG", noisy=False):
    import numpy as np

    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 255, (height, width, 3), "uint8") if noisy else None
    image = Image.fromarray(pixels) if noisy else Image.new("RGB", (width, height), "white")
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_small_picture_goes_as_it_is(kind):
    data = encoded(640, 480, kind)
    picture = prepare_picture(data)
    assert picture.data == data
    assert (picture.media_type, picture.size) == (f"image/{kind.lower()}", (640, 480))
    assert picture.scale == (1.0, 1.0)


def test_a_heavy_picture_is_scaled_until_it_fits():
    data = encoded(2560, 1440, noisy=True)
    assert len(data) > MAX_BYTES
    picture = prepare_picture(data)
    assert len(picture.data) <= MAX_BYTES
    assert picture.media_type == "image/jpeg"
    sent = Image.open(io.BytesIO(picture.data))
    assert sent.size == picture.size
    assert max(sent.size) <= 1568
    assert sent.layer[1][1:3] == (1, 1)  # colour at full resolution
    assert picture.scale == (sent.width / 2560, sent.height / 1440)


def test_a_wide_picture_is_scaled_though_it_is_light():
    picture = prepare_picture(encoded(5000, 100))
    assert picture.size[0] <= 1568


@pytest.mark.parametrize("data", [b"", b"text", encoded(50, 50)[:-20], b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_not_sent(data):
    assert prepare_picture(data) is None


def loader(frames):
    def load(frame):
        if frame not in frames:
            raise FileNotFoundError(frame)
        return frames[frame]

    return load


def framed(names):
    import msgspec

    made = contexts([f"m{i}" for i in range(len(names))])
    steps = list(made[0].prepared.steps)
    for i, step in enumerate(steps):
        seen = msgspec.structs.replace(step.observation, frame=names[i // 2])
        steps[i] = msgspec.structs.replace(step, observation=seen)
    prepared = msgspec.structs.replace(made[0].prepared, steps=tuple(steps))
    return [msgspec.structs.replace(c, prepared=prepared) for c in made]


def captions(context, load):
    return [(c.split()[2], f) for c, f, _ in frames_around(context, gather(context), load).frames]


def test_the_frames_before_and_after_are_sent_each_once():
    load = loader({f: encoded(40 + i, 30) for i, f in enumerate("abc")})
    first, second, third = framed(["a", "b", "b"])
    assert captions(first, load) == [("before", "a"), ("after", "b")]
    assert captions(second, load) == [("before", "b")]
    assert captions(third, load) == [("before", "b")]


def test_a_missing_or_broken_frame_is_left_out():
    first, _ = framed(["gone.png", "broken.png"])
    assert captions(first, loader({"broken.png": b"nothing"})) == []


def test_points_move_with_the_pixels():
    import msgspec

    context = framed(["a", "b"])[0]
    load = loader({"a": encoded(3136, 1568), "b": encoded(10, 10)})
    steps = tuple(
        msgspec.structs.replace(
            s, observation=msgspec.structs.replace(s.observation, frame_scale=(2.0, 2.0))
        )
        for s in context.prepared.steps
    )
    prepared = msgspec.structs.replace(context.prepared, steps=steps)
    context = msgspec.structs.replace(context, prepared=prepared)
    evidence = gather(context)
    sent = frames_around(context, evidence, load)
    assert sent.frames[0][2].scale == (0.5, 0.5)
    # x = 100 and 101 CSS pixels, 2 frame pixels each, halved again
    points = [r.shown["at"] for r in with_points(evidence, sent).steps]
    assert points == [[100, 50], [101, 50]]


def test_no_points_for_frames_that_are_not_sent():
    evidence = gather(framed(["a", "b"])[0])
    assert all("at" not in r.shown for r in with_points(evidence, Sent()).rows)
