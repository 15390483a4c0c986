"""Makes texts with marked names out of templates, name lists and real sentences, from one seed."""

from __future__ import annotations

import random
import re
import string
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.ner import vocabulary
from tools.ner.faker_lists import NameLists
from tools.ner.invented import Markov
from tools.ner.vocabulary import split

TEMPLATES = Path(__file__).with_name("templates.txt")
GROUP_WEIGHTS = {
    "prose": 9.0,
    "plain": 8.0,
    "form": 6.0,
    "ui": 5.0,
    "title": 3.0,
    "chat": 2.0,
    "json": 2.0,
    "url": 1.5,
    "log": 2.0,
    "thought": 2.0,
}
AMBIGUOUS = 0.08
"""Share of ordinary words that could be names: "olive oil" is as common as a person Olive."""

_SLOT = re.compile(r"(\{\{|\}\}|\{[A-Za-z_]+\})")
_SPLICE = re.compile(
    r"\b(by|with|for|from|to|of|and|that|if|when|as|let|ask|see)"
    r"( (?:a|an|the|this|that|each|any|some))? ([a-z]{3,})(?=[ ,.;:])"
)
_SUBJECT = re.compile(r"(?:(?:The|A|An|This|Each|Every) [a-z]+|It|This|We|They|You)( [a-z].*)")
_ARTICLE = re.compile(r"\b(?:the|a|an|its|their|this|your) (?=[a-z])")
_UMLAUTS = str.maketrans(
    "áàâäãåāăąéèêëēęěíìîïīıóòôöõøőúùûüūůűçćčñńňšśßžźżğłðďťřýæœ",
    "aaaaaaaaaeeeeeeeiiiiiiooooooouuuuuuucccnnnssszzzglddtryao",
)
Piece = tuple[str, str]
"""A stretch of text and its label, "" for none."""


@dataclass(frozen=True)
class Example:
    """A text and its names: (start, end, label), code points."""

    text: str
    names: tuple[tuple[int, int, str], ...]


def read_templates(part: str) -> dict[str, list[str]]:
    """Returns group → templates of one part: ``train``, ``held`` (every seventh) or ``all``."""
    groups: dict[str, list[str]] = {}
    for line in TEMPLATES.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        group, template = line.split("|", 1)
        held = zlib.crc32(template.encode()) % 7 == 0
        if part == "all" or held == (part == "held"):
            groups.setdefault(group, []).append(template)
    return groups


