"""Measures the PrivacyFilter on pixels: what it covers, what it leaves readable, how fast it is.

    python -m benchmarks.pixel_privacy              all parts
    python -m benchmarks.pixel_privacy pages        single screens: strings covered, look-alikes hit
    python -m benchmarks.pixel_privacy hard         screens made to be hard to read
    python -m benchmarks.pixel_privacy session      frames of a session, only changes read, or all
    python -m benchmarks.pixel_privacy peer         side by side with presidio-image-redactor
    python -m benchmarks.pixel_privacy leak         OCR of the output, and render-and-compare
    python -m benchmarks.pixel_privacy workers      one worker process against two

Screens are invented (tests/support/screens.py, hard_screens.py) and rendered by headless Chromium;
layouts, names and fonts of the family ``held_out`` were not looked at while the filter was
developed. Names are given to both sides, so that text recognition is compared and not models of
names; pages and hard screens are read a second time without them. The peer runs in
its own environment: --peer PYTHON, the interpreter of one with presidio-image-redactor, and
tesseract on the PATH. Without it that part is skipped. Figures are CPU seconds of one thread.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from schemas.findings import Found, Region
from schemas.traces import Frame, Viewport
from tests.support import hard_screens, screen_sessions, screens
from tests.support.drawn import ink_rect, png
from tests.support.picture_changes import reencoded
from tests.support.pixel_scores import Score
from tests.support.render_attack import (
    FONT,
    FONT_PX,
    attack,
    digits_right,
    random_number,
    screen,
)
from transforms.images import decode_image
from transforms.privacy.pixels.engine import load_engine
from transforms.privacy.pixels.locate import locate_regions
from transforms.privacy.pixels.lookalikes import fold
from transforms.privacy.pixels.models import build_models, locate_models, models_folder
from transforms.privacy.pixels.pictures import Pictures
from transforms.privacy.pixels.redact import redact_frame
from transforms.privacy.pixels.settings import PixelSettings

KEY = b"benchmark" * 4
MAX_PIXELS = 10**8
JPEG_QUALITY = 75


class Side:
    """Our pixel stage over frames on disk: decode, locate, redact, write."""

    def __init__(self, models: Path) -> None:
        from transforms.privacy.config import load_scrubber_config
        from transforms.privacy.finder import TextFinder

        self.engine = load_engine(models)
        if self.engine is None:
            raise SystemExit("no OCR engine: install tracemill[ocr]")
        self.finder = TextFinder(load_scrubber_config())

    def run(
        self,
        folder: Path,
        shown: Sequence[screens.Screen],
        settings: PixelSettings,
        names: Sequence[Found] | None = None,
    ):
        """Returns (regions by file, counts, CPU seconds); pictures go to FOLDER/published.

        ``names`` are known beforehand; None: all that stand on the screens.
        """
        (folder / "published").mkdir(exist_ok=True)
        frames = frames_of(shown)
        self.finder.forget()
        started = time.process_time()
        pictures = Pictures(MAX_PIXELS)
        regions, _, withheld, counts = locate_regions(
            frames,
            lambda frame: pictures.pixels((folder / frame.file).read_bytes()),
            lambda text: self.finder.find(text, "ocr"),
            names_in(shown) if names is None else names,
            lambda frame: (),
            self.engine,
            settings,
            prepare=lambda texts: self.finder.find_many(texts, "ocr"),
        )
        assert not withheld
        for frame in frames:
            data = (folder / frame.file).read_bytes()
            data, _ = redact_frame(data, regions.get(frame.file, ()), settings, KEY)
            (folder / "published" / frame.file).write_bytes(data)
        return regions, counts, time.process_time() - started


def frames_of(shown: Sequence[screens.Screen]) -> list[Frame]:
    """Returns references to screens, as a session has them."""
    return [
        Frame(
            file=f"{number:04}.png",
            timestamp_us=number * 1_000_000,
            width=s.width,
            height=s.height,
            format="png",
            size_bytes=len(s.png),
            viewport=Viewport(
                s.width / s.device_pixel_ratio,
                s.height / s.device_pixel_ratio,
                s.device_pixel_ratio,
            ),
        )
        for number, s in enumerate(shown)
    ]


def names_in(shown: Sequence[screens.Screen]) -> list[Found]:
    """Returns the names on the screens, as text of the session would have given them."""
    names = {m.text for s in shown for m in s.marks if m.kind == "PERSON" and m.whole}
    return [Found(name, "PERSON", "field") for name in sorted(names)]


def laid_out(shown: Sequence[screens.Screen], folder: Path) -> Path:
    """Writes screens as files."""
    folder.mkdir(parents=True)
    for frame, s in zip(frames_of(shown), shown, strict=True):
        (folder / frame.file).write_bytes(s.png)
    return folder


def scored(shown: Sequence[screens.Screen], regions: dict[str, tuple[Region, ...]]) -> Score:
    """Scores regions against the truth."""
    score = Score()
    for frame, s in zip(frames_of(shown), shown, strict=True):
        image = np.asarray(decode_image(s.png, MAX_PIXELS))
        score.add(image, s, regions.get(frame.file, ()), int(frame.file[:4]))
    return score


def report(title: str, score: Score) -> None:
    """Prints one line of what was covered, and the misses."""
    seen = {kind: score.seen[kind] for kind in screens.PATTERN_KINDS}
    print(
        f"{title}: patterns {score.share(screens.PATTERN_KINDS):.2%} of {sum(seen.values())}, "
        f"names {score.share(['PERSON']):.2%} of {score.seen['PERSON']}, "
        f"look-alikes hit {score.share(['NEGATIVE']):.2%} of {score.seen['NEGATIVE']}, "
        f"half in sight {_parts(score, ' in part')}, less {_parts(score, ' small part')}"
    )
    for kind, text, share, number in score.missed[:8]:
        if not kind.endswith("part"):
            print(f"    {kind} {text!r} covered {share:.2f} in {number}")


def _parts(score: Score, ending: str) -> str:
    kinds = [kind for kind in score.seen if kind.endswith(ending) and "NEGATIVE" not in kind]
    return f"{score.share(kinds):.1%} of {sum(score.seen[kind] for kind in kinds)}"


def pages_part(args, side: Side, chromium, work: Path) -> None:
    """Covers single screens, each read whole."""
    for family in screens.FAMILIES:
        seeds = range(args.seed, args.seed + args.pages)
        css = screens.font_faces(args.fonts, screens.fonts_of(family))
        shown = screens.render_pages(chromium, family, seeds, css)
        total, unknown, seconds = _one_by_one(side, shown, work / family)
        report(f"{family}, {len(shown)} pages, {seconds / len(shown):.2f} s each", total)
        print(f"    names that only the model can know: {unknown.share(['PERSON']):.2%}")


def _one_by_one(
    side: Side, shown: Sequence[screens.Screen], work: Path
) -> tuple[Score, Score, float]:
    """Returns the scores with names known and unknown, and CPU seconds of the former."""
    total, unknown, seconds = Score(), Score(), 0.0
    for number, s in enumerate(shown):
        folder = laid_out([s], work / f"{number}")
        image = np.asarray(decode_image(s.png, MAX_PIXELS))
        regions, _, spent = side.run(folder, [s], PixelSettings())
        total.add(image, s, regions.get("0000.png", ()), number)
        seconds += spent
        if any(mark.kind == "PERSON" for mark in s.marks):
            regions, _, _ = side.run(folder, [s], PixelSettings(), names=())
            unknown.add(image, s, regions.get("0000.png", ()), number)
    return total, unknown, seconds


def hard_part(args, side: Side, chromium, work: Path) -> None:
    """Covers screens made to be hard to read, in the fonts that were not developed with."""
    fonts = hard_screens.FONTS["held_out"] + hard_screens.MONO["held_out"]
    css = screens.font_faces(args.fonts, fonts)
    total, unknown, seconds = Score(), Score(), 0.0
    for number, case in enumerate(hard_screens.CASES):
        seeds = range(args.seed, args.seed + args.repeats)
        shown = [hard_screens.render_case(chromium, case, n, "held_out", css) for n in seeds]
        known, alone, spent = _one_by_one(side, shown, work / f"hard{number}")
        total.join(known)
        unknown.join(alone)
        seconds += spent
        if known.missed:
            report(f"    {case.name}", known)
    title = f"{len(hard_screens.CASES)} cases x {args.repeats}, {seconds:.0f} s"
    report(title, total)
    print(f"    names that only the model can know: {unknown.share(['PERSON']):.2%}")


def session_part(args, side: Side, chromium, work: Path) -> None:
    """Covers frames of sessions: only what changed is read, then everything for comparison."""
    for family, ratio, jpeg in (
        ("develop", 1.0, None),
        ("held_out", 1.0, None),
        ("held_out", 2.0, None),
        ("held_out", 1.0, JPEG_QUALITY),
    ):
        css = screens.font_faces(args.fonts, screens.fonts_of(family))
        size = (1280, 800) if ratio == 1.0 else (1024, 640)
        shown = screen_sessions.render_session(
            chromium, family, args.seed, args.frames, css, size, ratio
        )
        if jpeg is not None:
            change = reencoded(jpeg)
            shown = [replace(s, png=change(s.png)[0]) for s in shown]
        kind = f"{family} session x{ratio:.0f}{' JPEG' if jpeg else ''}"
        folder = laid_out(shown, work / f"session {kind}")
        for name, settings in (
            ("incremental", PixelSettings()),
            ("whole", PixelSettings(full_pass_every=1, keyframes=1)),
        ):
            regions, counts, seconds = side.run(folder, shown, settings)
            report(f"{kind} {name}, {seconds / len(shown):.3f} s a frame", scored(shown, regions))
            kept = {k[4:]: v for k, v in counts.items() if k.startswith("ocr/")}
            print(f"    {kept}")


def peer_part(args, side: Side, chromium, work: Path) -> None:
    """Runs the same sessions through the filter and through presidio-image-redactor."""
    if args.peer is None or shutil.which("tesseract") is None:
        print("skipped: --peer PYTHON (with presidio-image-redactor) or tesseract is missing")
        return
    css = screens.font_faces(args.fonts, screens.fonts_of("held_out"))
    scores = {"ours": Score(), "presidio": Score(), "presidio, boxes padded by a quarter": Score()}
    ours = theirs = once = 0.0
    frames = 0
    for number in range(args.peer_sessions):
        seed = args.seed + 1 + number
        shown = screen_sessions.render_session(chromium, "held_out", seed, args.peer_frames, css)
        folder = laid_out(shown, work / f"peer{number}")
        regions, _, spent = side.run(folder, shown, PixelSettings())
        answer = _ask_peer(args.peer, folder, names_in(shown))
        if answer is None:
            return
        boxes = {
            pad: {
                file: tuple(_padded(rectangle, pad) for rectangle in rectangles)
                for file, rectangles in answer["boxes"].items()
            }
            for pad in (0.0, 0.25)
        }
        found = (regions, boxes[0.0], boxes[0.25])
        for score, covered in zip(scores.values(), found, strict=True):
            score.join(scored(shown, covered))
        distinct = len({s.png for s in shown})
        seconds = answer["cpu_s"]
        print(
            f"    session {seed}: {spent / len(shown):.3f} s a frame against "
            f"{seconds / len(shown):.3f} s, {seconds / spent:.2f} x ({distinct} distinct of "
            f"{len(shown)} frames)",
            flush=True,
        )
        ours, theirs, frames = ours + spent, theirs + seconds, frames + len(shown)
        once += seconds * distinct / len(shown)
    for name, score in scores.items():
        report(f"{name}, {(ours if name == 'ours' else theirs) / frames:.3f} s a frame", score)
    print(
        f"    speed: {theirs / ours:.2f} x; {once / ours:.2f} x if the peer skipped exact repeats"
    )


def _ask_peer(python: str, folder: Path, names: Sequence[Found]) -> dict | None:
    """Returns what presidio-image-redactor found in a folder and its CPU seconds."""
    listed = folder / "names.json"
    listed.write_text(json.dumps([found.value for found in names]), encoding="utf-8")
    script = Path(__file__).with_name("pixel_peer.py")
    run = subprocess.run(
        [python, str(script), str(folder), str(listed)],
        capture_output=True,
        text=True,
        env={"OMP_THREAD_LIMIT": "1", "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"},
    )
    if run.returncode:
        print("skipped: the peer failed:", run.stderr.strip().splitlines()[-1:])
        return None
    return json.loads(run.stdout.splitlines()[-1])


def _padded(rectangle: Sequence[int], pad: float) -> Region:
    x0, y0, x1, y1 = rectangle
    more = round(pad * (y1 - y0))
    return Region(x0 - more, y0 - more, x1 + more + 1, y1 + more + 1, "PEER")


def leak_part(args, side: Side, chromium, work: Path) -> None:
    """Reads the published frames again, and attacks a number in a fixed font."""
    css = screens.font_faces(args.fonts, screens.fonts_of("held_out"))
    seeds = range(args.seed + 500, args.seed + 500 + args.pages // 3)
    shown = screens.render_pages(chromium, "held_out", seeds, css)
    for mode in ("blur", "fill", "pixelate"):
        read = total = 0
        for number, s in enumerate(shown):
            folder = laid_out([s], work / f"leak-{mode}-{number}")
            regions, _, _ = side.run(folder, [s], PixelSettings(mode))
            data = (folder / "published" / "0000.png").read_bytes()
            image = np.asarray(decode_image(data, MAX_PIXELS))
            seen = fold(" ".join(line.text for line in side.engine.lines(image))).text
            score = scored([s], regions)
            missed = {text for _, text, _, _ in score.missed}
            for mark in s.marks:
                if mark.kind != "NEGATIVE" and mark.whole and mark.text not in missed:
                    total += 1
                    read += fold(mark.text).text in seen
        print(f"{mode}: OCR reads {read} of {total} covered strings in the output")
    rng = random.Random(args.seed)
    for mode in ("blur", "pixelate", "fill", "gaussian"):
        whole = digits = 0
        for _ in range(args.numbers):
            number = random_number(rng)
            published = _redactor(mode, rng.randbytes(32))(screen(number), number)
            guess = attack(published, _redactor(mode, b"guessed!" * 4), rng)
            whole += guess == number
            digits += digits_right(guess, number)
        print(
            f"{mode}: render-and-compare wins {whole} of {args.numbers} numbers, "
            f"{digits / (9 * args.numbers):.0%} of digits (chance 10 %)"
        )


def _redactor(mode: str, key: bytes):
    def redact(image: np.ndarray, number: str) -> np.ndarray:
        box = ink_rect(12, 10, number, FONT_PX, FONT)
        region = Region(box[0] - 4, box[1] - 3, box[2] + 4, box[3] + 3, "SSN", number)
        data, _ = redact_frame(png(image, compress_level=0), [region], PixelSettings(mode), key)
        return np.asarray(decode_image(data, 10**6))

    return redact


_worker: list[Side] = []


def _start_worker(models: Path, ready) -> None:
    _worker.append(Side(models))
    ready.wait()


def _one_session(job: tuple[Path, list[screens.Screen]]) -> tuple[int, int, float]:
    _, _, seconds = _worker[0].run(*job, PixelSettings())
    return os.getpid(), len(job[1]), seconds


def workers_part(args, side: Side, chromium, work: Path) -> None:
    """Runs six sessions on one worker process, then on two."""
    css = screens.font_faces(args.fonts, screens.fonts_of("develop"))
    jobs = []
    for number in range(6):
        shown = screen_sessions.render_session(
            chromium, "develop", args.seed + number, args.frames // 3, css
        )
        jobs.append((laid_out(shown, work / f"worker{number}"), shown))
    walls, busiest = {}, {}
    context = multiprocessing.get_context("spawn")
    for count in (1, 2):
        ready = context.Barrier(count + 1)
        with context.Pool(count, _start_worker, (args.models, ready)) as pool:
            ready.wait()  # all engines are loaded
            started = time.perf_counter()
            done = list(pool.imap_unordered(_one_session, jobs))
            walls[count] = time.perf_counter() - started
        of_worker: Counter[int] = Counter()
        for worker, _, seconds in done:
            of_worker[worker] += seconds
        busiest[count] = max(of_worker.values())
        print(
            f"{count} process(es): {walls[count]:.1f} s for {sum(n for _, n, _ in done)} frames, "
            f"{busiest[count]:.1f} CPU s on the busiest"
        )
    print(
        f"    {walls[1] / walls[2]:.2f} x by the clock, {busiest[1] / busiest[2]:.2f} x by CPU "
        "time (what the clock shows when each has a core to itself)"
    )


PARTS = {
    "pages": pages_part,
    "hard": hard_part,
    "session": session_part,
    "peer": peer_part,
    "leak": leak_part,
    "workers": workers_part,
}


def main() -> None:
    """Runs the parts named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[], metavar="PART")
    parser.add_argument("--pages", type=int, default=48, help="screens of each family")
    parser.add_argument("--repeats", type=int, default=2, help="screens of each hard case")
    parser.add_argument("--frames", type=int, default=60, help="frames of each session")
    parser.add_argument("--peer_frames", type=int, default=48, help="frames the peer reads")
    parser.add_argument("--peer_sessions", type=int, default=3)
    parser.add_argument("--numbers", type=int, default=8, help="numbers that are attacked")
    parser.add_argument("--seed", type=int, default=7000)
    parser.add_argument("--fonts", type=Path, help="folder of .ttf files for the screens")
    parser.add_argument("--peer", help="Python with presidio-image-redactor")
    parser.add_argument("--models", type=Path, default=models_folder())
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, screens.browser() as chromium:
        work = Path(folder)
        located = locate_models(args.models)
        if located is None or located.fingerprint.endswith("/wheel"):
            args.models = work / "models"
            frames = screens.render_pages(chromium, "develop", range(12))
            print("built", build_models([s.png for s in frames], args.models))
        side = Side(args.models)
        for part in args.parts or PARTS:
            print(f"== {part}", flush=True)
            PARTS[part](args, side, chromium, work)


if __name__ == "__main__":
    main()
