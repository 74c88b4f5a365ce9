"""Every setting, in one table: its flag, its environment variable, its key in the file, its page in the docs.

Settings come from flags, then ``KUBESTRAY_*`` variables, then one TOML file (``--config``), then the
defaults here. `docs/settings.md` is made from this table.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kubestray.model.errors import UsageError
from kubestray.search.times import parse_duration
from kubestray.search.zones import checked_zone

SECOND_NS = 10**9


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def from_here(self) -> Address:
        """Where it is to be reached from this machine."""
        return Address({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host), self.port)  # noqa: S104

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _text(value: str) -> str:
    return value


def _web_address(value: str) -> str:
    """Read where a browser finds something, or nothing."""
    parts = urlsplit(value)
    if value and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ValueError("expected http:// or https:// and a host, for example https://kubestray.example.com")
    return value


def _address(value: str) -> Address:
    found = re.fullmatch(r"\[?([^\[\]]+?)\]?:(\d{1,5})", value.strip())
    if not found or int(found[2]) > 65535:
        raise ValueError("expected HOST:PORT, for example 127.0.0.1:4317")
    return Address(found[1], int(found[2]))


def _optional_address(value: str) -> Address | None:
    return _address(value) if value.strip() else None


def _duration(value: str) -> int:
    duration = parse_duration(value)
    if not duration:
        raise ValueError("expected a length of time, for example 30s, 12h or 7d")
    return duration


def _pause(value: str) -> int | None:
    """Read a length of time; None for the word ``auto``."""
    return None if value == "auto" else _duration(value)


def _size(value: str) -> int:
    found = re.fullmatch(r"(\d+)\s*(|[KMG]i?B?)", value.strip(), re.IGNORECASE)
    if not found:
        raise ValueError("expected a size, for example 64MiB")
    return int(found[1]) << {"": 0, "k": 10, "m": 20, "g": 30}[found[2][:1].lower()]


def _count(value: str) -> int:
    if not value.strip().isdigit():
        raise ValueError("expected a whole number")
    return int(value)


def _names(value: str) -> tuple[str, ...] | None:
    """Read names separated by commas; None for the word ``auto``."""
    return None if value == "auto" else tuple(part.strip() for part in value.split(",") if part.strip())


def _list(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _metrics(value: str) -> tuple[str, ...]:
    """Read names of metrics separated by commas, with ``*`` for any characters."""
    names = _list(value)
    if any(not re.fullmatch(r"[^\s()\"'|=]+", name) for name in names):
        raise ValueError(
            "expected names of metrics separated by commas, for example tcp.rtt.average,process.*"
        )
    return names


def _paths(value: str) -> tuple[Path, ...]:
    return tuple(Path(part) for part in value.split(os.pathsep) if part)


def _roles(value: str) -> tuple[tuple[str, str], ...]:
    pairs = [part.strip().partition("=") for part in value.split(",") if part.strip()]
    for role, equals, group in pairs:
        if role.strip() not in ("viewer", "analyst", "admin") or not equals or not group.strip():
            raise ValueError("expected ROLE=GROUP, separated by commas; roles are viewer, analyst and admin")
    return tuple((role.strip(), group.strip()) for role, _, group in pairs)


def _encoding(value: str) -> str:
    if value not in ("otlp_proto", "otlp_json"):
        raise ValueError("expected otlp_proto or otlp_json")
    return value


def _level(value: str) -> str:
    if value.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError("expected debug, info, warning or error")
    return value.upper()


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its name in the file, its default as text, how it is read, what it does."""

    name: str
    default: str
    read: Callable[[str], Any]
    help: str
    secret: bool = False

    @property
    def flag(self) -> str:
        """The command-line flag."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable."""
        return "KUBESTRAY_" + self.name.upper()


