"""Secrets: from the environment or a file, read when they are needed, shown nowhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A text that is never shown. ``origin`` says where it comes from; `reveal` raises `ValueError`."""

    origin: str
    reveal: Callable[[], str]

    def __repr__(self) -> str:
        return f"Secret(from {self.origin})"


def from_environment(name: str, environment: Mapping[str, str]) -> Secret:
    """Return the secret in an environment variable."""

    def reveal() -> str:
        value = environment.get(name, "").strip()
        if not value:
            raise ValueError(f"the environment variable {name} is not set")
        return value

    return Secret(f"environment variable {name}", reveal)


def from_file(path: Path) -> Secret:
    """Return the secret in a file, which may change while we run."""

    def reveal() -> str:
        try:
            value = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(
                f"the file {path} cannot be read: {getattr(error, 'strerror', error)}"
            ) from error
        if not value:
            raise ValueError(f"the file {path} is empty")
        return value

    return Secret(f"file {path}", reveal)
