"""Risk factors: what makes the risk of an entity larger or smaller, said by content."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import translate
from functools import lru_cache
from typing import Any

from kubestray.model.content import RiskFactor

Row = dict[str, Any]


def factor_of(factors: Iterable[RiskFactor], entities: Sequence[str], row: Row) -> tuple[float, list[str]]:
    """Return by how much the score of a row is multiplied, and the names of the factors that say so.

    ``entities``: the entity and everything it is part of; one of them has to fit what a factor says of
    ``entity``.
    """
    fitting = [factor for factor in factors if _fits(factor, entities, row)]
    product = 1.0
    for factor in fitting:
        product *= factor.multiply
    return product, sorted(factor.name for factor in fitting)


def _fits(factor: RiskFactor, entities: Sequence[str], row: Row) -> bool:
    return all(
        any(_like(pattern, value) for pattern in patterns for value in _values(name, entities, row))
        for name, patterns in factor.match
    )


def _values(name: str, entities: Sequence[str], row: Row) -> list[str]:
    if name == "entity":
        return list(entities)
    value = row.get(name)
    if value is None:
        return []
    return [str(one) for one in (value if isinstance(value, list) else [value])]


def _like(pattern: str, value: str) -> bool:
    return _compiled(pattern).match(value) is not None


@lru_cache(maxsize=1000)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern), re.IGNORECASE)
