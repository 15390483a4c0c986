"""Loose rules for numbers that identify: cards, phones, IBANs, social security numbers, addresses.

Checksums lift a doubtful number over the bar but are never required where the form alone speaks,
because people mistype and recognisers of pixels misread. What looks like a date, a version, a time
stamp or an identifier is left alone.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from schemas.findings import Span

DIGITS = re.compile(r"\d")

_CARD_RUN = re.compile(r"(?<![\w.])(?<![0-9A-Fa-f]-)\d(?:[ \-]?\d){11,18}(?![\w]|[.,]\d)")
_CARD_START = re.compile(r"0604|1800|2131|2[2-7]|3[0-9]|[456]")
_CARD_GROUPS = re.compile(r"\d{4}([ -])\d{4}\1\d{4}\1\d{1,7}|\d{4}([ -])\d{6}\2\d{4,5}")
_CARD_CUE = re.compile(
    r"\b(?:card|visa|master ?card|amex|american express|credit|debit|maestro|discover|cc|karte|"
    r"carte|tarjeta|pan)\b",
    re.IGNORECASE,
)

_SSN = re.compile(r"(?<![\w.\-/])(\d{3})([-‐ .])(\d{2})\2(\d{4})(?![\w]|[-/.]\d)")
_SSN_BARE = re.compile(r"(?<![\w.\-/])\d{9}(?![\w]|[-/.,]\d)")
_SSN_CUE = re.compile(
    r"\b(?:ssns?|itin|social(?: security)?|tax(?:payer)? id|tin|national id)\b", re.IGNORECASE
)

_PHONE_CUE = re.compile(
    r"\b(?:phones?|tel|telephone|mobile|cell|cellphone|call(?:ed|ing)?|fax|dial|sms|whats ?app|"
    r"text me|reach(?:ed)?|hotline|contact|number is|ring|landline|telefon|handy|mob|ph)\b\.?",
    re.IGNORECASE,
)
_EXTENSION = r"(?:\s?(?:x|ext\.?|extension)\s?\d{1,6})?"
_PHONE_INTERNATIONAL = re.compile(
    r"(?<![\w.+])(?:\+|00(?=[1-9]))\(?\d[\d\s().\-/]{5,20}\d" + _EXTENSION + r"(?!\w)"
)
_PHONE_AREA = re.compile(
    r"(?<![\w])\(0?\d{2,5}\)[ .\-/]?\d{2,8}(?:[ .\-/]\d{2,6}){0,4}"
    + _EXTENSION
    + r"(?![\w%]|[.,]\d)"
)
_PHONE_AMERICAN = re.compile(
    r"(?<![\w.,:/\-+])(?:1[ .\-])?[2-9]\d{2}([ .\-/])\d{3}[ .\-]\d{4}"
    + _EXTENSION
    + r"(?![\w:/%\-]|[.,]\d)"
)
_PHONE_NATIONAL = re.compile(
    r"(?<![\w.,:/\-+])0\d{1,4}(?:[ .\-/]\d{2,8}){1,5}" + _EXTENSION + r"(?![\w:/%\-]|[.,]\d)"
)
_PHONE_BARE = re.compile(r"(?<![\w.,:/\-+])0[1-9]\d{7,9}(?![\w:/%\-]|[.,]\d)")
_PHONE_PAIRS = re.compile(
    r"(?<![\w.,:/\-+])\d{2}([ .])\d{2}\1\d{2}\1\d{2}(?:\1\d{2})?(?![\w:/%\-]|[.,]\d|[ ]\d)"
)
_PHONE_CUED = re.compile(
    r"(?<![\w.:/\-+])\(?\d{2,11}\)?(?:[ .\-/]\(?\d{2,8}\)?){0,5}" + _EXTENSION + r"(?![\w:/%\-])"
)
_PHONE_LOCAL = re.compile(
    r"(?<![\w.,:/\-+])[2-9]\d{2}-\d{4}" + _EXTENSION + r"(?![\w:/%\-]|[.,]\d)"
)
_DATE = re.compile(
    r"(?:19|20)\d{2}[-/. ]\d{1,2}[-/. ]\d{1,2}(?:[ T]\d{2})?|"
    r"\d{1,2}[-/. ]\d{1,2}[-/. ](?:19|20)\d{2}"
)
_DATES = re.compile(
    r"\d{1,2}([-/.])\d{1,2}\1(?:\d{2}){1,2}(?:[ –-]+\d{1,2}\1\d{1,2}\1(?:\d{2}){1,2})+"
)
"""Dates side by side, of which short ones look like groups of a number."""
_YEARS = re.compile(r"(?:19|20)\d{2}[-/ ](?:19|20)\d{2}")

_IBAN = re.compile(r"(?<!\w)([A-Za-z]{2})\d{2}(?:[ -]?[A-Za-z0-9]{2,4}){2,9}[A-Za-z0-9]?(?!\w)")
IBAN_LENGTHS = dict(
    part.split(":")
    for part in """AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BR:29 BY:28 CH:21 CR:22
    CY:28 CZ:24 DE:22 DK:18 DO:28 EE:20 EG:29 ES:24 FI:18 FO:18 FR:27 GB:22 GE:22 GI:23 GL:18 GR:27
    GT:28 HR:21 HU:28 IE:22 IL:23 IQ:23 IS:26 IT:27 JO:30 KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20 LU:20
    LV:21 LY:25 MC:27 MD:24 ME:22 MK:19 MR:27 MT:31 MU:30 NL:18 NO:15 PK:24 PL:28 PS:29 PT:25 QA:29
    RO:24 RS:22 SA:24 SC:31 SE:24 SI:19 SK:24 SM:27 ST:25 SV:28 TL:23 TN:24 TR:26 UA:29 VA:22 VG:24
    XK:20""".split()
)

_IPV4 = re.compile(
    r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d|[.\-](?:tar|zip|whl|gz|jar|exe|deb|rpm|msi|py\d))"
)
_IPV6 = re.compile(
    r"(?<![\w:.])(?=[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:)[0-9A-Fa-f:]{3,39}(?:(?<=:)\d{1,3}(?:\.\d{1,3}){3})?"
    r"(?:%[\w.]+)?(?![\w:]|\.\d)"
)
_VERSION_CUE = re.compile(
    r"(?:\b(?:versions?|ver|v|release[sd]?|rel|build|firmware|driver|chapter|section|sec|rev|update|"
    r"patch|schema|protocol|python|java|node|chrome|firefox|oid|§)\b[\s:=.\-]*(?:number|no|is|to)?"
    r"[\s:=]*|[A-Za-z]/|[<>=~!]=\s?|[~^]|\w@)$",
    re.IGNORECASE,
)
_MAC = re.compile(
    r"(?<![\w:.\-])[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}(?![\w:-])"
)

IDENTIFIER_KINDS = frozenset(("url", "code", "id"))
"""Kinds of text that are full of long numbers which mean nothing to anyone."""


def luhn(digits: str) -> bool:
    """Whether a card number's check digit fits (ISO/IEC 7812-1)."""
    total = 0
    for position, char in enumerate(reversed(digits)):
        digit = int(char)
        total += (digit * 2 - 9 if digit > 4 else digit * 2) if position % 2 else digit
    return total % 10 == 0


