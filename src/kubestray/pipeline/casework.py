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


class Casework:
    """Findings and incidents of a store with what was decided about them. ``clock`` gives nanoseconds."""

    def __init__(self, store: Store, clock: Callable[[], int] = time.time_ns) -> None:
        self._ledger, self._clock = Ledger(store), clock

    def documents(self, kind: str = "", states: Iterable[str] = ()) -> list[Document]:
        """Return findings and incidents as they stand, the newest first; of a kind, in some states."""
        wanted = set(states)
        decided: dict[str, list[Decision]] = defaultdict(list)
        for one in self._ledger.decisions():
            decided[one.target].append(one)
        hidden, now = suppressions_of(one for ones in decided.values() for one in ones), self._clock()
        found = (
            as_it_stands(noted.document, decided[noted.document["id"]], hidden, now)
            for noted in self._ledger.latest(kind=kind)
        )
        return [one for one in found if not one.get("merged_into") and (not wanted or one["state"] in wanted)]

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
        noted, now = self._noted(identity), self._clock()
        taken = decision(action, identity, actor, now, **detail)
        if action == "expect":
            for learned in expectations(noted.document, actor, now, str(detail.get("text") or "")):
                self._ledger.decide(learned)
        self._ledger.decide(taken)
        return self.document(identity)

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

    def preview(self, scope: dict[str, Any], since: int) -> list[Document]:
        """Return the findings opened from ``since`` (ns) on that a suppression would have hidden."""
        now = self._clock()
        taken = suppression(scope, "preview", "preview", 0, 2 * now)
        hiding = suppressions_of([taken])
        found = (noted.document for noted in self._ledger.latest(kind="finding"))
        recent = ({**one, "state": "new"} for one in found if nanoseconds(one["opened"]) >= since)
        return [one for one in recent if as_it_stands(one, (), hiding, now)["state"] == "suppressed"]

    def audit(self) -> list[Decision]:
        """Return every decision, the newest first."""
        return self._ledger.decisions()[::-1]

    def _noted(self, identity: str) -> Noted:
        found = self._ledger.latest(identity=identity)
        if not found:
            raise UsageError(f"there is no finding or incident {identity}; kubestray findings lists them")
        return found[0]
