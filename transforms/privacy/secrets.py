"""Secrets in text: known prefixes, values named by what stands before them, random strings.

Three rules, from sure to careful: tokens whose form says what they are (``ghp_…``, JWTs, private
keys, credentials in URLs); the value after a name such as ``password=`` or ``X-Api-Key:``; and
strings so mixed that nobody wrote them. Hashes and identifiers without a name are left alone.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from schemas.findings import Span
from transforms.privacy.recovery import find_recovery_phrases

_PREFIXED = re.compile(
    r"""(?<![A-Za-z0-9_])(?:
      (?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA|ABIA|ACCA)[0-9A-Z]{16}
    | gh[opusr]_[A-Za-z0-9]{20,255} | github_pat_[A-Za-z0-9_]{22,255} | glpat-[\w-]{16,64}
    | gl(?:rt|dt|ptt|soat|ft|cbt|imt|agent)-[\w-]{16,64}
    | xox[abeoprs]-[A-Za-z0-9-]{10,250} | xapp-\d-[A-Za-z0-9-]{20,}
    | sk-(?:proj-|ant-|or-|svcacct-)?[A-Za-z0-9_-]{18,250} | [srp]k_(?:live|test)_[A-Za-z0-9]{10,99}
    | whsec_[A-Za-z0-9+/=]{20,} | AIza[\w-]{30,45} | ya29\.[\w-]{20,} | 1//0[\w-]{20,}
    | GOCSPX-[\w-]{20,} | npm_[A-Za-z0-9]{30,} | pypi-[\w-]{16,} | do[opr]_v1_[a-f0-9]{32,}
    | SG\.[\w-]{16,}\.[\w-]{16,} | hf_[A-Za-z0-9]{30,} | shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}
    | sq0(?:atp|csp|idp)-[\w-]{20,} | EAAA[\w-]{50,} | hv[sbr]\.[\w-]{20,} | dckr_pat_[\w-]{20,}
    | (?:key|pubkey)-[0-9a-f]{32} | (?:SK|AC)[0-9a-f]{32} | EAACEdEose0cBA[0-9A-Za-z]+
    | AGE-SECRET-KEY-1[0-9A-Z]{50,} | \d{8,10}:AA[\w-]{32,35} | lin_(?:api|oauth)_[A-Za-z0-9]{32,}
    | (?:atlasv1|dapi|phc_|rk_|NRAK-|nrak-|tfp_|r8_|pplx-|gsk_|xai-|tvly-|figd_|ntn_|secret_)
      [A-Za-z0-9_-]{26,}
    | dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[\w-]{2,35}\.)?[A-Za-z0-9]{40,44} | oy2[a-z0-9]{43}
    | pat[A-Za-z0-9]{14}\.[a-f0-9]{64} | sl\.(?:u\.|B)?[\w-]{60,} | glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}
    | sntry[su]_[\w+/=-]{40,} | CFPAT-[\w-]{43} | pscale_(?:tkn|pw|oauth)_[\w=.-]{32,64}
    | dt0c01\.[A-Z0-9]{24}\.[A-Z0-9]{64} | EZ[AT]K[A-Za-z0-9]{54} | fio-u-[\w=-]{64}
    | eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)? | ATATT3[\w=-]{40,} | sbp_[a-f0-9]{32,} | PMAK-[\w-]{40,}
    )(?![A-Za-z0-9])""",
    re.VERBOSE,
)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
    r"(?:.*?-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|[A-Za-z0-9+/=\s\\]*)",
    re.DOTALL,
)
_WEBHOOK = re.compile(
    r"https://(?:hooks\.slack\.com/(?:services|workflows)/|discord(?:app)?\.com/api/webhooks/|"
    r"[\w-]+\.webhook\.office\.com/webhookb2/)([\w/@-]{16,})"
)
_URL_CREDENTIALS = re.compile(
    r"(?<![A-Za-z0-9+.\-])[A-Za-z][A-Za-z0-9+.\-]{1,20}://([^\s/@:\"'<>?#]{0,256}:[^\s/@\"'<>]{0,256}"
    r"|[^\s/@:\"'<>?#]{20,256})@(?=[\w\[])"
)
_URL_CREDENTIALS_LOOSE = re.compile(
    r"(?<![A-Za-z0-9+.\-])[A-Za-z][A-Za-z0-9+.\-]{1,20}://([^\s:@/\"'<>?#]{0,256}:[^\s\"'<>]{1,256})"
    r"@(?=[\w.\-]+(?:[:/\s\"'?]|$))"
)
_SCHEME_TOKEN = re.compile(
    r"\b(?:bearer|basic|digest|token|apikey|negotiate|ntlm|aws4-hmac-sha256)\s+"
    r"(?:(?:username|credential|signature|token)=\"?)?([^\s\"'<>,;`]{8,512})",
    re.IGNORECASE,
)
_NAME = (
    r"(?:pass(?:word|wort|wd|phrase|code)?s?|pwd|passwd|kennwort|secret|tokens?|jwt|api[ _-]?keys?|"
    r"access[ _-]?keys?|secret[ _-]?keys?|private[ _-]?keys?|encryption[ _-]?keys?|"
    r"signing[ _-]?keys?|master[ _-]?keys?|account[ _-]?key|shared[ _-]?key|auth[ _-]?keys?|"
    r"license[ _-]?key|setup[ _-]?key|"
    r"credentials?|cred|authorization|session[ _-]?(?:id|key)|sessionid|jsessionid|phpsessid|"
    r"sid|csrf|xsrf|cookie|signature|sig|salt|webhook|connection[ _-]?string|key)"
)
_ASSIGNED = re.compile(
    r"(?<![A-Za-z0-9])(?P<name>(?:[A-Za-z0-9]+[_.\-]){0,6}?[A-Za-z0-9]{0,24}?"
    + _NAME
    + r"(?:[_.\-](?:id|key|hash|value|\d{1,3}|prod|dev|test|new|old))?)"
    r"(?P<close>[\"'\]]{0,2})\s{0,4}(?P<sign>=>|:=|==?|:|=)\s{0,4}"
    r"(?:[bruf]{0,2}(?=[\"']))?(?P<quote>\\?[\"'`]?)"
    r"(?P<value>[^\s\"'`<>;&]{3,512})",
    re.IGNORECASE,
)
_OPTION = re.compile(
    r"(?<!\S)(?:--?(?:password|passwd|pass|pwd|token|secret|api-?key|auth|access-?key|secret-?key)"
    r"(?:\s+|=)|-u\s*[\w.@-]+:|-p(?=\S))[\"']?([^\s\"']{4,256})",
    re.IGNORECASE,
)
_COMMAND = re.compile(
    r"\b(?:redis-cli\b[^\n|;&]{0,120}?\s-a|sshpass\b[^\n|;&]{0,40}?\s-p|(?:un)?zip\b[^\n|;&]{0,80}?\s-P|"
    r"7z\b[^\n|;&]{0,80}?\s-p|ldap\w+\b[^\n|;&]{0,160}?\s-w|mongo\w*\b[^\n|;&]{0,160}?\s-p|"
    r"openssl\b[^\n|;&]{0,160}?\s(?:-k|-pass(?:in|out)?\s+pass:)|htpasswd\s+-\w*b\w*\s+\S+\s+\S+|"
    r"net\s+use\b[^\n|;&]{0,120}?/user:\S+|xfreerdp\b[^\n|;&]{0,160}?\s/p:|nmcli\b[^\n|;&]{0,120}?\spassword|"
    r"ConvertTo-SecureString(?:\s+-String)?)\s{0,4}(?P<quote>[\"']?)(?P<value>[^\s\"']{4,256})",
    re.IGNORECASE,
)
_COMMANDS = (
    *("redis-cli", "sshpass", "zip -", "zip a", "7z ", "ldap", "mongo", "openssl", "htpasswd"),
    *("/user:", "freerdp", "nmcli", "securestring"),
)
_SIGNS = (" -", "/user:", "/p:", "nmcli", "-SecureString", "-securestring")
_PGPASS = re.compile(
    r"(?<![\w./:\-])[\w.\-*]{1,80}:(?:\d{2,5}|\*):[\w\-*]{1,64}:[\w.\-*]{1,64}:(\S{4,128})"
)
_PORT = re.compile(r":(?:\d{2,5}|\*):")
_WIFI = re.compile(r"\bWIFI:(?:[A-OQ-Z]:[^;]{0,64};){0,5}?P:((?:\\.|[^;\\]){1,128});")
_LINK = re.compile(
    r"/(?:[a-z]{1,16}[\-_.])*(?:reset|recover|verify|verification|confirm|confirmation|activate|activation|invite|"
    r"invites|invitation|magic|magic-link|unsubscribe|password|onboard|onetime|otp)(?:[\-_.][a-z]{1,16})*/"
    r"(?:[a-z]{1,8}/)?([A-Za-z0-9_\-]{16,512})(?=[/?#&\"'<>\s]|$)",
    re.IGNORECASE,
)
"""Links that let in whoever has them."""
_INPUT_VALUE = re.compile(
    r"<input\b(?=[^>]*(?:type=[\"']?password|(?:name|id)=[\"'][^\"'>]*(?:pass|token|secret|csrf|key|"
    r"auth|session)[^\"'>]*[\"']))[^>]*?\bvalue=[\"']([^\"'>]{3,512})",
    re.IGNORECASE,
)
_SAID = re.compile(
    r"\b(?:password|passwort|passcode|passphrase|pwd|pw|pin|token|api key|secret(?: key)?|"
    r"access code|login code|verification code|otp|one[- ]time (?:code|password))"
    r"(?:\s+(?:for\s+\w+|is now|is|was|of|to|set to|changed to|=|will be))*"
    r"\s*(?:[:=]|\bis\b|\bto\b)?\s+"
    r"[\"'“`]?([^\s\"'”`<>,;]{4,128})",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"(?:<.*|\$\{.*|\$\(.*|(?-i:\$[A-Z][A-Z0-9_]*|\$[a-z_][a-z_]*)|\{\{?.*|%\(?\w+\)?[sd%]?|\*{2,}.*|x{3,}|X{3,}|\.{2,}.*|…|\[.*|\(.*|"
    r"(?:os|sys|self|this|process|env|config|settings|request|req|res|data|args|kwargs|params|options|"
    r"ctx|props|state|user|form|event|secrets|getpass|input|str|int|bool|float|bytes|optional|dict|list)"
    r"(?:[.\[(|].*)?|(?:none|null|nil|true|false|undefined|nan|required|optional|string|number|any|void|"
    r"const|let|var|new|async|await|return|lambda|function|redacted|hidden|masked|example|changeme|"
    r"your[_-]?\w*|my[_-]?(?:password|token|secret|key)|password|passwd|secret|token|key|value)[,.;)}]*|"
    r"\w+[(\[].*|https?://.*|(?:/[a-z0-9_.\-]+)+/?|-+|=+|\d{1,3})",
    re.IGNORECASE | re.DOTALL,
)
_PUNCTUATION_END = ".,;:!?)]}\"'`\\"
_CANDIDATE = re.compile(
    r"(?<![A-Za-z0-9+/_=.\-])[A-Za-z0-9+/_\-]{20,512}={0,2}(?![A-Za-z0-9+/_\-])"
)
_VENDOR = re.compile(r"[a-z]{2,12}_(?=[A-Za-z0-9]{20,}\Z)")
"""What many put before the tokens they give out."""
_HASH_CONTEXT = re.compile(
    r"(?:sha\d*|md5|integrity|commit|revision|rev|blob|digest|checksum|etag|hash|uuid|guid|nonce|"
    r"build|image|data:[\w/+.-]+;base64)\s*[-:=@,\"'(]*\s*$",
    re.IGNORECASE,
)
_HASH_PREFIX = re.compile(r"(?:sha\d+|md5)[-_:=]", re.IGNORECASE)
_DIGIT_IN_WORD = re.compile(r"[a-z]\d(?=[a-z])|\d[a-z](?=\d)", re.IGNORECASE)
_WORDS = re.compile(r"[A-Z]?[a-z]{3,}")
_NO_WORD = re.compile(r"[^aeiouy]+|.*(?:[^aeiouy]{5}|j[^aeiouy]|q(?!u)).*", re.IGNORECASE)
"""Small letters in a row that nobody could say."""


_HINTS = (
    "pass pwd kennwort secret token jwt key cred authorization session sid csrf xsrf cookie sig "
    "salt webhook connection"
).split()
_SCHEMES = "bearer basic digest token apikey negotiate ntlm aws4-hmac".split()
_SPOKEN = ("pin", "pw", "otp", "code", "one-time", "one time")
"""Parts of the words that the expressions above begin with: a cheap look before a dear one."""


def _mentions(lowered: str, words: Iterable[str]) -> bool:
    return any(word in lowered for word in words)


def entropy_bits(text: str) -> float:
    """Returns Shannon's entropy of a text's characters, bits per character."""
    counts = Counter(text)
    total = len(text)
    return -sum(n / total * math.log2(n / total) for n in counts.values())


def _classes(value: str) -> int:
    return (
        any(c.islower() for c in value)
        + any(c.isupper() for c in value)
        + any(c.isdigit() for c in value)
        + any(not c.isalnum() for c in value)
    )


def _trimmed(value: str) -> str:
    """A value without what closes the text around it."""
    while (
        value
        and value[-1] in _PUNCTUATION_END
        and not ((value[-1] == ")" and "(" in value) or value[-1] == "!")
    ):
        value = value[:-1]
    return value


def find_secrets(text: str, kind: str, min_bits: float) -> list[Span]:
    """Everything of this module in one text; offsets are of ``text``.

    Args:
        text: searched as it is.
        kind: of the text; identifiers are not judged by how random they look.
        min_bits: entropy per character from which a string without a name is a secret.
    """
    if len(text) < 6:
        return []
    spans = [
        Span(match.start(), match.end(), "SECRET", "secret") for match in _PREFIXED.finditer(text)
    ]
    if "PRIVATE KEY" in text:
        spans += [Span(*m.span(), "SECRET", "secret") for m in _PRIVATE_KEY.finditer(text)]
    if "://" in text:
        spans += find_url_credentials(text)
    spans += find_links(text)
    spans += _named(text)
    if kind != "id":
        spans += find_recovery_phrases(text, text.lower())
        spans += _random(text, min_bits)
    return spans


def find_url_credentials(text: str) -> Iterator[Span]:
    """Yields what stands before the host of URLs, unencoded signs included, and web hooks' keys."""
    for regex in (_WEBHOOK, _URL_CREDENTIALS, _URL_CREDENTIALS_LOOSE):
        for match in regex.finditer(text):
            if match.end(1) > match.start(1):
                yield Span(*match.span(1), "SECRET", "secret")