SETTINGS = (
    Setting("store", "chdb://~/.local/share/kubestray", _text, "The store: a directory, chdb://DIR, or clickhouse://user:password@host:8123/database?cluster=NAME."),
    Setting("content", "", _paths, "Content folders in force beside the built-in one; several are separated by the path separator (a list in the file)."),
    Setting("metric_index", "kubernetes_metrics", _text, "The name of the index that metrics are in, as searches write it."),
    Setting("collector_settings", "", _paths, "Files that tell which settings of collectors bring which metrics, before those that doctor knows; several as for content."),
    Setting("mapping", "", _paths, "Files that give what arrives further names in searches, before those that ship with the product (docs/names.md); several as for content."),
    Setting("timezone", "UTC", checked_zone, "The time zone of calendar days, of times without an offset and of texts of times in searches: an IANA name, for example Europe/Berlin."),
    Setting("log_level", "info", _level, "How much is logged to stderr: debug, info, warning or error."),
    Setting("search_timeout", "5m", _duration, "How long a search may run."),
    Setting("search_memory", "8GiB", _size, "How much memory a search may use; from half of it on, groups and sorted rows go to disk."),
    Setting("search_rows", "1000000", _count, "How many rows a search may return."),
    Setting("otlp_grpc", "127.0.0.1:4317", _address, "Where OTLP over gRPC is received."),
    Setting("otlp_http", "127.0.0.1:4318", _address, "Where OTLP over HTTP is received, Prometheus' remote write (/api/v1/write), SignalFx (/v2/datapoint) and Splunk HEC (/services/collector)."),
    Setting("remote_write", "", _optional_address, "One more address for Prometheus' remote write, which otlp_http takes too."),
    Setting("signalfx", "", _optional_address, "One more address for SignalFx, which otlp_http takes too."),
    Setting("splunk_hec", "", _optional_address, "One more address for metrics of Splunk's HTTP Event Collector, which otlp_http takes too."),
    Setting("http", "127.0.0.1:8470", _address, "Where the console and the API are, and /healthz and /readyz."),
    Setting("console_url", "", _web_address, "The address by which people reach the console, for links and, if it is https, for cookies: http://HOST:PORT of its own if not set."),
    Setting("oidc_issuer", "", _web_address, "The issuer of an OpenID Connect provider that people may log in with; its description is at ISSUER/.well-known/openid-configuration."),
    Setting("oidc_client_id", "kubestray", _text, "What the provider calls the console. Its redirect address there is CONSOLE_URL/login/oidc/back."),
    Setting("oidc_client_secret_file", "", _text, "A file that holds the client secret, if the provider gave one."),
    Setting("oidc_claim", "groups", _text, "The claim that says which groups somebody belongs to."),
    Setting("oidc_roles", "viewer=*", _roles, "What groups may do: role=group, separated by commas, for example admin=security,analyst=sre,viewer=*. The highest role counts; * is everybody whom the provider lets in."),
    Setting("session_key_file", "", _text, "A file that holds the key with which sessions of the console are signed: needed where several servers share a ClickHouse store."),
    Setting("receiver_token", "", _text, "The bearer token that senders must give; without one, and without receiver_sources, receivers listen on loopback only.", secret=True),
    Setting("receiver_token_file", "", _text, "A file that holds the bearer token."),
    Setting("kafka_brokers", "", _text, "Brokers of Kafka (HOST:PORT, several separated by commas) to read metrics from, which the collector's kafka exporter wrote there; needs kubestray[kafka]."),
    Setting("kafka_topics", "otlp_metrics", _text, "The topics, separated by commas."),
    Setting("kafka_group", "kubestray", _text, "The consumer group; servers with one store are in one group."),
    Setting("kafka_encoding", "otlp_proto", _encoding, "What messages are: otlp_proto or otlp_json."),
    Setting("kafka_cluster", "", _text, "The k8s.cluster.name of what comes through Kafka without one."),
    Setting("kafka_properties", "", _text, "A file of further properties of librdkafka, NAME=VALUE a line: security.protocol, sasl.mechanism and so on."),
    Setting("observability_realm", "", _text, "The realm of Splunk Observability Cloud to pull metrics from, for example us1."),
    Setting("observability_url", "", _web_address, "The address of its stream API, where it is not https://stream.REALM.signalfx.com."),
    Setting("observability_token_file", "", _text, "A file with an access token of the organisation; it is read again whenever a stream begins."),
    Setting("observability_inputs", "", _list, "Which inputs to pull, separated by commas: sim_process_metrics, sim_npm_metrics, sim_pod_metrics, sim_container_metrics; all without one."),
    Setting("observability_resolution", "10s", _duration, "The resolution to ask for; the organisation may have a coarser one."),
    Setting("observability_backfill", "1h", _duration, "How far back the first run goes, and the longest gap that is made up for."),
    Setting("receiver_sources", "", _text, "A TOML file of further sources, a table each: token or token_file, cluster (the k8s.cluster.name of what comes without one), new_series_per_hour."),
    Setting("new_series", "5000000", _count, "How many new series a source may bring in an hour; those it has stay."),
    Setting("max_attributes", "256", _count, "How many attributes a series may have, those of its resource included."),
    Setting("tls_certificate", "", _text, "A PEM file with the certificate of all listeners, then those that it is signed by; without one they speak no TLS."),
    Setting("tls_key", "", _text, "The PEM file with the certificate's key."),
    Setting("tls_client_ca", "", _text, "A PEM file with the authorities that senders' certificates have to be from; without one, senders need none."),
    Setting("max_request", "64MiB", _size, "The largest request that is received, after decompression."),
    Setting("max_queue", "2000000", _count, "How many data points may wait to be written before senders are told to come back later."),
    Setting("max_queue_bytes", "1GiB", _size, "How much memory what waits to be written may take before senders are told to come back later."),
    Setting("commit_interval", "auto", _pause, "The least time between two writes to the store; requests in between are written together. auto: 5ms where points go to a journal first (serve with a store of its own), else 100ms."),
    Setting("future_limit", "10m", _duration, "How far ahead of the clock a data point's time may be."),
    Setting("retention_raw", "7d", _duration, "How long points are kept. Only serve deletes expired ones."),
    Setting("retention_summaries", "400d", _duration, "How long summaries of hours and days are kept, which answer for points that have expired: not shorter than retention_raw. If it is not set and retention_raw is longer, as long as that."),
    Setting("churning_attributes", "auto", _names, "Attributes that summaries leave out, separated by commas: their values come and go with every process or container. auto: those that do, unless an enabled detection or baseline looks at them further back than points are kept."),
    Setting("percentile_metrics", "", _metrics, "Metrics, separated by commas (* stands for any characters), of which sketches are kept by the hour: percentiles of them then need not read points over all of their time (mstats with median, perc and so on, within 0.8 %). Those that enabled detections and baselines ask percentiles of over more than a day have them in any case."),
    Setting("accelerated_searches", "auto", _names, "Names of detections and baselines whose last statistics are kept by the hour, separated by commas, so that they need not read points over all of their time (mstats with a span, then stats). auto: all that are enabled and look further back than a day."),
    Setting("lateness", "30s", _duration, "How long a scheduled detection waits for points behind the newest one."),
    Setting("settle", "3s", _duration, "How long a look between two runs (looks in a detection's schedule) waits for points behind the newest one."),
    Setting("spread", "1m", _duration, "Over how long the runs that are due at one time take place, so that looks need not wait for all of them."),
    Setting("idle", "32s", _duration, "How long after its time a scheduled detection runs although no newer points have come; a look does so earlier by as much as lateness is longer than settle."),
    Setting("give_up_after", "24h", _duration, "For how long an output is tried in vain before a change becomes a dead letter (docs/outputs.md)."),
    Setting("catch_up", "24h", _duration, "How far back runs that were missed while serve was down are made up for."),
)  # fmt: skip

