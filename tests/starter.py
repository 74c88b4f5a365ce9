"""Starts the command in new processes that need not import it: that is most of the work of a short command.

One process imports the product and does nothing else. For each command it is asked for it forks: the child
has arguments, environment, folder and files of its own, and runs to its end as the installed script does, but
for the last step of Python (`_run_to_the_end`) and what `_import_engine` and `_read_content` did before.
It is not forked from the test, whose process has an engine and threads: no engine is started before the fork.
``python starter.py`` is the process that forks, `start` asks it.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import importlib.machinery
import importlib.util
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

_LONGEST = 1 << 17  # bytes of a request: arguments and the environment

_MORE = ("clickhouse_connect", "email.message", "h11", "importlib.metadata", "pyarrow.csv", "pyarrow.parquet")
_MORE += ("rich.table", "uvicorn")
"""What commands import when they need it, and what the engine does."""

_ENGINE = "chdb"
"""The module that starts threads when it is imported, but for `_import_engine`."""


class Started:
    """A running command, with what tests use of `subprocess.Popen`."""

    def __init__(self, pid: int, ended: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = ended

    def poll(self) -> int | None:
        """Return its exit code, below 0 for a signal; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._ended], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("kubestray", timeout or 0)
            self.returncode = int(self._ended.recv(16))
            self._ended.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """End it, if it has not ended."""
        self.kill()
        self.wait()


def start(
    arguments: list[str], environment: dict[str, str], files: tuple[int, int, int], cwd: Path | None = None
) -> Started:
    """Start ``kubestray arguments``; the files are its stdin, stdout and stderr."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        told = json.dumps(
            {"arguments": arguments, "environment": environment, "cwd": str(cwd or Path.cwd())}
        ).encode()
        assert len(told) <= _LONGEST
        socket.send_fds(_starter(), [told], [*files, theirs.fileno()])
    return Started(int(ours.recv(16)), ours)


_guard = threading.Lock()
_kept: list[tuple[socket.socket, subprocess.Popen[bytes]]] = []


def _starter() -> socket.socket:
    """The way to the process that forks; it is started when it is first asked for."""
    with _guard:
        if not _kept:
            _kept.append(_new_starter())
            atexit.register(_end)
        return _kept[0][0]


def _new_starter() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * _LONGEST)
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, __file__, str(theirs.fileno())]
    with theirs:
        return ours, subprocess.Popen(command, pass_fds=[theirs.fileno()], env=plain)


def _end() -> None:
    for way, process in _kept:
        way.close()
        process.wait()


# --- the process that forks ---------------------------------------------------------------------------


def _import_all() -> None:
    import kubestray

    for module in pkgutil.walk_packages(kubestray.__path__, "kubestray."):
        if module.name != "kubestray.__main__":
            importlib.import_module(module.name)
    for name in _MORE:
        importlib.import_module(name)
    importlib.import_module("kubestray.naming.mapping").read_mapping(())  # which is kept, as in any process
    assert _ENGINE not in sys.modules
    _import_engine()
    _read_content()
    gc.freeze()


def _import_engine() -> None:
    """Import the engine's module, which otherwise starts an engine in memory to ask for its version."""
    found = importlib.util.find_spec(_ENGINE)
    assert found is not None
    assert found.origin is not None
    library = str(Path(found.origin).with_name("_chdb.abi3.so"))
    ctypes.CDLL(library, sys.getdlopenflags() | os.RTLD_DEEPBIND)  # as the module does first
    name = f"{_ENGINE}._chdb"
    loader = importlib.machinery.ExtensionFileLoader(name, library)
    spec = importlib.util.spec_from_file_location(name, library, loader=loader)
    assert spec is not None
    part = importlib.util.module_from_spec(spec)
    loader.exec_module(part)
    sys.modules[name] = part
    connect, part.connect = part.connect, _NotStarted
    importlib.import_module(_ENGINE)
    part.connect = connect
    assert "ThreadPool" not in {task.read_text().strip() for task in Path("/proc/self/task").glob("*/comm")}


class _NotStarted:
    """Stands for a connection that is asked for the version."""

    def query(self, *_: str) -> _NotStarted:
        return self

    def bytes(self) -> bytes:
        return b'"0"\n'

    def close(self) -> None:
        pass


def _read_content() -> None:
    """Read the files of the built-in content, which stay as they are: no command parses them again."""
    from kubestray.detect import loader
    from kubestray.pipeline.setting_up import built_in

    read = loader.load_item
    known = {path: read(path) for path in loader.content_files(built_in())}
    loader.load_item = lambda path: known.get(path) or read(path)


def _serve(asked: socket.socket) -> dict[str, Any] | None:
    """Fork for each request; return it in the child, and None in the parent when nobody asks any more."""
    running: dict[int, tuple[int, socket.socket]] = {}  # by descriptor of the process: its id, who is told
    while True:
        for ready in select.select([asked, *running], [], [])[0]:
            if ready is not asked:
                _bury(ready, *running.pop(ready))
                continue
            told, files, _, _ = socket.recv_fds(asked, _LONGEST, 4)
            if not told:
                return None
            pid = os.fork()
            if pid == 0:
                asked.close()
                for descriptor, (_, other) in running.items():
                    os.close(descriptor)
                    other.close()
                os.close(files[3])
                return {**json.loads(told), "files": files[:3]}
            for file in files[:3]:
                os.close(file)
            ended = socket.socket(fileno=files[3])
            ended.send(str(pid).encode())
            running[os.pidfd_open(pid)] = (pid, ended)


def _bury(descriptor: int, pid: int, ended: socket.socket) -> None:
    os.close(descriptor)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with ended, contextlib.suppress(OSError):  # nobody may wait for it any more
        ended.send(str(code).encode())


def _become(told: dict[str, Any]) -> None:
    """Be the process that was asked for, as if it had just been started."""
    os.environ.clear()
    os.environ.update(told["environment"])
    time.tzset()
    os.chdir(told["cwd"])
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background of a shell
    for number, file in enumerate(told["files"]):
        os.dup2(file, number)
        os.close(file)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 (they live as long as the process)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.argv = ["kubestray", *told["arguments"]]


def _run_to_the_end() -> None:
    """Run the command and end as Python does, but for its last step: to take all modules apart.

    They are those of this process as well, so the child would copy their memory first, and that is half the
    work of a short command. What fails otherwise than by an exit code ends as in any process.
    """
    from kubestray.cli import main

    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    if not isinstance(code, int):
        sys.exit(code)
    threading._shutdown()  # waits for the threads that are left
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code & 0xFF)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as asked:
        _import_all()
        told = _serve(asked)
    if told is not None:
        _become(told)
        _run_to_the_end()
