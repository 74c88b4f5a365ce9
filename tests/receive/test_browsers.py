"""What pages in a browser may do to listeners on loopback."""

from __future__ import annotations

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from kubestray.receive.browsers import KnownNames, NoWebPages


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 200), ({"Origin": "http://[::1]:80"}, 200), ({"Origin": "https://a.example"}, 403)],
)
def test_a_page_is_told_apart_from_a_program(headers, status):
    answer = TestClient(NoWebPages(PlainTextResponse("ok"))).post("/v1/metrics", headers=headers)
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8470", 200),
        ("localhost:8470", 200),
        ("LOCALHOST", 200),
        ("[::1]:8470", 200),
        ("10.1.2.3", 200),
        ("kubestray.example.com", 200),
        ("evil.example:8470", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("evil.example@localhost.evil.example", 421),
        ("[", 421),
    ],
)
def test_a_name_that_leads_to_loopback_is_not_one_of_the_console(host, status):
    app = KnownNames(PlainTextResponse("ok"), "https://kubestray.example.com")
    answer = TestClient(app).get("/login", headers={"Host": host})
    assert answer.status_code == status
    assert TestClient(KnownNames(app, "")).get("/", headers={"Host": ""}).status_code == 421