def _digits(value: str) -> str:
    return "".join(char for char in value if char.isdigit())


def _cued(text: str, start: int, cue: re.Pattern[str], reach: int = 40) -> bool:
    return cue.search(text, max(0, start - reach), start) is not None


def find_cards(text: str, kind: str) -> Iterator[Span]:
    """Payment cards: 12–19 digits of a known issuer that are grouped, checked or spoken of."""
    for match in _CARD_RUN.finditer(text):
        value = match.group()
        digits = _digits(value)
        checked = luhn(digits)
        cued = _cued(text, match.start(), _CARD_CUE)
        if not _CARD_START.match(digits) and not cued:
            continue
        if len(set(digits)) < 2:
            continue
        grouped = _CARD_GROUPS.fullmatch(value) is not None
        if kind in IDENTIFIER_KINDS:
            known = checked and len(digits) >= 13 and (grouped or value.isdigit())
            known = known and (grouped or kind != "id")  # every tenth number passes the check
        else:
            alone = len(value) in (15, 16) or len(value) == len(text.strip())
            if kind == "ocr":
                alone = 15 <= len(value) <= 17  # a digit may be lost or read twice
            known = checked or grouped or cued or (value.isdigit() and alone)
        if known and not digits.startswith("9999"):
            score = 1.0 if checked else 0.8 if grouped or cued else 0.7
            yield Span(match.start(), match.end(), "CARD", "pattern", score)


def find_ssns(text: str, kind: str) -> Iterator[Span]:
    """Social security numbers: 3-2-4 with any separator; nine bare digits where they are named."""
    for match in _SSN.finditer(text):
        if match.group(1) != "000" and (match.group(2) != "." or kind not in IDENTIFIER_KINDS):
            yield Span(match.start(), match.end(), "SSN", "pattern")
    for match in _SSN_BARE.finditer(text):
        if _cued(text, match.start(), _SSN_CUE):
            yield Span(match.start(), match.end(), "SSN", "pattern", 0.8)


def is_date(value: str) -> bool:
    """Whether digits and separators are a date, several, or a range of years."""
    value = value.strip()
    return any(form.fullmatch(value) is not None for form in (_DATE, _DATES, _YEARS))


