"""The console of ``kubestray serve``: the first login, what is open to all, and who may read its key."""

from __future__ import annotations

import re
import stat
from http.client import HTTPConnection
from urllib.parse import urlencode

from product import Serve, run, wait_until

PASSWORD = "correct horse battery staple"


def ask(server: Serve, method: str, path: str, fields: dict[str, str] | None = None, cookie: str = ""):
    """Return the status, the headers and the text of an answer."""
    connection = HTTPConnection("127.0.0.1", server.ports["http"], timeout=60)
    try:
        headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
        connection.request(method, path, urlencode(fields or {}), headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


def by_name(server: Serve, name: str) -> int:
    """Return the status of the login's page for a request by some name."""
    connection = HTTPConnection("127.0.0.1", server.ports["http"], timeout=60)
    try:
        connection.request("GET", "/login", headers={"Host": f"{name}:{server.ports['http']}"})
        return connection.getresponse().status
    finally:
        connection.close()


def link(server: Serve) -> str:
    wait_until(lambda: "/login/link/" in server.log)
    return re.findall(r"http://127\.0\.0\.1:\d+(/login/link/\S+)", server.log)[-1]


def test_the_first_admin_logs_in_by_the_link_of_the_log(serve, store):
    server = serve()
    first = link(server)
    assert server.terminate() == 0
    server = serve()
    path = link(server)
    assert ask(server, "GET", first)[0] == 404, "another start made another link"
    for open_to_all in ("/healthz", "/readyz", "/login", "/openapi.json"):
        assert ask(server, "GET", open_to_all)[0] == 200
    assert ask(server, "GET", "/api/v1/me")[0] == 401
    assert [by_name(server, name) for name in ("localhost", "evil.example")] == [200, 421]
    _, headers, page = ask(server, "GET", path)
    cookie = headers["set-cookie"].partition(";")[0]
    csrf = re.search(r'name="csrf" value="([^"]+)"', page)[1]
    fields = {"csrf": csrf, "password": PASSWORD, "again": PASSWORD}
    status, headers, _ = ask(server, "POST", path, fields, cookie)
    assert status == 303
    cookie = headers["set-cookie"].partition(";")[0]
    status, _, page = ask(server, "GET", "/sources", cookie=cookie)
    assert status == 200
    assert f"127.0.0.1:{server.ports['otlp_http']}" in page
    assert stat.S_IMODE((store / "session.key").stat().st_mode) == 0o600
    assert server.terminate() == 0

    server = serve()  # the account, and the session with it, outlive the server
    assert ask(server, "GET", "/api/v1/me", cookie=cookie)[2] == '{"name":"admin","role":"admin"}'
    wait_until(lambda: "the console is at" in server.log)
    assert "/login/link/" not in server.log


def test_a_link_from_the_command_line_with_and_without_a_server(serve, store):
    server = serve()
    first = link(server)
    told = [run("account", "link", "admin", "--store", store, "--http", f"127.0.0.1:{server.ports['http']}")]
    assert server.terminate() == 0
    told.append(run("account", "link", "admin", "--store", store))
    server = serve(console_url="https://stray.example.com")  # a restart makes another for who has no password
    told.append(run("account", "link", "admin", "--store", store))
    paths = [first, *(one.out.strip().partition("/login/")[2] for one in told)]
    paths = [f"/login/{path.removeprefix('/login/')}" for path in paths]
    assert all(one.code == 0 for one in told)
    assert told[0].out.startswith("http://127.0.0.1:")
    assert [ask(server, "GET", path)[0] for path in paths] == [404, 404, 404, 200]
