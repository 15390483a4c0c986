"""Screens that are hard to read: what recorders, people and other programs do to a picture.

Every case is a page whose strings are marked like those of ``screens``, rendered in a way, and then
changed as pictures are on their way into a recording. Cases were written to break the filter, not
to describe what is common.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.support.hard_pages import (
    KINDS,
    Realistic,
    badges_page,
    chat_page,
    cut_page,
    edge_page,
    form_page,
    grid_page,
    headings_page,
    ide_page,
    list_page,
    lookalikes_page,
    names_page,
    narrow_page,
    pieces,
    pointer_page,
    spaced_page,
    split_boxes_page,
    terminal_page,
    tooltip_page,
)
from tests.support.picture_changes import (
    Change,
    photo_background,
    reencoded,
    scaled,
    to_grey,
    to_palette,
    to_subpixels,
)
from tests.support.screens import COLLECT, Mark, Screen


@dataclass(frozen=True)
class Case:
    """One way to make reading hard."""

    name: str
    body: Callable[[Realistic], str]
    css: str = ""
    size: int = 14
    ratio: float = 1.0
    change: Change | None = None


_DARK = "body{background:#111317;color:#c9d1d9}.field,.bubble{background:#1c2128}"
_RIGHT = ".right{margin-left:25%;background:#0b93f6;color:#fff}"

CASES: tuple[Case, ...] = (
    Case("form", form_page),
    Case("form-dark", form_page, _DARK),
    Case("grid-10px", grid_page, "body{padding:0}", size=10),
    Case("grid-11px", grid_page, _DARK, size=11),
    Case("grid-9px", grid_page, "body{padding:0}", size=9),
    Case("terminal", terminal_page, "body{background:#0c0c0c;color:#cccccc} i{color:#13a10e}", 13),
    Case("terminal-green", terminal_page, "body{background:#000;color:#33ff33}", 12),
    Case("terminal-light", terminal_page, "body{background:#eee8d5;color:#657b83}", 14),
    Case("ide", ide_page, "body{background:#1e1e1e;color:#d4d4d4}", 13),
    Case("ide-light", ide_page, "body{background:#fff;color:#000}", 12),
    Case("chat", chat_page, _RIGHT),
    Case("chat-dark", chat_page, _DARK + _RIGHT, 13),
    Case("jpeg-90", list_page, change=reencoded(90)),
    Case("jpeg-60", chat_page, _RIGHT, change=reencoded(60)),
    Case("jpeg-40", form_page, change=reencoded(40)),
    Case("jpeg-30-dark", list_page, _DARK, change=reencoded(30)),
    Case("jpeg-50-11px", grid_page, "body{padding:0}", 11, change=reencoded(50)),
    Case("webp-50", form_page, _DARK, change=reencoded(50, format="WEBP")),
    Case("palette", chat_page, _RIGHT, change=to_palette),
    Case("grey", badges_page, change=to_grey),
    Case("ratio-1.25", form_page, ratio=1.25, size=12),
    Case("ratio-1.5", grid_page, ratio=1.5, size=10),
    Case("ratio-2", chat_page, _RIGHT, ratio=2.0),
    Case("ratio-3", form_page, ratio=3.0),
    Case("shrunk-0.5", form_page, ratio=2.0, size=13, change=scaled(0.5)),
    Case("shrunk-0.75", grid_page, "body{padding:0}", 13, change=scaled(0.75)),
    Case("shrunk-0.67-bilinear", form_page, size=14, change=scaled(2 / 3, "BILINEAR")),
    Case("enlarged-1.5", list_page, size=12, change=scaled(1.5, "BILINEAR")),
    Case("lcd", list_page, ratio=3.0, size=13, change=to_subpixels),
    Case("lcd-dark-11px", form_page, _DARK, ratio=3.0, size=11, change=to_subpixels),
    Case("photo-1", lambda m: list_page(m) + list_page(m), photo_background(1), 15),
    Case("photo-2", form_page, photo_background(2) + ".field{background:none}", 16),
    Case("low-contrast", list_page, "body{background:#fff;color:#a0a0a0}"),
    Case(
        "low-contrast-dark", form_page, "body{background:#222;color:#777}.field{background:#2a2a2a}"
    ),
    Case("placeholder", form_page, ".field{color:#b5b5b5;background:#fff}"),
    Case("badges", badges_page),
    Case("badges-12px", badges_page, size=11),
    Case(
        "gradient", list_page, "body{background:linear-gradient(90deg,#ff9a9e,#fad0c4 50%,#a18cd1)}"
    ),
    Case("italic-serif", list_page, "body{font-style:italic;font-family:'Liberation Serif'}"),
    Case("condensed", list_page, "body{font-family:'DejaVu Sans Condensed'}", 12),
    Case("light-weight", list_page, "body{font-family:Lato;font-weight:300}", 13),
    Case("bold", form_page, "body{font-weight:800}"),
    Case("upper", list_page, "body{text-transform:uppercase}", 12),
    Case("underlined", list_page, "span{text-decoration:underline;color:#0645ad}"),
    Case("struck", list_page, "span{text-decoration:line-through}"),
    Case("spaced", spaced_page),
    Case("headings", headings_page),
    Case(
        "selected",
        lambda m: "".join(
            f"<p>{m.words(2)} {pieces(m, k, '<mark>', '</mark>')} {m.words(2)}</p>" for k in KINDS
        ),
        "mark{background:#0a64ad;color:#fff}",
    ),
    Case(
        "selected-all",
        lambda m: list_page(m, wrap="mark"),
        "mark{background:#3390ff;color:#fff;display:block}",
    ),
    Case(
        "bold-in-part",
        lambda m: "".join(f"<p>{pieces(m, k, '<b>', '</b>')}</p>" for k in KINDS * 2),
    ),
    Case(
        "found-word",
        lambda m: "".join(
            f"<p>{m.words(1)} {pieces(m, k, '<mark>', '</mark>')}</p>" for k in KINDS
        ),
        "mark{background:#ffeb3b}",
    ),
    Case("split-boxes", split_boxes_page),
    Case("narrow", narrow_page, ".narrow{overflow-wrap:anywhere;background:#f4f4f4;padding:4px}"),
    Case(
        "narrow-mono",
        narrow_page,
        ".narrow{word-break:break-all;font-family:'DejaVu Sans Mono'}",
        12,
    ),
    Case(
        "cut",
        cut_page,
        ".cut{overflow:hidden;white-space:nowrap;text-overflow:ellipsis;border:1px solid #ccc;"
        "margin:3px;padding:2px}",
    ),
    Case(
        "clipped",
        cut_page,
        ".cut{overflow:hidden;white-space:nowrap;border:1px solid #ccc;margin:3px}",
    ),
    Case("edge", edge_page),
    Case(
        "half-lines",
        lambda m: "".join(
            f"<div style='height:{h}px;overflow:hidden;margin:6px'>"
            f"{list_page(m, ('EMAIL', 'CARD'))}</div>"
            for h in (9, 12, 14, 28, 30)
        ),
    ),
    Case(
        "tooltip",
        tooltip_page,
        ".tip{position:fixed;background:#333;color:#fff;padding:5px 9px;border-radius:4px}",
    ),
    Case("pointer", pointer_page, ".over{position:absolute;top:2px;pointer-events:none}"),
    Case("look-alikes", lookalikes_page),
    Case("look-alikes-dark", lookalikes_page, _DARK, 11),
    Case("look-alikes-mono", lookalikes_page, "body{font-family:'Liberation Mono'}", 12),
    Case("names", names_page),
    Case("names-dark", names_page, _DARK, 12),
    Case("rotated-1deg", list_page, "body{transform:rotate(1deg)}"),
    Case("rotated-3deg", list_page, "body{transform:rotate(-3deg)}"),
    Case(
        "upright",
        lambda m: "".join(
            f"<div style='writing-mode:vertical-rl;float:left;margin:4px'>{m.mark(k)}</div>"
            for k in KINDS
        ),
    ),
)
_BASE = """
*{{box-sizing:border-box}} body{{margin:0;padding:8px;width:720px;height:560px;overflow:hidden;
background:#fff;color:#222;font:{size}px/1.5 '{font}'}} pre{{font:{size}px/1.45 '{mono}';margin:0}}
.field{{border:1px solid #999;border-radius:3px;padding:2px 6px;width:440px;white-space:nowrap;
background:#fafafa}} label{{display:block;font-size:.85em}} p{{margin:3px 0}}
table{{border-collapse:collapse}} td{{border:1px solid #bbb;padding:1px 4px;white-space:nowrap}}
.bubble{{background:#e9e9eb;border-radius:12px;padding:5px 10px;margin:5px 0;max-width:75%}}
.badge{{border-radius:9px;padding:1px 8px}} .block{{background:#ccc}}
.box{{display:inline-block;border:1px solid #888;border-radius:3px;padding:2px 8px;
margin-right:8px}}
"""
FONTS = {
    "develop": ("Liberation Sans", "Open Sans", "Roboto", "Lato", "DejaVu Sans"),
    "held_out": ("Carlito", "Arimo", "Inter", "Cantarell", "Nimbus Sans Narrow", "Caladea"),
}
MONO = {
    "develop": ("Liberation Mono", "Hack", "Fira Code", "DejaVu Sans Mono"),
    "held_out": ("Cousine", "JetBrains Mono", "Noto Sans Mono", "Inconsolata"),
}


def render_case(
    chromium, case: Case, seed: int, family: str = "develop", font_css: str = ""
) -> Screen:
    """Renders one case with strings of a seed in a font of a family."""
    make = Realistic(seed)
    style = _BASE.format(
        size=case.size,
        font=make.random.choice(FONTS[family]),
        mono=make.random.choice(MONO[family]),
    )
    context = chromium.new_context(
        viewport={"width": 720, "height": 560}, device_scale_factor=case.ratio
    )
    tab = context.new_page()
    tab.set_content(
        f"<!doctype html><meta charset=utf-8><style>{font_css}{style}{case.css}</style>"
        + case.body(make)
    )
    tab.wait_for_function("document.fonts.ready.then(() => true)")
    marks = [
        Mark(text, kind, tuple(tuple(v * case.ratio for v in r) for r in rects), whole, shown)
        for text, kind, rects, whole, shown in tab.evaluate(COLLECT)
    ]
    data, scale = tab.screenshot(), 1.0
    context.close()
    if case.change is not None:
        data, scale = case.change(data)
        marks = [
            replace(mark, rects=tuple(tuple(v * scale for v in r) for r in mark.rects))
            for mark in marks
        ]
    ratio = case.ratio * scale
    return Screen(data, round(720 * ratio), round(560 * ratio), ratio, marks, case.name)
