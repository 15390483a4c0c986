"""Screens of invented applications with invented personal data, and where exactly it stands.

Pages are HTML rendered by headless Chromium; a script in the page reports the visible rectangles of
every marked string. Two families of layouts, names and fonts, so that what is measured was not
developed on: ``develop`` and ``held_out``. Nothing here belongs to a real person: addresses are in
example.org/.com/.net, names are made of invented parts, numbers are random.
"""

from __future__ import annotations

import contextlib
import html
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

FAMILIES = ("develop", "held_out")
PATTERN_KINDS = ("EMAIL", "PHONE", "SSN", "CARD", "IBAN", "IP", "SECRET")

_FIRST = {
    "develop": "Olira Bento Maelis Torvin Sanna Quill Edra Niklo Yara Pelle Ivanka Dario".split(),
    "held_out": "Runa Caspin Elodie Marek Ximena Lorin Ottilie Bram Zofia Hallam Inge Teo".split(),
}
_LAST = {
    "develop": "Lindvik Oduyale Castell Brandvo Petrasen Quenault Ibarran Sokolin".split(),
    "held_out": "Aldermoor Fenwright Kostelny Virtasaar Jolicour Mbekiri Olsavik".split(),
}
_HOSTS = ("example.org", "example.com", "example.net", "mail.example.org")
_WORDS = {
    "develop": """the report was sent yesterday please check whether numbers match before we close
        this quarter and tell me what is missing from the second page of results thanks again
        meeting moved to room invoice attached""".split(),
    "held_out": """shipment left our warehouse this morning but label on box shows another street so
        driver could not deliver kindly confirm which address you prefer and when somebody will
        be there to sign for it otherwise return""".split(),
}
FONTS = {
    "develop": ("DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono"),
    "held_out": (
        "Liberation Sans",
        "Liberation Serif",
        "Roboto",
        "Lato",
        "Open Sans",
        "Ubuntu",
        "DejaVu Sans",
    ),
}
MONO = {
    "develop": ("DejaVu Sans Mono",),
    "held_out": ("Liberation Mono", "Hack", "Fira Code", "Inconsolata", "DejaVu Sans Mono"),
}
_THEMES = (
    ("#ffffff", "#1f2328", "#f6f8fa", "#0969da"),
    ("#1e1e1e", "#d4d4d4", "#252526", "#3794ff"),
    ("#fdf6e3", "#586e75", "#eee8d5", "#268bd2"),
    ("#2e3440", "#d8dee9", "#3b4252", "#88c0d0"),
    ("#f3f4f6", "#4b5563", "#ffffff", "#7c3aed"),
    ("#0b3d2e", "#e8f5e9", "#14532d", "#a7f3d0"),
)


@dataclass(frozen=True)
class Mark:
    """One marked string as one frame shows it."""

    text: str
    kind: str
    """An entity, or NEGATIVE for what only looks like one."""
    rects: tuple[tuple[float, float, float, float], ...]
    """Visible parts: x0, y0, x1, y1 in pixels of the picture."""
    whole: bool
    """False when part of the string is scrolled out of sight, covered, or not typed yet."""
    shown: float = 1.0
    """Share of the string's area that is in sight."""


@dataclass
class Screen:
    """One picture and its truth."""

    png: bytes
    width: int
    height: int
    device_pixel_ratio: float
    marks: list[Mark] = field(default_factory=list)
    action: str = ""