def find_phones(text: str, kind: str) -> Iterator[Span]:
    """Phone numbers by their form: international, with an area, American, national, in pairs.

    Any other form needs a cue ("call", "tel") before it.
    """
    for regex, least, most in (
        (_PHONE_INTERNATIONAL, 7, 17),
        (_PHONE_AREA, 7, 15),
        (_PHONE_AMERICAN, 10, 11),
        (_PHONE_NATIONAL, 8, 13),
        (_PHONE_BARE, 9, 11),
        (_PHONE_PAIRS, 8, 10),
    ):
        if kind in IDENTIFIER_KINDS and regex is not _PHONE_INTERNATIONAL:
            continue
        if kind == "split" and regex not in (_PHONE_INTERNATIONAL, _PHONE_AREA):
            continue
        for match in regex.finditer(text):
            value = match.group()
            number = re.split(r"x|ext", value, maxsplit=1)[0]
            if least <= len(_digits(number)) <= most and not is_date(number):
                yield Span(match.start(), match.end(), "PHONE", "pattern", 0.8)
    if kind in IDENTIFIER_KINDS:
        return
    for match in _PHONE_CUED.finditer(text):
        digits = _digits(match.group())
        value = match.group()
        if not 7 <= len(digits) <= 15 or is_date(value):
            continue
        if _cued(text, match.start(), _PHONE_CUE, 30):
            yield Span(match.start(), match.end(), "PHONE", "pattern", 0.7)
        elif kind != "split" and _PHONE_LOCAL.fullmatch(value):
            yield Span(match.start(), match.end(), "PHONE", "pattern", 0.5)


def find_ibans(text: str, kind: str) -> Iterator[Span]:
    """IBANs of known countries (ISO 13616), two characters too long or short at most."""
    for match in _IBAN.finditer(text):
        value = re.sub(r"[ -]", "", match.group())
        length = IBAN_LENGTHS.get(value[:2].upper())
        if length is None or sum(char.isdigit() for char in value) < 8:
            continue
        exact = len(value) == int(length)
        if kind in IDENTIFIER_KINDS and not (exact and _iban_checks(value)):
            continue
        if exact or (abs(len(value) - int(length)) <= 2 and value == value.upper()):
            yield Span(match.start(), match.end(), "IBAN", "pattern", 0.9 if exact else 0.6)
        elif len(value) > int(length) and _iban_checks(value[: int(length)]):
            end = _end_of_characters(match.group(), int(length)) + match.start()
            yield Span(match.start(), end, "IBAN", "pattern", 0.9)


def _end_of_characters(value: str, count: int) -> int:
    for offset, char in enumerate(value):
        count -= char.isalnum()
        if not count:
            return offset + 1
    return len(value)


def _iban_checks(value: str) -> bool:
    moved = value[4:] + value[:4]
    return int("".join(str(int(char, 36)) for char in moved)) % 97 == 1


def is_version(text: str, start: int, kind: str) -> bool:
    """Whether what stands before a place in a text says that a version follows."""
    cue = _VERSION_CUE.search(text[max(0, start - 24) : start])
    # In a path a slash ends a folder, not a product.
    return cue is not None and not (kind == "path" and cue.group().endswith("/"))


def find_addresses_of_machines(text: str, kind: str) -> Iterator[Span]:
    """IPv4, IPv6 and MAC addresses. A version number or ``999.1.1.1`` is none."""
    if "." in text:
        for match in _IPV4.finditer(text):
            if _is_ip(match.group()) and not is_version(text, match.start(), kind):
                yield Span(match.start(), match.end(), "IP", "pattern")
    if text.count(":") >= 2 or text.count("-") >= 5:
        for match in _IPV6.finditer(text):
            value = match.group().split("%")[0]
            end = match.start() + len(value)
            stripped = value.rstrip(":") if not value.endswith("::") else value
            if _is_ip(stripped) and (any(c.isdigit() for c in stripped) or len(stripped) > 12):
                end -= len(value) - len(stripped)
                yield Span(match.start(), end, "IP", "pattern")
        for match in _MAC.finditer(text):
            yield Span(match.start(), match.end(), "MAC", "pattern")


def _is_ip(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        parts = value.split(".")
        return len(parts) == 4 and all(part.isdigit() and int(part) < 256 for part in parts)
    return True


def find_numbers(text: str, kind: str) -> list[Span]:
    """Everything of this module in one text; offsets are of ``text``."""
    spans: list[Span] = []
    digits = len(DIGITS.findall(text))
    if digits >= 4 or text.count(":") >= 2:
        spans.extend(find_addresses_of_machines(text, kind))
    if digits >= 7:
        spans.extend(find_phones(text, kind))
    if digits >= 8:
        spans.extend(find_ibans(text, kind))
    if digits >= 9:
        spans.extend(find_ssns(text, kind))
    if digits >= 12:
        spans.extend(find_cards(text, kind))
    return spans
