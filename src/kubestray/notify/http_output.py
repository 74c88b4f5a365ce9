"""An output that is one request a change."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from kubestray.notify.http import HTTP_KEYS, Client
from kubestray.notify.notice import Notice, Reference
from kubestray.notify.output import Key, Output

Body = tuple[bytes, dict[str, str]]
"""What is posted, and the headers that go with it."""

JSON = {"Content-Type": "application/json"}


class HttpOutput(Output):
    """Posts to its ``url``, to which ``path`` is added if it does not end so."""

    keys: ClassVar[tuple[Key, ...]] = HTTP_KEYS
    path: ClassVar[str] = ""

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        super().__init__(name, values)
        self._client = Client(values)

    @property
    def where(self) -> str:
        """The receiver's scheme, host and port."""
        return self._client.where

    @abstractmethod
    def body(self, notice: Notice) -> Body:
        """Return what is posted."""

    def deliver(self, notice: Notice) -> Reference | None:
        """Post one change."""
        self._client.post(self._client.url(self.path), *self.body(notice))
        return None

    def stop(self) -> None:
        """End what is under way."""
        self._client.stop()
