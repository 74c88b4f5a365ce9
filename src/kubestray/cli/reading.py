"""The store of a command that reads: a mistyped path makes an empty one, which is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kubestray.cli import output

if TYPE_CHECKING:
    from kubestray.config import Config
    from kubestray.store.store import Store


@contextmanager
def opened_to_read(config: Config) -> Iterator[Store]:
    """Open the store of the settings; say on stderr where there was none, whose answers are empty."""
    from kubestray.pipeline import setting_up
    from kubestray.store.open import embedded_directory, is_there

    url = config["store"]
    was_there = is_there(url)
    with setting_up.opened(config) as store:
        if not was_there:
            output.note(
                f"warning: there was no store at {embedded_directory(url)}; a new, empty one was made there "
                "(--store, KUBESTRAY_STORE or store in the file of --config name another)"
            )
        yield store
