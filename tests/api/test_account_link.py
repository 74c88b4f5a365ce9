"""``kubestray account link``: the way back of an admin whom nobody else can let in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kubestray import cli
from kubestray.api.accounts import Accounts, Role
from kubestray.pipeline import setting_up
from kubestray.store.documents import Documents
from kubestray.store.store import Store

PASSWORD = "correct horse battery staple"
ISSUER = "https://login.example.com"


@pytest.fixture
def accounts(store: Store, monkeypatch: pytest.MonkeyPatch) -> Accounts:
    """The accounts of a store, on each of the engines, which the command opens too."""

    @contextmanager
    def opened(_config: object) -> Iterator[Store]:
        yield store

    monkeypatch.setattr(setting_up, "opened", opened)
    monkeypatch.setattr(store, "clock", time.time_ns)  # two write to it, each with times of its own
    return Accounts(Documents(store), store.clock)


def link(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["account", "link", *words])
    return int(ended.value.code or 0)


@pytest.mark.more("http", "distributed")
def test_a_link_for_an_admin_who_forgot_the_password(accounts, store, capsys):
    accounts.create("admin", Role.ADMIN)
    accounts.set_password("admin", PASSWORD)
    earlier = accounts.link("admin")
    assert link("admin", "--actor", "ann", "--console-url", "https://stray.example.com/") == 0
    told = capsys.readouterr()
    address, secret = told.out.strip().rsplit("/", 1)
    assert address == "https://stray.example.com/login/link"
    assert "'admin'" in told.err
    assert secret not in told.err
    assert accounts.linked(earlier) is None
    assert accounts.verify("admin", PASSWORD), "it holds until the link is used"
    accounts.use_link(secret, PASSWORD[::-1])
    assert accounts.linked(secret) is None
    assert accounts.verify("admin", PASSWORD[::-1])
    (noted,) = Documents(store).noted(actions=["account.link"])
    assert (noted.actor, noted.target, noted.detail) == ("ann", "admin", {"from": "command line"})


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "http://127.0.0.1:8470/login/link/"),
        (("--http", "0.0.0.0:9000"), "http://127.0.0.1:9000/login/link/"),
        (("--http", "10.0.0.1:9000", "--tls-certificate", "any.crt"), "https://10.0.0.1:9000/login/link/"),
    ],
)
def test_where_the_console_is(accounts, capsys, words, told):
    accounts.create("admin", Role.ADMIN)
    assert link("admin", *words) == 0
    assert capsys.readouterr().out.startswith(told)


@pytest.mark.more("http", "distributed")
def test_accounts_that_no_link_is_for(accounts, store, capsys):
    assert link("admin") == 2
    assert "serve writes a link for the first admin" in capsys.readouterr().err
    accounts.create("admin", Role.ADMIN)
    accounts.create("off", Role.VIEWER)
    accounts.change("off", disabled=True)
    accounts.enter("elsewhere", Role.ADMIN, ISSUER, "17")
    for name, told in {
        "admni": "did you mean admin?",
        "nobody": "there are admin, elsewhere, off",
        "elsewhere": f"logs in at {ISSUER}",
        "off": "is disabled",
    }.items():
        assert link(name) == 2
        answer = capsys.readouterr()
        assert (answer.out, told in answer.err) == ("", True), answer.err
    assert Documents(store).noted(actions=["account.link"]) == []
    assert Documents(store).all("link") == {}
