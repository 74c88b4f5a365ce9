"""Detections that people have switched on or off, kept in the store: every server of it acts on them."""

from __future__ import annotations

import dataclasses
import time

from kubestray.model.content import Content
from kubestray.store.documents import Documents

_KIND = "detection"
_LOOK_EVERY = 10.0  # seconds


class Switches:
    """Puts what people have said of detections over what their files say."""

    def __init__(self, documents: Documents, content: Content) -> None:
        self._documents, self._content = documents, content
        self._written = {name: found.enabled for name, found in content.detections.items()}
        self._next = 0.0

    def switch(self, name: str, *, enabled: bool) -> None:
        """Switch a detection on or off, from the next pass of the schedule on."""
        self._documents.put(_KIND, name, {"enabled": enabled})
        self.apply()

    def refresh(self) -> None:
        """Take over what other servers have written, now and then."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _LOOK_EVERY
            self.apply()

    def apply(self) -> None:
        """Take over what the store says."""
        said = self._documents.all(_KIND)
        for name, written in self._written.items():
            enabled = bool(said.get(name, {}).get("enabled", written))
            found = self._content.detections[name]
            if found.enabled != enabled:
                self._content.detections[name] = dataclasses.replace(found, enabled=enabled)
