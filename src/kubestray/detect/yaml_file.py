"""Reads one YAML file, and remembers where everything in it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import yaml

from kubestray.detect.layout import shown
from kubestray.detect.yaml_text import Lines, text_offsets
from kubestray.model.errors import ContentError, Diagnostic, Position, Where

_MOST_BYTES = 1 << 20
_MOST_NODES = 100_000

_BOMB = "what an alias (*name) refers to counts each time"
_IN_QUOTES = "put the text in quotes, or after |- on indented lines of its own"
_BLOCK = f"a text that begins with | is taken for a block: {_IN_QUOTES}"
_HINTS = (
    ("expected chomping or indentation", _BLOCK),
    ("expected a comment or a line break", _BLOCK),
    ("mapping values are not allowed", f'": " in a text begins a mapping: {_IN_QUOTES}'),
    ("found character '\\t'", "indent with spaces, not with tabs"),
    ("cannot start any token", _IN_QUOTES),
    ("expected alphabetic or numeric character", _IN_QUOTES),
    ("undefined alias", f"a text that begins with * is taken for an alias: {_IN_QUOTES}"),
    ("unknown escape character", "in \"…\" a backslash is written twice, in '…' and after |- once"),
    ("unexpected end of stream", "add the closing quote"),
    ("expected <block end>", "look at the indentation, and write '' for a single quote inside '…'"),
    ("could not find expected ':'", "after a key comes a colon and a space"),
    ("found another document", "a file holds one item: take out the line ---"),
    ("constructor for the tag", "a content file holds texts, numbers, lists and mappings only"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Entry:
    """A key or an item: its offset in the file, its value, and the column (from 0) it is written in."""

    at: int
    node: yaml.Node
    column: int


@dataclass(slots=True)
class YamlFile:
    """A mapping from a file; problems found in it are collected, each with its place.

    Keys are written with dots, items by their number: ``rba.risk_objects.0.field``.
    """

    path: str
    values: dict[str, Any]
    problems: list[Diagnostic]
    _source: str = field(repr=False, default="")
    _lines: Lines = field(repr=False, default_factory=lambda: Lines(""))
    _entries: dict[str, _Entry] = field(repr=False, default_factory=dict)

    def place(self, key: str) -> Position:
        """Return where a key stands; one that is not there stands where what it belongs to does."""
        while key and key not in self._entries:
            key = key.rpartition(".")[0]
        return self._position(self._entries[key].at) if key else Position(1, 1, self.path)

    def where(self, key: str) -> Where:
        """Return what tells where each character of the text of a key stands."""
        entry = self._entries.get(key)
        if entry is None or not isinstance(entry.node, yaml.ScalarNode):
            return partial(_always, self.place(key))
        node, last = entry.node, len(str(entry.node.value).rstrip())

        @cache  # read when it is first asked for: nobody does of most texts, and it takes as long as the YAML
        def offsets() -> list[int]:
            return text_offsets(self._source, node, entry.column)

        def find(offset: int) -> Position:
            return self._position(offsets()[offset] if offset < last else offsets()[-1])

        return find

    def problem(self, key: str, message: str, hint: str = "", *, warning: bool = False) -> None:
        """Note a problem at a key (at the file's start if the key is not there)."""
        found = Diagnostic(self.place(key), f"{key}: {message}", hint, warning)
        if found not in self.problems:
            self.problems.append(found)

    def text(self, key: str, *, required: bool = False) -> str:
        """Return a text; dates and numbers are taken as written."""
        value = self.values.get(key)
        if value is None:
            if required:
                self.problem(key, "is missing")
            return ""
        if isinstance(value, dict | list):
            self.problem(key, f"expected a text, found {shown(value)}")
            return ""
        return str(value)

    def table(self, key: str) -> dict[str, Any]:
        """Return a mapping, empty if there is none."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, dict):
            self.problem(key, f"expected a mapping, found {shown(value)}")
        return value if isinstance(value, dict) else {}

    def check(self) -> None:
        """Raise `ContentError` with all errors, if there are any."""
        errors = [problem for problem in self.problems if not problem.warning]
        if errors:
            raise ContentError(errors)

    def _position(self, offset: int) -> Position:
        return Position(*self._lines.place(offset), self.path)


def read_yaml(path: Path) -> YamlFile:
    """Read a file that holds one YAML mapping; raise `ContentError` with the place of what is wrong."""
    source = _source(path)
    file = YamlFile(str(path), {}, [], source, Lines(source))
    try:
        loader, node = _read(source)
        if node is None:
            raise _failed(file, 0, "is empty", "a content file is a mapping such as name: …")
        if not isinstance(node, yaml.MappingNode):
            raise _failed(file, node.start_mark.index, "expected a mapping of names to values")
        _refuse_bombs(file, node)
        file.values = loader.construct_document(node)
        file._entries.update(_entries(node, "", file))
    except yaml.YAMLError as error:
        raise _not_yaml(file, error) from error
    except RecursionError:
        raise _failed(file, 0, "nests too deeply") from None
    return file


def _source(path: Path) -> str:
    shown = str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except OSError as error:
        problem = Diagnostic(Position(1, 1, shown), f"cannot be read: {error.strerror or error}")
        raise ContentError([problem]) from error
    if len(raw) > _MOST_BYTES:
        raise ContentError([Diagnostic(Position(1, 1, shown), "is too large for a content file (1 MiB)")])
    try:
        return raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        place = Lines(before := raw[: error.start].decode("utf-8")).place(len(before))
        hint = "it looks like UTF-16: " * raw.startswith((b"\xff\xfe", b"\xfe\xff")) + "save it as UTF-8"
        message = f"is not UTF-8: byte 0x{raw[error.start]:02x}"
        raise ContentError([Diagnostic(Position(*place, shown), message, hint)]) from error


class _Values(yaml.constructor.SafeConstructor):
    """Makes the values of a file; every failure is a `yaml.YAMLError` with a place."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Make the value of a node; ``2026-02-30`` and the like are no values."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, KeyError, AttributeError, TypeError, OverflowError) as error:
            kind = node.tag.rpartition(":")[2]
            problem = f"cannot be read as {kind}: put it in quotes if it is a text"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error


