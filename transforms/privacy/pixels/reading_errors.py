"""What recognisers of patterns miss in text from pixels: misread, run together, covered, cut off.

Text from pixels is not the text that was shown. Blanks are lost before and behind numbers, a dot is
read as a colon, the edge of a pane hides the rest of a value, a mouse pointer stands on two digits
of it. Nothing here asks for a checksum.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence

from schemas.findings import Span
from transforms.privacy.misread import is_random
from transforms.privacy.numbers import IBAN_LENGTHS, luhn

READ_FOR_AT = "aeqgo0©®&"
COMMON_DOMAINS = frozenset(
    """gmail.com googlemail.com outlook.com hotmail.com live.com yahoo.com icloud.com
    proton.me protonmail.com gmx.net aol.com mail.ru""".split()
)
LEAST_DOMAIN = 7
"""Characters of a domain that tells an address without its @: "chrome.com" ends in "me.com"."""
NUMBERS = frozenset(("CARD", "IBAN", "IP", "PHONE", "SSN"))
CUT = "cut"
"""Origin of spans of which only a part is in sight: they are not searched for elsewhere."""
SURE = 0.5
"""Score below which recognisers saw no more than a plausible count of digits."""
LEAST_DIGITS = 7
"""Of a text that numbers run together with words are looked for in."""
LEAST_IBAN_DIGITS = 8
_COUNTRY = f"(?:{'|'.join(IBAN_LENGTHS)})"
_PREFIX = r"(?:sk-|pk_|rk_|gh[pousr]_|github_pat_|glpat-|xox[abprs]-|AKIA|ASIA|AIza|eyJ)"
_BEGIN = re.compile(_PREFIX)
_RULES = tuple(
    (entity, re.compile(rule))
    for entity, rule in (
        (
            "IBAN",
            rf"(?<!\w){_COUNTRY}[0-9OIlSB]{{2}}"
            r" ?(?:[A-Z0-9lo]{4} ?){2,6}[A-Z0-9lo]{1,4}(?!\w)",
        ),
        # The check digits are under something. Years in a row are none.
        (
            "IBAN",
            rf"(?<!\w)(?:{_COUNTRY}|[A-Z])(?!(?: (?:19|20)\d\d){{4}}) ?\d{{0,2}}(?: \d{{4}}){{4}}"
            r"(?: \d{1,4})?(?!\w)",
        ),
        ("EMAIL", r"(?<![\w@])[\w.+-]{2,}@[\w-]+(?:[.:,;][\w-]+)*[.:,;](?:com|org|net|edu|de)\b"),
        # The lower half of the line is cut off, and the dots with it.
        ("EMAIL", r"(?<![\w@])[\w.+-]{2,}@[\w-]{2,}(?:[ .][\w-]{2,}){0,2} (?:com|org|net|edu)\b"),
        ("SECRET", rf"(?<![A-Za-z])(?:{_PREFIX}|(?i:{_PREFIX})(?=[\w-]*\d))[\w|!-]{{14,}}"),
        # A border beside the number reads as one more digit; the last one is under something.
        ("IP", r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){2}\.\d{1,3}[\dA-Za-z](?![\w.])"),
        ("IP", r"(?<![\w.])(?=[\d.]{12})(?!19|20)\d{4}(?:\.\d{1,3}){3}(?![\w.])"),
        # One of its dots is lost.
        ("IP", r"(?<![\w.])(?:\d{5,6}\.\d{1,3}|\d{1,3}\.\d{5,6})\.\d{1,3}(?![\w.])"),
        ("PHONE", r"(?<![\w.-])(?:1[-.])?[2-9]\d{2}([-.])\d{3}\1\d{4}(?=\d{4})"),
        ("SSN", r"(?<![\w.-])[\dOIl]?\d{3}-\d{2}-\d{4}[\dOIl](?![\w-])"),
        ("SSN", r"(?<![\w.-])\d{3}-\d{2}-\d{3}(?!\d|-)"),
        # With three digits behind the second dot it is an amount.
        ("PHONE", r"(?<![\w.-])[2-9]\d{2}(?:-\d{3}-\d{2,3}|\.\d{3}\.\d{2})(?![\w.-])"),
    )
)
_CARD = re.compile(r"(?<![\w.-])(?=[3-6])\d{4}(?:[ -]?\d{4}){1,2}(?:[ -]\d{4})(?:\d{4})?(?![\w-])")
_MAIL_DOMAIN = re.compile(r"@((?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,})")
_DOTTED = re.compile(r"(?<![\w@/:.-])[\w.+-]+\.[A-Za-z]{2,}(?![\w@])")
_RUN_TOGETHER = re.compile(
    r"(?:(?<=[a-z]{2})|(?<=[A-Z]{3}))(?=[(+]?\d{2})|(?<=\d)(?=[A-Za-z]{2})"
    r"|(?<=[a-z])(?=[A-Z]{2}\d{2}[ \d])"
)
_OTHER_NUMBER = re.compile(
    r"(?:\b(?:isbn|issn|ean|gtin|sku|build|version|release|rev|order|invoice|ref|ticket|item|case)"
    r"(?: (?:no|number|id))?[.:#]?|[$€£¥#])\s?$",
    re.IGNORECASE,
)
_BARE = re.compile(r"\d+|\d{3}-\d{4}")
_DECIMAL = re.compile(r"[-+]?\d+\.\d+|\d{1,3}(?:\.\d{3}){2,}")
_DATED = re.compile(r"(?:19|20)\d{2}(?:[-/.]?(?:0\d|1[0-2])[-/.]?[0-3]\d)?(?!\d)")
_DASH = re.compile(r"(?<=\d)[~–—‐−¬](?=\d)")
_DOTS = re.compile(r"\s*(?:…|\.{2,3})$")
_UNFINISHED = tuple(
    (entity, re.compile(rule))
    for entity, rule in (
        (
            "IBAN",
            rf"(?<!\w){_COUNTRY}\d{{2}}"
            r" ?(?=(?:[A-Z ]*\d){6})(?:[A-Z0-9]{4} ?)+[A-Z0-9]{0,4}$",
        ),
        ("SSN", r"(?<![\w.-])\d{3}-\d{2}-\d{0,3}$"),
        ("CARD", r"(?<![\w.-])[3-6]\d{3}([ -])\d{4}\1\d{1,4}(?:\1\d{0,3})?$"),
        ("CARD", r"(?<![\w.-])3[47]\d{2}([ -])\d{6}\1?\d{0,4}$"),
        ("PHONE", r"(?<![\w+])\+\d{1,3}[ .-]?\(?\d{2,4}\)?[ .-]\d{2,}[\d .-]*$"),
        ("PHONE", r"(?<!\w)\(\d{3}\) ?\d{3}-?\d{0,3}$"),
        ("PHONE", r"(?<![\w.-])[2-9]\d{2}(?:-\d{3}-\d{0,3}|\.\d{3}\.\d{0,2})$"),
        (
            "SECRET",
            rf"(?<![A-Za-z]){_PREFIX}(?:[a-z]{{3,5}}\d{{0,2}}[-_]){{0,2}}(?=[A-Za-z0-9]*\d)[\w-]{{5,}}$",
        ),
        ("EMAIL", r"(?<![\w@])[\w.+-]{3,}@[\w-]?$"),
    )
)
"""Beginnings of values that say enough wherever a line ends."""
_CUT_RIGHT = tuple(
    (entity, re.compile(rule))
    for entity, rule in (
        ("IP", r"(?<![\w.])(?=[\d.]{8})\d{1,3}\.\d{1,3}\.\d{1,3}\.?$"),
        ("SSN", r"(?<![\w.-])\d{3}-\d{2}-?$"),
        ("CARD", r"(?<![\w.-])[3-6]\d{3}([ -])\d{2,4}\1?$"),
        ("CARD", r"(?<![\w.-])[3-6]\d{7,14}$"),
        ("PHONE", r"(?<![\w.-])[2-9]\d{2}[.-]\d{3}$"),
        ("PHONE", r"(?<!\w)(?:\+\d{1,3} \d{2,}|\(\d{3}\) ?)\d*$"),
        ("IBAN", rf"(?<!\w){_COUNTRY}\d{{2}} ?[A-Z0-9]{{2,}}$"),
        ("SECRET", rf"(?<![A-Za-z]){_PREFIX}[\w-]{{2,}}$"),
    )
)
"""Beginnings at the edge of the picture, or before an ellipsis."""
_CUT_LEFT = tuple(
    (entity, re.compile(rule))
    for entity, rule in (
        ("IP", r"^\.?(?=[\d.]{7})\d{1,3}\.\d{1,3}\.\d{1,3}(?![\w.])"),
        ("SSN", r"^(?:\d{0,2}-\d{2}|-\d{2}|\d{1,2})-\d{4}(?![\w-])"),
        ("CARD", r"^(?:\d{0,3}[ -])?(?:\d{4}[ -]){1,2}\d{4}(?![\w-])"),
        ("PHONE", r"^\d{0,3}[).\- ]{0,2}\d{2,3}[-. ]\d{4}(?![\w-])"),
        ("PHONE", r"^\d{0,3}(?: \d{2}){3,}(?![\w-])"),
        ("IBAN", r"^(?:[A-Z]{1,4}|\d{0,4} ?)(?:\d{4} ?){2,}\d{0,4}(?!\w)"),
        ("EMAIL", r"^[\w.+-]*@[\w-]+(?:\.[\w-]+)+"),
    )
)
"""Ends at the left edge of the picture."""


def with_plain_dashes(text: str) -> str:
    """Returns a text, of the same length, in which what stands between digits like a dash is one:
    compression makes tildes of them."""
    return _DASH.sub("-", text)


def find_misread(text: str, domains: frozenset[str]) -> list[Span]:
    """Finds values of which characters were misread, lost or covered.

    An IBAN of which one digit is misread has no valid checksum. Blanks between the groups of a card
    number are dropped. The @ of an address may be read as a letter; then the domain tells, if
    others in the session have it.
    """
    spans = [
        Span(*m.span(), entity)
        for entity, rule in _RULES
        for m in rule.finditer(text)
        if _is_likely(entity, m[0])
    ]
    for match in _CARD.finditer(text):
        if sum(c.isdigit() for c in match[0]) == 16:
            spans.append(Span(*match.span(), "CARD"))
    for match in _DOTTED.finditer(text):
        token = match[0].rstrip(".").lower()
        for domain in domains:
            at = len(token) - len(domain) - 1
            if at >= 2 and token.endswith(domain) and token[at] in READ_FOR_AT:
                spans.append(Span(match.start(), match.start() + len(token), "EMAIL"))
                break
    return spans


def _is_likely(entity: str, value: str) -> bool:
    """Whether a stretch is more than words in a value's form: PASSWORD RESET, pk_customers."""
    if entity == "IBAN":
        return sum(c.isdigit() for c in value) >= LEAST_IBAN_DIGITS
    return entity != "SECRET" or is_random(value)