_BY_NAME = {setting.name: setting for setting in SETTINGS}


TABLES = ("output", "route")
"""Lists of tables in the file beside the settings; `notify.configuration` reads them."""

READERS: dict[str, Callable[[str], Any]] = {"duration": _duration, "size": _size, "count": _count}
"""How values of such kinds are read wherever they are given."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The lists of tables of a file, as they were written, and where they come from."""

    origin: str
    tables: Mapping[str, Any]


class Config:
    """Settings by name. ``config["retention_raw"]`` is what its `Setting.read` gave."""

    def __init__(self, values: Mapping[str, Any], tables: Tables | None = None) -> None:
        self._values = dict(values)
        self.tables = tables or Tables("", {})

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __repr__(self) -> str:
        shown = {
            name: "***" if _BY_NAME[name].secret and value else value for name, value in self._values.items()
        }
        return f"Config({shown})"


def load_config(flags: Mapping[str, str | None], environment: Mapping[str, str], file: Path | None) -> Config:
    """Put the settings together; raise `UsageError` that says where a bad value came from."""
    written, tables = _from_file(file) if file else ({}, {})
    _check_variables(environment, _named_variables(tables))
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for setting in SETTINGS:
        given = flags.get(setting.name)
        if given is not None:
            text, origin = given, setting.flag
        elif setting.variable in environment:
            text, origin = environment[setting.variable], setting.variable
        elif setting.name in written:
            text, origin = written[setting.name], f"{file}: {setting.name}"
        else:
            values[setting.name] = setting.read(setting.default)
            continue
        values[setting.name], origins[setting.name] = _read(setting, text, origin), f"{origin} {text}"
    _check_retention(values, origins)
    return Config(values, Tables(f"--config {file}", tables))


