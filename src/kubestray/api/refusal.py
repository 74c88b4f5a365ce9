"""A request that is refused, in words for people and a code for programs."""

from __future__ import annotations


class Refused(Exception):
    """A request that is answered with an error: its status, its code, its words, and what to do next."""

    def __init__(self, status: int, code: str, message: str, hint: str | None = None) -> None:
        self.status, self.code, self.message, self.hint = status, code, message, hint
        super().__init__(message)


def not_found(what: str, name: str, hint: str | None = None) -> Refused:
    """Return the error that there is no such thing."""
    return Refused(404, "not_found", f"there is no {what} {name!r}", hint)
