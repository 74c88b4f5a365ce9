"""What an output is given to send, and what it remembers of what it has sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kubestray.model.finding import Change, Document
from kubestray.notify.ledger import Key

DECIDED = "decided"
"""The change is what a person decided: the last of the document's ``history``."""

Reference = dict[str, Any]
"""What an output needs to know again of what it sent (JSON): the message to answer to, the labels given."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A change of a finding or incident, as one output is to tell it."""

    change: Change
    first: bool
    """This output has not told anything about it before."""
    ended: bool
    """For this output it is over: closed, resolved, or part of an incident that is told instead."""
    reference: Reference | None = None
    """What the output gave back when it last told something about it."""
    thread: Reference | None = None
    """The same of the incident it belongs to."""
    test: bool = False
    """Somebody tries whether the output works."""
    decision: str = ""
    """That of the change's key, see `ledger.Key`."""

    @property
    def id(self) -> str:
        """The finding's or incident's: the key by which receivers know it again."""
        return self.change.id

    @property
    def uid(self) -> str:
        """This change's: the key by which receivers that are told twice can tell."""
        return self.key.uid

    @property
    def key(self) -> Key:
        """The change's key in the ledger."""
        return Key(self.change.id, self.change.sequence, self.decision)

    @property
    def document(self) -> Document:
        """The finding or incident as it stood then."""
        return self.change.document

    @property
    def joined(self) -> str | None:
        """The id of the incident that it became part of, if that is why it has ended."""
        goes_on = self.document["state"] in ("new", "acknowledged")
        into = self.document.get("merged_into") or (goes_on and self.document.get("incident"))
        return str(into) if self.ended and into else None
