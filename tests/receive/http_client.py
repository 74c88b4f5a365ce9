"""One raw HTTP request to the receivers, and its answer."""

from __future__ import annotations

from http.client import HTTPConnection
from typing import NamedTuple


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def send(receivers, path: str, body=b"", *, method: str = "POST", **headers: str) -> Answer:
    """Send one request; headers are written with underscores."""
    connection = HTTPConnection("127.0.0.1", receivers.http_port, timeout=20)
    try:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        connection.request(method, path, body, named)
        response = connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()
