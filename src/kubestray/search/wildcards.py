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


def fill(pattern: str, found: Iterable[str]) -> str:
    """Return the pattern with its stars replaced by texts, in order."""
    texts = iter(found)
    return re.sub(r"\*", lambda _: next(texts, "*"), pattern)
