"""Who gets in, as what, and what is kept of it."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import datetime, timedelta

import pytest

from console import PASSWORD, Browser, People
from helpers import HOUR, NOW
from kubestray.api.accounts import Accounts, Role
from kubestray.api.refusal import Refused
from kubestray.web.pages import entering

OPEN = {"/login", "/openapi.json"}


def paths(people: People) -> list[tuple[str, str]]:
    described = people.app.openapi()["paths"]
    return [(method, path) for path, methods in described.items() for method in methods]


def test_everything_of_the_api_needs_a_login(people):
    client = people.client()
    assert len(paths(people)) > 25
    for method, path in paths(people):
        answer = client.request(method, re.sub(r"\{\w+\}", "x", path), json={})
        assert answer.status_code == 401, (method, path)
        assert answer.json()["error"]["code"] == "login"
        assert answer.headers["www-authenticate"] == "Bearer"


def test_every_page_needs_a_login_and_comes_back_to_where_one_was(people):
    client = people.client()
    for path in ("/", "/search?text=x", "/entities", "/no/such/page", "/accounts"):
        answer = client.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/login")
    assert client.get("/map?over=7d").headers["location"] == "/login?next=%2Fmap%3Fover%3D7d"
    assert {path: client.get(path).status_code for path in OPEN} == dict.fromkeys(OPEN, 200)
    assert client.get("/static/console.css").status_code == 200


def test_whoever_sends_a_form_after_the_session_has_ended_is_told_and_comes_back(people):
    """What was sent is lost: that is said, and the login leads to the page that it was written on."""
    client, page = people.client(), "http://testserver/findings/x?a=1&b=2"
    answer = client.post("/findings/x", data={"text": "seen"}, headers={"Referer": page})
    address = "/login?lost=true&next=%2Ffindings%2Fx%3Fa%3D1%26b%3D2"
    assert answer.headers["location"] == address
    shown = client.get(address).text
    assert "What you sent was not done" in shown
    assert 'name="next" value="/findings/x?a=1&amp;b=2"' in shown
    assert client.post("/logout", headers={"Referer": page}).headers["location"] == "/login"
    for other in ("https://evil.example/findings", "http://[", "nonsense", "http://testserver"):
        answer = client.post("/findings/x", headers={"Referer": other})
        assert answer.headers["location"] == "/login?lost=true&next=%2F"
    answer = client.post("/findings/x", headers={"Referer": "http://testserver//evil.example"})
    assert 'name="next" value="/"' in client.get(answer.headers["location"]).text


def test_no_answer_leads_to_the_name_that_a_request_had(people):
    for path in ("/login/", "/findings/", "/api/v1/findings/", "/static"):
        for client in (people.client(), people.program(Role.VIEWER)):
            answer = client.get(path, headers={"Host": "evil.example"})
            assert "evil.example" not in answer.headers.get("location", "")


@pytest.mark.parametrize(
    "next_", ["https://evil.example", "//evil.example", "/\\evil.example", "evil", "/\\/e"]
)
def test_a_login_never_leads_to_another_site(people, next_):
    people.account("person-viewer", Role.VIEWER)
    answer = Browser(people.client()).post("/login", name="person-viewer", password=PASSWORD, next=next_)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize(
    ("role", "allowed"), [(Role.VIEWER, False), (Role.ANALYST, False), (Role.ADMIN, True)]
)
def test_roles_hold_in_the_api_and_on_pages(people, role, allowed):
    program, browser = people.program(role), people.browser(role)
    expected = 200 if allowed else 403
    for path in ("/api/v1/accounts", "/api/v1/audit"):
        assert program.get(path).status_code == expected
    for path in ("/accounts", "/audit"):
        assert browser.get(path).status_code == expected
    name = "Process sending far more than usual"
    off = program.put(f"/api/v1/detections/{name}/enabled", json={"enabled": True})
    assert off.status_code == expected
    made = browser.post("/accounts", name=f"made-by-{role}", role="admin")
    assert made.status_code == expected
    assert (people.accounts.find(f"made-by-{role}") is not None) is allowed
    assert program.get("/api/v1/me").json() == {"name": f"robot-{role}", "role": role}


def test_a_token_has_no_more_rights_than_its_account(people):
    account = people.accounts.find(people.account("demoted", Role.ADMIN))
    secret, _ = people.accounts.make_token(account, "t", Role.ADMIN, None)
    client = people.client(headers={"Authorization": f"Bearer {secret}"})
    assert client.get("/api/v1/audit").status_code == 200
    people.account("another-admin", Role.ADMIN)
    people.accounts.change("demoted", role=Role.VIEWER)
    assert client.get("/api/v1/audit").status_code == 403
    people.accounts.change("demoted", disabled=True)
    assert client.get("/api/v1/me").status_code == 401


def test_tokens_are_made_shown_once_and_ended(people):
    client = people.program(Role.ANALYST)
    made = client.post("/api/v1/tokens", json={"label": "ci", "role": "viewer"}).json()
    other = people.client(headers={"Authorization": f"Bearer {made['secret']}"})
    assert other.get("/api/v1/me").json()["role"] == "viewer"
    assert made["secret"] not in client.get("/api/v1/tokens").text
    assert client.post("/api/v1/tokens", json={"label": "ci", "role": "admin"}).status_code == 403
    assert people.program(Role.VIEWER).delete(f"/api/v1/tokens/{made['id']}").status_code == 404
    assert client.delete(f"/api/v1/tokens/{made['id']}").status_code == 204
    assert other.get("/api/v1/me").status_code == 401


def test_a_token_ends_in_time(people):
    account = people.accounts.find(people.account("robot-viewer", Role.VIEWER))
    secret, _ = people.accounts.make_token(account, "short", Role.VIEWER, HOUR)
    assert people.accounts.bearer(secret) is not None
    people.clock.now += HOUR
    try:
        assert people.accounts.bearer(secret) is None
    finally:
        people.clock.now -= HOUR


def test_a_form_of_another_site_does_nothing(people):
    browser = people.browser(Role.ADMIN)
    fields = {"name": "forged", "role": "admin"}
    answers = [
        browser.client.post("/accounts", data=fields),
        browser.client.post("/accounts", data={**fields, "csrf": "guessed"}),
        browser.client.post(
            "/accounts",
            data={**fields, "csrf": browser.csrf("/account")},
            headers={"Sec-Fetch-Site": "cross-site"},
        ),
        browser.client.post(
            "/accounts",
            data={**fields, "csrf": browser.csrf("/account")},
            headers={"Origin": "https://evil.example"},
        ),
        browser.client.post("/api/v1/accounts", json=fields),
    ]
    assert [answer.status_code for answer in answers] == [403] * 5
    assert people.accounts.find("forged") is None
    csrf = {"X-CSRF-Token": browser.csrf("/account")}
    assert browser.client.post("/api/v1/accounts", json=fields, headers=csrf).status_code == 201


def test_a_login_form_needs_its_token_too(people):
    people.account("person-viewer", Role.VIEWER)
    answer = people.client().post("/login", data={"name": "person-viewer", "password": PASSWORD})
    assert answer.status_code == 403


def test_cookies_are_for_our_pages_alone(people):
    browser = Browser(people.client())
    people.account("person-viewer", Role.VIEWER)
    cookie = browser.post("/login", name="person-viewer", password=PASSWORD).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_wrong_passwords_are_told_nothing_and_slowed_down(people):
    people.account("guessed", Role.VIEWER)
    browser = Browser(people.client())
    answers = [browser.post("/login", name="guessed", password=f"wrong-{n}") for n in range(7)]
    assert [answer.status_code for answer in answers] == [401] * 6 + [429]
    assert browser.post("/login", name="guessed", password=PASSWORD).status_code == 429
    unknown = browser.post("/login", name="nobody-here", password="x")
    assert "name or the password is wrong" in unknown.text


def test_failed_logins_under_ever_new_names_do_not_fill_the_audit_log(people, monkeypatch):
    monkeypatch.setattr(entering, "_failures", entering.Failures(told=3))
    browser = Browser(people.client())
    for n in range(6):
        assert browser.post("/login", name=f"ghost-{n}", password="x").status_code == 401
    log = people.program(Role.ADMIN).get("/api/v1/audit").json()
    told = {one["actor"]: one["detail"] for one in log if one["action"] == "login.failed"}
    assert {name for name in told if name.startswith("ghost-")} == {"ghost-0", "ghost-1", "ghost-2"}
    assert "then" not in told["ghost-1"]
    assert "no more are told" in told["ghost-2"]["then"]


def test_who_guesses_at_many_passwords_at_once_holds_up_nothing_else(people, monkeypatch):
    people.account("patient", Role.VIEWER)
    accounts, free = people.accounts, threading.Event()
    monkeypatch.setattr(accounts, "_verified", lambda *_: free.wait(10) and None)
    browsers = [Browser(people.client()) for _ in range(9)]
    pages = [browser.csrf() for browser in browsers]

    def tried(n: int) -> int:
        fields = {"csrf": pages[n], "name": f"guessed-{n}", "password": "x"}
        return browsers[n].client.post("/login", data=fields).status_code

    with ThreadPoolExecutor(9) as threads:
        answers = [threads.submit(tried, n) for n in range(9)]
        first = next(as_completed(answers))
        assert first.result() == 429
        free.set()
        assert sorted(one.result() for one in answers) == [401] * 8 + [429]
    monkeypatch.undo()
    assert Browser(people.client()).post("/login", name="patient", password=PASSWORD).status_code == 303


def test_another_password_ends_all_sessions(people):
    people.account("mover", Role.VIEWER)
    one, other = Browser(people.client()), Browser(people.client())
    for browser in (one, other):
        assert browser.post("/login", name="mover", password=PASSWORD).status_code == 303
    new = "another long password"
    assert one.post("/account/password", old="wrong", password=new).status_code == 400
    assert one.post("/account/password", old=PASSWORD, password=new).status_code == 303
    assert one.get("/account").status_code == 200
    assert other.get("/account").status_code == 303
    assert one.post("/logout").headers["location"] == "/login"
    assert one.get("/account").status_code == 303


def test_a_copy_of_a_cookie_is_of_no_use_after_logging_out(people):
    people.account("leaver", Role.VIEWER)
    one, copied, other = (Browser(people.client()) for _ in range(3))
    for browser in (one, other):
        assert browser.post("/login", name="leaver", password=PASSWORD).status_code == 303
    copied.client.cookies = one.client.cookies.__class__(one.client.cookies)
    assert copied.get("/account").status_code == 200
    assert one.post("/logout").status_code == 303
    assert copied.get("/account").status_code == 303
    assert other.get("/account").status_code == 200, "another session of the same account goes on"


def test_sessions_that_were_ended_are_forgotten_with_their_cookies(people):
    accounts, hours = people.accounts, 12 * 3600
    accounts.end_session("first", hours)
    assert accounts.has_ended("first")
    later = Accounts(people.running.documents, lambda: NOW + 13 * HOUR)
    later.end_session("second", hours)
    assert [later.has_ended(one) for one in ("first", "second")] == [False, True]


def test_the_old_password_is_not_guessed_on_the_account_page(people):
    people.account("chosen", Role.VIEWER)
    browser = Browser(people.client())
    assert browser.post("/login", name="chosen", password=PASSWORD).status_code == 303
    new = {"password": "another long password"}
    answers = [browser.post("/account/password", old="x", **new).status_code for _ in range(7)]
    assert answers == [400] * 6 + [429]
    assert browser.post("/account/password", old=PASSWORD, **new).status_code == 429


def test_a_token_makes_none_that_outlives_it(people):
    account = people.accounts.find(people.account("robot-short", Role.ANALYST))
    secret, _ = people.accounts.make_token(account, "short", Role.ANALYST, HOUR)
    short = people.client(headers={"Authorization": f"Bearer {secret}"})
    for days in (None, 90):
        made = short.post("/api/v1/tokens", json={"label": "more", "days": days}).json()
        lasts = datetime.fromisoformat(made["expires"]) - datetime.fromisoformat(made["created"])
        assert timedelta(minutes=59) < lasts <= timedelta(hours=1)
    ever = people.program(Role.ADMIN).post("/api/v1/tokens", json={"label": "more", "days": None}).json()
    assert "expires" not in ever or ever["expires"] is None


def test_a_link_sets_a_password_once(people):
    admin = people.program(Role.ADMIN)
    path = admin.post("/api/v1/accounts", json={"name": "newcomer", "role": "analyst"}).json()["path"]
    browser = Browser(people.client())
    assert "newcomer" in browser.get(path).text
    assert browser.post(path, password="too short", again="too short").status_code == 400
    assert browser.post(path, password=PASSWORD, again=PASSWORD + "x").status_code == 400
    assert browser.post(path, password=PASSWORD, again=PASSWORD).status_code == 303
    assert browser.get("/account").status_code == 200
    assert Browser(people.client()).post(path, password=PASSWORD, again=PASSWORD).status_code == 404
    earlier = admin.post("/api/v1/accounts/newcomer/link").json()["path"]
    later = admin.post("/api/v1/accounts/newcomer/link").json()["path"]
    assert [people.client().get(one).status_code for one in (earlier, later)] == [404, 200]


def test_who_logs_in_at_a_provider_gets_no_password_here(people):
    people.accounts.enter("of-elsewhere", Role.ADMIN, "https://login.example", "subject-1")
    answer = people.program(Role.ADMIN).post("/api/v1/accounts/of-elsewhere/link")
    assert answer.status_code == 400
    assert "https://login.example" in answer.json()["error"]["message"]
    browser = people.browser(Role.ADMIN)
    assert "/accounts/of-elsewhere/link" not in browser.get("/accounts").text
    assert browser.post("/accounts/of-elsewhere/link").status_code == 400


@pytest.mark.parametrize("name", ["..", ".", "-", "@+."])
def test_a_name_of_marks_alone_is_none(people, name):
    """Clients take dots in addresses for folders: nobody could change or end such an account by its name."""
    answer = people.program(Role.ADMIN).post("/api/v1/accounts", json={"name": name})
    assert answer.json()["error"]["code"] == "bad_name"


def test_secrets_are_not_kept(people):
    secret = people.token(Role.VIEWER)["Authorization"].split()[1]
    kinds = ("account", "link", "token")
    kept = str([people.running.documents.all(kind) for kind in kinds])
    assert PASSWORD not in kept
    assert secret not in kept
    assert "$argon2id$" in kept


def test_one_admin_stays(people):
    admins = [one.name for one in people.accounts.all() if one.role is Role.ADMIN and not one.disabled]
    for name in admins[1:]:
        people.accounts.change(name, role=Role.VIEWER)
    try:
        for change in ({"role": Role.VIEWER}, {"disabled": True}):
            with pytest.raises(Refused, match="last admin"):
                people.accounts.change(admins[0], **change)
    finally:
        for name in admins[1:]:
            people.accounts.change(name, role=Role.ADMIN)


def test_the_audit_log_tells_who_did_what(people):
    admin = people.program(Role.ADMIN)
    admin.post("/api/v1/accounts", json={"name": "noted", "role": "viewer"})
    admin.patch("/api/v1/accounts/noted", json={"role": "analyst"})
    entries = admin.get("/api/v1/audit", params={"actor": "robot-admin"}).json()
    assert [(one["action"], one["target"], one["detail"]) for one in entries[:2]] == [
        ("account.change", "noted", {"role": "analyst"}),
        ("account.create", "noted", {"role": "viewer"}),
    ]


def test_other_servers_of_the_store_know_the_same_accounts(people):
    people.account("shared", Role.VIEWER)
    other = Accounts(people.running.documents, people.running.clock)
    assert other.verify("shared", PASSWORD) is not None
    assert other.verify("shared", "wrong") is None
