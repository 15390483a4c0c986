from __future__ import annotations

import io

import pytest
from PIL import Image, ImageDraw, ImageFont

from schemas.traces import Frame
from schemas.trajectories import Action, Observation, Step
from transforms.normalize.frames import (
    changed_tiles,
    frame_fingerprint,
    is_near_duplicate,
    select_frames,
)


def screen(text: str = "Hello", at: tuple[int, int] = (23, 41), colour=(0, 0, 0)) -> Image.Image:
    image = Image.new("RGB", (320, 200), (255, 255, 255))
    draw = ImageDraw.Draw(image)
    draw.rectangle((10, 30, 200, 60), outline=(118, 118, 118))
    draw.text(at, text, fill=colour, font=ImageFont.load_default(13))
    return image


def as_jpeg(image: Image.Image, quality: int) -> Image.Image:
    data = io.BytesIO()
    image.save(data, "JPEG", quality=quality)
    return Image.open(io.BytesIO(data.getvalue())).convert("RGB")


@pytest.mark.parametrize("more", [".", "'", "i", "l", ",", "-", "W"])
@pytest.mark.parametrize("shift", [(0, 0), (3, 5), (7, 1), (4, 4)])
def test_one_more_character_is_seen(more, shift):
    at = (23 + shift[0], 41 + shift[1])
    one, other = (
        frame_fingerprint(screen("Hello", at)),
        frame_fingerprint(screen(f"Hello{more}", at)),
    )
    assert not is_near_duplicate(one, other)


@pytest.mark.parametrize("colour", [(118, 118, 118), (0, 0, 238)])
def test_one_more_character_in_a_pale_colour_is_seen(colour):
    one = frame_fingerprint(screen("1", colour=colour))
    assert not is_near_duplicate(one, frame_fingerprint(screen("1.", colour=colour)))


def test_a_change_of_hue_alone_is_seen():
    red, green = Image.new("RGB", (64, 64), (150, 0, 0)), Image.new("RGB", (64, 64), (0, 76, 0))
    assert red.convert("L").getpixel((0, 0)) == green.convert("L").getpixel((0, 0))
    assert not is_near_duplicate(frame_fingerprint(red), frame_fingerprint(green))


def test_noise_of_one_level_is_no_change():
    image = screen("The quick brown fox jumps")
    noisy = image.point([min(255, level + 1) for level in range(256)] * 3)
    assert noisy.tobytes() != image.tobytes()
    assert is_near_duplicate(frame_fingerprint(image), frame_fingerprint(noisy))


def test_the_same_screen_as_two_jpegs_is_the_same():
    one, other = as_jpeg(screen("fox"), 80), as_jpeg(screen("fox"), 80)
    assert is_near_duplicate(frame_fingerprint(one), frame_fingerprint(other))


def test_pictures_of_different_sizes_differ():
    one, other = Image.new("RGB", (64, 32)), Image.new("RGB", (32, 64))
    assert changed_tiles(frame_fingerprint(one), frame_fingerprint(other)) is None
    assert not is_near_duplicate(frame_fingerprint(one), frame_fingerprint(other))


def frame(name: str, us: int, tab: str | None = None) -> Frame:
    return Frame(
        file=name, timestamp_us=us, width=320, height=200, format="png", size_bytes=1, tab=tab
    )


def steps(*names: str | None, tasks: tuple[int, ...] | None = None) -> tuple[Step, ...]:
    made = []
    for place, name in enumerate(names):
        action = Action(
            index=place, type="click", start_us=1000 + place, end_us=2000, raw_event_ids=("e",)
        )
        seen = Observation(
            frame=name,
            frame_timestamp_us=None if name is None else 1,
            frame_size=None if name is None else (320, 200),
            frame_scale=None if name is None else (1.0, 1.0),
            dom="tree",
        )
        task = tasks[place] if tasks else 0
        made.append(
            Step(task=task, task_id="t", step_id=place + 1, action=action, observation=seen)
        )
    return tuple(made)


def shown(chosen: tuple[Step, ...]) -> list[str | None]:
    return [step.observation.frame for step in chosen]


def reasons(dropped) -> dict[str, str]:
    return {d.record: d.reason for d in dropped}


