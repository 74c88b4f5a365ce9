"""One store, several processes: who holds it, who reaches it, what is in the way and what is not."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from metrics import encoded, gauge, line, point, request
from product import COMMAND, TRACEBACK, environment, run, search, values, wait_until

from helpers import more

COUNT = "| mstats count(kept) AS n where index=*"


@pytest.fixture
def filled(store, tmp_path):
    """A store that nobody holds, with one point in it."""
    file = tmp_path / "one.jsonl"
    file.write_bytes(line(request(gauge("kept", point(1)))))
    assert run("ingest", "--store", store, file).code == 0
    return store


class Unix(http.client.HTTPConnection):
    """HTTP to the socket in a store."""

    def __init__(self, store) -> None:
        super().__init__("localhost", timeout=60)
        self._store = store

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._store / "serve.sock"))


def test_a_second_server_says_who_holds_the_store(serve, store):
    first = serve()
    addresses = [f"--{name}=127.0.0.1:0" for name in ("otlp-grpc", "otlp-http", "http")]
    run("serve", "--store", store, *addresses).failed(1, str(store), str(first.process.pid))
    assert first.export(encoded(gauge("kept", point(1)))) == b""


def test_a_second_server_with_the_same_settings_says_who_holds_the_store(serve, store):
    """As when `kubestray serve` is typed twice: the ports are taken too, but the store is the matter."""
    first = serve()
    ports = [f"--{name.replace('_', '-')}=127.0.0.1:{port}" for name, port in first.ports.items()]
    run("serve", "--store", store, *ports).failed(1, str(store), str(first.process.pid))


def test_a_port_that_is_taken_is_named(serve, tmp_path):
    first = serve()
    for name in ("otlp_grpc", "otlp_http", "http"):
        free = {"otlp-grpc": 0, "otlp-http": 0, "http": 0, name.replace("_", "-"): first.ports[name]}
        flags = [f"--{flag}=127.0.0.1:{port}" for flag, port in free.items()]
        run("serve", "--store", tmp_path / "another", *flags).failed(1, f"127.0.0.1:{first.ports[name]}")


def test_commands_wait_for_one_that_holds_the_store_for_a_moment(filled):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: search(filled, COUNT), range(4)))
    assert found == [[{"n": 1}]] * 4


def test_a_holder_that_does_not_serve_is_named(filled):
    """`ingest` waits for the rest of its input and keeps the store meanwhile."""
    command = [COMMAND, "ingest", "--store", filled, "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment()) as holder:
        wait_until(lambda: (filled / "status").exists())
        try:
            run("search", "--store", filled, COUNT).failed(1, str(filled), str(holder.pid))
        finally:
            holder.kill()
    assert search(filled, COUNT) == [{"n": 1}]


def test_a_socket_that_nobody_listens_on_is_no_obstacle(serve, filled):
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(filled / "serve.sock"))
    assert search(filled, COUNT) == [{"n": 1}]
    server = serve()
    assert search(filled, COUNT) == [{"n": 1}]
    assert server.terminate() == 0


def test_a_file_in_the_place_of_the_socket_is_no_obstacle(serve, filled):
    (filled / "serve.sock").write_text("")
    assert search(filled, COUNT) == [{"n": 1}]
    assert serve().terminate() == 0


@pytest.mark.parametrize("then", ["gone", "silent"])
def test_a_server_that_dies_during_a_search(filled, then):
    """It answers who it is; then nobody listens any more, or it hangs up without an answer."""

    def die() -> None:
        first, _ = listener.accept()
        first.recv(65536)
        body = b'{"pid": 1}'
        first.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        first.close()
        if then == "silent":
            listener.accept()[0].close()
        listener.close()

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(filled / "serve.sock"))
    listener.listen()
    listener.settimeout(60)
    serving = threading.Thread(target=die)
    serving.start()
    try:
        run("search", "--store", filled, COUNT).failed(1, str(filled))
    finally:
        serving.join()


@pytest.mark.parametrize("depth", [4, 15])
def test_a_store_that_lies_deep(serve, tmp_path, depth):
    deep = tmp_path.joinpath(*(f"a-rather-long-folder-name-{number:03}" for number in range(depth)))
    server = serve(at=deep)
    server.export(encoded(gauge("kept", point(3))))
    assert values(deep, "kept") == [3]
    assert server.terminate() == 0
    assert values(deep, "kept") == [3]


@pytest.mark.parametrize(
    "name", ["with space", 'quote\'d "twice"', more("per%20cent"), more("näme-中"), "#1"]
)
def test_a_store_with_an_odd_name(serve, tmp_path, name):
    odd = tmp_path / name
    server = serve(at=odd)
    server.export(encoded(gauge("kept", point(3))))
    assert values(odd, "kept") == [3]
    assert server.terminate() == 0
    assert values(odd, "kept") == [3]
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_a_copy_of_a_store(filled, tmp_path):
    """docs/operating.md: it answers the same elsewhere, if links were kept."""
    shutil.copytree(filled, tmp_path / "right", symlinks=True)
    shutil.copytree(filled, tmp_path / "wrong")
    filled.rename(tmp_path / "moved")
    assert search(tmp_path / "right", COUNT) == search(tmp_path / "moved", COUNT) != []
    run("search", "--store", tmp_path / "wrong", COUNT).failed(1, str(tmp_path / "wrong"), "cp -a")


def test_a_question_mark_in_a_path_is_refused(tmp_path):
    """The engine would take what follows for options, and write somewhere else."""
    run("search", "--store", tmp_path / "what?a=b", COUNT).failed(1, "'?'")
    assert list(tmp_path.iterdir()) == []


def test_a_store_is_named_in_several_ways(filled, tmp_path):
    for url in (f"chdb://{filled}", f"{filled}/", f"{filled.parent}/./store"):
        assert search(url, COUNT) == [{"n": 1}]
    assert run("search", "--store", "store", COUNT, "--format=json", cwd=tmp_path).json == [{"n": 1}]
    (tmp_path / "link").symlink_to(filled)
    assert search(tmp_path / "link", COUNT) == [{"n": 1}]


def exposed(folder) -> list[str]:
    """Return what other users could read or reach, if they can enter this folder."""
    if not stat.S_IMODE(folder.stat().st_mode) & 0o077:
        return []
    paths = [folder, *folder.rglob("*")]
    return [str(path) for path in paths if stat.S_IMODE(path.lstat().st_mode) & 0o077]


def test_other_users_cannot_reach_a_store(serve, store):
    serve().export(encoded(gauge("kept", point(1))))
    assert stat.S_IMODE(store.stat().st_mode) == 0o700
    assert stat.S_IMODE((store / "serve.sock").stat().st_mode) == 0o600
    assert exposed(store) == []


def test_other_users_cannot_reach_a_store_in_a_folder_that_was_there(serve, store):
    """As after ``mkdir store``, or in a volume that is mounted."""
    store.mkdir()
    store.chmod(0o755)
    serve().export(encoded(gauge("kept", point(1))))
    assert stat.S_IMODE((store / "serve.sock").stat().st_mode) == 0o600
    assert exposed(store) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can try what another user can do")
def test_another_user_is_refused(serve, store):
    serve().export(encoded(gauge("kept", point(1))))
    for folder in (store.parent, store.parent.parent, store.parent.parent.parent):
        folder.chmod(folder.stat().st_mode | 0o011)
    script = (
        "import os, socket, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534); "
        "socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    )
    tried = subprocess.run(
        [sys.executable, "-c", script, store / "serve.sock"], capture_output=True, check=False
    )
    assert b"PermissionError" in tried.stderr


def test_a_store_that_may_not_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    run("search", "--store", tmp_path / "file", COUNT).failed(1, "file")
    run("search", "--store", tmp_path / "file" / "below", COUNT).failed(1, "file")
    run("search", "--store", "/proc/kubestray", COUNT).failed(1, "/proc/kubestray")


def test_stopping_during_a_long_search(serve, store):
    """A search from beside may run for minutes: the server is gone before Kubernetes would kill it (30 s)."""
    server = serve()
    connection = Unix(store)
    before = busy_ticks(server.process.pid)
    connection.request("POST", "/query", b"SELECT sum(cityHash64(number)) FROM numbers(10000000000000)")
    wait_until(lambda: busy_ticks(server.process.pid) > before + 100)
    try:
        assert server.terminate(seconds=30) == 0, server.log
    finally:
        connection.close()
    assert TRACEBACK not in server.log


def busy_ticks(pid: int) -> int:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_both_signals_stop_a_server_at_once(serve, store, number):
    server = serve()
    server.process.send_signal(number)
    assert server.process.wait(60) == 0
    assert TRACEBACK not in server.log
    assert "what was acknowledged is in the store" in server.log


def test_the_socket_refuses_what_is_no_statement(serve, store):
    server = serve()
    for path, body in (("/query", b"SELEKT"), ("/query", b""), ("/insert/samples_local", b"no arrow")):
        connection = Unix(store)
        connection.request("POST", path, body)
        answer = connection.getresponse()
        assert answer.status == 400
        answer.read()
        connection.close()
    assert TRACEBACK not in server.log
