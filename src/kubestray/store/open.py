"""Opens the store that a URL names."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from pathlib import Path

from kubestray.model.errors import KubestrayError, StoreBusy, UsageError
from kubestray.store.broken import tell_broken
from kubestray.store.directory import has, holder
from kubestray.store.embedded import EmbeddedEngine
from kubestray.store.journal import Journal
from kubestray.store.pending import Pending
from kubestray.store.schema import Layout
from kubestray.store.socket import SOCKET_NAME, SocketEngine, StoreSocket
from kubestray.store.store import POINT_TABLES, Store

JOURNAL_NAME = "journal"
_PATIENCE = 15.0  # seconds to wait for another short command to let go of the store


def open_store(url: str) -> Store:
    """Open a store for a command: ``clickhouse://…``, ``chdb://DIR`` or a plain directory.

    While another process serves the directory, statements go through it. Raises `StoreBusy` if one
    holds it and does not serve, `UsageError` for any other kind of URL, `StoreError` otherwise.
    """
    if url.startswith("clickhouse://"):
        return _clickhouse(url)
    directory = embedded_directory(url)
    for _ in _attempts():
        served = _served(directory)
        if served:
            return Store(served)
        try:
            engine = EmbeddedEngine(directory)
        except StoreBusy:
            continue
        return _stored(engine, directory)
    raise _busy(directory)


def hold_store(url: str) -> tuple[Store, StoreSocket | None]:
    """Open a store as its server: nobody else may hold an embedded one, and others reach it through us."""
    if url.startswith("clickhouse://"):
        return _clickhouse(url), None
    directory = embedded_directory(url)
    for _ in _attempts():
        served = _served(directory)
        if served:
            served.close()
            raise StoreBusy(
                f"the store {directory} is already served by process {served.pid}; "
                "stop it, or give --store another directory"
            )
        try:
            engine = EmbeddedEngine(directory)
        except StoreBusy:
            continue
        return _stored(engine, directory, by_journal=True), StoreSocket(engine, directory)
    raise _busy(directory)


def is_there(url: str) -> bool:
    """Return whether a store was there before it is opened; one on a server is taken to be.

    Raises `UsageError` for a URL that names no store, `StoreError` for a directory that we may not look into.
    """
    return url.startswith("clickhouse://") or has(embedded_directory(url), "metadata")


def embedded_directory(url: str) -> Path:
    """Return the directory that a URL or plain path names."""
    if url.startswith("chdb://"):
        url = url.removeprefix("chdb://")
    elif "://" in url:
        raise UsageError(
            f"--store {url.split('://')[0]}://… is no store; use a directory, chdb://DIR or clickhouse://…"
        )
    if not url:
        raise UsageError("--store chdb:// needs a directory, for example chdb:///var/lib/kubestray")
    try:
        return Path(url).expanduser().resolve()
    except RuntimeError as error:  # no HOME, and a user that this machine does not know
        raise UsageError(
            f"--store {url}: this user has no home directory; give --store or KUBESTRAY_STORE a directory"
        ) from error


def _attempts() -> Iterator[None]:
    """Yield until patience ends, a moment apart."""
    end = time.monotonic() + _PATIENCE
    yield
    while time.monotonic() < end:
        time.sleep(0.1)
        yield


def _clickhouse(url: str) -> Store:
    from kubestray.store.clickhouse import ClickHouseEngine

    engine = ClickHouseEngine(url)
    store = Store(engine, Layout(engine.cluster))
    store.create()
    return store


def _stored(engine: EmbeddedEngine, directory: Path, *, by_journal: bool = False) -> Store:
    """Return the store of an engine, with what its journal held; ``by_journal`` is how points are written."""
    store = Store(engine)
    try:
        store.create()
        tell_broken(engine)
        pending = Pending(Journal(directory / JOURNAL_NAME), POINT_TABLES, store.write_all)
        pending.recover()
        if by_journal:
            store.write_by(pending, engine)
    except KubestrayError:
        store.close()
        raise
    return store


def _served(directory: Path) -> SocketEngine | None:
    """Return the engine of the process that serves this directory, if one does."""
    if not has(directory, SOCKET_NAME):
        return None
    try:
        return SocketEngine(directory)
    except (OSError, http.client.HTTPException):
        return None  # left behind by a process that died


def _busy(directory: Path) -> StoreBusy:
    return StoreBusy(
        f"the store {directory} is held by process {holder(directory)}, which does not serve it; "
        "wait for it or stop it"
    )
