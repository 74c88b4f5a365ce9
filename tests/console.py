"""A console over a small store, and people who use it: without a network and without a browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from helpers import DAY, HOUR, MINUTE, NOW, SECOND, batch, series
from kubestray.api.accounts import Role
from kubestray.api.kept_profiles import learning_of
from kubestray.api.remembering import forget
from kubestray.baseline.profile import Form, Profile
from kubestray.config import load_config
from kubestray.model.content import Content
from kubestray.model.metric import Kind
from kubestray.model.risk import RiskEvent
from kubestray.pipeline.assessing import Assessment
from kubestray.pipeline.running import Running
from kubestray.pipeline.setting_up import content_of
from kubestray.pipeline.switching import Switches
from kubestray.risk.directory import Directory
from kubestray.risk.placing import Circumstances, placed
from kubestray.search.profile_store import StoreProfiles
from kubestray.search.relation import Held
from kubestray.store.documents import Documents
from kubestray.store.ledger import Ledger
from kubestray.store.store import Store
from kubestray.web.app import console

PASSWORD = "correct horse battery staple"

DETECTION = "Process sending far more than usual"

HOSTILE = (
    '<script>alert("x")</script>',
    "\"'><img src=x onerror=alert(1)>",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "abc\u202etxt.exe\u2066",
    "n" * 4096,
    "a&b;c=d?e#f%2e/../g",
)
"""Names that a workload can give itself."""


def edge(source: str, dest: str, **more: str) -> dict[str, str]:
    """Attributes of a network collector; workloads are written ``namespace/workload``."""
    ends = {}
    for side, name in (("source", source), ("dest", dest)):
        namespace, _, workload = name.partition("/")
        ends |= {f"{side}.namespace.name": namespace, f"{side}.workload.name": workload}
    return {"k8s.cluster.name": "prod", **ends, **more}


def fill(store: Store) -> None:
    """Three days of edges, one of which is two hours old; pods; hostile names; risk events."""
    known = [("shop/web", "shop/cart"), ("shop/cart", "data/db"), ("ops/cron", "data/db")]
    points = []
    for source, dest in known:
        made = series("tcp.bytes", Kind.GAUGE, **edge(source, dest))
        points += [(made, NOW - 3 * DAY, 0, 1.0)]
        points += [(made, NOW - n * 5 * MINUTE, 0, 10.0 + n) for n in range(24)]
    fresh = series("tcp.bytes", Kind.GAUGE, **edge("shop/cart", "outside/evil"))
    points += [(fresh, NOW - n * 10 * MINUTE, 0, 5.0) for n in range(1, 12)]
    for name in HOSTILE:
        bad = series("tcp.bytes", Kind.GAUGE, **edge(f"bad/{name}", "data/db"), note=name)
        points += [(bad, NOW - 50 * MINUTE, 0, 1.0)]
    pod = {"k8s.cluster.name": "prod", "k8s.namespace.name": "shop", "k8s.node.name": "n1"}
    for name in ("cart-7d9f8b5c6d-2xkzt", "cart-7d9f8b5c6d-9wqtn"):
        used = series("k8s.pod.cpu.usage", Kind.GAUGE, **pod, **{"k8s.pod.name": name})
        points += [(used, NOW - n * MINUTE, 0, 0.5) for n in range(30)]
    store.append(batch(points))
    names = ["workload:prod/shop/cart", "workload:prod/data/db", *(f"workload:prod/bad/{n}" for n in HOSTILE)]
    store.record("risk", risk_rows(names))


def open_findings(store: Store, content: Content) -> None:
    """Open a finding and its incident by the code that does it live; some of what it says is hostile."""
    found = [
        (DETECTION, "T1048", "node in api (pay) sends up to 33 bytes in five minutes, usually 12"),
        ("Another detection", "T1496", "a new program in api (pay) computes without a pause"),
        ("A third one", "T1059", f"{HOSTILE[0]} runs in api (pay)"),
    ]
    events = [
        RiskEvent(
            id=f"pay-{n}",
            time=NOW - (40 - 10 * n) * MINUTE,
            detection=name,
            risk_object="workload:prod/pay/api",
            risk_object_type="other",
            risk_score=60.0,
            fields={
                "entity": "workload:prod/pay/api",
                "risk_message": message,
                "info_min_time": NOW / 1e9 - 3600,
                "info_max_time": NOW / 1e9,
                "annotations.mitre_attack": [technique],
                "k8s.cluster.name": "prod",
                "source.namespace.name": "shop",
                "source.workload.name": "cart",
                "tcp.bytes": 33.0,
                "expected_tcp.bytes": 12.0,
                "upper_tcp.bytes": 19.5,
                HOSTILE[1]: HOSTILE[3],
            },
        )
        for n, (name, technique, message) in enumerate(found)
    ]
    around = Circumstances(Directory())
    Ledger(store).record_risk([placed(event, around) for event in events])
    Assessment(store, content, NOW - HOUR).advance(NOW, [])


def risk_rows(names: list[str], detection: str = DETECTION) -> pa.Table:
    """A risk event for each name, the first of which has two."""
    import json

    rows = [(name, NOW - (n + 1) * 10 * MINUTE, 20.0 + n) for n, name in enumerate([*names, names[0]])]
    fields = [
        json.dumps({"risk_message": f"{name} sent too much", "risk_object": name, "row.note": name})
        for name, _, _ in rows
    ]
    return pa.table(
        {
            "id": [f"event-{detection}-{n}" for n in range(len(rows))],
            "time": pa.array([time for _, time, _ in rows], pa.uint64()),
            "detection": [detection] * len(rows),
            "risk_object": [name for name, _, _ in rows],
            "risk_object_type": ["other"] * len(rows),
            "risk_score": [score for _, _, score in rows],
            "fields": fields,
            "recorded": pa.array([NOW] * len(rows), pa.uint64()),
        }
    )


LEARNED = ("prod", "shop", "cart", "java")
UNKNOWN = ("prod", "bad", HOSTILE[0], HOSTILE[1])


def teach(running: Running) -> None:
    """Keep what `DETECTION` would know after sixteen days of one that sends a fifth more in its second week,
    and a bin of one that is new.
    """
    found = learning_of(running, running.content.detections[DETECTION])
    assert found
    step = 3600.0
    end = NOW / SECOND // step * step
    times = end - step * np.arange(16 * 24, 0, -1)
    later = times >= times[-1] // 86400 * 86400 - 7 * 86400
    chance = np.random.default_rng(3)
    values = (1000 + 200 * np.sin(2 * np.pi * times / 86400)) * np.where(later, 1.2, 1.0)
    values += chance.normal(0, 10, len(times))
    profile = Profile(Form(found.wish.keys, found.wish.fields, step, found.wish.per_day, "up"))
    codes = np.append(np.zeros(len(times), dtype=np.int64), 1)
    rows = np.append(values, 5.0)[:, None]
    for _ in profile.advance(np.append(times, times[-1]), [LEARNED, UNKNOWN], codes, rows):
        pass
    profiles = StoreProfiles(running.store.query, running.store.record, keep_in_store=True)
    profiles.keep(found.of, Held(profile, "", end))
    forget(running)


class Clock:
    """Begins at NOW and goes on by a microsecond each time that it is looked at."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        self.now += 1000
        return self.now