class Invented:
    """Makes strings of one family from a seed, and marks them up."""

    def __init__(self, family: str, seed: int) -> None:
        self.family = family
        self.random = random.Random(f"{family}/{seed}")
        self.names = [
            f"{self.random.choice(_FIRST[family])} {self.random.choice(_LAST[family])}"
            for _ in range(8)
        ]

    def digits(self, pattern: str) -> str:
        """Fills every ``9`` of a pattern with a random digit."""
        return "".join(str(self.random.randrange(10)) if c == "9" else c for c in pattern)

    def value(self, kind: str) -> str:
        """Returns a new string of an entity."""
        rng = self.random
        if kind == "PERSON":
            return rng.choice(self.names)
        if kind == "EMAIL":
            first, last = rng.choice(self.names).lower().split()
            user = rng.choice(
                (f"{first}.{last}", f"{first[0]}{last}", f"{last}{rng.randrange(99)}")
            )
            return f"{user}@{rng.choice(_HOSTS)}"
        if kind == "PHONE":
            return self.digits(
                rng.choice(
                    ("+1 (555) 999-9999", "555-999-9999", "+44 20 7946 0999", "(555) 999-9999")
                )
            )
        if kind == "SSN":
            return f"{rng.randrange(100, 665)}-{rng.randrange(10, 99)}-{rng.randrange(1000, 9999)}"
        if kind == "CARD":
            return self.digits(
                rng.choice(("4999 9999 9999 9999", "5399-9999-9999-9999", "4999999999999999"))
            )
        if kind == "IBAN":
            return _iban(
                self.digits(rng.choice(("DE__ 9999 9999 9999 9999 99", "NL__ABNA9999999999")))
            )
        if kind == "IP":
            return ".".join(str(rng.randrange(1, 255)) for _ in range(4))
        if kind == "SECRET":
            prefix, size = rng.choice((("sk-", 40), ("ghp_", 36), ("AKIA", 16), ("xoxb-", 40)))
            letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
            if prefix != "AKIA":
                letters += letters[:26].lower()
            return prefix + "".join(rng.choice(letters) for _ in range(size))
        if kind == "NEGATIVE":
            return self.digits(
                rng.choice(
                    (
                        "ORD-2024-99999",
                        "v9.19.9",
                        "2024-03-19 14:29",
                        "€ 9,999.99",
                        "build 99999",
                        "#99999",
                        "99.9 %",
                        "Room 999",
                        "9 999 items",
                        "invoice INV-99999",
                    )
                )
            )
        raise ValueError(kind)

    def mark(self, kind: str, text: str | None = None) -> str:
        """Returns HTML of a marked string."""
        text = self.value(kind) if text is None else text
        return f'<span data-kind="{kind}">{html.escape(text)}</span>'

    def words(self, count: int) -> str:
        """Returns words without anything to find in them."""
        return " ".join(self.random.choice(_WORDS[self.family]) for _ in range(count))

    def some(self, count: int) -> list[str]:
        """Returns HTML of marked strings of mixed entities, look-alikes among them."""
        kinds = [*PATTERN_KINDS, "PERSON", "PERSON", "EMAIL", "NEGATIVE", "NEGATIVE"]
        return [self.mark(self.random.choice(kinds)) for _ in range(count)]


def _iban(text: str) -> str:
    """Fills in the check digits (ISO 13616)."""
    bare = text.replace(" ", "")
    number = "".join(str(int(c, 36)) for c in bare[4:] + bare[:2])
    return text.replace("__", f"{98 - int(number + '00') % 97:02}")


def _mail(make: Invented) -> str:
    rows = "".join(
        f"<div class=row><b>{make.mark('PERSON')}</b><span>{make.words(4)}</span>"
        f"<small>{make.mark('NEGATIVE')}</small></div>"
        for _ in range(9)
    )
    body = "".join(f"<p>{make.words(8)} {item} {make.words(5)}.</p>" for item in make.some(8))
    return (
        f"<div class=cols><nav>{rows}</nav><main><h2>{make.words(4)}</h2>"
        f"<p>From: {make.mark('PERSON')} &lt;{make.mark('EMAIL')}&gt;</p>"
        f"<p>To: {make.mark('EMAIL')}</p>{body}</main></div>"
    )


def _terminal(make: Invented) -> str:
    lines = []
    for _ in range(26):
        lines.append(
            make.random.choice(
                (
                    f"$ ssh deploy@{make.mark('IP')}",
                    f"Accepted publickey from {make.mark('IP')} port 99",
                    f"export API_TOKEN={make.mark('SECRET')}",
                    f"[{make.mark('NEGATIVE')}] {make.words(6)}",
                    f"git commit --author {make.mark('EMAIL')} -m fix",
                    f"  {make.words(9)}",
                )
            )
        )
    return "<pre>" + "\n".join(lines) + "</pre>"


