"""What detections have learned, through the API and on the pages: of whom, what is usual, and orders."""

from __future__ import annotations

import re

import numpy as np
import pytest

from console import DETECTION, HOSTILE, LEARNED, UNKNOWN, teach
from kubestray.api.accounts import Role

PATH = f"/api/v1/learned/{DETECTION}"
CART, NEW = list(LEARNED), list(UNKNOWN)


@pytest.fixture(scope="module")
def learned(people):
    teach(people.running)
    return people


def entity(client, key):
    return client.get(f"{PATH}/entity", params={"key": key})


def test_who_is_known_and_how_well(learned):
    client = learned.program(Role.VIEWER)
    told = {one["detection"]: one for one in client.get("/api/v1/learned").json()}
    assert "Data to a new destination" not in told  # it learns no amounts
    known = told[DETECTION]
    assert (known["entities"], known["ready"], known["learning"]) == (2, 1, 1)
    others = [one for name, one in told.items() if name != DETECTION]
    assert all(one["as_of"] is None and one["entities"] == 0 for one in others)
    found = client.get(PATH, params={"words": "cart"}).json()
    assert [(one["key"], one["state"]) for one in found["found"]] == [(CART, "ready")]
    assert client.get(PATH, params={"state": "learning"}).json()["found"][0]["key"] == NEW
    assert client.get("/api/v1/learned/Data to a new destination").status_code == 404
    page = client.get(f"/api/v1/detections/{DETECTION}").json()
    assert page["alarms"]["allowed_per_day"] == pytest.approx(2 / 30, rel=1e-6)
    assert page["alarms"]["day"] == 3 + len(HOSTILE)


def test_what_is_normal_for_an_entity(learned):
    found = entity(learned.program(Role.VIEWER), CART).json()
    (usual,) = found["metrics"]
    assert usual["name"] == "bytes"
    assert usual["expected"] == pytest.approx(1200, rel=0.25)
    assert usual["upper"] > usual["expected"]
    assert (usual["points"], usual["day_known"]) == (16 * 24, 1.0)
    assert usual["lower"] is None  # more is what counts
    assert usual["week_change"] == pytest.approx(0.2, abs=0.03)
    day = [row["expected"] for row in found["days"]["bytes"]["data"]["values"]]
    assert len(day) == 96
    assert max(day) - min(day) > 200
    week = found["weeks"]["bytes"]["data"]["values"]
    means = {
        which: [row["value"] for row in week if row["week"] == which]
        for which in ("last days", "a week before")
    }
    assert len(means["last days"]) == 7
    assert np.mean(means["last days"]) / np.mean(means["a week before"]) == pytest.approx(1.2, abs=0.03)


def test_orders_need_an_admin_and_are_noted(learned):
    admin = learned.program(Role.ADMIN)
    lock = {"action": "lock", "key": CART, "reason": "a migration is coming"}
    for role in (Role.VIEWER, Role.ANALYST):
        assert learned.program(role).post(f"{PATH}/orders", json=lock).status_code == 403
    assert admin.post(f"{PATH}/orders", json=lock).json()["locked"] == 1
    found = entity(admin, CART).json()
    assert found["locked"]
    assert [(one["action"], one["reason"]) for one in found["orders"][:1]] == [("lock", lock["reason"])]
    audit = admin.get("/api/v1/audit", params={"actor": "robot-admin"}).json()
    assert (audit[0]["action"], audit[0]["target"]) == ("baseline.lock", DETECTION)
    assert admin.post(f"{PATH}/orders", json={"action": "unlock", "key": CART}).json()["locked"] == 0
    given = ["lock", "unlock", "lock", "lock", "unlock"]
    for action in given:  # within a minute: they hold from the same time on
        admin.post(f"{PATH}/orders", json={"action": action, "key": CART})
    told = [one["action"] for one in entity(admin, CART).json()["orders"][: len(given)]]
    assert told == given[::-1]
    # Of whom nothing is known there is nothing to lock.
    refused = admin.post(f"{PATH}/orders", json={"action": "lock", "key": NEW})
    assert refused.json()["error"]["code"] == "learning"
    assert admin.post(f"{PATH}/orders", json={"action": "lock", "key": ["nobody"]}).status_code == 404


def test_the_pages_lock_and_reset(learned):
    browser = learned.browser(Role.ADMIN)
    listed = browser.get("/baselines")
    assert DETECTION in listed.text
    page = browser.get(f"/baselines/{DETECTION}")
    assert HOSTILE[0] not in page.text
    address = next(
        one for one in re.findall(r'href="(/baselines/[^"]+/entity[^"]+)"', page.text) if "cart" in one
    )
    assert "The usual day" in browser.get(address.replace("&amp;", "&")).text
    answer = browser.post(f"/baselines/{DETECTION}", action="reset", key=NEW, reason="new version")
    assert answer.status_code == 303
    after = browser.get(answer.headers["location"])
    assert "It is learned anew" in after.text
    assert "new version" in after.text
    assert learned.browser(Role.VIEWER).post(f"/baselines/{DETECTION}", action="reset").status_code == 403
    hostile = browser.client.get(f"/baselines/{DETECTION}/entity", params={"key": NEW})
    assert hostile.status_code == 200
    assert HOSTILE[0] not in hostile.text