def begins_like_secret(value: str) -> bool:
    """Whether a token has the prefix of a known kind of key."""
    return _BEGIN.match(value) is not None


def holds_secret_prefix(text: str) -> bool:
    """Whether a known kind of key may begin somewhere in a text."""
    return _BEGIN.search(text) is not None


def is_doubtful(text: str, span: Span) -> bool:
    """Whether little but a count of digits makes a stretch a number of somebody: what calls itself
    an order or a book, decimals and dates do not count."""
    if span.entity not in NUMBERS:
        return False
    value = text[span.start : span.end]
    named = _OTHER_NUMBER.search(text[max(0, span.start - 16) : span.start]) is not None
    if named and _BARE.fullmatch(value):
        return span.entity != "CARD" or not luhn(value)
    return span.score < SURE and (
        named or _DECIMAL.fullmatch(value) is not None or _DATED.match(value) is not None
    )


def mail_domains(texts: Iterable[str]) -> frozenset[str]:
    """Returns the domains of all e-mail addresses in some texts, but for very short ones."""
    found = (m[1].lower() for text in texts for m in _MAIL_DOMAIN.finditer(text))
    return COMMON_DOMAINS.union(domain for domain in found if len(domain) >= LEAST_DOMAIN)


def find_run_together(text: str, find: Callable[[str], Sequence[Span]]) -> list[Span]:
    """Finds numbers of which the blank before or behind them was lost ("to192.0.2.1")."""
    if sum(c.isdigit() for c in text) < LEAST_DIGITS:
        return []
    cuts = [m.start() for m in _RUN_TOGETHER.finditer(text)]
    if not cuts:
        return []
    bounds = [0, *cuts, len(text)]
    apart = " ".join(text[start:end] for start, end in itertools.pairwise(bounds))
    # Every blank that was put in moves what follows it by one.
    blanks = [cut + number for number, cut in enumerate(cuts)]
    spans = []
    for span in find(apart):
        inside = [blank for blank in blanks if span.start <= blank < span.end]
        beside = any(blank in (span.start - 1, span.end) for blank in blanks)
        if span.entity in NUMBERS and beside and not inside:
            moved = sum(blank < span.start for blank in blanks)
            spans.append(Span(span.start - moved, span.end - moved, span.entity, span.origin))
    return spans


def find_cut(text: str, left: bool, right: bool) -> list[Span]:
    """Finds values of which only the beginning or the end is in sight.

    Args:
      text: one line.
      left: whether the picture's edge stands right before it.
      right: the same behind it.
    """
    dots = _DOTS.search(text)
    shown = text[: dots.start()] if dots else text
    rules = _UNFINISHED + (_CUT_RIGHT if right or dots else ())
    spans = [
        Span(m.start(), len(text), entity, CUT)
        for entity, rule in rules
        if (m := rule.search(shown))
    ]
    if left:
        spans += [Span(0, m.end(), e, CUT) for e, rule in _CUT_LEFT if (m := rule.match(text))]
    return spans
