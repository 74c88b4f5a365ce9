"""Paths into JSON, such as ``a.b{0}.c{}``: reading what is there, and changing it.

``name`` is a member of an object, ``{2}`` an item of an array counted from 0, ``{}`` every item.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from kubestray.search.functions.json_values import NOTHING, is_kind, listed, membered, quoted
from kubestray.search.values import bound
from kubestray.store.trees import (
    Tree,
    all_of,
    any_of,
    array,
    call,
    column,
    either,
    lambda_,
    number,
    text,
)


@dataclass(frozen=True, slots=True)
class Key:
    """A member of an object; the name may differ by row."""

    name: Tree


@dataclass(frozen=True, slots=True)
class Index:
    """An item of an array, counted from 0."""

    place: int


class Every:
    """Every item of an array."""


Step = Key | Index | Every
Path = tuple[Step, ...]

_SEGMENT = re.compile(r"([^.{}]*)((?:\{\d*\})*)(?:\.|$)")


class BadPath(ValueError):
    """A text that is not a path."""


_MOST = 2**31 - 1  # no list has more, and the engine counts no farther


def path(written: str) -> Path:
    """Read a path; raise `BadPath` if it is none."""
    steps: list[Step] = []
    at = 0
    while at < len(written):
        found = _SEGMENT.match(written, at)
        if not found or not found[0].rstrip("."):
            raise BadPath(f"{written!r} is no path; write name.list{{0}}.name or list{{}}.name")
        if found[1]:
            steps.append(Key(text(found[1])))
        inner = re.findall(r"\{(\d*)\}", found[2])
        steps += [Index(min(int(place), _MOST)) if place else Every() for place in inner]
        at = found.end()
    return tuple(steps)


def is_single(steps: Path) -> bool:
    """Whether a path leads to one place at most."""
    return not any(isinstance(step, Every) for step in steps)


def single(document: Tree, steps: Path) -> Tree:
    """Return the piece of JSON at a path without ``{}``; empty if there is none."""
    if not steps:
        return call("JSONExtractRaw", document)
    keys = [_key(step) for step in steps]
    found = call("JSONExtractRaw", document, *keys)
    # The engine would count the members of an object as well.
    lists = [
        call("equals", call("toString", call("JSONType", document, *keys[:i])), text("Array"))
        for i, step in enumerate(steps)
        if isinstance(step, Index)
    ]
    objects = [
        call("equals", call("toString", call("JSONType", document, *keys[:i])), text("Object"))
        for i, step in enumerate(steps[:1])
        if isinstance(step, Key)
    ]
    return either(all_of([*lists, *objects]), found, NOTHING)


def _key(step: Step) -> Tree:
    if isinstance(step, Index):
        return number(step.place + 1)
    assert isinstance(step, Key)
    return step.name


def several(document: Tree, steps: Path, depth: int = 0) -> Tree:
    """Return all pieces of JSON at a path, as an array; ``{}`` of what is no array is the thing itself."""
    at = next((i for i, step in enumerate(steps) if isinstance(step, Every)), None)
    if at is None:
        found = single(document, steps)
        kept = call("notEquals", column("found"), NOTHING)
        return call("arrayFilter", lambda_("found", kept), array([found]))
    item = f"item{depth}"
    inner = single(document, steps[:at])
    items = either(is_kind(column("list"), "Array"), call("JSONExtractArrayRaw", column("list")), _itself())
    each = lambda_(item, several(column(item), steps[at + 1 :], depth + 1))
    return call("arrayFlatten", call("arrayMap", each, bound("list", inner, items)))


def _itself() -> Tree:
    empty = call("equals", column("list"), NOTHING)
    return either(empty, call("CAST", array([]), text("Array(String)")), array([column("list")]))


Change = Callable[[Tree], Tree]
"""Makes of a piece of JSON another one."""


def changed(document: Tree, steps: Path, change: Change, made: Tree | None, depth: int = 0) -> Tree:
    """Return a document with what is at a path changed.

    Where there is nothing, ``made`` is put there if it is given, objects around it included; a path that does
    not fit the document changes nothing.
    """
    if not steps:
        return change(document)
    here = column(f"here{depth}")
    first, rest = steps[0], steps[1:]
    if isinstance(first, Key):
        body = _changed_member(here, first, rest, change, made, depth)
    else:
        body = _changed_items(here, first, rest, change, made, depth)
    return bound(f"here{depth}", document, body)


def _changed_member(here: Tree, key: Key, rest: Path, change: Change, made: Tree | None, depth: int) -> Tree:
    pair = column(f"pair{depth}")
    name, value = (call("tupleElement", pair, number(i)) for i in (1, 2))
    is_it = call("equals", name, key.name)
    inner = either(is_it, changed(value, rest, change, made, depth + 1), value)
    pairs = call("JSONExtractKeysAndValuesRaw", here)
    mapped = call("arrayMap", lambda_(f"pair{depth}", call("tuple", name, inner)), pairs)
    known = call("JSONHas", here, key.name)
    added = _created(rest, made)
    new = call("tuple", key.name, added) if added is not None else None
    there = either(known, membered(mapped), membered(call("arrayPushBack", pairs, new)) if new else here)
    return either(is_kind(here, "Object"), there, here)


def _created(rest: Path, made: Tree | None) -> Tree | None:
    """Return what is put where there was nothing: objects around the new piece; arrays are not made up."""
    if made is None or not all(isinstance(step, Key) for step in rest):
        return None
    created = made
    for step in reversed(rest):
        assert isinstance(step, Key)
        created = call("concat", text("{"), quoted(step.name), text(":"), created, text("}"))
    return created


def _changed_items(here: Tree, step: Step, rest: Path, change: Change, made: Tree | None, depth: int) -> Tree:
    item, place = f"item{depth}", f"place{depth}"
    new = changed(column(item), rest, change, made, depth + 1)
    items = call("JSONExtractArrayRaw", here)
    if isinstance(step, Index):
        new = either(call("equals", column(place), number(step.place + 1)), new, column(item))
    each = exp.Lambda(this=new, expressions=[exp.to_identifier(item), exp.to_identifier(place)])
    mapped = listed(call("arrayMap", each, items, call("arrayEnumerate", items)))
    return either(is_kind(here, "Array"), mapped, here)


def without(document: Tree, steps: Path, depth: int = 0) -> Tree:
    """Return a document without the members at a path of names."""
    first = steps[0]
    assert isinstance(first, Key)
    here, pair = column(f"here{depth}"), column(f"pair{depth}")
    name, value = (call("tupleElement", pair, number(i)) for i in (1, 2))
    is_it = call("equals", name, first.name)
    pairs = call("JSONExtractKeysAndValuesRaw", here)
    if len(steps) == 1:
        kept = call("arrayFilter", lambda_(f"pair{depth}", call("not", is_it)), pairs)
    else:
        inner = either(is_it, without(value, steps[1:], depth + 1), value)
        kept = call("arrayMap", lambda_(f"pair{depth}", call("tuple", name, inner)), pairs)
    body = either(is_kind(here, "Object"), membered(kept), here)
    return bound(f"here{depth}", document, body)


def extended(piece: Tree, values: Tree) -> Tree:
    """Return an array with more items; what is no array becomes its first item."""
    own = either(is_kind(piece, "Array"), call("JSONExtractArrayRaw", piece), array([piece]))
    return listed(call("arrayConcat", own, values))


def exists(document: Tree) -> Tree:
    """Return whether a text is a JSON object or array."""
    return any_of([is_kind(document, "Object", "Array")])
