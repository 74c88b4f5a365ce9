"""One request to a receiver: bounded in time, no redirects, answers told without secrets."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from kubestray import __version__
from kubestray.notify.output import Key, NotDelivered
from kubestray.notify.secret import Secret

HTTP_KEYS: tuple[Key, ...] = (
    Key(
        "url",
        "url",
        "Where it is: http or https; also `url_env`, `url_file`, because some hold a secret.",
        None,
    ),
    Key("token", "secret", "A bearer token, as `token_env` or `token_file`."),
    Key("user", "text", "A user, for basic authentication."),
    Key("password", "secret", "The user's password, as `password_env` or `password_file`."),
    Key("ca_file", "path", "Certificates (PEM) that https is checked against instead of the system's."),
    Key("timeout", "duration", "How long one request may take as a whole.", "10s"),
)

_MESSAGE_REFUSED = frozenset((400, 411, 413, 414, 415, 422, 431))
"""Answers that speak of the message, which stays as it is; others speak of the place, which can be mended."""

_READ = 1 << 16  # bytes of an answer
_TOLD = 300  # characters of an answer in a message
_LONGEST_WAIT = 3600.0  # seconds
_SHORTEST_PIECE, _SHORTEST_VALUE = 16, 4
"""Characters from which a part of a path, and a value of a query, is not told: common words are shorter."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said to a request that it took."""

    status: int
    body: bytes


class Client:
    """Sends to one receiver. ``values`` are those of `HTTP_KEYS`. Safe to use from several threads."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._url: Secret = values["url"]
        self._token: Secret | None = values.get("token") or None
        self._user: str = values.get("user") or ""
        self._password: Secret | None = values.get("password") or None
        self._ca: str | None = str(values["ca_file"]) if values.get("ca_file") else None
        self._timeout = values["timeout"] / 1e9
        self._secrets = [value for value in values.values() if isinstance(value, Secret)]
        self._live: set[http.client.HTTPConnection] = set()
        self._stopped = False

    @property
    def where(self) -> str:
        """Scheme, host and port: a path can hold a secret."""
        try:
            return origin(self._url.reveal())
        except ValueError as error:
            return str(error)

    def url(self, end: str = "") -> str:
        """Return the URL, its path ended with ``end`` unless it is so already. Raises `NotDelivered`."""
        plain = revealed(self._url)
        parts = urlsplit(plain)
        path = parts.path.rstrip("/")
        if not end or path.endswith(end):
            return plain
        return parts._replace(path=path + end).geturl()

    def post(self, url: str, body: bytes, headers: Mapping[str, str], also: Collection[int] = ()) -> Answer:
        """Send one request; return the answer to a status of 2xx or in ``also``, or raise `NotDelivered`."""
        return self._sent(url, body, {**self._authorisation(), **headers}, also)

    def post_plain(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send one request as `post` does, without our token or password."""
        return self._sent(url, body, headers, ())

    def _sent(self, url: str, body: bytes, headers: Mapping[str, str], also: Collection[int]) -> Answer:
        sent = {"User-Agent": f"kubestray/{__version__}", **headers}
        status, answer, given = self._exchange(url, body, sent)
        if 200 <= status < 300 or status in also:
            return Answer(status, answer)
        raise NotDelivered(
            f"{origin(url)} answered {self._told(status, answer, given)}",
            permanent=status in _MESSAGE_REFUSED,
            retry_after=_retry_after(given.get("retry-after", "")),
        )

    def stop(self) -> None:
        """End what is under way."""
        self._stopped = True
        for connection in list(self._live):
            _cut(connection)

    def redacted(self, text: str) -> str:
        """Return a text in which no secret of ours is left."""
        for secret in self._secrets:
            with suppress(ValueError):
                value = secret.reveal()
                told = _hidden(value) if secret is self._url else [value]
                if secret is self._password:
                    told.append(_basic("", self._user, value)[""].removeprefix("Basic "))
                for one in told:
                    if len(one) > 1:
                        text = text.replace(one, "***")
        return text

    def _exchange(
        self, url: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, bytes, dict[str, str]]:
        connection, target, more = self._connection(url)
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            _cut(connection)

        # The timeout of a socket starts anew with each byte; this one does not.
        timer = threading.Timer(self._timeout, expire)
        timer.daemon = True
        self._live.add(connection)
        timer.start()
        try:
            connection.request("POST", target, body, {**headers, **more})
            response = connection.getresponse()
            answer = response.read(_READ)
            if expired.is_set():
                raise TimeoutError
            return response.status, answer, {name.lower(): value for name, value in response.getheaders()}
        except (OSError, http.client.HTTPException) as error:
            late = expired.is_set() or isinstance(error, TimeoutError)
            told = f"did not answer within {self._timeout:g} s" if late else _reason(error)
            raise NotDelivered(f"{origin(url)} {told}") from None  # its text can hold what was sent
        finally:
            timer.cancel()
            self._live.discard(connection)
            connection.close()

    def _connection(self, url: str) -> tuple[http.client.HTTPConnection, str, dict[str, str]]:
        """Return a connection, what to ask for on it, and headers for a proxy that the environment names."""
        if self._stopped:
            raise NotDelivered(f"{origin(url)} was not asked: the server stops")
        parts = urlsplit(url)
        host, secure = parts.hostname or "", parts.scheme == "https"
        target = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
        proxy = "" if urllib.request.proxy_bypass(host) else urllib.request.getproxies().get(parts.scheme, "")
        at = (host, parts.port or (443 if secure else 80))
        more: dict[str, str] = {}
        if proxy:
            through = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
            host, port = at
            at = (through.hostname or "", through.port or 80)
            if through.username:
                more = _basic(
                    "Proxy-Authorization", unquote(through.username), unquote(through.password or "")
                )
        if not secure:
            plain = http.client.HTTPConnection(*at, timeout=self._timeout)
            return plain, (parts._replace(fragment="").geturl() if proxy else target), more
        tls = http.client.HTTPSConnection(*at, timeout=self._timeout, context=self._context())
        if proxy:
            tls.set_tunnel(host, port, headers=more)
        return tls, target, {}

    def _context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._ca)
        except OSError as error:
            raise NotDelivered(f"ca_file {self._ca}: cannot be used: {error.strerror or error}") from error

    def _authorisation(self) -> dict[str, str]:
        if self._token:
            return header_of("Bearer", self._token)
        if self._user:
            password = revealed(self._password) if self._password else ""
            return _basic("Authorization", self._user, password)
        return {}

    def _told(self, status: int, answer: bytes, given: Mapping[str, str]) -> str:
        try:
            phrase = HTTPStatus(status).phrase
        except ValueError:
            phrase = ""
        if 300 <= status < 400:
            to = origin(given.get("location", "")) if "://" in given.get("location", "") else "another path"
            return f"{status} {phrase}: it sends us on to {to}; redirects are not followed, change the url"
        text = " ".join(self.redacted(answer.decode("utf-8", "replace")).split())[:_TOLD]
        return f"{status} {phrase}".strip() + (f": {text}" if text else "")


