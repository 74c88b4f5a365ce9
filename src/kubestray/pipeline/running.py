"""What a server that runs has, for those who look into it: the console and the API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pyarrow as pa

from kubestray.collectors.registry import Registry, read_registry
from kubestray.config import Config
from kubestray.detect.runner import macros_of
from kubestray.model.content import Content
from kubestray.pipeline.setting_up import limits_of, lookups_of, profiles_of, searching
from kubestray.pipeline.switching import Switches
from kubestray.pipeline.upkeep import Health
from kubestray.receive.tally import Seen
from kubestray.search.events import StoredEvents
from kubestray.search.run import Request
from kubestray.store.documents import Documents
from kubestray.store.engine import Limits
from kubestray.store.points import Span
from kubestray.store.store import Store

Record = Callable[[str, pa.Table], None]
"""Appends rows to a table of ours: `Store.record`."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits to be stored, or is being stored: data points, and the memory that they take."""

    points: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class Running:
    """The parts of a running server. ``newest`` gives the time of the newest stored point (ns; 0: none)."""

    config: Config
    store: Store
    content: Content
    newest: Callable[[], int] = lambda: 0
    seen: Callable[[], Seen] = Seen
    listening: Callable[[], dict[str, str]] = dict
    """What listens where, by the name of the receiver."""
    switches: Switches | None = None
    senders: Callable[[], dict[str, Seen]] = dict
    """What was received of each source that has a token of its own."""
    waiting: Callable[[], Waiting] = Waiting
    """What was received and is not stored yet."""
    upkeep: Callable[[], Health] = Health
    """How the upkeep of the store fares."""
    kept: dict[str, Any] = field(default_factory=dict, repr=False)
    """What readers keep for a while, by names of theirs."""
    registry: Registry = field(init=False)
    documents: Documents = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "registry", read_registry(self.config["collector_settings"]))
        object.__setattr__(self, "documents", Documents(self.store))

    @property
    def limits(self) -> Limits:
        """How long a search may run, and how much it may take and give."""
        return limits_of(self.config)

    def clock(self) -> int:
        """Return the time in nanoseconds."""
        return self.store.clock()

    def request(self, text: str, now: int, span: Span, record: Record | None = None) -> Request:
        """Return a search with the macros, lookups and events that are in force.

        What it writes goes to ``record``, by default the store's.
        """
        return self.making(record)(text, now, span, macros=macros_of(self.content))

    def making(self, record: Record | None = None) -> Callable[..., Request]:
        """Return what makes a search that sees the lookups and events of the store."""
        query, write = self.store.query, record or self.store.record
        lookups = lookups_of(self.store, self.content, record=write)
        events = StoredEvents(query, write)
        profiles = profiles_of(self.store)
        return partial(searching(self.config), lookups=lookups, events=events, profiles=profiles)
