"""Settings of a running server: where they come from, and the token that receivers demand."""

from __future__ import annotations

import grpc
import pytest
from metrics import encoded, gauge, line, point, rejected, request
from product import JSON, TRACEBACK, Finished, run, search

from helpers import more

BODY = encoded(gauge("a", point(1)))
TOKEN = "s3cr3t-t0k3n-0123456789"
SOMEWHERE = ("--otlp-grpc=127.0.0.1:0", "--otlp-http=127.0.0.1:0", "--http=127.0.0.1:0")


def refused(store, *flags: object, **settings: str) -> Finished:
    """Start a server that must not start."""
    return run("serve", "--store", store, *SOMEWHERE, *flags, seconds=20, **settings)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_flags_beat_variables_which_beat_the_file(store, tmp_path):
    """The index's name tells which one holds: only a search for that one finds the point."""
    file = tmp_path / "kubestray.toml"
    file.write_text('metric_index = "from_file"\n')
    assert run("ingest", "--store", store, "-", stdin=BODY).code == 0

    def holds(name: str, instead_of: str, *flags: str, **settings: str) -> bool:
        text = "| mstats count(a) AS n where index={}"
        found = [
            run("search", "--store", store, *flags, "--format=json", text.format(index), **settings)
            for index in (name, instead_of)
        ]
        return found[0].json == [{"n": 1}] and found[1].out != found[0].out

    named = ["--config", str(file)]
    assert holds("from_file", "kubernetes_metrics", *named)
    assert holds("from_file", "kubernetes_metrics", config=str(file))
    assert holds("from_variable", "from_file", *named, metric_index="from_variable")
    assert holds(
        "from_flag", "from_variable", *named, "--metric-index=from_flag", metric_index="from_variable"
    )


def test_a_setting_of_a_server_from_each_place(serve, tmp_path):
    file = tmp_path / "kubestray.toml"
    file.write_text('max_request = "1KiB"\n')
    body = encoded(gauge("big", *(point(i) for i in range(150))))
    assert 2048 < len(body) < 4096
    sizes = {
        "file": serve("--config", str(file), at=tmp_path / "1"),
        "variable": serve("--config", str(file), at=tmp_path / "2", max_request="4KiB"),
        "flag": serve("--config", str(file), "--max-request", "2KiB", at=tmp_path / "3", max_request="4KiB"),
    }
    assert {name: server.post(body).status for name, server in sizes.items()} == {
        "file": 413,
        "variable": 200,
        "flag": 413,
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('retention_row = "7d"', ("retention_row", "retention_raw")),
        ("[server]\nport = 1", ("server",)),
        ('retention_raw = "soon"', ("retention_raw", "soon", "7d")),
        ("max_request = -1", ("max_request", "-1")),
        ("not toml", ("not valid TOML", "line 1")),
    ],
    ids=["unknown key", "table", "duration", "size", "syntax"],
)
def test_a_bad_file_is_told(store, tmp_path, text, told):
    file = tmp_path / "kubestray.toml"
    file.write_text(text)
    refused(store, "--config", file).failed(2, str(file), *told)
    assert not store.exists()


def test_a_file_that_is_not_there(store, tmp_path):
    refused(store, "--config", tmp_path / "none.toml").failed(2, "none.toml")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"stoer": "/nowhere"}, ("KUBESTRAY_STOER", "KUBESTRAY_STORE")),
        ({"reciever_token": TOKEN}, ("KUBESTRAY_RECIEVER_TOKEN", "KUBESTRAY_RECEIVER_TOKEN")),
        ({"retention_raw": "-1d"}, ("KUBESTRAY_RETENTION_RAW", "-1d")),
        ({"retention_summaries": "5d"}, ("KUBESTRAY_RETENTION_SUMMARIES 5d", "retention_raw, which is 7d")),
        ({"max_request": "big"}, ("KUBESTRAY_MAX_REQUEST", "64MiB")),
        ({"max_queue": "many"}, ("KUBESTRAY_MAX_QUEUE", "many")),
        ({"log_level": "loud"}, ("KUBESTRAY_LOG_LEVEL", "loud")),
        ({"console_url": "ftp://x"}, ("KUBESTRAY_CONSOLE_URL", "https://")),
        ({"oidc_issuer": "login.example.com"}, ("KUBESTRAY_OIDC_ISSUER", "https://")),
        ({"accelerated_searches": "New container imag"}, ("accelerated_searches", "New container image?")),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_bad_variable_is_told(store, settings, told):
    ended = refused(store, **settings)
    ended.failed(2, *told)
    assert TOKEN not in ended.out + ended.err


