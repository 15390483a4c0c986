"""What stands where something was removed: a mark, a numbered placeholder or a surrogate.

Surrogates are consistent within a session and come from ranges that belong to nobody: example.org
(RFC 2606), 192.0.2.0/24 (RFC 5737), 2001:db8::/32 (RFC 3849), 00:00:5E:00:53 (RFC 7042),
555-01xx, social security area 000, card prefix 9999, and names of the list below. They are chosen
by an HMAC under the session's key, so that without the key nothing leads back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from schemas.findings import Span
from transforms.keys import keyed_hex
from transforms.privacy.entities import HIDDEN_ENTITIES
from transforms.privacy.folding import folded

REDACTED = "<REDACTED>"

FIRST_NAMES = tuple(
    """Alden Arlo Avery Blair Briar Cade Cleo Corin Dale Darcy Ellery Emlyn Farley Fenn Gale Greer
    Hollis Indra Ingram Jory Keir Lane Linden Lorne Maren Merle Nevin Oakley Orla Perrin Quill Reeve
    Rowan Sable Selby Tamsin Tierney Umber Vale Wren Yarrow Zephyr""".split()
)
LAST_NAMES = tuple(
    """Ashcombe Barrowby Brackenfell Cobblewick Copperleigh Dunmarrow Eastwynd Elderbrook Fallowmere
    Fernhollow Gorsebank Greyhurst Hazelmoor Heatherby Inglethorpe Kestrelby Larkmead Lindenfell
    Mallowby Marshwick Nettlecombe Oakenshaw Pebblewick Quarrendale Ravensby Reedhollow Sallowfield
    Sedgebrook Tarnwick Thistledown Umberleigh Vetchley Wickenby Willowmere Yewbarrow""".split()
)
ORGANIZATIONS = tuple(f"{name} Example Works" for name in ("Amber", "Birch", "Cedar", "Delta"))
PLACES = tuple("Exampleton Sampleford Placeholm Mockbury Nulham Testwick Demoville Fauxton".split())
PASSWORD_MARK = "surrogate-"
USER_MARK = "user-"

_SURROGATES = (
    re.compile(r"[a-z0-9.\-]+@example\.org", re.IGNORECASE),
    re.compile(r"(?:\+?1[-. ]?)?(?:\(?\d{3}\)?[-. ]?)?555[-. ]?01\d{2}"),
    re.compile(r"000[- .]?\d{2}[- .]?\d{4}"),
    re.compile(r"192\.0\.2\.\d{1,3}|2001:db8::[0-9a-f]{1,4}", re.IGNORECASE),
    re.compile(r"9999(?:[ -]?\d){8,15}"),
    re.compile(r"00([:-])00\1(?:5E\1){1}00\1(?:53)\1[0-9A-F]{2}", re.IGNORECASE),
    re.compile(r"XX00[ 0-9A-Z]{8,40}"),
    re.compile(re.escape(PASSWORD_MARK) + r"[0-9a-f]{8}"),
    re.compile(re.escape(USER_MARK) + r"[0-9a-f]{8}"),
    re.compile(r"1900-01-01|\d{1,4} Example Street|00000"),
    re.compile(r"<REDACTED>|<[A-Z][A-Z0-9_]*_\d+>"),
)
_NAMES = frozenset(name.lower() for name in FIRST_NAMES + LAST_NAMES + PLACES)
_WORD = re.compile(r"[^\W\d_]+")
_GROUPED = re.compile(r"[\d \-./]+")


def is_replacement(value: str) -> bool:
    """Whether a text is something this module writes, so that it is no hit after the fact."""
    value = value.strip(" .,;:'\"()")
    if any(pattern.fullmatch(value) for pattern in _SURROGATES):
        return True
    words = _WORD.findall(value)
    if words and all(word.lower() in _NAMES for word in words):
        return True
    return value in ORGANIZATIONS


_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")


class Replacer:
    """Chooses replacements for the values of one session, equal for equal values."""

    def __init__(self, mode: str, session_key: bytes) -> None:
        """Takes ``redacted``, ``placeholder`` or ``surrogate``, and the session's key."""
        self.mode = mode
        self.key = session_key
        self._numbers: dict[tuple[str, str], int] = {}
        self._counts: dict[str, int] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._taken: set[str] = set()

    def replacement(self, value: str, entity: str) -> str:
        """Returns what stands for a value; placeholders are numbered by first use."""
        if self.mode == "placeholder":
            same = " ".join(folded(value).split())
            if entity in HIDDEN_ENTITIES:
                same = value
            number = self._numbers.get((entity, same))
            if number is None:
                number = self._counts.get(entity, 0) + 1
                self._counts[entity] = self._numbers[entity, same] = number
            return f"<{entity}_{number}>"
        if self.mode == "surrogate":
            return self._surrogate(value, entity)
        return REDACTED

    def apply(self, text: str, spans: Iterable[Span], in_url: bool = False) -> str:
        """Returns a text with disjoint, ordered spans replaced.

        A surrogate is written as its place asks for: percent-encoded in a URL, and where what it
        stands for was.
        """
        parts: list[str] = []
        at = 0
        for span in spans:
            value = text[span.start : span.end]
            new = self.replacement(value, span.entity)
            if new[:1] != "<" and (in_url or ("%" in value and _ENCODED.search(value))):
                new = quote(new, safe=":@" if "@" in value else ":")
            parts += [text[at : span.start], new]
            at = span.end
        parts.append(text[at:])
        return "".join(parts)

    def _pick(self, entity: str, value: str) -> int:
        """A number that only the holder of the session's key can compute."""
        return int(keyed_hex(self.key, entity, " ".join(folded(value).split()), size=8), 16)

    def _surrogate(self, value: str, entity: str) -> str:
        pick = self._pick(entity, value)
        match entity:
            case "PERSON":
                return self._person(value)
            case "EMAIL":
                first, last = FIRST_NAMES[pick % 42], LAST_NAMES[pick // 42 % 35]
                return f"{first.lower()}.{last.lower()}{pick // 1470 % 100}@example.org"
            case "PHONE":
                return f"555-01{pick % 100:02d}"
            case "SSN":
                return _shaped(value, f"000{pick % 10**6:06d}")
            case "CARD":
                return _shaped(value, f"9999{pick % 10**12:012d}")
            case "IBAN":
                return f"XX00{pick % 10**14:014d}"
            case "IP" if ":" in value:
                return f"2001:db8::{pick % 65535 + 1:x}"
            case "IP":
                return f"192.0.2.{pick % 254 + 1}"
            case "MAC":
                separator = "-" if "-" in value else ":"
                return separator.join(["00", "00", "5E", "00", "53", f"{pick % 256:02X}"])
            case "LOCATION":
                return self._unique(PLACES, entity, value, pick)
            case "ORGANIZATION":
                return self._unique(ORGANIZATIONS, entity, value, pick)
            case "USERNAME":
                return f"{USER_MARK}{pick & 0xFFFFFFFF:08x}"
            case "ADDRESS":
                if value.replace(" ", "").isdigit():
                    return "00000"
                return f"{pick % 990 + 1} Example Street"
            case "BIRTH_DATE":
                return "1900-01-01"
            case "PASSWORD" | "OTP" | "SECRET" | "CRYPTO":
                return f"{PASSWORD_MARK}{pick & 0xFFFFFFFF:08x}"
            case _:
                return f"<{entity}_{pick % 100000}>"

    def _person(self, value: str) -> str:
        """Word by word, so that "Jo Ash", "Ash, Jo" and "Jo" stay the same person."""
        words = _WORD.findall(value)
        comma = "," in value
        known = [
            self._names.get(("first", folded(w))) or self._names.get(("last", folded(w)))
            for w in words
        ]
        out: list[str] = []
        for number, word in enumerate(words):
            first = number == 0 if not comma else number > 0
            role, names = ("first", FIRST_NAMES) if first else ("last", LAST_NAMES)
            if len(word) == 1 and len(words) > 1:
                continue
            name = known[number] if len(words) == 1 else self._names.get((role, folded(word)))
            if name is None:
                name = self._unique(names, role, word, self._pick(role, word))
            out.append(name if not word.islower() else name.lower())
        if not out:
            out = [self._unique(FIRST_NAMES, "first", value, self._pick("first", value))]
        return f"{out[0]}, {' '.join(out[1:])}" if comma and len(out) > 1 else " ".join(out)

    def _unique(self, names: tuple[str, ...], role: str, value: str, pick: int) -> str:
        """The picked name, or the next free one, so that two values do not become one."""
        key = (role, " ".join(folded(value).split()))
        if key not in self._names:
            free = [n for n in names if n not in self._taken] or list(names)
            start = names.index(names[pick % len(names)])
            chosen = next(n for n in (*names[start:], *names[:start]) if n in free)
            self._taken.add(chosen)
            self._names[key] = chosen
        return self._names[key]


def _shaped(value: str, digits: str) -> str:
    """Digits in the grouping of the number they stand for; plain where it is not only a number."""
    if _GROUPED.fullmatch(value) is None or sum(map(str.isdigit, value)) < 9:
        return digits
    source = iter(digits)
    return "".join(next(source, "0") if char.isdigit() else char for char in value)
