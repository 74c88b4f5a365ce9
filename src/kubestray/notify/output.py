"""What every output is: keys of the configuration, a payload, a delivery."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from kubestray.model.errors import KubestrayError
from kubestray.notify.notice import Notice, Reference

KeyKind = Literal["text", "url", "secret", "duration", "size", "count", "path", "switch"]
"""How a key is read. A ``url`` may, and a ``secret`` must, be given as ``KEY_env`` or ``KEY_file``."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of an output's table: its default as text, or None if it must be given; "" is nothing."""

    name: str
    kind: KeyKind
    help: str
    default: str | None = ""


class NotDelivered(KubestrayError):
    """A receiver did not take it: ``permanent`` if it never will, else it is tried again.

    ``retry_after``: how many seconds the receiver asked for.
    """

    def __init__(self, message: str, *, permanent: bool = False, retry_after: float | None = None) -> None:
        self.permanent, self.retry_after = permanent, retry_after
        super().__init__(message)


class Output(ABC):
    """One receiver. ``values`` are those of `keys`, as they were read."""

    keys: ClassVar[tuple[Key, ...]] = ()
    announces: ClassVar[bool] = True
    """It calls people: what is suppressed is not told, and no end of what was never told."""

    kinds: ClassVar[tuple[str, ...] | None] = None
    """What goes to it where a route does not say: None is incidents, and findings whose incident is
    not told."""

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        self.name = name
        self._values = values

    @property
    def type(self) -> str:
        """The word for it in the configuration: its module's."""
        return type(self).__module__.rpartition(".")[2]

    @property
    @abstractmethod
    def where(self) -> str:
        """The receiver without secrets: for people."""

    @abstractmethod
    def deliver(self, notice: Notice) -> Reference | None:
        """Send; return what is to be known again. Raises `NotDelivered`."""

    def is_news(self, notice: Notice) -> bool:  # noqa: ARG002
        """Tell whether an update is worth a message; archives take them all."""
        return True

    @property
    def repeat(self) -> float | None:
        """After how many seconds what is still open is told again (`keep`); None for never."""
        return None

    def keep(self, notices: Sequence[Notice]) -> None:  # noqa: B027 (most receivers need none)
        """Tell again what is still open. Raises `NotDelivered`."""

    def stop(self) -> None:  # noqa: B027 (a file has nothing to give up)
        """Give up what is under way: the server stops."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.where})"
