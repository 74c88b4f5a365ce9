"""From settings to the things that commands work with: the store, the content, searches, times."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kubestray.config import SECOND_NS, Config
from kubestray.detect.loader import load_content
from kubestray.detect.scheduler import Patience
from kubestray.model.content import Content
from kubestray.model.errors import UsageError
from kubestray.naming.mapping import read_mapping
from kubestray.search.events import StoredEvents
from kubestray.search.lookup_store import Record, StoreLookups
from kubestray.search.naming import Naming
from kubestray.search.profile_store import StoreProfiles
from kubestray.search.relation import Switches
from kubestray.search.run import Request
from kubestray.search.times import BadTime, parse_time
from kubestray.search.zones import UTC
from kubestray.store.engine import Limits
from kubestray.store.open import open_store
from kubestray.store.points import Span
from kubestray.store.store import Store

_PACKAGED = Path(__file__).parent.parent / "content"
_IN_CHECKOUT = Path(__file__).parent.parent.parent.parent / "content"


def built_in() -> Path:
    """Return the folder of the content that ships with the product."""
    return _PACKAGED if _PACKAGED.is_dir() else _IN_CHECKOUT


def content_of(config: Config, paths: Sequence[Path] = ()) -> Content:
    """Read the built-in content, then the folders of the settings, then ``paths``; later ones win."""
    return load_content([built_in(), *config["content"], *paths])


@contextmanager
def opened(config: Config) -> Iterator[Store]:
    """Open the store of the settings for the length of a command."""
    store = open_store(config["store"])
    try:
        yield store
    finally:
        store.close()


def limits_of(config: Config) -> Limits:
    """Return how long a search may run, and how much it may take and give."""
    return Limits(config["search_timeout"] / SECOND_NS, config["search_memory"], config["search_rows"])


def naming_of(config: Config) -> Naming:
    """Return the names that searches find things by, besides those they came with."""
    return Naming(read_mapping(config["mapping"]))


def searching(config: Config, switches: Switches | None = None) -> Callable[..., Request]:
    """Return what makes a search request, with the settings that hold for every search."""
    limits = limits_of(config)
    naming = naming_of(config)

    def make(text: str, now: int, span: Span, **more: Any) -> Request:
        return Request(
            text,
            now,
            span,
            metric_indexes=(config["metric_index"],),
            switches=switches or Switches(),
            timezone=config["timezone"],
            limits=limits,
            naming=naming,
            **more,
        )

    return make


def patience_of(config: Config) -> Patience:
    """Return how long runs and looks of a schedule wait."""
    return Patience(*(config[name] for name in ("lateness", "idle", "catch_up", "settle", "spread")))


def lookups_of(
    store: Store,
    content: Content,
    given: Mapping[str, list[dict[str, Any]]] | None = None,
    record: Record | None = None,
) -> StoreLookups:
    """Return the lookups of a store, with those that the content declares and those that were given.

    What is written to them goes to ``record``, by default the store's.
    """
    declared = {lookup.name: lookup.fields for lookup in content.lookups.values()}
    files = {one.name: Path(one.path).with_name(one.file) for one in content.lookups.values() if one.file}
    return StoreLookups(store.query, record or store.record, declared, given, files)


def events_of(store: Store) -> StoredEvents:
    """Return the events of a store: risk events, and what searches have collected."""
    return StoredEvents(store.query, store.record)


def profiles_of(store: Store, *, keep: bool = False) -> StoreProfiles:
    """Return what searches of a store have learned; with ``keep`` what they learn now is written there."""
    return StoreProfiles(store.query, store.record, keep_in_store=keep)


def moment(text: str, flag: str, now: int | None = None, zone: str = UTC) -> int:
    """Read a time given by a flag, in nanoseconds; raise `UsageError` if it is none."""
    try:
        return parse_time(text, time.time_ns() if now is None else now, zone)
    except BadTime as error:
        raise UsageError(f"{flag}: {error}") from error


def time_range(
    now: str | None, earliest: str | None, latest: str | None, zone: str = UTC
) -> tuple[int, Span]:
    """Read ``--now``, ``--earliest`` and ``--latest``; without the last two the range is all time."""
    at = moment(now, "--now", zone=zone) if now else time.time_ns()
    start = moment(earliest, "--earliest", at, zone) if earliest else 0
    end = moment(latest, "--latest", at, zone) if latest else (at if earliest else None)
    return at, Span(start, end)
