"""Orders about what detections learn: an admin locks, unlocks or resets an entity, or all of them.

They hold from the next minute on, for live runs, replays and searches alike.
"""

from __future__ import annotations

import math
import secrets
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from kubestray.api.asking import Asker
from kubestray.api.body import Body
from kubestray.api.kept_profiles import MINUTE, known_by, learner, moment, states_of
from kubestray.api.refusal import Refused, not_found
from kubestray.api.remembering import forget
from kubestray.baseline.stray import LEARNING
from kubestray.pipeline.running import Running
from kubestray.search.learned import Learning
from kubestray.search.profile_store import ORDERS


class Told(BaseModel):
    """An order that was given; ``key`` null is all entities."""

    time: datetime | None
    action: str
    key: list[str] | None
    actor: str
    reason: str


class NewOrder(Body):
    """What to do, about which entity (null: all of them), and why."""

    action: Literal["lock", "unlock", "reset"]
    key: list[str] | None = Field(default=None, max_length=20)
    reason: str = Field(default="", max_length=500)


def order(running: Running, asker: Asker, name: str, wanted: NewOrder) -> None:
    """Give an order; it is in the audit log, and holds from the next whole minute on."""
    known = known_by(running, learner(running, name))
    if wanted.key is not None:
        row = next((row for row in states_of(known) if list(row[0]) == wanted.key), None)
        if row is None:
            raise not_found("entity", "/".join(wanted.key))
        if wanted.action == "lock" and row[1] == LEARNING:
            raise Refused(
                400,
                "learning",
                "of this entity nothing is learned yet that could be kept",
                "lock it when it is ready",
            )
    elif known.profile is None:
        raise Refused(400, "learning", "this detection has learned nothing yet", "wait for its first run")
    time = math.floor(running.clock() / 1e9 / MINUTE + 1) * MINUTE
    document = {
        "time": time,
        "what": wanted.action,
        "key": wanted.key,
        "actor": asker.name,
        "reason": wanted.reason,
    }
    identity = f"{known.learning.about}/{int(time)}-{secrets.token_hex(6)}"
    running.documents.put(ORDERS, identity, document)
    told = {"key": wanted.key or "all", "reason": wanted.reason}
    running.documents.note(asker.name, f"baseline.{wanted.action}", name, told)
    forget(running)


def told_about(running: Running, found: Learning, key: list[str]) -> list[Told]:
    """Return the orders about an entity, the latest first."""
    told = [
        Told(
            time=moment(one["time"]),
            action=one["what"],
            key=one["key"],
            actor=one["actor"],
            reason=one["reason"],
        )
        for name, one in reversed(running.documents.as_written(ORDERS))
        if name.startswith(f"{found.about}/") and one["key"] in (None, key)
    ]
    return sorted(told, key=lambda one: str(one.time), reverse=True)  # those of one minute stay as they are
