"""Reads recorded network traffic (HAR 1.2 entries) and keeps the requests that matter.

What authenticates never gets past this module: headers, cookies and credentials in URLs. Values in
queries and bodies stay; they are the PrivacyFilter's to judge.
"""

from __future__ import annotations

import base64
import binascii
import math
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec

from schemas.traces import Request
from transforms.archives import DamagedFileError
from transforms.ingest.gathering import HOPELESS_LINES, Gathering, LineFault
from transforms.ingest.network_rules import (
    ConfigError,
    NetworkRule,
    NetworkRules,
    load_network_rules,
    matches,
)
from transforms.ingest.records import MAX_VALUES, check_values
from transforms.ingest.times import BadTime, Clock
from transforms.json_lines import LongLine, Utf8Stream, read_blocks, without_mark
from transforms.session_files import SessionFiles

__all__ = ["ConfigError", "NetworkRule", "NetworkRules", "load_network_rules", "read_network"]

SECRET_HEADERS = (
    *("authorization", "authentication", "proxy-authorization", "www-authenticate"),
    *("proxy-authenticate", "proxy-authentication-info", "authentication-info"),
    *("cookie", "cookie2", "set-cookie", "set-cookie2", "*-cookie", "*auth-token*"),
    *("x-*-token", "x-*-key", "x-token", "x-key", "x-auth*", "*-authorization", "*-token"),
    *("*-api-key", "api-key", "apikey", "*csrf*", "*xsrf*", "*-session-id", "*-sessionid"),
    *("x-*-signature", "x-*-secret", "x-*-credential*", "*-secret", "*password*", "dpop"),
)
"""Globs of headers that authenticate; always removed."""
_TEXT_MIMES = ("text/*", "*json*", "*xml*", "*x-www-form-urlencoded*", "*graphql*", "*yaml*")
_PAGE_MIMES = (
    (("image/*",), "image"),
    (("font/*", "application/font*", "application/x-font*"), "font"),
    (("text/css*",), "stylesheet"),
    (("*javascript*", "*ecmascript*"), "script"),
    (("audio/*", "video/*"), "media"),
    (("text/html*", "application/xhtml*"), "document"),
)


class _Header(msgspec.Struct):
    name: str = ""
    value: str | int | float | None = ""


class _Param(msgspec.Struct):
    name: str = ""
    value: str | None = None


class _PostData(msgspec.Struct):
    mimeType: str | None = None
    text: str | None = None
    params: list[_Param] = []
    encoding: str | None = None


class _RequestPart(msgspec.Struct):
    url: str
    method: str = "GET"
    headers: list[_Header] = []
    postData: _PostData | None = None


class _Content(msgspec.Struct):
    mimeType: str | None = None
    text: str | None = None
    encoding: str | None = None


class _ResponsePart(msgspec.Struct):
    status: int | float | str | None = None
    headers: list[_Header] = []
    content: _Content | None = None


class _Entry(msgspec.Struct):
    startedDateTime: str | int | float
    request: _RequestPart
    response: _ResponsePart | None = None
    time: float | None = None
    tab: str | int | None = None
    pageTab: str | int | None = msgspec.field(default=None, name="_tab")
    resourceType: str | None = msgspec.field(default=None, name="_resourceType")


class _Log(msgspec.Struct):
    entries: list[msgspec.Raw]


class _Har(msgspec.Struct):
    log: _Log


MAX_ENTRY_VALUES = 2000
"""Values that the entries of a document have on average, at most; a HAR's have about a hundred."""
_ENTRY = msgspec.json.Decoder(_Entry)
_HAR = msgspec.json.Decoder(_Har)


def read_network(
    files: SessionFiles, gathering: Gathering, rules: NetworkRules, clock: Clock
) -> None:
    """Reads ``network_traffic.jsonl`` (an entry a line), ``network_traffic.har`` and other HARs."""
    names = [n for n in files.names() if n == "network_traffic.jsonl" or _is_har(n)]
    for name in names:
        reader = _NetworkReader(name, gathering, rules, clock)
        try:
            if _is_har(name):
                reader.read_har(files)
            else:
                reader.read_lines(files)
        except DamagedFileError as error:
            gathering.fail(error.code, str(error), file=name, line=reader.line)


def _is_har(name: str) -> bool:
    return name.endswith(".har") and "/" not in name


