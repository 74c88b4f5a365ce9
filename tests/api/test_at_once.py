"""How many searches may run at once, so that what else is asked is answered."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed

import pytest

from kubestray.api import search
from kubestray.api.accounts import Role
from kubestray.api.at_once import OF_ALL, OF_ONE, AtOnce
from kubestray.api.refusal import Refused

ASK = {"text": "| makeresults"}


def test_one_account_and_all_have_their_limit():
    turns = AtOnce()
    taken = [turns.one(name) for name in "a" * OF_ONE + "d" * (OF_ALL - OF_ONE)]
    for one in taken:
        one.__enter__()
    for name, told in (("a", f"{OF_ONE} searches of yours"), ("d", f"{OF_ALL} searches are running")):
        with pytest.raises(Refused, match=told), turns.one(name):
            pass
    taken[0].__exit__(None, None, None)
    with turns.one("d"):
        pass
    with turns.one("a"):
        pass


def test_searches_of_one_account_leave_room_for_others(people, monkeypatch):
    free, real = threading.Event(), search.stream_search

    def slow(*given):
        free.wait(20)
        return real(*given)

    monkeypatch.setattr(search, "stream_search", slow)
    greedy, other = people.program(Role.VIEWER), people.program(Role.ANALYST)
    with ThreadPoolExecutor(OF_ONE + 2) as threads:
        asked = [threads.submit(greedy.post, "/api/v1/search", json=ASK) for _ in range(OF_ONE + 1)]
        refused = next(as_completed(asked)).result()
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "busy")
        asked.append(threads.submit(other.post, "/api/v1/search", json=ASK))
        assert other.get("/api/v1/me").status_code == 200
        free.set()
        assert sorted(one.result().status_code for one in asked) == [200] * (OF_ONE + 1) + [429]
    assert greedy.post("/api/v1/search", json=ASK).status_code == 200
