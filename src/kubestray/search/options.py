"""Options of commands, written ``name=value``."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from kubestray.search.cursor import Cursor
from kubestray.search.nearest import nearest
from kubestray.search.times import SECOND_NS, parse_duration

_MOST = 2**31 - 1
_TRUE, _FALSE = ("true", "t", "1"), ("false", "f", "0")


def read_options(
    cursor: Cursor, names: Collection[str], into: dict[str, str], flags: Collection[str] = ()
) -> bool:
    """Read the options that stand here, and tell whether there were any; ``flags`` are true or false."""
    found_any = False
    while found := cursor.match(rf"({'|'.join((*names, *flags))})\s*=\s*"):
        at, name = cursor.at, found[1].lower()
        into[name] = _value(cursor, name)
        if name in flags and into[name].lower() not in (*_TRUE, *_FALSE):
            raise cursor.error(f"{name} is true or false, found {into[name]!r}", at)
        found_any = True
    return found_any


def _value(cursor: Cursor, name: str) -> str:
    quoted = cursor.quoted()
    if quoted is not None:
        return quoted
    found = cursor.match(r"[^\s,|\[\]()\"']+")
    if not found:
        raise cursor.error(f"expected a value for {name}, found {cursor.found()}")
    return found[0]


def flag(options: dict[str, str], name: str, default: bool) -> bool:
    """Return an option that is true or false."""
    word = options.get(name)
    return default if word is None else word.lower() in _TRUE


def whole(cursor: Cursor, options: dict[str, str], name: str, default: int) -> int:
    """Return an option that is a whole number from 0 on."""
    word = options.get(name)
    if word is None:
        return default
    if not word.isdecimal():
        raise cursor.error(f"{name}={word} is no whole number")
    return row_count(word)


def row_count(word: str) -> int:
    """Return a number of rows; what is more than the engine counts to is as good as all of them."""
    return min(int(word), _MOST)


def read_names(
    cursor: Cursor, options: dict[str, str], known: tuple[str, ...], purpose: str
) -> tuple[str, ...]:
    """Read names of fields with options between them; at least one name."""
    names: list[str] = []
    while True:
        if read_options(cursor, known, options):
            continue
        if cursor.peek_word() == "by" or not cursor.at_field():
            break
        at = cursor.skip()
        name = cursor.field(purpose)
        if cursor.looking_at("="):
            hint = nearest(name, known) or f"options are {', '.join(known)}"
            raise cursor.error(f"there is no option {name}", at, hint)
        if "*" in name or name in names or name.startswith("_"):
            raise cursor.error(f"{name} cannot stand here", at, "name each field once, without wildcards")
        names.append(name)
        cursor.take(",")
    if not names:
        raise cursor.error(f"expected a field name {purpose}, found {cursor.found()}")
    return tuple(names)


def one_of(cursor: Cursor, at: int, options: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    """Return an option that is one of some words; the first of them where it is not given."""
    word = options.get(name, known[0]).lower()
    if word not in known:
        raise cursor.error(f"{name}={word} is unknown", at, f"write {' or '.join(known)}")
    return word


def amount(cursor: Cursor, at: int, options: Mapping[str, str], name: str, default: float) -> float:
    """Return an option that is a number, not negative."""
    try:
        value = float(options.get(name, default))
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise cursor.error(f"{name}={options[name]} is no number from 0 on", at)
    return value


def length(cursor: Cursor, at: int, options: Mapping[str, str], name: str, default: str) -> float:
    """Return an option that is a length of time, in seconds."""
    value = parse_duration(options.get(name, default))
    if not value:
        raise cursor.error(f"{name}={options.get(name)} is no length of time", at, f"write {name}=30d")
    return value / SECOND_NS
