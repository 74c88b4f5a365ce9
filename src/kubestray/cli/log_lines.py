"""Lines of the log: one for each thing that is told, whatever names and answers of others are in it."""

from __future__ import annotations

import logging
import re

_UNPRINTED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class OneLine(logging.Formatter):
    """Writes what ends a line, steers a terminal or turns text around as an escape, such as ``\\x1b``.

    Else who may choose a name, or the answer of a server, could write lines of a log as if they were ours. A
    traceback stands below its line as it is.
    """

    def __init__(self) -> None:
        super().__init__(_FORMAT)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the name in logging)
        """Return the line of a record."""
        return _UNPRINTED.sub(_escaped, super().formatMessage(record))


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
