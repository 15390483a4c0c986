"""Pages of what is hard to read: narrow columns, cut cells, pointers over text, keys in terminals.

Values have more shapes and names are commoner than in ``screens``; all of them are invented.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.screens import PATTERN_KINDS, Invented

_FIRST = """James Maria Mohammed Wei Priya Olga Carlos Aisha Hannah Dmitri Fatima Chen Isabella
    Kwame Ingrid Sanjay Amelie Tomasz Yuki Rachel Andrew Nicole Javier Katarzyna Deborah
    Ahmed""".split()
_LAST = """Smith Garcia Nguyen Patel Kowalski Ivanova Müller O'Brien Johansson Tanaka Okafor
    Silva Rossi Fischer Hernandez Kim Dubois Novak Andersen Williams Castillo Schneider
    Walker""".split()
_DOMAINS = ("example.com", "example.org", "post.example.net", "corp.example.com")


_NEGATIVES = (
    "2024-11-29 09:19",
    "24/11/2029",
    "11:42:07.339",
    "v12.9.9-rc2",
    "1,284,999.50",
    "$ 19,499.00",
    "1.9 GB of 32 GB",
    "PR #48999",
    "OPS-20999",
    "SKU 4471-899",
    "LH 4899",
    "ISBN 978-3-16-148999-0",
    "0x7ffe3a29",
    "a3f9c29",
    "199 files changed",
    "pp. 219-289",
    "1920 x 1089",
    "-33.8999, 151.2099",
    "7999 / 8000",
    "14:39 to 15:29",
    "REQ-100-2299",
    "3.14159999",
    "1,999,999 rows",
    "Python 3.19.9",
    "build 20241129.9",
    "Q3 2029",
    "999-A",
    "INV-2024-00999",
    "9 of 99 selected",
    "12.5 km, 99 min",
)


class Realistic(Invented):
    """Common names and more shapes of values than ``Invented`` makes."""

    def __init__(self, seed: int) -> None:
        super().__init__("held_out", seed)
        self.random.seed(f"hard/{seed}")
        self.names = [f"{self.random.choice(_FIRST)} {self.random.choice(_LAST)}" for _ in range(8)]

    def value(self, kind: str) -> str:
        """Returns a new string of an entity."""
        rng = self.random
        if kind == "EMAIL":
            first, last = rng.choice(self.names).lower().replace("'", "").split()
            last = last.replace("ü", "ue")
            user = rng.choice(
                (f"{first}.{last}", f"{first}_{last}{rng.randrange(10, 99)}", f"{first}", last)
            )
            return f"{user}@{rng.choice(_DOMAINS)}"
        if kind == "PHONE":
            return self.digits(
                rng.choice(
                    (
                        "+1 555 999 9999",
                        "(555) 999-9999",
                        "555.999.9999",
                        "+49 30 9999 9999",
                        "+44 7700 900999",
                        "+33 1 99 99 99 99",
                        "1-555-999-9999",
                    )
                )
            )
        if kind == "CARD":
            return _with_luhn(
                self.digits(
                    rng.choice(("4999 9999 9999 9999", "5199-9999-9999-9999", "3799 999999 99999"))
                )
            )
        if kind == "SECRET":
            return rng.choice(
                (
                    "ghp_" + _letters(rng, 36),
                    "sk-proj-" + _letters(rng, 44),
                    "AKIA" + _letters(rng, 16, lower=False),
                    "xoxb-" + self.digits("999999999999") + "-" + _letters(rng, 24),
                    "glpat-" + _letters(rng, 20),
                )
            )
        if kind == "NEGATIVE":
            return self.digits(rng.choice(_NEGATIVES))
        return super().value(kind)


def _letters(rng, count: int, lower: bool = True) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" + "abcdefghijklmnopqrstuvwxyz" * lower
    return "".join(rng.choice(alphabet) for _ in range(count))


def _with_luhn(text: str) -> str:
    digits = [int(c) for c in text if c.isdigit()]
    total = sum(sum(divmod(2 * d, 10)) for d in digits[-2::-2]) + sum(digits[-3::-2])
    return text[:-1] + str(-total % 10)


KINDS = (*PATTERN_KINDS, "PERSON", "EMAIL")


def list_page(make: Realistic, kinds: Sequence[str] = KINDS, wrap: str = "div") -> str:
    """Returns one marked string a line, each with a few words."""
    return "".join(
        f"<{wrap}>{make.words(2)} {make.mark(kind)} {make.words(2)}</{wrap}>" for kind in kinds
    )


def form_page(make: Realistic) -> str:
    fields = (
        ("Customer name", "PERSON"),
        ("E-mail", "EMAIL"),
        ("Phone", "PHONE"),
        ("SSN", "SSN"),
        ("Card", "CARD"),
        ("IBAN", "IBAN"),
        ("Token", "SECRET"),
        ("Host", "IP"),
    )
    return "".join(
        f"<label>{label}</label><div class=field>{make.mark(kind)}</div>" for label, kind in fields
    )


def grid_page(make: Realistic) -> str:
    kinds = ("PERSON", "EMAIL", "PHONE", "SSN", "IP", "NEGATIVE")
    rows = "".join(
        f"<tr><td>{number}</td>" + "".join(f"<td>{make.mark(k)}</td>" for k in kinds) + "</tr>"
        for number in range(1, 22)
    )
    return f"<table class=grid>{rows}</table>"


def pieces(make: Realistic, kind: str, open_tag: str, close_tag: str) -> str:
    """Returns a marked string whose pieces look different, as highlighted code does."""
    text = make.value(kind)
    third = len(text) // 3
    return (
        f"<span data-kind={kind}>{text[:third]}{open_tag}{text[third : 2 * third]}{close_tag}"
        f"{text[2 * third :]}</span>"
    )


def split_boxes_page(make: Realistic) -> str:
    rows = []
    for kind in ("CARD", "SSN", "PHONE", "CARD", "IP"):
        if kind == "CARD":
            pieces = make.digits("4999 9999 9999 9999").split()
        elif kind == "SSN":
            pieces = make.value("SSN").split("-")
        elif kind == "PHONE":
            pieces = make.digits("555 999 9999").split()
        else:
            pieces = make.value("IP").split(".")
        label = {"CARD": "Card number", "SSN": "SSN", "PHONE": "Phone", "IP": "IP address"}[kind]
        boxes = "".join(f"<span class=box>{make.mark(kind, piece)}</span>" for piece in pieces)
        rows.append(f"<p>{label}<br>{boxes}</p>")
    return "".join(rows)


def terminal_page(make: Realistic) -> str:
    lines = [
        f"<i>make@host</i>:<b>~/src</b>$ ssh {make.mark('IP')} -p 2222",
        f"Last login: Tue Nov  3 09:12:44 from {make.mark('IP')}",
        f"$ cat .env | grep {make.mark('SECRET')}",
        f"AWS_ACCESS_KEY_ID={make.mark('SECRET')}",
        f"Author: {make.mark('PERSON')} &lt;{make.mark('EMAIL')}&gt;",
        f"{make.words(5)}",
        f"curl -u {make.mark('EMAIL')}:x https://api.example.com/v1/items",
        f"psql: connected as admin to {make.mark('IP')}:5432",
        f"-rw-r--r-- 1 root root 4096 {make.words(2)}",
        f"export OPENAI_API_KEY={make.mark('SECRET')}",
    ]
    return "<pre>" + "\n".join(lines * 1) + "<span class=block> </span></pre>"


def ide_page(make: Realistic) -> str:
    word = "<span style='color:#569cd6'>"
    text = "<span style='color:#ce9178'>"
    lines = [
        f'{word}const</span> owner = {text}"{make.mark("EMAIL")}"</span>;',
        f"{word}const</span> token = {text}'{make.mark('SECRET')}'</span>;",
        f'{word}def</span> call(host={text}"{make.mark("IP")}"</span>):',
        f"<span style='color:#6a9955'># ask {make.mark('PERSON')} about {make.words(3)}</span>",
        f'customer = {{{text}"name"</span>: {text}"{make.mark("PERSON")}"</span>, '
        f'{text}"phone"</span>: {text}"{make.mark("PHONE")}"</span>}}',
        f'{text}"ssn"</span>: {text}"{make.mark("SSN")}"</span>,',
        f"INSERT INTO cards VALUES ({text}'{make.mark('CARD')}'</span>, {text}'12/29'</span>);",
        f"version = {make.mark('NEGATIVE')}",
    ]
    body = "\n".join(
        f"<span style='color:#858585'>{n:3}</span>  {c}" for n, c in enumerate(lines, 1)
    )
    return f"<pre>{body}</pre>"


def chat_page(make: Realistic) -> str:
    def bubble(side: str) -> str:
        items = " ".join(make.mark(k) for k in make.random.sample(KINDS, 2))
        return (
            f"<div class='bubble {side}'><b>{make.mark('PERSON')}</b> <small>09:4"
            f"{make.random.randrange(9)}</small><br>{make.words(5)} {items} {make.words(4)}</div>"
        )

    return "".join(bubble(side) for side in ("left", "right", "left", "right", "left"))


def narrow_page(make: Realistic) -> str:
    """Columns so narrow that long values break over two lines or more."""
    columns = "".join(
        f"<div class=narrow style='width:{width}px'>{list_page(make)}</div>"
        for width in (150, 190, 240)
    )
    return f"<div style='display:flex;gap:14px'>{columns}</div>"


def cut_page(make: Realistic) -> str:
    """Cells that show only the beginning of what they hold, and panes scrolled sideways."""
    cells = "".join(
        f"<div class=cut style='width:{make.random.randrange(90, 190)}px'>{make.mark(kind)}</div>"
        for kind in KINDS * 2
    )
    return f"<div style='columns:3'>{cells}</div>"


def edge_page(make: Realistic) -> str:
    """Text that the border of the screen cuts: at the right, at the left and at the bottom."""
    right = "".join(
        f"<div style='position:absolute;white-space:nowrap;"
        f"left:{make.random.randrange(480, 620)}px;top:{24 * n + 8}px'>{make.mark(kind)}</div>"
        for n, kind in enumerate(KINDS * 2)
    )
    left = "".join(
        f"<div style='position:absolute;white-space:nowrap;left:-{make.random.randrange(20, 60)}px;"
        f"top:{24 * n + 8}px'>{make.mark(kind)}</div>"
        for n, kind in enumerate(KINDS * 2)
    )
    return right + left


def tooltip_page(make: Realistic) -> str:
    tips = "".join(
        f"<div class=tip style='left:{make.random.randrange(60, 380)}px;top:{70 + 90 * n}px'>"
        f"{make.words(3)}</div>"
        for n in range(4)
    )
    return list_page(make) + list_page(make) + tips


def pointer_page(make: Realistic) -> str:
    """A mouse pointer or a text cursor over every string."""
    arrow = (
        "<svg class=over width=13 height=20><path d='M0 0V16L4 12L7 19L9 18L6 11H12Z' "
        "fill=white stroke=black /></svg>"
    )
    beam = "<span class=over style='border-left:1.5px solid;height:1.2em;width:0'></span>"
    rows = []
    for number, kind in enumerate(KINDS * 2):
        shift = make.random.randrange(5, 90)
        over = (arrow if number % 2 else beam).replace(
            "class=over", f"class=over style='left:{shift}px'", 1
        )
        over = over.replace(f"style='left:{shift}px' style='", f"style='left:{shift}px;", 1)
        rows.append(
            f"<p>{make.words(1)} <span style='position:relative'>{make.mark(kind)}{over}</span> "
            f"{make.words(2)}</p>"
        )
    return "".join(rows)


def badges_page(make: Realistic) -> str:
    badges = (
        ("#d32f2f", "#fff"),
        ("#1976d2", "#fff"),
        ("#388e3c", "#fff"),
        ("#fbc02d", "#222"),
        ("#7b1fa2", "#fff"),
        ("#455a64", "#cfd8dc"),
        ("#ff9800", "#222"),
    )
    rows = []
    for kind in KINDS * 2:
        back, ink = make.random.choice(badges)
        style = f"background:{back};color:{ink}"
        rows.append(f"<p><span class=badge style='{style}'>{make.mark(kind)}</span></p>")
    return "".join(rows)


def headings_page(make: Realistic) -> str:
    return "".join(
        f"<div style='font-size:{size}px;white-space:nowrap'>{make.mark(kind)}</div>"
        for size, kind in zip(
            (22, 28, 34, 40, 48, 60), ("PHONE", "PERSON", "EMAIL", "SSN", "IP", "SSN")
        )
    )


def spaced_page(make: Realistic) -> str:
    return "".join(
        f"<div style='letter-spacing:{make.random.choice((0.5, 1, 2, 3, -0.4))}px'>{make.words(1)} "
        f"{make.mark(kind)}</div>"
        for kind in KINDS * 2
    )


def lookalikes_page(make: Realistic) -> str:
    cells = "".join(
        "<tr>" + "".join(f"<td>{make.mark('NEGATIVE')}</td>" for _ in range(4)) + "</tr>"
        for _ in range(9)
    )
    rows = "".join(
        f"<p>{make.words(3)} {make.mark('NEGATIVE')} {make.words(2)} {make.mark('NEGATIVE')}</p>"
        for _ in range(9)
    )
    return f"<table>{cells}</table>{rows}"


def names_page(make: Realistic) -> str:
    """Names as other programs write them."""
    first, last = make.names[0].split()
    other, second = make.names[1].split()
    shapes = (
        f"{last}, {first}",
        f"{first[0]}. {last}",
        f"{first.upper()} {last.upper()}",
        f"{other} {second[0]}.",
    )
    rows = "".join(f"<p>{make.mark('NAME SHAPE', shape)}</p>" for shape in shapes)
    whole = "".join(
        f"<p>{text}{make.mark('PERSON')}{after}</p>"
        for text, after in (
            ("Assigned to ", ""),
            ("Hi ", ", could you have a look?"),
            ("", " · 3 h ago"),
            ("", "<br><small>Senior accountant</small>"),
            ("Message from ", ""),
            ("Reviewed by ", " on Monday"),
        )
    )
    return whole + rows