def _table(make: Invented) -> str:
    kinds = ("PERSON", "EMAIL", "PHONE", "SSN", "NEGATIVE")
    head = "".join(f"<th>{k}</th>" for k in ("Name", "E-mail", "Phone", "SSN", "Order"))
    rows = "".join(
        "<tr>" + "".join(f"<td>{make.mark(k)}</td>" for k in kinds) + "</tr>" for _ in range(15)
    )
    return f"<table><tr>{head}</tr>{rows}</table>"


def _settings(make: Invented) -> str:
    fields = (
        ("Full name", "PERSON"),
        ("E-mail address", "EMAIL"),
        ("Mobile", "PHONE"),
        ("Card number", "CARD"),
        ("Account", "IBAN"),
        ("API key", "SECRET"),
        ("Version", "NEGATIVE"),
        ("Last login from", "IP"),
    )
    return "<main>" + "".join(
        f"<label>{name}</label><div class=field>{make.mark(kind)}</div>" for name, kind in fields
    )


def _chat(make: Invented) -> str:
    return "<main>" + "".join(
        f"<div class=bubble><b>{make.mark('PERSON')}</b><br>{make.words(6)} {item} "
        f"{make.words(3)}</div>"
        for item in make.some(10)
    )


def _editor(make: Invented) -> str:
    lines = []
    for number in range(24):
        lines.append(
            f"{number + 1:3} "
            + make.random.choice(
                (
                    f'user = "{make.mark("EMAIL")}"',
                    f'key: "{make.mark("SECRET")}",',
                    f"# {make.words(7)}",
                    f"HOST={make.mark('IP')}",
                    f"# TODO({make.mark('PERSON')}): {make.words(4)}",
                    f"version = {make.mark('NEGATIVE')}",
                )
            )
        )
    return "<pre>" + "\n".join(lines) + "</pre>"


def _invoice(make: Invented) -> str:
    items = "".join(
        f"<tr><td>{make.words(3)}</td><td>{make.mark('NEGATIVE')}</td></tr>" for _ in range(6)
    )
    return (
        f"<article><h1>Invoice</h1><p>Bill to<br><b>{make.mark('PERSON')}</b><br>"
        f"{make.mark('EMAIL')}<br>tel. {make.mark('PHONE')}</p><table>{items}</table>"
        f"<p>Pay to {make.mark('IBAN')} or by card {make.mark('CARD')}.</p>"
        f"<p>Tax id of the contractor {make.mark('SSN')}; {make.words(12)} "
        f"{make.mark('EMAIL')}, {make.words(4)} {make.mark('PERSON')}.</p></article>"
    )


def _board(make: Invented) -> str:
    columns = []
    for title in ("To do", "Doing", "Done"):
        cards = "".join(
            f"<div class=card><b>{make.words(3)}</b><br>{item}<br><i>{make.mark('PERSON')}</i>"
            f" · {make.mark('NEGATIVE')}</div>"
            for item in make.some(4)
        )
        columns.append(f"<div class=column><h3>{title}</h3>{cards}</div>")
    return "<div class=board>" + "".join(columns) + "</div>"


def _profile(make: Invented) -> str:
    facts = "".join(
        f"<dt>{name}</dt><dd>{make.mark(kind)}</dd>"
        for name, kind in (
            ("Work e-mail", "EMAIL"),
            ("Home phone", "PHONE"),
            ("Social security", "SSN"),
            ("Payroll account", "IBAN"),
            ("Corporate card", "CARD"),
            ("Desk", "NEGATIVE"),
            ("Workstation", "IP"),
            ("Access token", "SECRET"),
            ("Manager", "PERSON"),
        )
    )
    return f"<article><h1>{make.mark('PERSON')}</h1><dl>{facts}</dl></article>"


def _log_viewer(make: Invented) -> str:
    rows = []
    for _ in range(18):
        item = make.mark(make.random.choice(("EMAIL", "IP", "PERSON", "SECRET", "NEGATIVE")))
        rows.append(
            f"<div class=log><code>{make.digits('19:29:29.999')}</code> <em>INFO</em> "
            f"{make.words(3)} {item} {make.words(2)}</div>"
        )
    return "<section class=mono>" + "".join(rows) + "</section>"