def find_links(text: str) -> Iterator[Span]:
    """Yields what makes a link one that lets somebody in: ``/reset-password/…``, ``/invite/…``."""
    if text.count("/") < 2:
        return
    for match in _LINK.finditer(text):
        if is_key_like(match[1]) or len(_DIGIT_IN_WORD.findall(match[1])) >= 3:
            yield Span(*match.span(1), "SECRET", "secret", 0.9)


def is_key_like(value: str) -> bool:
    """Whether a value without blanks is long and mixed enough to be a key, hexadecimal or not."""
    if len(value) < 16 or not value.replace("-", "").replace("_", "").isalnum():
        return False
    digits = sum(char.isdigit() for char in value)
    letters = sum(char.isalpha() for char in value)
    return digits >= 2 and letters >= 3 and _chars_of_words(value) <= len(value) * 0.45


def _chars_of_words(value: str) -> int:
    return sum(len(word) for word in _WORDS.findall(value) if not _NO_WORD.fullmatch(word))


def _named(text: str) -> Iterator[Span]:
    lowered = text.lower()
    named = _mentions(lowered, _HINTS)
    if named and ("=" in text or ":" in text):
        for match in _ASSIGNED.finditer(text):
            value = _trimmed(match["value"])
            if _is_named_secret(match["name"], value, match["sign"], match["quote"]):
                start = match.start("value")
                yield Span(start, start + len(value), _entity(match["name"]), "secret", 0.9)
    if "--" in text or " -" in text or text.startswith("-"):
        for match in _OPTION.finditer(text):
            value = _trimmed(match[1])
            if len(value) >= 4 and not _PLACEHOLDER.fullmatch(value) and _looks_chosen(value):
                yield Span(match.start(1), match.start(1) + len(value), "SECRET", "secret", 0.8)
    if any(sign in text for sign in _SIGNS) and _mentions(lowered, _COMMANDS):
        for match in _COMMAND.finditer(text):
            value = match["value"]
            if not _PLACEHOLDER.fullmatch(value) and (match["quote"] or _looks_chosen(value)):
                yield Span(*match.span("value"), "PASSWORD", "secret", 0.9)
    if "WIFI:" in text:
        yield from (Span(*m.span(1), "PASSWORD", "secret", 0.9) for m in _WIFI.finditer(text))
    if text.count(":") >= 4 and _PORT.search(text):
        for match in _PGPASS.finditer(text):
            if _looks_chosen(match[1]) and ":" not in match[1]:
                yield Span(*match.span(1), "PASSWORD", "secret", 0.8)
    if "<input" in lowered:
        for match in _INPUT_VALUE.finditer(text):
            if not _PLACEHOLDER.fullmatch(match[1]):
                yield Span(*match.span(1), "SECRET", "secret", 0.9)
    for match in _SCHEME_TOKEN.finditer(text) if _mentions(lowered, _SCHEMES) else ():
        value = _trimmed(match[1])
        if len(value) >= 8 and _looks_random(value) and not _PLACEHOLDER.fullmatch(value):
            yield Span(match.start(1), match.start(1) + len(value), "SECRET", "secret", 0.9)
    if named or _mentions(lowered, _SPOKEN):
        for match in _SAID.finditer(text):
            value = _trimmed(match[1])
            if len(value) >= 4 and _looks_chosen(value) and not _PLACEHOLDER.fullmatch(value):
                start = match.start(1)
                yield Span(start, start + len(value), _entity(match[0]), "secret", 0.8)


