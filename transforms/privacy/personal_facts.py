"""Birth dates, street addresses and one-time codes in running text, by form and what is said."""

from __future__ import annotations

import re
from collections.abc import Iterator

from schemas.findings import Span

_MONTHS = (
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|januar|februar|märz|mai|juni|juli|"
    r"oktober|dezember|janvier|février|mars|avril|juin|juillet|août|enero|marzo|mayo|junio|julio)"
    r"[a-zé]{0,6}\.?"
)
_DATE = (
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\s?\d{1,2}[-/.]\s?\d{2,4}|"
    rf"\d{{1,2}}(?:st|nd|rd|th|\.)?\s(?:of\s|de\s)?{_MONTHS},?\s(?:de\s)?\d{{4}}|"
    rf"{_MONTHS}\s\d{{1,2}}(?:st|nd|rd|th)?,?\s\d{{4}})"
)
_BORN = re.compile(
    r"\b(?:date of birth|birth ?date|birthday|d\.?o\.?b\.?|born(?:\son)?|"
    r"geburtsdatum|geboren(?:\sam)?|née?\sle|date de naissance|fecha de nacimiento|nacid[oa]\sel)"
    rf"[\s:=\-–—(]{{1,4}}(?:is\s|was\s|on\s)?(?P<value>{_DATE})(?!\d)",
    re.IGNORECASE,
)
_BORN_CUES = ("birth", "born", "dob", "d.o", "do.b", "gebo", "geburt", "né", "naissance", "nac")
_DIGIT = re.compile(r"\d")
_CODE = r"(?P<value>(?:[A-Z]-)?\d{4,8}|\d{3}[ \-]\d{3})(?![\w\-]|[.,]\d)"
_PURPOSE = (
    r"(?:verification|security|log[ \-]?in|sign[ \-]?in|confirmation|authentication|access|"
    r"one[ \-]time|single[ \-]use|2fa|two[ \-]factor|activation)"
)
_CODES = (
    re.compile(
        rf"\b{_PURPOSE}\s(?:pass)?code(?:\s(?:for|to)\s\w+)?(?:\sis|:|\sis:)?\s+{_CODE}",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?<![\w\-]){_CODE}\s+is\syour\s(?:[\w\-]+\s){{0,3}}(?:pass)?code\b", re.IGNORECASE
    ),
    re.compile(
        rf"\b(?:use|enter|type)\s(?:the\s)?code:?\s+{_CODE}"
        r"(?=[^.\n]{0,40}\b(?:sign|log|verify|confirm|continue|one[ \-]time|authenticat))",
        re.IGNORECASE,
    ),
)
_CODES_ABROAD = re.compile(
    r"(?:\b(?:(?-i:m?TAN|OTP)|(?:bestätigungs|sicherheits|verifizierungs)code|codice di verifica|"
    r"code de (?:vérification|confirmation|sécurité)|código de (?:verificación|acceso)|"
    r"código de (?:confirmación|seguridad|verificação)|verificatiecode|код подтверждения)|"
    r"認証コード|验证码|驗證碼|인증번호)"
    rf"\s*(?:lautet|ist|est|es|è|is|为|是|は)?\s*[:：=]?\s*{_CODE}",
    re.IGNORECASE,
)
_SAID_ABROAD = (
    *(
        "gscode",
        "tscode",
        "code de ",
        "códi",
        "codice",
        "verificatie",
        "код ",
        "コード",
        "码",
        "碼",
    ),
    "번호",
)
_CODE_NOT_TO_SHARE = re.compile(
    rf"\bcode(?:\sis)?[:\s]{{1,3}}{_CODE}"
    r"(?=[^\n]{0,60}\b(?:do(?:n['’]t| not) share|expires in|valid for))",
    re.IGNORECASE,
)
_ID = r"(?-i:(?P<value>(?=(?:[A-Z \-]*\d){5})[A-Z0-9](?:[ \-]?[A-Z0-9]){5,17}))(?![\w\-])"
_NO = r"(?: (?:number|no\.?|nr\.?))"
_NUMBERS = (
    (
        "CARD",
        ("cvv", "cvc", "csc"),
        re.compile(
            r"\b(?:cvv2?|cvc2?|csc)(?: code)?[\s:#=]{1,3}(?P<value>\d{3,4})(?!\d)", re.IGNORECASE
        ),
    ),
    (
        "IBAN",
        ("account n", "kontonummer"),
        re.compile(
            rf"\b(?:account{_NO}|kontonummer)"
            r"[\s:#=]{1,3}(?P<value>\d(?:[ \-]?\d){5,13})(?![\w\-])",
            re.IGNORECASE,
        ),
    ),
    (
        "SSN",
        ("passport", "licen", "ni n", "insurance n", "steuer", "tax", "ausweis", "reisepass"),
        re.compile(
            rf"\b(?:passport{_NO}?|driv(?:er['’]?s?|ing) licen[cs]e{_NO}?|"
            rf"(?:ni|national insurance){_NO}|steuer-?(?:id|nummer|identifikationsnummer)|"
            rf"tax(?:payer)? id(?:entification)?{_NO}?|(?:reisepass|personalausweis)(?:nummer)?)"
            rf"[\s:#=]{{1,3}}{_ID}",
            re.IGNORECASE,
        ),
    ),
)
"""Numbers that only what is said before them tells from any other: entity, a cheap look, form."""
_NAME = r"(?:[A-ZÀ-ÖØ-Þ][\w'’\-]+\.?)"
_STREETS = (
    re.compile(
        rf"(?<![\w.,\-/#])\d{{1,5}}[A-Za-z]?,?\s(?:[NSEW]\.?\s)?{_NAME}(?:\s{_NAME}){{0,2}}\s"
        r"(?:(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Boulevard|Blvd|Crescent|Parkway|Pkwy|"
        r"Highway|Hwy)\b\.?|(?:Terrace|Mews|Close|Court|Gardens|Square|Place|Way)\b(?!\s?\w))"
    ),
    re.compile(
        r"(?<!\w)[A-ZÄÖÜ][a-zäöüß\-]+(?:straße|strasse|str\.|weg|allee|gasse|platz|damm|ufer)"
        r"\s\d{1,4}\s?[a-z]?(?![\w.,]\d|\w)"
    ),
    re.compile(
        r"(?<![\w.,\-/#])\d{1,4},?\s(?:bis\s|ter\s)?(?:rue|avenue|boulevard|impasse|chemin|allée|quai)\s"
        rf"(?:(?:de|du|des|la|le|les)\s|[dl]['’])*{_NAME}(?:[\s\-]{_NAME}){{0,2}}"
    ),
    re.compile(
        rf"(?<!\w)(?:Calle|Avenida|Via|Viale|Piazza|Rua|Plaza)\s(?:(?:de|del|la|da|di|do)\s)*{_NAME}"
        rf"(?:\s{_NAME}){{0,2}},?\s\d{{1,4}}(?![\w.,]\d|\w)"
    ),
)


