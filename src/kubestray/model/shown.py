"""Values that people sent, as messages about them show them."""

from __future__ import annotations

from typing import Any

_MOST = 40
"""Characters that are shown of a value."""


def shown(value: Any, *, kind: bool = False) -> str:
    """Say what a JSON value is, and how it begins; with ``kind`` also that a text or a number is one."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = repr(value) if isinstance(value, str) else str(value)
    cut = text if len(text) <= _MOST else f"{text[:_MOST]}…"
    return f"the {'text' if isinstance(value, str) else 'number'} {cut}" if kind else cut
