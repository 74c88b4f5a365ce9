"""Reads case files: load, search, expect.

::

    case points of one step are averaged
    load 10s
        cpu{pod="a"} 1 2 _ 4             # one value a step from 2027-01-15T08:00:00Z, _ is none
        cpu{pod="b"} 0+10x2              # 0 10 20
        counter sent{pod="a"} 0 5 !2     # also: delta; ! marks a point with a new start time
    rows                                 # instead of load: the rows that enter the first command
        host | n
        a    | 1
    index main                           # the events of index=main; `lookup NAME` in the same way
        host | n
        a    | 1
    before | makeresults | collect index=seen    # a search that runs first
    note the subsearch of append …       # an annotation of the result
    macro usual(x) = avg($x$)
    set tostring_null=null
    range 1800000000 1800003600          # where the text gives no time; default is all time
    search | mstats avg(cpu) as cpu where index=* by pod
        | sort - cpu
    expect
        pod | cpu
        b   | 10

What stands indented belongs to the line before it. In tables a number is a number, ``"5"`` and every other
word is a text, ``["a", "b"]`` are several values, ``_`` is no value. Instead of ``expect``, ``refuse`` has
the error's text (a ``…`` at its end stands for any text). Now is 2027-01-15T09:00:00Z.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helpers import Point
from kubestray.model.metric import Kind, Series
from kubestray.search.source import Macro

START = 1_800_000_000 * 10**9
NOW = START + 3600 * 10**9

Row = dict[str, Any]

_KINDS = {"gauge": Kind.GAUGE, "delta": Kind.DELTA, "counter": Kind.CUMULATIVE}
_SERIES = re.compile(r'(?:(gauge|delta|counter) )?("(?:[^"\\]|\\.)*"|[^\s{"]+)(\{.*?\})?\s+(.*)')
_PAIR = re.compile(r'("(?:[^"\\]|\\.)*"|[^\s="{},]+)=("(?:[^"\\]|\\.)*")')
_RANGE = re.compile(r"(-?[\d.]+)\+([\d.]+)x(\d+)")
_MACRO = re.compile(r"([\w.]+)(?:\(([^)]*)\))? = ?(.*)", re.DOTALL)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass
class Case:
    """One case, as written."""

    path: Path
    line: int
    name: str
    points: list[Point] = field(default_factory=list)
    rows: list[Row] | None = None
    indexes: dict[str, list[Row]] = field(default_factory=dict)
    lookups: dict[str, list[Row]] = field(default_factory=dict)
    before: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    macros: dict[tuple[str, int], Macro] = field(default_factory=dict)
    switches: dict[str, str] = field(default_factory=dict)
    range: tuple[int, int] | None = None
    search: str = ""
    fields: list[str] | None = None
    expected: list[Row] | None = None
    refused: str | None = None

    @property
    def id(self) -> str:
        return f"{self.path.stem}: {self.name}"


def read_cases(path: Path) -> list[Case]:
    cases: list[Case] = []
    lines = path.read_text(encoding="utf-8").split("\n")
    at = 0
    while at < len(lines):
        line, number = lines[at], at + 1
        block = []
        at += 1
        while at < len(lines) and (lines[at].startswith("    ") or not lines[at].strip()):
            block.append(lines[at][4:])
            at += 1
        if not line.strip() or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        if word == "case":
            cases.append(Case(path, number, rest))
            continue
        assert cases, f"{path}:{number}: a file starts with a case"
        try:
            _read(cases[-1], word, rest, block)
        except (ValueError, AssertionError, KeyError) as error:
            raise ValueError(f"{path}:{number}: {error!r}") from error
    return cases


def _read(case: Case, word: str, rest: str, block: list[str]) -> None:
    text = "\n".join([rest, *block]).strip()
    filled = [line for line in block if line.strip() and not line.startswith("#")]
    if word == "load":
        for line in filled:
            case.points += _points(line, int(rest[:-1]) * _UNITS[rest[-1]] * 10**9)
    elif word == "rows":
        _, case.rows = _table(filled)
    elif word in ("index", "lookup"):
        given = case.indexes if word == "index" else case.lookups
        _, given[rest.strip()] = _table(filled)
    elif word == "before":
        case.before.append(text)
    elif word == "note":
        case.notes.append(text)
    elif word == "expect":
        case.fields, case.expected = _table(filled)
    elif word == "search":
        case.search = text
    elif word == "refuse":
        case.refused = text
    elif word == "set":
        name, _, value = rest.partition("=")
        case.switches[name] = value
    elif word == "range":
        earliest, latest = rest.split()
        case.range = (int(earliest) * 10**9, int(latest) * 10**9)
    elif word == "macro":
        found = _MACRO.fullmatch(text)
        assert found, "expected name(arguments) = definition"
        arguments = tuple(part.strip() for part in (found[2] or "").split(",") if part.strip())
        case.macros[found[1], len(arguments)] = Macro(found[1], found[3], arguments)
    else:
        raise ValueError(f"unknown word {word!r}")


def _points(line: str, step: int) -> list[Point]:
    found = _SERIES.fullmatch(line.split("  #")[0].rstrip())
    assert found, f"not a series: {line}"
    kind = _KINDS[found[1] or "gauge"]
    attributes = {_name(key): json.loads(value) for key, value in _PAIR.findall(found[3] or "")}
    made = Series.of(_name(found[2]), kind, "", attributes)
    points: list[Point] = []
    start = START if kind is not Kind.GAUGE else 0
    for index, word in enumerate(_RANGE.sub(_expanded, found[4]).split()):
        time = START + index * step
        if word.startswith("!"):
            start, word = time, word[1:]
        if word != "_":
            points.append((made, time, start, float(word)))
    return points


def _name(written: str) -> str:
    return str(json.loads(written)) if written.startswith('"') else written


def _expanded(found: re.Match[str]) -> str:
    first, more, count = float(found[1]), float(found[2]), int(found[3])
    return " ".join(str(first + more * index) for index in range(count + 1))


def _table(lines: list[str]) -> tuple[list[str], list[Row]]:
    if not lines:
        return [], []
    header, *rest = [[cell.strip() for cell in re.split(r" \| ?|^\| ", line)] for line in lines]
    assert all(len(cells) == len(header) for cells in rest), f"rows need {len(header)} cells"
    rows = [
        {name: _cell(cell) for name, cell in zip(header, cells, strict=True) if cell != "_"} for cells in rest
    ]
    return header, rows


def _cell(written: str) -> Any:
    if written.startswith(('"', "[")):
        return json.loads(written)
    try:
        return float(written)
    except ValueError:
        return written