def running_on(store: Store, folder: Path, **settings: str) -> Running:
    """What a server on this store would have; its time is about NOW."""
    key = folder / "session.key"
    key.write_text("k" * 64)
    config = load_config({"store": str(folder), "session_key_file": str(key), **settings}, {}, None)
    content = content_of(config)
    store.clock = Clock()
    return Running(config, store, content, switches=Switches(Documents(store), content))


class People:
    """The console of a running server, and clients that are logged in to it."""

    def __init__(self, running: Running) -> None:
        self.running = running
        open_findings(running.store, running.content)
        self.clock = running.store.clock
        self.app = console(running)
        self.accounts = self.app.state.accounts
        self.accounts._hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)  # in no time

    def client(self, **more: Any) -> TestClient:
        return TestClient(self.app, raise_server_exceptions=False, follow_redirects=False, **more)

    def account(self, name: str, role: Role) -> str:
        """Make an account with a password, or leave the one that is there."""
        if self.accounts.find(name) is None:
            self.accounts.create(name, role)
            self.accounts.set_password(name, PASSWORD)
        return name

    def token(self, role: Role) -> dict[str, str]:
        """The headers of a program that may act in a role."""
        account = self.accounts.find(self.account(f"robot-{role}", role))
        secret, _ = self.accounts.make_token(account, "tests", role, None)
        return {"Authorization": f"Bearer {secret}"}

    def program(self, role: Role) -> TestClient:
        return self.client(headers=self.token(role))

    def browser(self, role: Role) -> Browser:
        """Somebody who is logged in with a password."""
        browser = Browser(self.client())
        answer = browser.post("/login", name=self.account(f"person-{role}", role), password=PASSWORD)
        assert answer.status_code == 303, answer.text
        return browser


class Browser:
    """A client that sends forms as pages have them."""

    def __init__(self, client: TestClient) -> None:
        self.client = client

    def get(self, path: str) -> Any:
        return self.client.get(path)

    def csrf(self, path: str = "/login") -> str:
        found = re.search(r'name="csrf" (?:value|content)="([^"]+)"', self.client.get(path).text)
        assert found, path
        return found[1]

    def post(self, path: str, **fields: Any) -> Any:
        page = "/login" if path.startswith("/login") else "/account"
        return self.client.post(path, data={"csrf": self.csrf(page), **fields})


@contextmanager
def people_on(fleet: Any, folder: Path, **settings: str) -> Iterator[People]:
    """A console over a store with something in it."""
    with fleet.store("embedded") as store:
        fill(store)
        yield People(running_on(store, folder, **settings))


def chromium() -> str | None:
    """Where Debian's Chromium is, if it is installed."""
    return shutil.which("chromium")
