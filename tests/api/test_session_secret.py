"""The key of sessions that is kept beside a store."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from kubestray.api.session_secret import session_secret
from kubestray.config import load_config


def test_a_key_that_a_killed_server_left_empty_is_made_again(tmp_path: Path) -> None:
    config = load_config({"store": str(tmp_path)}, {}, None)
    path = tmp_path / "session.key"
    path.touch()
    key = session_secret(config)
    assert len(key) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert session_secret(config) == key


def test_who_is_killed_while_a_key_is_made_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config({"store": str(tmp_path)}, {}, None)

    def killed(_: int) -> None:
        raise SystemExit

    with monkeypatch.context() as dying:
        dying.setattr(os, "fsync", killed)
        with pytest.raises(SystemExit):
            session_secret(config)
    assert not (tmp_path / "session.key").exists()
    assert session_secret(config)