class _NetworkReader:
    def __init__(self, name: str, gathering: Gathering, rules: NetworkRules, clock: Clock):
        self.name = name
        self.gathering = gathering
        self.rules = rules
        self.clock = clock
        self.line = 0

    def read_lines(self, files: SessionFiles) -> None:
        limit = self.gathering.limits.max_line_bytes
        with files.open(self.name) as raw:
            for block in read_blocks(Utf8Stream(raw), limit):  # type: ignore[arg-type]
                if isinstance(block, LongLine):
                    self.line = block.line
                    self.gathering.fail(
                        "line_too_long",
                        f"the line has more than {limit} bytes",
                        file=self.name,
                        line=block.line,
                        text=block.head,
                        length=block.length,
                    )
                    continue
                for number, line in enumerate(block.data.split(b"\n"), block.first_line):
                    self.line = number
                    if line and not line.isspace():
                        self._read_line(line)

    def _read_line(self, line: bytes) -> None:
        if line.lstrip().startswith(b'{"log"'):
            # A whole HAR document in one line, in a file named for lines.
            self._take_document(line)
        else:
            self._take(line)

    def read_har(self, files: SessionFiles) -> None:
        self._take_document(
            without_mark(files.read(self.name, self.gathering.limits.max_har_bytes))
        )

    def _take_document(self, data: bytes) -> None:
        try:
            check_values(data, max(MAX_VALUES, MAX_ENTRY_VALUES * data.count(b'"request"')))
            entries = _HAR.decode(data).log.entries
        except LineFault as fault:
            self._fail(data, fault)
            return
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            self._fail(data, _fault_of(error))
            return
        bad = 0
        for number, entry in enumerate(entries, 1):
            self.line = number
            bad += not self._take(bytes(entry))
            if bad > max(HOPELESS_LINES, number // 2):
                fault = LineFault(
                    "too_many_bad_lines", "most entries are bad; the rest is not read"
                )
                self._fail(b"", fault)
                return

    def _take(self, data: bytes) -> bool:
        """Takes one entry; returns whether it is one."""
        self.gathering.counts["requests_read"] += 1
        try:
            try:
                entry = _ENTRY.decode(data)
            except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                raise _fault_of(error) from None
            self._take_entry(entry)
        except LineFault as fault:
            self._fail(data, fault)
            return False
        return True

    def _fail(self, data: bytes, fault: LineFault) -> None:
        self.gathering.fail(
            fault.code,
            str(fault),
            file=self.name,
            line=self.line or None,
            column=fault.column,
            text=data[:1024],
            length=len(data),
        )

    def _take_entry(self, entry: _Entry) -> None:
        try:
            started_us, flags_of_time = self.clock.read(entry.startedDateTime)
        except BadTime as error:
            raise LineFault("bad_timestamp", f"startedDateTime: {error}") from None
        flags = list(flags_of_time)
        url, host, path = _without_credentials(entry.request.url, flags)
        response = entry.response
        content = response.content if response else None
        mime = (content.mimeType if content else None) or ""
        identifier = f"r{self.gathering.counts['requests_read']:06d}"
        kind = _kind_of(entry, mime)
        reason = self.rules.reason_to_drop(host, path, entry.request.method, kind, mime)
        if reason is not None:
            self.gathering.drop("request", identifier, reason)
            return
        status = _status(response)
        if status is None:
            flags.append("incomplete")
            self.gathering.counts["incomplete_requests"] += 1
        post = entry.request.postData
        tab = entry.tab if entry.tab is not None else entry.pageTab
        self.gathering.requests.append(
            Request(
                id=identifier,
                started_us=started_us,
                method=entry.request.method.upper(),
                url=url,
                duration_ms=entry.time if entry.time and 0 < entry.time < math.inf else 0.0,
                status=status,
                request_headers=self._headers(entry.request.headers),
                request_mime=post.mimeType if post else None,
                request_body=self._request_body(post, flags) if post else None,
                response_headers=self._headers(response.headers) if response else (),
                response_mime=mime or None,
                response_body=self._response_body(content, flags) if content else None,
                tab=None if tab is None else str(tab),
                flags=tuple(flags),
            )
        )

    def _headers(self, headers: list[_Header]) -> tuple[tuple[str, str], ...]:
        removed = (*SECRET_HEADERS, *self.rules.remove_headers)
        return tuple(
            (h.name, "" if h.value is None else str(h.value))
            for h in headers
            if h.name and not matches(removed, h.name.lower())
        )

    def _request_body(self, post: _PostData, flags: list[str]) -> str | None:
        text = post.text
        if not text and post.params:
            text = urlencode([(p.name, p.value or "") for p in post.params])
        return self._body(text, post.encoding, post.mimeType or "", flags)

    def _response_body(self, content: _Content, flags: list[str]) -> str | None:
        return self._body(content.text, content.encoding, content.mimeType or "", flags)

    def _body(
        self, text: str | None, encoding: str | None, mime: str, flags: list[str]
    ) -> str | None:
        if not text:
            return None
        if encoding == "base64":
            decoded = _decoded_text(text, mime)
            if decoded is None:
                flags.append("body_removed")
                return None
            text = decoded
        limit = self.rules.max_body_bytes
        if len(text) > limit or len(encoded := text.encode("utf-8", "replace")) > limit:
            encoded = text[:limit].encode("utf-8", "replace")[:limit]
            flags.append("body_capped")
            return encoded.decode("utf-8", "ignore") or None
        return encoded.decode()


def _fault_of(error: Exception) -> LineFault:
    if isinstance(error, UnicodeError):
        return LineFault("invalid_encoding", "the entry is not UTF-8")
    if isinstance(error, RecursionError):
        return LineFault("too_deep", "the entry is nested too deeply")
    if isinstance(error, msgspec.ValidationError):
        # msgspec names types and fields here, never values.
        text = str(error)
        code = "missing_field" if "missing required field" in text else "bad_type"
        return LineFault(code, f"not a HAR 1.2 entry: {text}")
    return LineFault("invalid_json", "not valid JSON")


def _without_credentials(url: str, flags: list[str]) -> tuple[str, str, str]:
    """Returns (URL without user and password, host, path)."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return url.rpartition("@")[2], "", ""
    if "@" in parts.netloc:
        flags.append("credentials_removed")
        url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return url, host, parts.path


def _kind_of(entry: _Entry, mime: str) -> str:
    """Returns the resource's kind as the recorder says, else as its content type tells."""
    if entry.resourceType:
        return entry.resourceType.lower()
    lowered = mime.lower()
    return next((kind for globs, kind in _PAGE_MIMES if matches(globs, lowered)), "other")


def _status(response: _ResponsePart | None) -> int | None:
    given: Any = response.status if response else None
    try:
        status = int(given)
    except (TypeError, ValueError, OverflowError):
        return None
    # 0 and -1 are what browsers write for requests that were aborted.
    return status if 100 <= status <= 599 else None


def _decoded_text(text: str, mime: str) -> str | None:
    if not matches(_TEXT_MIMES, mime.lower()):
        return None
    try:
        return base64.b64decode(text, validate=False).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
