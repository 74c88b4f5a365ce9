"""From settings to who may send: tokens, files with further sources, and where that is asked for."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from kubestray.config import SECOND_NS, Address, Config
from kubestray.model.errors import UsageError
from kubestray.receive.budget import SeriesBudget
from kubestray.receive.kafka import KafkaSettings
from kubestray.receive.signalflow import SignalFlowSettings, chosen_inputs
from kubestray.receive.sources import Source, Sources
from kubestray.receive.tls import Tls
from kubestray.store.points import Span
from kubestray.store.store import Store
from kubestray.store.trees import all_of, call, column, named, one_of, select, text

_KEYS = {"token", "token_file", "cluster", "new_series_per_hour"}


def sources_of(config: Config) -> Sources:
    """Return who may send: the one token of the settings, or everybody without one; the file's sources."""
    token = _token(config)
    found = list(_from_file(config["receiver_sources"], config["new_series"]))
    if token or not found:
        found.insert(0, Source("default", token, SeriesBudget("default", config["new_series"])))
    tokens = [source.token for source in found]
    for source in found:
        if tokens.count(source.token) > 1:
            raise UsageError(
                f"receiver_sources: {source.name} has a token that another source has: which is meant?"
            )
    return Sources(found)


def kafka_of(config: Config) -> tuple[KafkaSettings, Source] | None:
    """Return where to read Kafka, and as which source; None if nowhere."""
    if not config["kafka_brokers"]:
        return None
    topics = tuple(topic.strip() for topic in config["kafka_topics"].split(",") if topic.strip())
    if not topics:
        raise UsageError("kafka_topics: expected the name of a topic")
    settings = KafkaSettings(
        config["kafka_brokers"],
        topics,
        config["kafka_group"],
        config["kafka_encoding"],
        _properties(config["kafka_properties"]),
    )
    budget = SeriesBudget("kafka", config["new_series"])
    return settings, Source("kafka", "", budget, config["kafka_cluster"])


def signalflow_of(config: Config) -> SignalFlowSettings | None:
    """Return what to pull from Splunk Observability Cloud; None if nothing."""
    inputs = chosen_inputs(config["observability_inputs"])  # told without a realm, too
    realm, url, file = (config[f"observability_{name}"] for name in ("realm", "url", "token_file"))
    if not (realm or url):
        return None
    if not file:
        raise UsageError("observability_token_file: pulling from Splunk Observability Cloud needs a token")
    where = f"observability_token_file {file}"
    _read(where, Path(file))
    return SignalFlowSettings(
        url or f"https://stream.{realm}.signalfx.com",
        lambda: _read(where, Path(file)),
        inputs,
        config["observability_resolution"] / SECOND_NS,
        config["observability_backfill"] / SECOND_NS,
    )


def newest_of(store: Store, back: int, metrics: Sequence[str]) -> int:
    """Return the time (ns) of the newest point of some metrics within ``back`` ns, 0 if there is none."""
    recent = Span(max(0, store.clock() - back)).holds_stored(column("time"))
    of = all_of([one_of(column("metric"), map(text, metrics)), recent])
    found = store.query(select(named(call("max", column("time")), "newest")).from_("samples").where(of))
    return int(found.column("newest").to_pylist()[0])


def _properties(path: str) -> dict[str, str]:
    if not path:
        return {}
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"kafka_properties {path}: cannot be read: {error}") from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            name, equals, value = line.partition("=")
            if not equals:
                raise UsageError(f"kafka_properties {path}: line {number}: expected NAME=VALUE")
            found[name.strip()] = value.strip()
    return found


def tls_of(config: Config) -> Tls | None:
    """Return the TLS of all listeners; None if there is none. Raises UsageError for files that are no use."""
    certificate, key, authority = (config[name] for name in ("tls_certificate", "tls_key", "tls_client_ca"))
    if not (certificate or key or authority):
        return None
    if not (certificate and key):
        raise UsageError("TLS needs both tls_certificate and tls_key: PEM files")
    tls = Tls(Path(certificate), Path(key), Path(authority) if authority else None)
    tls.check()
    return tls


def check_exposure(config: Config, sources: Sources, names: Iterable[str]) -> None:
    """Refuse to receive from other machines without a token."""
    for name in names:
        address: Address | None = config[name]
        if address and not address.loopback and not all(source.token for source in sources.all):
            raise UsageError(
                f"{name} {address}: other machines could send without a token; "
                "set receiver_token_file (or KUBESTRAY_RECEIVER_TOKEN), or listen on 127.0.0.1"
            )


def _token(config: Config) -> str:
    path = config["receiver_token_file"]
    if path:
        return _read(f"receiver_token_file {path}", Path(path))
    token = str(config["receiver_token"])
    if token and not token.strip():
        raise UsageError("receiver_token (KUBESTRAY_RECEIVER_TOKEN): holds no token")
    return token.strip()


def _read(what: str, path: Path) -> str:
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{what}: cannot be read: {error}") from error
    if not token:
        raise UsageError(f"{what}: holds no token")
    return token


def _from_file(path: str, new_series: int) -> Iterator[Source]:
    if not path:
        return
    file = Path(path)
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"receiver_sources {path}: cannot be read: {error}") from error
    for name, table in tables.items():
        yield _source(f"receiver_sources {path}: {name}", file, name, table, new_series)


def _source(where: str, file: Path, name: str, table: Any, new_series: int) -> Source:
    if not isinstance(table, dict) or set(table) - _KEYS:
        raise UsageError(f"{where}: expected a table with {', '.join(sorted(_KEYS))}")
    if ("token" in table) == ("token_file" in table):
        raise UsageError(f"{where}: it needs token or token_file, and not both")
    token = table.get("token", "")
    if "token_file" in table:
        token = _read(f"{where}: token_file", file.parent / str(table["token_file"]))
    per_hour, cluster = table.get("new_series_per_hour", new_series), table.get("cluster", "")
    if not isinstance(token, str) or not token.strip() or not isinstance(cluster, str):
        raise UsageError(f"{where}: token and cluster are texts, and a token is not empty")
    if isinstance(per_hour, bool) or not isinstance(per_hour, int) or per_hour < 1:
        raise UsageError(f"{where}: new_series_per_hour is a whole number above 0")
    return Source(name, token.strip(), SeriesBudget(name, per_hour), cluster)
