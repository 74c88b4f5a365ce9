"""Options of commands, written ``name=value``."""

from __future__ import annotations

from collections.abc import Collection

from kubestray.search.cursor import Cursor

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
