"""What people do with findings: look at them as they stand, decide, suppress."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from kubestray.model.errors import UsageError
from kubestray.model.finding import Change, Decision, Document, nanoseconds
from kubestray.risk.lifecycle import as_it_stands, decision, expectations, suppression, withdrawal
from kubestray.risk.suppressions import SUPPRESS, WITHDRAW, Suppression, suppressions_of
from kubestray.store.ledger import Ledger, Noted
from kubestray.store.store import Store

MOST_OVER = 1000
"""How many findings and incidents that are over are listed with those that are open."""

_OVER = frozenset(("resolved", "closed"))
"""The states in which something that is over can be."""


class Casework:
    """Findings and incidents of a store with what was decided about them. ``clock`` gives nanoseconds."""

    def __init__(self, store: Store, clock: Callable[[], int] = time.time_ns) -> None:
        self._ledger, self._clock = Ledger(store), clock

    def documents(
        self, kind: str = "", states: Iterable[str] = (), most_over: int | None = MOST_OVER
    ) -> list[Document]:
        """Return findings and incidents as they stand, the newest first; of a kind, in some states.

        All that are open, and of those that are over the newest ``most_over`` (None for all there ever were).
        """
        wanted = set(states)
        noted = self._ledger.latest(only_open=True, kind=kind)
        if not wanted or wanted & _OVER:
            noted += self._ledger.latest(only_over=True, kind=kind, most=most_over)
        found = self._as_they_stand(noted)
        return [one for one in found if not one.get("merged_into") and (not wanted or one["state"] in wanted)]

    def chosen(self, identities: Iterable[str]) -> list[Document]:
        """Return some findings and incidents as they stand, the newest first, whenever they were."""
        wanted = tuple(identities)
        return self._as_they_stand(self._ledger.latest(identities=wanted)) if wanted else []

    def _as_they_stand(self, noted: Iterable[Noted]) -> list[Document]:
        ordered = sorted(noted, key=lambda one: (-one.time, one.document["id"]))
        documents = [one.document for one in ordered]
        decided: dict[str, list[Decision]] = defaultdict(list)
        for one in self._ledger.decisions(targets=[one["id"] for one in documents]) if documents else ():
            decided[one.target].append(one)
        hidden, now = self.suppressions(), self._clock()
        return [as_it_stands(one, decided[one["id"]], hidden, now) for one in documents]

    def document(self, identity: str) -> Document:
        """Return a finding or incident as it stands; raise `UsageError` if there is none."""
        decisions = self._ledger.decisions(targets=(identity,))
        return as_it_stands(self._noted(identity).document, decisions, self.suppressions(), self._clock())

    def history(self, identity: str) -> list[Change]:
        """Return everything that became of a finding or incident by itself, in order."""
        return self._ledger.changes(identity)

    def decide(self, action: str, identity: str, actor: str, **detail: Any) -> Document:
        """Decide something about a finding or incident; return it as it stands then.

        ``assign`` needs an ``owner``, ``comment`` a ``text``; ``expect`` teaches the entities of its steps
        that this is normal. Raises `UsageError` if there is no such finding or action.
        """
        return self.decide_all(action, [identity], actor, **detail)[0]

    def decide_all(self, action: str, identities: Iterable[str], actor: str, **detail: Any) -> list[Document]:
        """Decide the same about several, or about none of them where one is missing; see `decide`."""
        wanted = tuple(dict.fromkeys(identities))
        if not wanted:
            return []
        noted = {one.document["id"]: one.document for one in self._ledger.latest(identities=wanted)}
        if missing := [one for one in wanted if one not in noted]:
            raise _missing(missing[0])
        taken: list[Decision] = []
        for identity, now in self._after(wanted).items():
            about = decision(action, identity, actor, now, **detail)
            if action == "expect":
                taken += expectations(noted[identity], actor, now, str(detail.get("text") or ""))
            taken.append(about)
        self._ledger.decide(*taken)
        found = {one["id"]: one for one in self.chosen(wanted)}
        return [found[one] for one in wanted]

    def _after(self, identities: tuple[str, ...]) -> dict[str, int]:
        """Return the times for decisions: after all others of each, whose clock may have been ahead."""
        times = dict.fromkeys(identities, max(self._clock(), 0))
        for before in self._ledger.decisions(identities):
            times[before.target] = max(times[before.target], before.time + 1)
        return times

    def suppress(self, scope: dict[str, Any], reason: str, actor: str, expires: int) -> str:
        """Hide what fits a scope from now until ``expires`` (ns); return the suppression's identity."""
        taken = suppression(scope, reason, actor, self._clock(), expires)
        self._ledger.decide(taken)
        return taken.target

    def withdraw(self, identity: str, actor: str) -> None:
        """End a suppression; raise `UsageError` if there is none."""
        if all(one.id != identity for one in self.suppressions()):
            raise UsageError(f"there is no suppression {identity}")
        self._ledger.decide(withdrawal(identity, actor, self._clock()))

    def suppressions(self) -> list[Suppression]:
        """Return every suppression there was, in order."""
        return suppressions_of(self._ledger.decisions(actions=(SUPPRESS, WITHDRAW)))

    def opened(self, since: int) -> list[Document]:
        """Return the findings that were opened from ``since`` (ns) on, as they were written last."""
        # What was opened since then was written since then.
        found = (noted.document for noted in self._ledger.latest(kind="finding", after=max(since - 1, 0)))
        return [one for one in found if nanoseconds(one["opened"]) >= since]

    def preview(self, scope: dict[str, Any], since: int) -> list[Document]:
        """Return the findings opened from ``since`` (ns) on that a suppression would have hidden."""
        now = self._clock()
        taken = suppression(scope, "preview", "preview", 0, 2 * now)
        hiding = suppressions_of([taken])
        recent = ({**one, "state": "new"} for one in self.opened(since))
        return [one for one in recent if as_it_stands(one, (), hiding, now)["state"] == "suppressed"]

    def audit(self) -> list[Decision]:
        """Return every decision, the newest first."""
        return self._ledger.decisions()[::-1]

    def _noted(self, identity: str) -> Noted:
        found = self._ledger.latest(identities=[identity])
        if not found:
            raise _missing(identity)
        return found[0]


def _missing(identity: str) -> UsageError:
    return UsageError(f"there is no finding or incident {identity}; kubestray findings lists them")