class _Plain(_Values, yaml.SafeLoader):
    """The reader of YAML that tells best what is wrong."""


_Quick: Any = type("_Quick", (_Values, getattr(yaml, "CSafeLoader", yaml.SafeLoader)), {})
"""One that takes a tenth of the time, where PyYAML was built with it."""

# What the two read differently: tabs, marks of byte order, tags, keys after ?, |#, marks of documents.
_ODD = re.compile(
    r"[\t\ufeff]|!(?!=)|(?<![\w)\"'])\?(?:\s|$)|[|>][-+\d]*#|(?:^|[\r\x85\u2028\u2029])(?:---|\.{3})",
    re.MULTILINE,
)

_DEEP = 4000
"""So deep nothing may nest that the quick one reads: it would end the process."""


def _read(source: str) -> tuple[Any, yaml.Node | None]:
    """Return a reader and what it read; raise `yaml.YAMLError` or `RecursionError` if it cannot."""
    if not _ODD.search(source) and _depth(source) < _DEEP:
        quick = _Quick(source)
        try:
            return quick, quick.get_single_node()
        except yaml.YAMLError:
            pass  # the other one tells why
    loader = _Plain(source)
    return loader, loader.get_single_node()


def _depth(source: str) -> int:
    """Return a depth that no value of a file reaches: inner ones stand further right, or in brackets."""
    widest = max(map(len, source.splitlines()), default=0)
    return source.count("[") + source.count("{") + 2 * widest


def _always(place: Position, _offset: int) -> Position:
    return place


def _failed(file: YamlFile, offset: int, message: str, hint: str = "") -> ContentError:
    return ContentError([Diagnostic(file._position(offset), message, hint)])


def _not_yaml(file: YamlFile, error: yaml.YAMLError) -> ContentError:
    if isinstance(error, yaml.reader.ReaderError):
        message = f"not valid YAML: the character U+{int(error.character):04X} is not allowed"
        return _failed(file, error.position, message)
    problem = str(getattr(error, "problem", None) or error)
    mark = getattr(error, "problem_mark", None)
    if "unexpected end of stream" in problem:
        mark = getattr(error, "context_mark", None) or mark  # where the quote begins
    hint = next((hint for part, hint in _HINTS if part in problem), "")
    return _failed(file, mark.index if mark else 0, f"not valid YAML: {problem}", hint)


def _refuse_bombs(file: YamlFile, root: yaml.MappingNode) -> None:
    """Refuse aliases that repeat without end, or that make much out of little."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node, around: frozenset[int]) -> int:
        if id(node) in around:
            raise _failed(file, node.start_mark.index, "an alias (*name) refers to what it is a part of")
        if id(node) not in sizes:
            inside = [part for pair in _pairs(node) for part in pair]
            sizes[id(node)] = 1 + sum(size(part, around | {id(node)}) for part in inside)
        return sizes[id(node)]

    for key, value in root.value:
        if size(value, frozenset({id(root)})) > _MOST_NODES:
            raise _failed(file, key.start_mark.index, f"holds more than {_MOST_NODES} values", _BOMB)


def _pairs(node: yaml.Node) -> list[tuple[yaml.Node, ...]]:
    if isinstance(node, yaml.MappingNode):
        return list(node.value)
    return [(item,) for item in node.value] if isinstance(node, yaml.SequenceNode) else []


def _entries(node: yaml.Node, prefix: str, file: YamlFile) -> Iterator[tuple[str, _Entry]]:
    """Yield what a node holds, at any depth, by dotted keys; note keys that are given twice."""
    known: dict[str, yaml.Node] = {}
    for number, pair in enumerate(_pairs(node)):
        first, value = pair[0], pair[-1]
        name = str(first.value) if len(pair) == 2 and isinstance(first, yaml.ScalarNode) else str(number)
        key = f"{prefix}.{name}" if prefix else name
        if name in known and name != "<<":
            before = file._position(known[name].start_mark.index)
            place = file._position(first.start_mark.index)
            message = f"{key}: is given twice, first in line {before.line}"
            file.problems.append(Diagnostic(place, message, "only one of them can count"))
        known[name] = first
        mapping = isinstance(node, yaml.MappingNode)
        # Indentation is counted from the key, or from the dash of an item.
        column = (first if mapping else node).start_mark.column
        yield key, _Entry(first.start_mark.index, value, column)
        yield from _entries(value, key, file)
