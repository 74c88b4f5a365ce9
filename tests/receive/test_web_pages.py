"""Which listeners take points from pages in a browser."""

from __future__ import annotations

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from kubestray.receive.web_pages import NoWebPages


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 200), ({"Origin": "http://[::1]:80"}, 200), ({"Origin": "https://a.example"}, 403)],
)
def test_a_page_is_told_apart_from_a_program(headers, status):
    answer = TestClient(NoWebPages(PlainTextResponse("ok"))).post("/v1/metrics", headers=headers)
    assert answer.status_code == status
