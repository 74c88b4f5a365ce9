"""Reads one YAML file, and remembers where each top-level key stands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kubestray.model.errors import ContentError, Diagnostic, Position

_MOST_BYTES = 4 << 20


@dataclass(slots=True)
class YamlFile:
    """A mapping from a file; problems found in it are collected, each with its place."""

    path: str
    values: dict[str, Any]
    places: dict[str, Position]
    problems: list[Diagnostic]

    def problem(self, key: str, message: str) -> None:
        """Note a problem at a key (at the file's start if the key is not there)."""
        place = self.places.get(key.split(".")[0], Position(1, 1, self.path))
        self.problems.append(Diagnostic(place, f"{key}: {message}"))

    def text(self, key: str, *, required: bool = False) -> str:
        """Return a text; dates and numbers are taken as written."""
        value = self.values.get(key)
        if value is None:
            if required:
                self.problem(key, "is missing")
            return ""
        if isinstance(value, dict | list):
            self.problem(key, "expected a text")
            return ""
        return str(value)

    def table(self, key: str) -> dict[str, Any]:
        """Return a mapping, empty if there is none."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, dict):
            self.problem(key, "expected a mapping")
        return value if isinstance(value, dict) else {}

    def check(self) -> None:
        """Raise `ContentError` with all problems, if there are any."""
        if self.problems:
            raise ContentError(self.problems)


def read_yaml(path: Path) -> YamlFile:
    """Read a file that holds one YAML mapping; raise `ContentError` with the place of what is wrong."""
    shown = str(path)
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ContentError([Diagnostic(Position(1, 1, shown), f"cannot be read: {error}")]) from error
    if len(raw) > _MOST_BYTES:
        raise ContentError([Diagnostic(Position(1, 1, shown), "is too large for a content file (4 MiB)")])
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        values = loader.construct_document(node) if node else None
    except yaml.YAMLError as error:
        raise ContentError([_diagnostic(error, shown)]) from error
    if node is None or not isinstance(values, dict):
        raise ContentError([Diagnostic(Position(1, 1, shown), "expected a mapping of names to values")])
    places = {
        key.value: Position(key.start_mark.line + 1, key.start_mark.column + 1, shown)
        for key, _ in node.value
    }
    return YamlFile(shown, values, places, [])


def _diagnostic(error: yaml.YAMLError, path: str) -> Diagnostic:
    mark = getattr(error, "problem_mark", None)
    place = Position(mark.line + 1, mark.column + 1, path) if mark else Position(1, 1, path)
    return Diagnostic(place, f"not valid YAML: {getattr(error, 'problem', None) or error}")
