"""Names with ``*``: which names match, and what each star stood for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache


@cache
def _regex(pattern: str) -> re.Pattern[str]:
    return re.compile("(.*)".join(map(re.escape, pattern.split("*"))), re.DOTALL)


def parts(pattern: str, name: str) -> tuple[str, ...] | None:
    """Return what each star of the pattern stands for in the name, or None if it does not match."""
    found = _regex(pattern).fullmatch(name)
    return found.groups() if found else None


def field_parts(pattern: str, name: str) -> tuple[str, ...] | None:
    """Return what `parts` does, of the names of fields.

    Internal fields, whose names start with an underscore, only match patterns that do, too.
    """
    if name.startswith("_") and not pattern.startswith("_"):
        return None
    return parts(pattern, name)


def chosen_fields(patterns: Iterable[str], names: Iterable[str]) -> list[str]:
    """Return the names that match any of the patterns, in the order that they have."""
    wanted = list(patterns)
    return [name for name in names if any(field_parts(p, name) is not None for p in wanted)]


def engine_pattern(pattern: str) -> str:
    """Return the regular expression (RE2) of a pattern, with a group for what each star stands for."""
    return f"(?s)^{'(.*)'.join(map(_literal, pattern.split('*')))}$"


def _literal(part: str) -> str:
    # RE2 reads \x{…} for any character, so nothing but ASCII letters and digits is left as it is.
    return re.sub(r"[^A-Za-z0-9]", lambda found: f"\\x{{{ord(found[0]):X}}}", part)


def fill(pattern: str, found: Iterable[str]) -> str:
    """Return the pattern with its stars replaced by texts, in order."""
    texts = iter(found)
    return re.sub(r"\*", lambda _: next(texts, "*"), pattern)
