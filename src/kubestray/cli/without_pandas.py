"""A process without pandas, which the engine brings along and nothing of ours uses.

Arrow would load it to find out whether a list is an array of pandas: that is half a second of a command, and
some memory of a server.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType


class WithoutPandas(MetaPathFinder):
    """Refuses to find pandas, as where it is not installed; to be asked before other finders."""

    def find_spec(self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None, /) -> None:
        """Raise `ModuleNotFoundError` for pandas; leave all else to others."""
        if name == "pandas":
            raise ModuleNotFoundError("kubestray does without pandas", name=name)