def test_a_run_of_equal_frames_is_served_by_the_first():
    looks = {"a": b"1", "b": b"1", "c": b"2", "d": b"1"}
    frames = [frame(name, us) for us, name in enumerate("abcd")]
    chosen, dropped = select_frames(
        steps("a", "b", "c", "d"), frames, lambda f: looks[f.file], None
    )
    assert shown(chosen) == ["a", "a", "c", "d"]
    assert chosen[1].observation.frame_timestamp_us == 0
    assert reasons(dropped) == {"b": "near_duplicate"}


def test_small_changes_do_not_add_up_to_a_missed_one():
    def look(level: int) -> bytes:
        return frame_fingerprint(Image.new("RGB", (8, 8), (level, level, level)))

    levels = {name: 100 + n for n, name in enumerate("abcd")}
    frames = [frame(name, us) for us, name in enumerate("abcd")]
    chosen, _ = select_frames(steps(*"abcd"), frames, lambda f: look(levels[f.file]), None)
    assert shown(chosen) == ["a", "a", "c", "c"]


def test_tabs_have_their_own_runs():
    frames = [frame("a", 0, "x"), frame("b", 1, "y"), frame("c", 2, "x")]
    looks = {"a": b"1", "b": b"1", "c": b"1"}
    chosen, _ = select_frames(steps("a", "b", "c"), frames, lambda f: looks[f.file], None)
    assert shown(chosen) == ["a", "b", "a"]


def test_frames_that_no_step_uses_are_dropped_unread():
    read = []

    def look(f: Frame) -> bytes:
        read.append(f.file)
        return f.file.encode()

    frames = [frame(name, us) for us, name in enumerate("abc")]
    chosen, dropped = select_frames(steps("b", None), frames, look, None)
    assert (shown(chosen), read) == (["b", None], ["b"])
    assert reasons(dropped) == {"a": "unused", "c": "unused"}


def test_a_frame_that_cannot_be_read_leaves_its_step_without_one():
    frames = [frame("a", 0), frame("b", 1)]
    chosen, dropped = select_frames(
        steps("a", "b"), frames, lambda f: None if f.file == "a" else b"1", None
    )
    assert shown(chosen) == [None, "b"]
    seen = chosen[0].observation
    assert (seen.frame_size, seen.frame_scale, seen.dom) == (None, None, "tree")
    assert reasons(dropped) == {}


def picture(dark: int) -> bytes:
    image = Image.new("RGB", (320, 200), (255, 255, 255))
    ImageDraw.Draw(image).rectangle((0, 0, dark, dark), fill=(0, 0, 0))
    return frame_fingerprint(image)


def test_a_budget_keeps_the_first_frame_and_those_that_show_most_news():
    looks = {"a": picture(10), "b": picture(14), "c": picture(190), "d": picture(186)}
    frames = [frame(name, us) for us, name in enumerate("abcd")]
    chosen, dropped = select_frames(steps(*"abcd"), frames, lambda f: looks[f.file], 2)
    assert shown(chosen) == ["a", None, "c", None]
    assert reasons(dropped) == {"b": "over_budget", "d": "over_budget"}


def test_each_task_has_its_own_budget():
    frames = [frame(name, us) for us, name in enumerate("abcd")]
    chosen, _ = select_frames(
        steps(*"abcd", tasks=(0, 0, 1, 1)), frames, lambda f: f.file.encode(), 1
    )
    assert shown(chosen) == ["a", None, "c", None]


def test_a_frame_that_another_task_keeps_is_not_dropped():
    frames = [frame(name, us) for us, name in enumerate("ab")]
    chosen, dropped = select_frames(
        steps("a", "b", "b", tasks=(0, 0, 1)), frames, lambda f: f.file.encode(), 1
    )
    assert shown(chosen) == ["a", None, "b"]
    assert dropped == ()


def test_a_budget_of_none_keeps_all_and_of_zero_keeps_nothing():
    frames = [frame("a", 0)]
    assert shown(select_frames(steps("a"), frames, lambda f: b"1", None)[0]) == ["a"]
    assert shown(select_frames(steps("a"), frames, lambda f: b"1", 0)[0]) == [None]