@pytest.mark.parametrize("flag", ["--otlp-grpc", "--otlp-http"])
@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0"])
def test_other_machines_need_a_token(store, flag, address):
    ended = refused(store, flag, address)
    ended.failed(2, address, "token")
    assert not store.exists()


@pytest.mark.parametrize("flag", ["--otlp-grpc", "--otlp-http"])
def test_an_empty_token_is_none(store, tmp_path, flag):
    empty = tmp_path / "empty"
    empty.write_text("\n")
    address = (flag, "0.0.0.0:0")
    refused(store, *address, receiver_token="").failed(2, "token")
    refused(store, *address, "--receiver-token-file", empty).failed(2, "token")


def test_an_empty_token_file_is_an_error_on_loopback_too(store, tmp_path):
    """Who names a file wants a token: without one everybody could send."""
    empty = tmp_path / "empty"
    empty.write_text("\n")
    refused(store, "--receiver-token-file", empty).failed(2, str(empty))


def test_a_token_file_that_is_not_there(store, tmp_path):
    missing = tmp_path / "none"
    refused(store, "--receiver-token-file", missing).failed(2, str(missing))


@pytest.mark.parametrize(
    ("source", "host"),
    [
        more("variable", "0.0.0.0"),
        more("file", "0.0.0.0"),
        ("token file", "0.0.0.0"),
        ("variable", "127.0.0.1"),
    ],
)
def test_a_token_is_demanded(serve, tmp_path, source, host):
    addresses = [f"--otlp-grpc={host}:0", f"--otlp-http={host}:0", "--log-level=debug"]
    if source == "variable":
        server = serve(*addresses, receiver_token=TOKEN)
    elif source == "file":
        (tmp_path / "settings.toml").write_text(f'receiver_token = "{TOKEN}"\n')
        server = serve(*addresses, "--config", str(tmp_path / "settings.toml"))
    else:
        (tmp_path / "token").write_text(f"{TOKEN}\n")
        server = serve(*addresses, "--receiver-token-file", str(tmp_path / "token"))
    wrong = ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer ä"]
    for header in wrong:
        answer = server.post(BODY, Authorization=header.encode("latin-1"))
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer"), header
    assert server.post(BODY).status == 401
    assert server.post(line(request(gauge("a", point(1)))), JSON).status == 401
    for metadata in ((), (("authorization", "Bearer wrong"),), (("authorization", TOKEN),)):
        error = server.refusal(BODY, metadata=metadata)
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED
        assert TOKEN not in error.details()
    assert search(server.store, "| mpreview index=*") == []

    assert server.post(BODY, **bearer(TOKEN)).status == 200
    assert rejected(server.export(BODY, metadata=(("authorization", f"Bearer {TOKEN}"),))) == (0, "")
    assert len(search(server.store, "| mpreview index=*")) == 1
    assert server.terminate() == 0
    assert TOKEN not in server.log
    assert TRACEBACK not in server.log


def test_without_a_token_any_is_taken_on_loopback(serve):
    server = serve()
    assert server.post(BODY, **bearer("anything")).status == 200
    assert server.export(BODY, metadata=(("authorization", "Bearer anything"),)) == b""


def test_the_token_is_not_shown(store, tmp_path):
    """Neither where it is right nor where something else is wrong."""
    file = tmp_path / "settings.toml"
    file.write_text(f'receiver_token = "{TOKEN}"\nretention_raw = "soon"\n')
    said = [
        run("serve", "--help", receiver_token=TOKEN),
        refused(store, "--config", file),
        refused(store, "--receiver-token", TOKEN),
        refused(store, "--retention-raw", "soon", receiver_token=TOKEN),
        refused("/proc/nowhere", "--log-level=debug", receiver_token=TOKEN),
        run("search", "--store", store, "--log-level=debug", "| nonsense", receiver_token=TOKEN),
    ]
    file.write_text(f'receiver_token = "{TOKEN}" "\n')
    said.append(refused(store, "--config", file))
    file.write_text(f'receiver_tokens = "{TOKEN}"\n')
    said.append(refused(store, "--config", file))
    assert [ended.code for ended in said] == [0, 2, 2, 2, 1, 3, 2, 2]
    for ended in said[:2] + said[3:]:
        assert TOKEN not in ended.out + ended.err


def test_bad_content_stops_a_server_before_it_listens(store, tmp_path):
    bad = tmp_path / "content" / "bad.yml"
    bad.parent.mkdir()
    bad.write_text("name: Bad\nsearch: '| nonsense'\ntype: TTP\n")
    refused(store, "--content", bad.parent).failed(3, str(bad))
