"""One HTTP request to an endpoint: sent once, read with limits, never elsewhere than there.

Where the endpoint is and which headers it wants, the openai library says. The request itself is
sent here: the library's way costs as much CPU time as all the rest of it, and has no limits on size
or redirects. Nothing is repeated and no status is judged; ``client`` does both. Redirects are
followed only where they keep to the same scheme, host and port, so that the key goes nowhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from transforms.classify.model.settings import ConfigurationFault

MAX_REPLY_BYTES = 32 << 20
MAX_ERROR_BYTES = 64 << 10
MAX_REDIRECTS = 3
KEEP_ALIVE_S = 4.0
"""Idle connections are closed before common servers do (after five seconds): a request on one that
is being closed would be lost."""


class Received(msgspec.Struct, frozen=True):
    """What came back for one request."""

    status: int
    headers: Mapping[str, str]
    """Case does not matter in names."""
    body: bytes
    """Of an error, the first ``MAX_ERROR_BYTES``."""


class Broken(msgspec.Struct, frozen=True):
    """Nothing whole came back: ``reason`` is timeout, connection or garbage (too much)."""

    reason: str


class Transport:
    """Connections to one endpoint; use inside one event loop.

    ``place`` names the endpoint in messages. Raises ConfigurationFault for a URL that is none.
    """

    def __init__(self, base_url: str | None, key: str, timeout_s: float, place: str) -> None:
        import aiohttp  # not at module level: the command line must start without them
        import openai
        from yarl import URL

        self.place = place
        self.timeout_s = timeout_s
        try:
            # What the endpoint is and who asks is the library's to know: OPENAI_BASE_URL,
            # OPENAI_ORG_ID, OPENAI_PROJECT_ID and whatever header a later release brings.
            client = openai.AsyncOpenAI(api_key=key, base_url=base_url, max_retries=0)
            base = URL(str(client.base_url))
            URL(base_url or "")  # which the library may have mended
        except Exception:  # each version of its HTTP library has a type of its own for bad URLs
            base = URL()
        if base.scheme not in ("http", "https") or not base.host:
            raise ConfigurationFault("--model_base_url must be a URL http(s)://host/path")
        # Credentials in the URL would take the place of the key.
        base = base.with_user(None)
        self._url = base.with_path(base.path.rstrip("/") + "/chat/completions").with_query(
            base.query
        )
        headers = {**client.default_headers, **client.auth_headers}
        self._headers = {name: text for name, text in headers.items() if isinstance(text, str)}
        self._proxy = _proxy_of(base)
        secure = "https" in (base.scheme, urlsplit(self._proxy or "").scheme)
        self._session = aiohttp.ClientSession(
            # The gate bounds the connections.
            connector=aiohttp.TCPConnector(
                limit=0, keepalive_timeout=KEEP_ALIVE_S, ssl=_trusting() if secure else True
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(),  # one time-out around it all, below
        )
        self._fault = aiohttp.ClientError
        self._no_host = aiohttp.ClientConnectorDNSError
        self._no_trust = aiohttp.ClientConnectorCertificateError
        self._answered = False
        """Whether anything ever came back: what is wrong then is not what was configured."""

    async def post(self, data: bytes) -> Received | Broken:
        """Sends one request and reads all that comes back, within the time-out."""
        try:
            async with asyncio.timeout(self.timeout_s):
                return await self._posted(data)
        except TimeoutError:
            return Broken("timeout")
        except (self._no_host, self._no_trust) as error:
            if not self._answered:
                self._judge(error)
            return Broken("connection")
        except (self._fault, OSError, EOFError, ValueError):
            # ValueError: header lines that are none, a body that is not in its encoding.
            return Broken("connection")

    def _judge(self, error: Any) -> None:
        """Raises ConfigurationFault for an endpoint that is not where it is said to be."""
        if isinstance(error, self._no_trust):
            raise ConfigurationFault(
                f"model endpoint {self.place}: nobody whom this machine trusts vouches for its "
                "certificate; check --model_base_url, or name the authority in SSL_CERT_FILE"
            )
        if error.os_error.errno in (socket.EAI_NONAME, socket.EAI_NODATA):  # not: for now
            raise ConfigurationFault(
                f"model endpoint {self.place}: no such host; check --model_base_url"
            )

    async def close(self) -> None:
        """Closes the sockets."""
        await self._session.close()

    async def _posted(self, data: bytes) -> Received | Broken:
        url = self._url
        for _ in range(MAX_REDIRECTS + 1):
            async with self._session.post(
                url, data=data, headers=self._headers, allow_redirects=False, proxy=self._proxy
            ) as response:
                self._answered = True
                if response.status in (301, 302, 303, 307, 308):
                    url = self._redirected(url, response.status, response.headers.get("Location"))
                    continue
                most = MAX_REPLY_BYTES if response.status < 300 else MAX_ERROR_BYTES
                parts, size = [], 0
                async for part in response.content.iter_any():
                    parts.append(part)
                    size += len(part)
                    if size > most:
                        response.close()  # the rest is not read
                        if response.status < 300:
                            return Broken("garbage")
                        break
                return Received(response.status, response.headers, b"".join(parts)[:most])
        raise ConfigurationFault(f"model endpoint {self.place}: it redirects in a circle")

    def _redirected(self, url: Any, status: int, location: str | None) -> Any:
        """Where to send it again; only 307 and 308 keep the request as it is."""
        from yarl import URL

        try:
            target = url.join(URL(location or ""))
            same = bool(location) and target.origin() == url.origin()
        except ValueError:
            same = False
        if same and status in (307, 308):
            return target
        raise ConfigurationFault(
            f"model endpoint {self.place}: HTTP {status}: it redirects elsewhere, where the key is "
            "not sent; check --model_base_url (scheme, host, path)"
        )


def place_of(base_url: str | None) -> str:
    """Host and path of an endpoint, without credentials or query."""
    try:
        parts = urlsplit(base_url or "")
    except ValueError:
        return "endpoint"
    return f"{parts.hostname or 'default endpoint'}{parts.path}"


def _trusting() -> ssl.SSLContext:
    """Checks certificates against this machine's authorities and those that come with certifi."""
    context = ssl.create_default_context()
    with contextlib.suppress(ImportError):
        import certifi

        context.load_verify_locations(certifi.where())
    return context


def _proxy_of(url: Any) -> str | None:
    """The proxy that the environment names for a URL."""
    if urllib.request.proxy_bypass(url.host):
        return None
    return urllib.request.getproxies().get(url.scheme)