def _hidden(url: str) -> list[str]:
    """Return what of a URL can be a secret, the longest first: path and query, and parts of them that a
    receiver may tell alone.
    """
    parts = urlsplit(url)
    pieces = [one for one in parts.path.split("/") if len(one) >= _SHORTEST_PIECE]
    values = [value for _, value in parse_qsl(parts.query) if len(value) >= _SHORTEST_VALUE]
    found = {parts.path, parts.query, *pieces, *values}
    return sorted({*found, *map(unquote, found)}, key=len, reverse=True)


def origin(url: str) -> str:
    """Return scheme, host and port of a URL, without what it may hold of secrets."""
    parts = urlsplit(url)
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"


def checked_url(text: str) -> str:
    """Return a URL that can be sent to; raise `ValueError`, which does not show it."""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 (raises if it is none)
    except ValueError:
        raise ValueError("expected a URL: http or https, a host, a path") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected a URL that starts with http:// or https:// and has a host")
    if parts.username or parts.password:
        raise ValueError(
            "a URL must not hold a user or password; give user and password_env or password_file"
        )
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError("a URL holds no spaces and no letters beyond ASCII; escape them")
    return text


def revealed(secret: Secret) -> str:
    """Return a secret; raise `NotDelivered` if it cannot be had any more."""
    try:
        return secret.reveal()
    except ValueError as error:
        raise NotDelivered(str(error)) from error


def header_of(scheme: str, secret: Secret) -> dict[str, str]:
    """Return the header that authorises by a token: ``Authorization: SCHEME TOKEN``."""
    token = revealed(secret)
    if not (token.isascii() and token.isprintable()):
        raise NotDelivered(f"the token from {secret.origin} has characters that no header can hold")
    return {"Authorization": f"{scheme} {token}"}


def _basic(header: str, user: str, password: str) -> dict[str, str]:
    encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {header: f"Basic {encoded}"}


def _cut(connection: http.client.HTTPConnection) -> None:
    sock = connection.sock
    if sock is not None:
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _reason(error: OSError | http.client.HTTPException) -> str:
    if isinstance(error, ssl.SSLError):
        return f"cannot be trusted: {getattr(error, 'verify_message', '') or error.reason}"
    if isinstance(error, socket.gaierror):
        return "cannot be found: no such host"
    if isinstance(error, ConnectionRefusedError):
        return "cannot be reached: connection refused"
    if isinstance(error, http.client.HTTPException | ConnectionError):
        return "cut the connection, or did not speak HTTP"
    return f"cannot be reached: {error.strerror or type(error).__name__}"


def _retry_after(text: str) -> float | None:
    """Read the header: seconds, or a date."""
    text = text.strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, moment - time.time()), _LONGEST_WAIT)