def _checkout(make: Invented) -> str:
    return (
        f"<div class=cols><main><h2>Payment</h2><label>Name on card</label>"
        f"<div class=field>{make.mark('PERSON')}</div><label>Card number</label>"
        f"<div class=field>{make.mark('CARD')}</div><label>E-mail for the receipt</label>"
        f"<div class=field>{make.mark('EMAIL')}</div><button>Pay {make.mark('NEGATIVE')}</button>"
        f"</main><nav><h3>Order</h3>"
        + "".join(f"<p>{make.words(3)} — {make.mark('NEGATIVE')}</p>" for _ in range(5))
        + f"<p>Questions? {make.mark('PHONE')}</p></nav></div>"
    )


LAYOUTS: dict[str, tuple[Callable[[Invented], str], ...]] = {
    "develop": (_mail, _terminal, _table, _settings, _chat, _editor),
    "held_out": (_invoice, _board, _profile, _log_viewer, _checkout, _table),
}

_STYLE = """
*{{box-sizing:border-box}} body{{margin:0;padding:10px 14px;background:{back};color:{fore};
font:{size}px '{font}';height:100vh;overflow:hidden}}
pre,.mono,code{{font-family:'{mono}';font-size:{size}px;line-height:1.45;margin:0}}
.cols{{display:flex;gap:16px}} nav{{width:38%;background:{panel};padding:6px}} main{{flex:1}}
.row{{display:flex;gap:8px;padding:4px 2px;border-bottom:1px solid #8884;overflow:hidden;
white-space:nowrap}} p{{margin:.45em 0}} h1,h2,h3{{margin:.4em 0;color:{accent}}}
table{{border-collapse:collapse}} td,th{{padding:4px 9px;border:1px solid #8885;text-align:left;
white-space:nowrap}} tr:nth-child(even){{background:{panel}}}
label{{display:block;font-size:.85em;margin-top:.6em;color:{accent}}}
.field{{border:1px solid #8888;border-radius:4px;padding:4px 8px;background:{panel};
width:480px;white-space:nowrap}} .bubble{{background:{panel};border-radius:10px;padding:6px 10px;
margin:6px 0;max-width:70%}} article{{max-width:760px;margin:0 auto;background:{panel};
padding:10px 26px}} .board{{display:flex;gap:12px}} .column{{flex:1;background:{panel};padding:8px}}
.card{{background:{back};border-radius:6px;padding:7px;margin:7px 0;overflow-wrap:anywhere}}
dl{{display:grid;grid-template-columns:150px 1fr;gap:6px}} dd{{margin:0}} em{{color:{accent}}}
button{{background:{accent};color:{back};border:0;border-radius:4px;padding:8px 14px;font:inherit}}
.cursor{{position:fixed;width:9px;height:14px;background:#000;border:1px solid #fff;z-index:99;
clip-path:polygon(0 0,100% 70%,40% 70%,0 100%);pointer-events:none}}
"""

COLLECT = """
() => {
  const seen = [];
  for (const el of document.querySelectorAll('[data-kind]')) {
    let box = {x0: 0, y0: 0, x1: innerWidth, y1: innerHeight};
    for (let p = el.parentElement; p; p = p.parentElement) {
      if (getComputedStyle(p).overflow === 'visible') continue;
      const r = p.getBoundingClientRect();
      const left = r.left + p.clientLeft, top = r.top + p.clientTop;
      box = {x0: Math.max(box.x0, left), y0: Math.max(box.y0, top),
             x1: Math.min(box.x1, left + p.clientWidth),
             y1: Math.min(box.y1, top + p.clientHeight)};
    }
    const rects = []; let whole = !el.hasAttribute('data-partial'), area = 0;
    for (const r of el.getClientRects()) {
      area += r.width * r.height;
      const c = [Math.max(r.left, box.x0), Math.max(r.top, box.y0),
                 Math.min(r.right, box.x1), Math.min(r.bottom, box.y1)];
      if (c[2] - c[0] < r.width - 1 || c[3] - c[1] < r.height - 1) whole = false;
      if (c[2] - c[0] < 4 || c[3] - c[1] < 4) continue;
      const free = (x, y) => { const top = document.elementFromPoint(x, y);
        return !top || top === el || el.contains(top); };
      for (const x of [c[0] + 2, (c[0] + c[2]) / 2, c[2] - 2]) {
        if (!free(x, (c[1] + c[3]) / 2)) continue;
        for (const y of [c[1] + 1, c[3] - 1]) if (!free(x, y)) {
          let edge = y;
          const step = y < (c[1] + c[3]) / 2 ? 1 : -1;
          while (!free(x, edge)) edge += step;
          if (Math.abs(edge - y) > 2) whole = false;  // lines of text overlap that much
          if (step > 0) c[1] = edge + 1; else c[3] = edge - 1;
        }
      }
      let run = null;
      for (let x = c[0] + 1; x < c[2]; x += 3) {
        if (!free(x, (c[1] + c[3]) / 2)) { whole = false; run = null; continue; }
        if (run) run[2] = Math.min(c[2], x + 2);
        else { run = [x - 1, c[1], Math.min(c[2], x + 2), c[3]]; rects.push(run); }
      }
    }
    const shown = rects.reduce((sum, r) => sum + (r[2] - r[0]) * (r[3] - r[1]), 0) / area;
    if (rects.length) seen.push([el.textContent, el.dataset.kind, rects, whole, shown]);
  }
  return seen;
}
"""


