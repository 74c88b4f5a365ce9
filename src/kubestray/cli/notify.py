"""``kubestray notify list|dead|resend|test``."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from kubestray.cli import options, output
from kubestray.cli.reading import opened_to_read
from kubestray.model.counted import counted

if TYPE_CHECKING:
    from kubestray.config import Config
    from kubestray.notify.configuration import Configured

_DEAD = ["output", "id", "key", "change", "severity", "title", "time", "attempts", "reason"]
_LIST = ["name", "type", "where", "delivered", "waiting", "dead", "last_delivered", "trouble"]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    what = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    listed = what.add_parser("list", help="the outputs, and how each is doing")
    dead = what.add_parser("dead", help="what was given up")
    again = what.add_parser("resend", help="send again what was given up")
    again.add_argument("ids", nargs="*", metavar="ID", help="a finding's id, or the key of one change [all]")
    tried = what.add_parser("test", help="send a test finding now, and tell the answer")
    tried.add_argument("name", metavar="NAME", help="the output's name in the configuration")
    for one in (dead, again):
        one.add_argument("--output", metavar="NAME", help="of this output only")
    for one in (listed, dead):
        one.add_argument(
            "--format", choices=("json", "table"), help="json or table [table on a terminal, else json]"
        )
    for one in (listed, dead, again, tried):
        options.settings(one)


def run(parsed: argparse.Namespace) -> int:
    """Do what was asked."""
    from kubestray.pipeline import notifying

    config = options.configure(parsed)
    if parsed.what == "test":
        return _test(notifying.configured(config, look=False), parsed.name)
    if parsed.what == "resend":
        return _resend(config, parsed)
    with opened_to_read(config) as store:
        if parsed.what == "list":
            rows, fields = notifying.states(store, notifying.configured(config, look=False)), _LIST
        else:
            letters = notifying.dead_letters(store, parsed.output)
            rows, fields = [letter.as_json() for letter in letters], _DEAD
    output.print_rows(rows, fields, output.chosen_format(parsed.format))
    return 0


def _resend(config: Config, parsed: argparse.Namespace) -> int:
    from kubestray.pipeline import notifying

    with opened_to_read(config) as store:
        rows = notifying.resend(store, parsed.ids, parsed.output)
    due = counted(len(rows), "dead letter is", "dead letters are")
    print(f"{due} due again; serve sends what is due while it runs")
    known = {one.name for one in notifying.configured(config, look=False).outputs}
    for name in sorted({row.output for row in rows} - known):
        output.note(f"warning: no output {name!r} is configured here; what is due to it waits")
    return 0


def _test(told: Configured, name: str) -> int:
    from kubestray.model.errors import UsageError
    from kubestray.pipeline import notifying

    found = next((one for one in told.outputs if one.name == name), None)
    if found is None:
        known = (
            ", ".join(one.name for one in told.outputs) or "none; add an [[output]] to the file of --config"
        )
        raise UsageError(f"there is no output {name!r}; configured: {known}")
    notifying.try_output(found, time.time_ns)
    print(f"{name}: {found.where} took the test finding")
    return 0