def _check_retention(values: dict[str, Any], origins: Mapping[str, str]) -> None:
    """See to it that summaries are kept as long as points: they are made again of points that are there."""
    if values["retention_summaries"] >= values["retention_raw"]:
        return
    told = origins.get("retention_summaries")
    if told:
        points = origins.get("retention_raw", f"retention_raw, which is {_BY_NAME['retention_raw'].default}")
        raise UsageError(
            f"{told}: is shorter than {points}: points cannot be kept longer than the summaries that answer for "
            "them later; make retention_summaries as long, or retention_raw as short"
        )
    values["retention_summaries"] = values["retention_raw"]


def _read(setting: Setting, text: str, origin: str) -> Any:
    try:
        return setting.read(text)
    except ValueError as error:
        shown = "" if setting.secret else f" {text!r}"
        raise UsageError(f"{origin}:{shown} {error}") from error


def _from_file(path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the settings of a file as texts, and its lists of tables as they are."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--config {path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"--config {path}: not valid TOML: {error}") from error
    tables = {name: table.pop(name) for name in TABLES if name in table}
    for name in table:
        if name not in _BY_NAME:
            raise UsageError(f"--config {path}: unknown setting {name!r}{_meant(name, [*_BY_NAME, *TABLES])}")
    return {name: _as_text(value) for name, value in table.items()}, tables


def _as_text(value: Any) -> str:
    return os.pathsep.join(map(str, value)) if isinstance(value, list) else str(value)


def _named_variables(tables: Mapping[str, Any]) -> set[str]:
    """Return the environment variables that tables take secrets from."""
    rows = [
        row for rows in tables.values() if isinstance(rows, list) for row in rows if isinstance(row, dict)
    ]
    return {str(value) for row in rows for key, value in row.items() if key.endswith("_env")}


def _check_variables(environment: Mapping[str, str], named: set[str]) -> None:
    known = [setting.variable for setting in SETTINGS]
    for name in environment:
        if name.startswith("KUBESTRAY_") and name not in (*known, "KUBESTRAY_CONFIG", *named):
            raise UsageError(f"unknown environment variable {name}{_meant(name, known)}")


def _meant(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def manual() -> str:
    """Return docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Made from the table in `src/kubestray/config.py`. A flag beats an environment variable, which beats",
        "the TOML file named by `--config` (or `KUBESTRAY_CONFIG`). An unknown name is an error. A secret has no flag,",
        "for other users of the machine could read it there.",
        "",
        "| in the file | flag | variable | default | what it does |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| `{s.name}` | {'' if s.secret else f'`{s.flag}`'} | `{s.variable}` | {f'`{s.default}`' if s.default else ''} | {s.help} |"
        for s in SETTINGS
    ]
    lines += [
        "",
        "The file also says where findings go, in tables `[[output]]` and `[[route]]`: `docs/outputs.md`.",
    ]
    return "\n".join(lines) + "\n"