def _entity(name: str) -> str:
    return "PASSWORD" if re.search(r"pass|pwd|\bpw|\bpin|kennwort", name, re.I) else "SECRET"


def _looks_chosen(value: str) -> bool:
    """Whether a word after "password" is one: mixed, with digits or signs inside, no number."""
    body = value.strip("-_.,:;!?()[]{}*")
    if not any(c.isalnum() for c in body) or (body.isdigit() and len(body) < 4):
        return False
    if re.fullmatch(
        r"[\w.]+\.(?:py|js|ts|json|ya?ml|txt|md|html?|com|org|net|pem|cfg|ini|sh)", body
    ):
        return False
    if re.fullmatch(
        r"[a-z]+(?:[-_/.][a-z]+)*|[A-Z]?[a-z]+|[A-Z]+(?:[_-][A-Z]+)*|[a-z]+[A-Z]\w*", body
    ):
        return value[-1:] in "!#$%&*?@" and len(value) > 5 and value.rstrip("!?") != body
    has_digit = any(c.isdigit() for c in body)
    inside = any(not c.isalnum() and c not in "-_./'’(),[]" for c in body)
    mixed = bool(re.search(r"[a-z][A-Z]|[A-Z].*[a-z].*[A-Z]", body))
    return has_digit or inside or mixed