def find_personal_facts(text: str) -> Iterator[Span]:
    """Yields birth dates that are called so, codes to sign in with, and streets with a number."""
    if _DIGIT.search(text) is None:  # all of them have one
        return
    lowered = text.lower()
    if any(cue in lowered for cue in _BORN_CUES):
        for match in _BORN.finditer(text):
            yield Span(*match.span("value"), "BIRTH_DATE", "pattern", 0.9)
    if "code" in lowered:
        for pattern in _CODES:
            for match in pattern.finditer(text):
                yield Span(*match.span("value"), "OTP", "secret", 0.9)
    if "TAN" in text or "OTP" in text or any(said in lowered for said in _SAID_ABROAD):
        for match in _CODES_ABROAD.finditer(text):
            yield Span(*match.span("value"), "OTP", "secret", 0.9)
    if "code" in lowered and ("share" in lowered or "expires" in lowered or "valid" in lowered):
        for match in _CODE_NOT_TO_SHARE.finditer(text):
            yield Span(*match.span("value"), "OTP", "secret", 0.9)
    for entity, hints, pattern in _NUMBERS:
        if any(hint in lowered for hint in hints):
            for match in pattern.finditer(text):
                yield Span(*match.span("value"), entity, "pattern", 0.8)
    for pattern in _STREETS:
        for match in pattern.finditer(text):
            yield Span(match.start(), match.end(), "ADDRESS", "pattern", 0.8)