def page(make: Invented, layout: Callable[[Invented], str], size: int) -> str:
    """Returns one page of HTML."""
    rng = make.random
    back, fore, panel, accent = rng.choice(_THEMES)
    style = _STYLE.format(
        back=back,
        fore=fore,
        panel=panel,
        accent=accent,
        size=size,
        font=rng.choice(FONTS[make.family]),
        mono=rng.choice(MONO[make.family]),
    )
    return f"<!doctype html><meta charset=utf-8><style>{style}</style>{layout(make)}"


@contextlib.contextmanager
def browser(font_folder: Path | None = None) -> Iterator:
    """Starts headless Chromium; fonts in ``font_folder`` can be named by their family."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--force-color-profile=srgb"]
        )
        try:
            yield chromium
        finally:
            chromium.close()


def capture(tab, ratio: float, action: str = "") -> Screen:
    """Takes a picture of a tab and its truth."""
    marks = [
        Mark(text, kind, tuple(tuple(v * ratio for v in rect) for rect in rects), whole, shown)
        for text, kind, rects, whole, shown in tab.evaluate(COLLECT)
    ]
    size = tab.viewport_size
    return Screen(
        tab.screenshot(),
        round(size["width"] * ratio),
        round(size["height"] * ratio),
        ratio,
        marks,
        action,
    )


def render_pages(chromium, family: str, seeds: Sequence[int], font_css: str = "") -> list[Screen]:
    """Renders one page per seed; layouts, themes, fonts, sizes and densities vary with it."""
    screens = []
    for seed in seeds:
        make = Invented(family, seed)
        layouts = LAYOUTS[family]
        ratio = 2.0 if seed % 7 == 6 else 1.0
        width, height = make.random.choice(((1024, 640), (1280, 720), (1280, 800), (1440, 900)))
        context = chromium.new_context(
            viewport={"width": width, "height": height}, device_scale_factor=ratio
        )
        tab = context.new_page()
        source = page(make, layouts[seed % len(layouts)], make.random.randrange(11, 17))
        tab.set_content(source.replace("<style>", f"<style>{font_css}", 1))
        tab.wait_for_function("document.fonts.ready.then(() => true)")
        screens.append(capture(tab, ratio, layouts[seed % len(layouts)].__name__[1:]))
        context.close()
    return screens


def fonts_of(family: str) -> tuple[str, ...]:
    """Returns the names of the fonts that screens of a family are drawn in."""
    return FONTS[family] + MONO[family]


def font_faces(folder: Path | None, names: Iterable[str]) -> str:
    """Returns CSS that names the font files of a folder, where the machine lacks the fonts."""
    import base64

    if folder is None:
        return ""
    files = {p.name: p for p in sorted([*folder.rglob("*.ttf"), *folder.rglob("*.otf")])}
    css = []
    for name in sorted(set(names)):
        stem = name.replace(" ", "")
        endings = ("-Regular.ttf", "-Regular.otf", "-R.ttf", "-VF.ttf", ".ttf")
        path = next((files[stem + e] for e in endings if stem + e in files), None)
        if path is not None:
            data = base64.b64encode(path.read_bytes()).decode()
            css.append(f"@font-face{{font-family:'{name}';src:url(data:font/ttf;base64,{data})}}")
    return "".join(css)