class Generator:
    """Makes examples; equal arguments make equal ones."""

    def __init__(
        self,
        seed: int,
        lists: NameLists,
        sentences: Sequence[str],
        words: Sequence[str],
        part: str = "train",
        invented: float = 0.3,
        ambiguous: Sequence[str] = (),
    ) -> None:
        """Takes what templates are filled with.

        Args:
            seed: of everything that is chosen.
            lists: names and places.
            sentences: plain English without people.
            words: English words in lower case.
            part: which templates are used, of :func:`read_templates`.
            invented: share of names that are on no list.
            ambiguous: words that are names too; some ordinary words are taken from them.
        """
        self.rng = random.Random(seed)
        self.lists = lists
        self.sentences = sentences
        self.words = words
        self.invented = invented
        self.ambiguous = ambiguous
        self.groups = read_templates(part)
        self.names = sorted(self.groups)
        self.weights = [GROUP_WEIGHTS[name] for name in self.names]
        self.locales = sorted(set(lists.first) & set(lists.last))
        self.place_locales = sorted(lists.places)
        self.makers = {
            "first": Markov(n for names in lists.first.values() for n in names),
            "last": Markov(n for names in lists.last.values() for n in names),
            "place": Markov(
                [*(n for names in lists.places.values() for n in names), *lists.countries]
            ),
        }

    def examples(self, count: int) -> list[Example]:
        """Returns a number of examples."""
        return [self.example() for _ in range(count)]

    def example(self) -> Example:
        """Returns one example."""
        rng = self.rng
        group = rng.choices(self.names, self.weights)[0]
        pieces = self.filled(rng.choice(self.groups[group]))
        if group in ("prose", "plain") and rng.random() < 0.2:
            other = rng.choice(("prose", "plain"))
            pieces += [(" ", ""), *self.filled(rng.choice(self.groups[other]))]
        case = rng.random()
        if case < 0.03:
            pieces = [(text.upper(), label) for text, label in pieces]
        elif case < 0.06:
            pieces = [(text.lower(), label) for text, label in pieces]
        return joined(pieces)

    def filled(self, template: str) -> list[Piece]:
        """Returns the pieces of a template with its slots filled."""
        pieces: list[Piece] = []
        for part in _SLOT.split(template):
            if part in ("{{", "}}"):
                pieces.append((part[0], ""))
            elif part.startswith("{") and part.endswith("}"):
                pieces += self.slot(part[1:-1])
            elif part:
                pieces.append((part, ""))
        return pieces

    def slot(self, name: str) -> list[Piece]:
        """Returns what a slot is filled with."""
        labelled = {
            "PERSON": ("PERSON", self.person),
            "FIRST": ("PERSON", self.first),
            "LAST": ("PERSON", self.last),
            "Last": ("PERSON", self.last),
            "person": ("PERSON", lambda: self.full_name().lower()),
            "first": ("PERSON", self.informal_first),
            "UPPERSON": ("PERSON", lambda: self.full_name().upper()),
            "camel": ("PERSON", lambda: self.first() + self.last()),
            "under": ("PERSON", lambda: f"{self.first()}_{self.last()}"),
            "dash": ("PERSON", lambda: f"{self.first()}-{self.last()}".lower()),
            "plus": ("PERSON", lambda: f"{self.first()} {self.last()}"),
            "USER": ("USERNAME", self.user),
            "PLACE": ("LOCATION", self.place),
            "place": ("LOCATION", lambda: self.place().lower()),
            "ORG": ("ORGANIZATION", self.org),
            "ADDRESS": ("ADDRESS", self.address),
        }
        if name in labelled:
            label, make = labelled[name]
            return [(make(), label)]
        if name == "splice_subject":
            return self.subject(self.person())
        if name == "splice_possessive":
            return self.possessive(self.person())
        if name.startswith("splice_"):
            make, label = {
                "person": (self.person, "PERSON"),
                "first": (self.first, "PERSON"),
                "org": (self.org, "ORGANIZATION"),
                "place": (self.place, "LOCATION"),
            }[name.removeprefix("splice_")]
            return self.spliced(make(), label)
        if name == "lineup":
            separator = self.rng.choice(("; ", ", ", " - ", "\n", " · "))
            pieces: list[Piece] = []
            for i in range(self.rng.randint(3, 7)):
                pieces += [(separator if i else "", ""), (self.person(), "PERSON")]
            return pieces
        return [(self.filler(name), "")]

    def filler(self, name: str) -> str:
        """Returns the text of a slot that is no name."""
        rng = self.rng
        word = self.word
        match name:
            case "word" | "verb":
                return word()
            case "Word":
                return word().capitalize()
            case "UP":
                return rng.choice((word().upper()[:4], word().upper()))
            case "words":
                return " ".join(word() for _ in range(rng.randint(2, 4)))
            case "Words":
                return self.heading()
            case "noun":
                return " ".join(word() for _ in range(rng.choice((1, 1, 2, 2, 3))))
            case "sentence":
                return rng.choice(self.sentences)
            case "lsentence":
                sentence = rng.choice(self.sentences).rstrip(".")
                return sentence[:1].lower() + sentence[1:]
            case "app" | "brand" | "ui" | "job" | "month" | "weekday" | "nationality" | "title":
                return rng.choice(_CHOICES[name])
            case "ext" | "host":
                return rng.choice(_CHOICES[name])
            case "num":
                return str(rng.randint(0, 120))
            case "digits":
                return str(rng.randint(1000, 10 ** rng.randint(5, 12)))
            case "year":
                return str(rng.randint(1950, 2026))
            case "version":
                return ".".join(str(rng.randint(0, 30)) for _ in range(rng.randint(2, 3)))
            case "date":
                return self.date()
            case "time":
                return f"{rng.randint(0, 23)}:{rng.randint(0, 59):02d}" + rng.choice(
                    ("", " AM", " PM")
                )
            case "email":
                user = self.user().lower()
                domain = f"{word()}{rng.choice(('', '-' + word()))}.{rng.choice(_DOMAINS)}"
                return f"{re.sub(r'[^a-z0-9._-]', '', user)}@{domain}"
            case "phone":
                return self.phone()
            case "ip":
                return ".".join(str(rng.randint(1, 254)) for _ in range(4))
            case "letter":
                return rng.choice(string.ascii_uppercase)
            case "initials":
                return rng.choice(string.ascii_uppercase) + rng.choice(string.ascii_uppercase)
            case "nl":
                return rng.choice(("\n", "\n", " "))
            case _:
                raise KeyError(name)

    def word(self) -> str:
        """An English word, common ones more often."""
        if self.ambiguous and self.rng.random() < AMBIGUOUS:
            return self.rng.choice(self.ambiguous)
        position = int(len(self.words) * self.rng.random() ** 2)
        return self.words[position]

    def heading(self) -> str:
        """Two to four words as headings write them."""
        rng = self.rng
        words = [self.word() for _ in range(rng.choice((1, 2, 2, 3, 3, 4)))]
        style = rng.random()
        if style < 0.6:
            return " ".join(w.capitalize() for w in words)
        if style < 0.7 and len(words) > 1:
            return f"{words[0].capitalize()} {rng.choice(('of', 'and', 'for', 'the', 'in'))} " + (
                " ".join(w.capitalize() for w in words[1:])
            )
        return " ".join(words).capitalize()

    def date(self) -> str:
        """A date, a weekday or "tomorrow"."""
        rng = self.rng
        month = rng.choice(_CHOICES["month"])
        month = month if rng.random() < 0.5 else month[:3]
        day, year = rng.randint(1, 28), rng.randint(1990, 2026)
        return rng.choice(
            (
                f"{month} {day}",
                f"{day} {month}",
                f"{day} {month} {year}",
                f"{year}-{rng.randint(1, 12):02d}-{day:02d}",
                f"{rng.randint(1, 12)}/{day}/{year}",
                rng.choice(_CHOICES["weekday"]),
                "tomorrow",
            )
        )

    def phone(self) -> str:
        """A phone number."""
        rng = self.rng
        form = rng.choice(("555-01##", "+1-###-555-01##", "(###) 555-01##", "0#### ######"))
        return "".join(str(rng.randint(0, 9)) if char == "#" else char for char in form)

    def _locale(self) -> str:
        return self.rng.choice(self.locales)

    def first(self, locale: str | None = None) -> str:
        """A given name."""
        if self.rng.random() < self.invented:
            return self.makers["first"].word(self.rng)
        return self.rng.choice(self.lists.first[locale or self._locale()])

    def last(self, locale: str | None = None) -> str:
        """A family name."""
        if self.rng.random() < self.invented:
            return self.makers["last"].word(self.rng)
        return self.rng.choice(self.lists.last[locale or self._locale()])

    def informal_first(self) -> str:
        """A given name as chats write it."""
        name = self.first()
        return name.lower() if self.rng.random() < 0.7 else name

    def full_name(self) -> str:
        """A given and a family name of one locale."""
        locale = self._locale()
        return f"{self.first(locale)} {self.last(locale)}"

    def person(self) -> str:
        """A person as texts name one: full, with initials, reversed, by one name only."""
        rng = self.rng
        locale = self._locale()
        first, last = self.first(locale), self.last(locale)
        letter = rng.choice(string.ascii_uppercase)
        particle = rng.choice(("van ", "de ", "von ", "van der ", "da ", "el ", "O'", "Mc", "del "))
        forms = (
            (0.56, f"{first} {last}"),
            (0.06, f"{first} {letter}. {last}"),
            (0.03, f"{first} {letter} {last}"),
            (0.05, f"{first[0]}. {last}"),
            (0.04, f"{first} {self.first(locale)} {last}"),
            (0.03, f"{first} {last}-{self.last(locale)}"),
            (0.02, f"{first}-{self.first(locale)} {last}"),
            (0.03, f"{first} {particle}{last}"),
            (0.01, f"{first[0]}.{letter}. {last}"),
            (0.09, first),
            (0.05, last),
            (0.03, f"{first} {last[0]}."),
        )
        name = rng.choices([f for _, f in forms], [w for w, _ in forms])[0]
        case = rng.random()
        if case < 0.04:
            return name.upper()
        return name.lower() if case < 0.08 else name

    def user(self) -> str:
        """A user name as people choose them."""
        rng = self.rng
        first, last = (
            re.sub(r"[^a-z]", "", name.lower().translate(_UMLAUTS)) or "xu"
            for name in (self.first(), self.last())
        )
        number = rng.choice(("", "", "", str(rng.randint(1, 99)), str(rng.randint(1950, 2012))))
        return rng.choice(
            (
                f"{first}.{last}{number}",
                f"{first[0]}{last}{number}",
                f"{first}{last[0]}{number}",
                f"{first}_{last}{number}",
                f"{first}-{last}",
                f"{last}.{first}",
                f"{last}{first[0]}{number}",
                f"{first}{number or rng.randint(1, 99)}",
                f"{first}{last}{number}",
                f"{self.word()}_{first}{number}",
                f"{self.word()}{self.word()}{number or rng.randint(1, 999)}",
                f"{first[:3]}{last[:4]}{rng.randint(1, 9)}",
                f"{rng.choice('uxabc')}{rng.randint(10000, 999999)}",
                f"{first.title()}{last.title()}{number}",
                rng.choice(_CHOICES["system"]),
            )
        )

    def place(self) -> str:
        """A town, region or country."""
        rng = self.rng
        kind = rng.random()
        if kind < 0.4:
            name = rng.choice(self.lists.countries)
        elif kind < 0.8:
            name = rng.choice(self.lists.places[rng.choice(self.place_locales)])
        elif kind < 0.92:
            name = self.makers["place"].word(rng)
        else:
            head = rng.choice(("North", "South", "New", "San", "Port", "Lake", "East", "Saint"))
            name = f"{head} {self.makers['place'].word(rng)}"
        if rng.random() < 0.12:
            name += ", " + rng.choice(("CA", "NY", "TX", "FL", rng.choice(self.lists.countries)))
        return name

    def org(self) -> str:
        """A company or institution."""
        rng = self.rng
        word = self.word().capitalize()
        kind = rng.random()
        if kind < 0.3:
            return f"{word} {rng.choice(_CHOICES['tail'])}"
        if kind < 0.4:
            return f"{self.last()} {rng.choice(_CHOICES['tail'])}"
        if kind < 0.5:
            return f"{self.last()} & {self.last()}"
        if kind < 0.6:
            return f"{self.last()}, {self.last()} and {self.last()}"
        if kind < 0.7:
            return f"{rng.choice(_CHOICES['head'])} {self.place().split(',')[0]}"
        if kind < 0.82:
            return f"{self.place().split(',')[0]} {rng.choice(_CHOICES['org_tail'])}"
        if kind < 0.92:
            return f"{self.makers['place'].word(rng)} {rng.choice(_CHOICES['tail'])}"
        return f"The {word} {self.word().capitalize()} {rng.choice(('Society', 'Foundation'))}"

    def address(self) -> str:
        """A postal address, one line or two."""
        rng = self.rng
        streets = [s for names in self.lists.streets.values() for s in names if len(s) > 6]
        if streets and rng.random() < 0.4:
            name = rng.choice(streets)
        else:
            stem = rng.choice((self.last(), self.makers["place"].word(rng), self.word().title()))
            name = stem + rng.choice(
                (" Street", " Road", " Ave", "straße", "gatan", " utca", "vej", "weg", " Lane",
                 " Blvd", " Drive", " Court", "plein", " Square", " Close")
            )  # fmt: skip
        number = rng.randint(1, 9999 if rng.random() < 0.3 else 250)
        street = f"{number} {name}" if rng.random() < 0.6 else f"{name} {number}"
        if rng.random() < 0.2:
            street += rng.choice((" Apt. ", " Suite ", ", Flat ", " Unit ")) + str(
                rng.randint(1, 900)
            )
        if rng.random() < 0.35:
            return street
        town = self.place().split(",")[0]
        code = rng.randint(1000, 99999)
        line = rng.choice((f"{code} {town}", f"{town} {code}", f"{town}, {code}", town))
        separator = rng.choice((", ", ", ", "\n"))
        tail = separator + rng.choice(self.lists.countries) if rng.random() < 0.2 else ""
        return f"{street}{separator}{line}{tail}"

    def subject(self, value: str) -> list[Piece]:
        """A real sentence that a person begins instead of "the …", "it" or "this"."""
        for _ in range(20):
            match = _SUBJECT.match(self.rng.choice(self.sentences))
            if match:
                return [(value, "PERSON"), (match[1], "")]
        return [(value, "PERSON")]

    def possessive(self, value: str) -> list[Piece]:
        """A real sentence in which something becomes a person's."""
        for _ in range(10):
            sentence = self.rng.choice(self.sentences)
            places = list(_ARTICLE.finditer(sentence))
            if places:
                place = self.rng.choice(places)
                rest = ("'s " if self.rng.random() < 0.8 else "’s ") + sentence[place.end() :]
                return [(sentence[: place.start()], ""), (value, "PERSON"), (rest, "")]
        return [(value, "PERSON")]

    def spliced(self, value: str, label: str) -> list[Piece]:
        """A real sentence in which the value stands where a noun stood."""
        for _ in range(10):
            sentence = self.rng.choice(self.sentences)
            places = list(_SPLICE.finditer(sentence))
            if places:
                place = self.rng.choice(places)
                start = place.start(3) if not place.group(2) else place.end(1) + 1
                return [(sentence[:start], ""), (value, label), (sentence[place.end(3) :], "")]
        return [(value, label)]


def joined(pieces: Sequence[Piece]) -> Example:
    """Puts pieces together and notes where the names are."""
    text = ""
    names = []
    for piece, label in pieces:
        if label and piece.strip():
            start = len(text) + len(piece) - len(piece.lstrip())
            names.append((start, start + len(piece.strip()), label))
        text += piece
    return Example(text, tuple(names))


_DOMAINS = ("com", "org", "net", "de", "co.uk", "io", "fr")
_CHOICES = {
    "app": split(vocabulary.APPS),
    "brand": split(vocabulary.BRANDS),
    "ui": split(vocabulary.INTERFACE),
    "job": split(vocabulary.JOBS),
    "month": split(vocabulary.MONTHS),
    "weekday": split(vocabulary.WEEKDAYS),
    "nationality": split(vocabulary.NATIONALITIES),
    "title": split(vocabulary.TITLES),
    "tail": split(vocabulary.COMPANY_TAILS),
    "head": split(vocabulary.ORG_HEADS),
    "org_tail": split(vocabulary.ORG_TAILS),
    "ext": split(vocabulary.EXTENSIONS),
    "host": split(vocabulary.HOSTS),
    "system": split(vocabulary.SYSTEM_USERS),
}
