"""What ``join`` and ``union`` take besides rows: a subsearch in brackets, or a lookup by its name."""

from __future__ import annotations

from kubestray.search.commands.inputlookup import InputLookup
from kubestray.search.cursor import Cursor
from kubestray.search.syntax import Pipeline

_NAMED = r"(inputlookup|lookup|savedsearch|datamodel)\s*:\s*"


def at_dataset(cursor: Cursor) -> bool:
    """Whether a dataset comes next."""
    return cursor.looking_at("[") or cursor.match(rf"(?={_NAMED})") is not None


def read_dataset(cursor: Cursor, purpose: str) -> Pipeline:
    """Read ``[ commands ]`` or ``inputlookup:NAME``."""
    at = cursor.skip()
    found = cursor.match(_NAMED)
    if not found:
        return cursor.subsearch(purpose)
    if found[1].lower() not in ("inputlookup", "lookup"):
        raise cursor.error(
            f"{found[1]} as a dataset is known in SPL but not supported here",
            at,
            "write a subsearch in brackets",
        )
    return Pipeline(at, (InputLookup(at, cursor.field("of a lookup")),))
