"""Outputs of a running server: what was due before it was killed arrives after it, and how people see it."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "notify"))

from documents import change, finding
from product import TRACEBACK, run, wait_until
from receiver import Receiver, Reply

from kubestray.cli import main
from kubestray.store.ledger import Ledger
from kubestray.store.open import open_store

TOKEN = "s3cr3t-t0k3n-0123456789"

TABLES = """
[[output]]
name = "soc"
type = "ocsf_webhook"
url = "{url}/hidden-path"
token_env = "SOC_TOKEN"
timeout = "1m"

[[route]]
outputs = ["soc"]
min_severity = "medium"
"""


def record(store: Path, *changes) -> None:
    """Put changes into the ledger of a server that runs."""
    opened = open_store(str(store))
    try:
        Ledger(opened).record_changes(changes)
    finally:
        opened.close()


@dataclass
class Ended:
    """What a command in this process did: far cheaper than one of its own."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(capsys):
    def run_here(*words: object) -> Ended:
        with pytest.raises(SystemExit) as left:
            main(["notify", *map(str, words)])
        said = capsys.readouterr()
        return Ended(int(left.value.code or 0), said.out, said.err)

    return run_here


def test_a_killed_server_goes_on_where_it_was(serve, store, tmp_path, monkeypatch, command):
    monkeypatch.setenv("SOC_TOKEN", TOKEN)
    receiver = Receiver()
    receiver.replies = [Reply(), Reply(how="stall")]
    file = tmp_path / "kubestray.toml"
    file.write_text(TABLES.format(url=receiver.url))
    server = serve("--config", str(file), "--log-level=debug")
    told = [change(finding(name * 32), n, "updated" if n > 1 else "opened") for n in (1, 2) for name in "ab"]
    record(store, *told, change(finding("c" * 32, severity="low"), 1))
    wait_until(lambda: len(receiver.requests) == 2)
    server.kill()

    receiver.replies = [Reply(400, f"no {TOKEN}".encode())]
    again = serve("--config", str(file), "--log-level=debug")
    here = ("--store", store, "--config", file)
    shown = []

    def listed():
        said = command("list", *here, "--format", "json")
        shown.append(said.out + said.err)
        return json.loads(said.out)[0]

    wait_until(lambda: listed()["delivered"] == 3)
    dead = json.loads(command("dead", "--store", store, "--format", "json").out)
    assert [(one["output"], one["key"]) for one in dead] == [("soc", f"{'a' * 32}-2")]
    resent = command("resend", "a" * 32, *here)
    assert resent.out.startswith("1 dead letter is due again")
    wait_until(lambda: listed()["delivered"] == 4)

    got = [request.headers["idempotency-key"] for request in receiver.taken]
    assert sorted(got) == sorted(f"{one.id}-{one.sequence}" for one in told)
    assert [key[-1] for key in got if key[0] == "b"] == ["1", "2"]
    assert {request.headers["authorization"] for request in receiver.taken} == {f"Bearer {TOKEN}"}
    tried = command("test", "soc", *here)
    assert tried.out == f"soc: {receiver.url} took the test finding\n"
    assert receiver.taken[-1].json["finding_info"]["title"] == "[TEST] Test notification"
    receiver.close()
    failed = command("test", "soc", *here)
    assert (failed.code, "connection refused" in failed.err) == (1, True)
    unknown = command("test", "sock", *here)
    assert (unknown.code, "configured: soc" in unknown.err) == (2, True)
    nothing = command("resend", "nothing", *here)
    assert (nothing.code, "kubestray notify dead" in nothing.err) == (2, True)

    assert again.terminate() == 0
    assert TRACEBACK not in again.log
    all_shown = again.log + json.dumps(dead) + "".join(shown) + tried.out + failed.err + unknown.err
    assert TOKEN not in all_shown
    assert "hidden-path" not in all_shown


def test_wrong_tables_stop_a_server_before_it_listens(store, tmp_path):
    file = tmp_path / "kubestray.toml"
    file.write_text('[[output]]\nname = "x"\ntype = "alertmanager"\nurl = "http://h"\nrepat = "1m"\n')
    run("serve", "--store", store, "--config", file).failed(2, str(file), "did you mean repeat")
    assert not store.exists()