def _looks_random(value: str) -> bool:
    digits = sum(c.isdigit() for c in value)
    return digits > 0 and _classes(value) >= 2 and entropy_bits(value) >= 2.5


def _is_named_secret(name: str, value: str, sign: str, quote: str) -> bool:
    lowered = name.lower().replace("-", "_").replace(" ", "_")
    if (
        len(value) < 4
        or _PLACEHOLDER.fullmatch(value)
        or lowered in ("bypass", "compass", "surpass")
    ):
        return False
    if value.startswith(("./", "http://", "https://", "{", "[", "(", "<", "%s", "@")):
        return False
    if re.search(r"pass(?!ed|es\b|ing)|pwd|kennwort", lowered):
        if re.fullmatch(r"(?:by|tres|com|sur|over|under)pass", lowered):
            return False
        if quote or sign in ("=", ":=", "=>"):
            return not re.fullmatch(r"[a-z_]+(?:\.[a-z_]+)+|[a-z]+_[a-z_]+", value) or bool(quote)
        return _looks_chosen(value) or (len(value) > 7 and not value.isalpha())
    if re.search(r"(?:^|_)key$", lowered) and not re.search(
        r"api|access|secret|private|encrypt|sign|master|account|shared|auth|license|client|setup|totp",
        lowered,
    ):
        return len(value) >= 16 and _looks_random(value) and _classes(value) >= 3
    if len(value) < 6:
        return False
    if re.search(r"sig|salt|sid|session|cookie|csrf|xsrf|jwt|cred|webhook|authorization", lowered):
        return len(value) >= 8 and _looks_random(value)
    return _looks_random(value) or (_looks_chosen(value) and bool(quote))


def _random(text: str, min_bits: float) -> Iterator[Span]:
    for match in _CANDIDATE.finditer(text):
        value = match.group()
        body = value.rstrip("=")
        vendor = _VENDOR.match(body)
        if vendor is not None:
            body = body[vendor.end() :]
        lower = sum(c.islower() for c in body)
        upper = sum(c.isupper() for c in body)
        digits = sum(c.isdigit() for c in body)
        if (
            digits < (0 if vendor is not None and len(body) >= 32 else 2)
            or lower < 3
            or upper < 3
            or "/" in body[:1]
            or body.count("/") > len(body) / 12
        ):
            continue
        if body.count("-") + body.count("_") > len(body) / 8 or entropy_bits(body) < min_bits:
            continue
        if _chars_of_words(body) > len(body) * 0.45:
            continue
        if _HASH_PREFIX.match(value):
            continue
        if not _HASH_CONTEXT.search(text[max(0, match.start() - 40) : match.start()]):
            yield Span(match.start(), match.end(), "SECRET", "secret", 0.6)
