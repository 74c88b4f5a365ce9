"""Wildcards over names: in the scopes of suppressions, and in routes."""

from __future__ import annotations

import glob
from fnmatch import fnmatchcase


def fits(name: str, pattern: str) -> bool:
    """Return whether a name fits a pattern: ``*`` and ``?`` are wildcards, ``[`` begins a set.

    A name fits itself, whatever it holds: processes are called ``[kworker/0:1]``.
    """
    return name == pattern or fnmatchcase(name, pattern)


def exactly(name: str) -> str:
    """Return the pattern that only this name fits."""
    return glob.escape(name)
