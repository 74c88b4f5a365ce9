"""The key that session cookies are signed with: kept beside an embedded store, or in a file that is named."""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path

from kubestray.config import Config
from kubestray.model.errors import UsageError
from kubestray.store.open import embedded_directory

logger = logging.getLogger(__name__)

_NAME = "session.key"
_SHORTEST = 32


def session_secret(config: Config) -> str:
    """Return the key. A file that is made here can be read by its owner alone."""
    named = config["session_key_file"]
    if named:
        return _read(Path(named))
    if config["store"].startswith("clickhouse://"):
        logger.warning(
            "sessions of the console end with this server, and other servers do not know them: "
            "set session_key_file to a file that all servers of this store have"
        )
        return secrets.token_urlsafe(48)
    path = embedded_directory(config["store"]) / _NAME
    if not path.exists() or not path.stat().st_size:
        _make(path)
    return _read(path)


def _make(path: Path) -> None:
    """Write a new key, which is whole as soon as it is there: who is killed meanwhile leaves none."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    made = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(made, "w") as file:
        file.write(secrets.token_urlsafe(48))
        file.flush()
        os.fsync(made)
    part.replace(path)


def _read(path: Path) -> str:
    try:
        key = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"session_key_file {path}: cannot be read: {error}") from error
    if len(key) < _SHORTEST:
        raise UsageError(
            f"session_key_file {path}: needs at least {_SHORTEST} characters, "
            "for example what head -c 48 /dev/urandom | base64 gives"
        )
    return key
