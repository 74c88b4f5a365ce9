"""Which setting of a collector brings which metric or attribute, and what kind of sender a metric tells of.

Both are read from YAML: ``settings.yml`` beside this module says how it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kubestray.model.errors import UsageError
from kubestray.search.wildcards import parts

_OWN = Path(__file__).parent / "settings.yml"
_NAME = "{name}"
_KEYS = {
    "settings": {"name", "metrics", "attributes", "of", "why", "yaml"},
    "sources": {"name", "metrics", "having", "expects"},
}


@dataclass(frozen=True, slots=True)
class Setting:
    """Something to set in a collector; the patterns of what it brings may have ``*``."""

    name: str
    why: str
    yaml: str
    metrics: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    of: tuple[str, ...] = ("*",)
    """The metrics that its attributes are on."""

    def written(self, names: Iterable[str]) -> str:
        """Return what to write into the collector's configuration to get these names."""
        lines: list[str] = []
        for line in self.yaml.splitlines():
            lines += [line.replace(_NAME, name) for name in names] if _NAME in line else [line]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Source:
    """A kind of sender, known by the metrics it sends and, if ``having`` is set, an attribute of theirs."""

    name: str
    metrics: tuple[str, ...]
    having: str = ""
    expects: tuple[str, ...] = ()

    def sends(self, metric: str, attributes: Iterable[str]) -> bool:
        """Return whether a series of this metric with these attributes is from it."""
        return _any(self.metrics, metric) and (not self.having or self.having in attributes)


@dataclass(frozen=True, slots=True)
class Registry:
    """All settings and sources; the first that fits counts."""

    settings: tuple[Setting, ...]
    sources: tuple[Source, ...]
    remote_write: Setting

    def for_metric(self, metric: str) -> Setting | None:
        """Return what brings a metric, or the metrics of a pattern."""
        return next((one for one in self.settings if _any(one.metrics, metric)), None)

    def for_attribute(self, attribute: str, metric: str) -> Setting | None:
        """Return what brings an attribute of a metric."""
        fits = (one for one in self.settings if _any(one.attributes, attribute) and _any(one.of, metric))
        return next(fits, None)

    def source_of(self, metric: str, attributes: Iterable[str]) -> Source:
        """Return what sends a series; the last source takes what nothing else does."""
        return next((one for one in self.sources if one.sends(metric, attributes)), self.sources[-1])

    def sender_of(self, metric: str) -> Source:
        """Return what would send a metric of which nothing arrived."""
        return next((one for one in self.sources if _any(one.metrics, metric)), self.sources[-1])

    def metrics_like(self, pattern: str) -> list[str]:
        """Return the metrics that settings bring by name and that a pattern means."""
        named = [name for one in self.settings for name in one.metrics if "*" not in name]
        return [name for name in dict.fromkeys(named) if parts(pattern, name) is not None]


def read_registry(more: Sequence[Path] = ()) -> Registry:
    """Read the user's files, then what ships with the product; raise `UsageError` for a bad file."""
    files = [_read(path) for path in (*more, _OWN)]
    settings = [_setting(entry) for file in files for entry in file.get("settings") or ()]
    sources = [
        Source(entry["name"], _texts(entry, "metrics"), entry.get("having", ""), _texts(entry, "expects"))
        for file in files
        for entry in file.get("sources") or ()
    ]
    return Registry(tuple(settings), tuple(sources), _setting(files[-1]["remote_write"]))


def _setting(entry: dict[str, Any]) -> Setting:
    of = _texts(entry, "of") or ("*",)
    texts = (entry["name"], entry.get("why", ""), entry.get("yaml", ""))
    return Setting(*texts, _texts(entry, "metrics"), _texts(entry, "attributes"), of)


def _texts(entry: dict[str, Any], key: str) -> tuple[str, ...]:
    value = entry.get(key) or ()
    return (value,) if isinstance(value, str) else tuple(map(str, value))


def _read(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict) or set(found) - {*_KEYS, "remote_write"}:
        raise UsageError(f"{path}: expected the keys settings and sources")
    for key, known in _KEYS.items():
        listed = found.get(key) or []
        if not isinstance(listed, list):
            raise UsageError(f"{path}: {key}: expected a list of entries")
        for number, entry in enumerate(listed, 1):
            _check(entry, known, f"{path}: {key}: entry {number}")
    return found


def _check(entry: object, known: set[str], at: str) -> None:
    """Raise UsageError for what is no entry; ``at`` says where it stands."""
    if not isinstance(entry, dict) or "name" not in entry or set(entry) - known:
        raise UsageError(f"{at}: it has a name and may have {', '.join(sorted(known))}")
    for name, value in entry.items():
        listed = name in ("metrics", "attributes", "of", "expects")
        if not isinstance(value, str | list if listed else str):
            raise UsageError(f"{at}: {name}: expected {'a list of texts' if listed else 'a text'}")


def _any(patterns: Iterable[str], name: str) -> bool:
    return any(parts(pattern, name) is not None for pattern in patterns)
