"""A person at work in invented applications: frames of one session with the truth of each."""

from __future__ import annotations

import html
import random
from collections.abc import Sequence

from tests.support.screens import (
    _STYLE,
    _THEMES,
    FONTS,
    MONO,
    Invented,
    Screen,
    capture,
)

ACTIONS = ("type", "scroll", "move", "idle", "menu", "switch", "message", "dialog")
WEIGHTS = (30, 14, 12, 8, 6, 8, 8, 4)
"""Roughly what a recorded hour of office work looks like."""

_SCRIPT = """
const $ = (id) => document.getElementById(id);
function show(n) { for (const w of document.querySelectorAll('.window'))
  w.style.display = w.id === 'w' + n ? 'block' : 'none'; }
function typed(id, whole, length) { const el = $(id); el.textContent = whole.slice(0, length);
  if (length < whole.length) el.setAttribute('data-partial', '');
  else el.removeAttribute('data-partial'); }
"""
_EXTRA_STYLE = """
.window{{display:none;height:100%}} .scroll{{height:70%;overflow:hidden auto;
border:1px solid #8886}} .scroll::-webkit-scrollbar{{width:10px}}
.scroll::-webkit-scrollbar-thumb{{background:#8889}}
.bar{{padding:4px;background:{panel};margin-bottom:6px}}
.menu{{position:fixed;left:60px;top:34px;width:220px;background:{panel};border:1px solid #888;
padding:6px;z-index:5;display:none}} .dialog{{position:fixed;left:25%;top:30%;width:50%;
background:{panel};border:2px solid {accent};padding:18px;z-index:6;display:none}}
"""


def _window(make: Invented, number: int) -> str:
    if number == 0:
        rows = "".join(
            f"<div class=row><b>{make.mark('PERSON')}</b> {make.mark('EMAIL')} "
            f"<small>{make.words(3)} {make.mark('NEGATIVE')}</small></div>"
            for _ in range(45)
        )
        body = f"<div class='scroll mono' id=s0>{rows}</div>"
    elif number == 1:
        labels = ("Customer", "E-mail", "Phone", "Card", "Account", "Note")
        body = "".join(
            f"<label>{label}</label><div class=field>&nbsp;<span id=f{i} data-kind=NONE></span>"
            "</div>"
            for i, label in enumerate(labels)
        )
    else:
        body = (
            "<div class=scroll id=s2>"
            + "".join(
                f"<div class=bubble><b>{make.mark('PERSON')}</b> {make.words(5)} {item}</div>"
                for item in make.some(20)
            )
            + "</div>"
        )
    return f"<div class=window id=w{number}><div class=bar>File Edit View Help</div>{body}</div>"


def session_page(make: Invented, size: int) -> str:
    """Returns the HTML of a desktop with three windows, a menu and a dialog."""
    back, fore, panel, accent = make.random.choice(_THEMES)
    style = (_STYLE + _EXTRA_STYLE).format(
        back=back,
        fore=fore,
        panel=panel,
        accent=accent,
        size=size,
        font=make.random.choice(FONTS[make.family]),
        mono=make.random.choice(MONO[make.family]),
    )
    menu = "".join(f"<div>{make.words(2)}</div>" for _ in range(9))
    dialog = f"<p>{make.words(6)}</p><p>{make.mark('EMAIL')}</p><button>OK</button>"
    return (
        f"<!doctype html><meta charset=utf-8><style>{style}</style>"
        f"{''.join(_window(make, n) for n in range(3))}<div class=menu id=menu>{menu}</div>"
        f"<div class=dialog id=dialog>{dialog}</div><div class=cursor id=cursor></div>"
        f"<script>{_SCRIPT}</script>"
    )


class _Person:
    """Decides what happens next, from a seed."""

    def __init__(self, tab, make: Invented) -> None:
        self.tab, self.make = tab, make
        self.random = random.Random(f"person/{make.family}/{make.random.random()}")
        self.window = 0
        self.field = 0
        self.text, self.length, self.kind = "", 0, ""
        self.open = ""

    def act(self) -> str:
        """Does one thing and returns its name."""
        if self.open:
            self.tab.evaluate(f"$('{self.open}').style.display = 'none'")
            self.open = ""
            return "close"
        action = self.random.choices(ACTIONS, WEIGHTS)[0]
        if action == "type" and self.window != 1:
            action = "scroll"
        if action == "scroll" and self.window == 1:
            action = "type"
        getattr(self, action)()
        return action

    def type(self) -> None:
        if self.length >= len(self.text):
            kinds = ("PERSON", "EMAIL", "PHONE", "CARD", "IBAN", "SECRET")
            self.kind = kinds[self.field % 6]
            self.text, self.length = self.make.value(self.kind), 0
            self.tab.evaluate(f"$('f{self.field % 6}').dataset.kind = '{self.kind}'")
            self.field += 1
        self.length = min(len(self.text), self.length + self.random.choice((1, 1, 2, 3)))
        slot = (self.field - 1) % 6
        self.tab.evaluate("([i, t, n]) => typed('f' + i, t, n)", [slot, self.text, self.length])

    def scroll(self) -> None:
        amount = self.random.choice((53, 100, 120, 240, -100, 17))
        pane = "s0" if self.window == 0 else "s2"
        self.tab.evaluate(f"$('{pane}').scrollTop += {amount}")

    def move(self) -> None:
        x, y = self.random.randrange(600), self.random.randrange(400)
        self.tab.evaluate(f"$('cursor').style.left = '{x}px'; $('cursor').style.top = '{y}px'")

    def idle(self) -> None:
        pass

    def menu(self) -> None:
        self.open = "menu"
        self.tab.evaluate("$('menu').style.display = 'block'")

    def dialog(self) -> None:
        self.open = "dialog"
        self.tab.evaluate("$('dialog').style.display = 'block'")

    def switch(self) -> None:
        self.window = (self.window + self.random.choice((1, 2))) % 3
        self.tab.evaluate(f"show({self.window})")

    def message(self) -> None:
        self.window = 2
        item = self.make.some(1)[0]
        text = f"<b>{html.escape(self.make.names[0])}</b> {self.make.words(4)} {item}"
        self.tab.evaluate("show(2)")
        self.tab.evaluate(
            "(t) => { const b = document.createElement('div'); b.className = 'bubble';"
            "b.innerHTML = t; $('s2').append(b); $('s2').scrollTop = 1e6; }",
            text.replace("<b>", "<b><span data-kind=PERSON>").replace("</b>", "</span></b>"),
        )


def render_session(
    chromium,
    family: str,
    seed: int,
    frames: int,
    font_css: str = "",
    size: tuple[int, int] = (1280, 800),
    ratio: float = 1.0,
) -> Sequence[Screen]:
    """Renders the frames of one session in time order."""
    make = Invented(family, seed)
    context = chromium.new_context(
        viewport={"width": size[0], "height": size[1]}, device_scale_factor=ratio
    )
    tab = context.new_page()
    source = session_page(make, make.random.randrange(12, 16))
    tab.set_content(source.replace("<style>", f"<style>{font_css}", 1))
    tab.wait_for_function("document.fonts.ready.then(() => true)")
    tab.evaluate("show(0)")
    person = _Person(tab, make)
    screens = [capture(tab, ratio, "start")]
    while len(screens) < frames:
        action = person.act()
        screens.append(capture(tab, ratio, action))
    context.close()
    return screens
