"""``tracemill models``: make the OCR engine's networks small, or say which are used."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.options import Parser

FRAMES = Path(__file__).resolve().parent.parent.parent / "examples" / "sessions"
MAX_FRAMES = 40


def main(arguments: Sequence[str]) -> int:
    """Builds from the installed wheels, calibrated on pictures; nothing is downloaded."""
    parser = Parser(prog="tracemill models", description=__doc__)
    parser.add_argument("what", choices=["build", "show"])
    parser.add_argument(
        "--frames", default=str(FRAMES), help="folder with PNG pictures to calibrate on"
    )
    parser.add_argument("--if_missing", action="store_true", help="do nothing when they are built")
    given = parser.parse_args(list(arguments))
    from transforms.privacy.pixels.models import (
        ModelError,
        build_models,
        engine_fingerprint,
        models_folder,
    )

    folder = models_folder()
    fingerprint = engine_fingerprint(folder)
    if given.what == "show" or (given.if_missing and not fingerprint.endswith(("wheel", "none"))):
        print(f"{fingerprint}  {folder}")
        return 0
    frames = [p.read_bytes() for p in sorted(Path(given.frames).rglob("*.png"))]
    step = max(1, len(frames) // MAX_FRAMES)
    if not frames:
        print(f"tracemill models: {given.frames}: no PNG pictures", file=sys.stderr)
        return 2
    try:
        made = build_models(frames[::step], folder)
    except ModelError as error:
        print(f"tracemill models: {error}", file=sys.stderr)
        return 3
    for name in made:
        print(folder / name)
    return 0
