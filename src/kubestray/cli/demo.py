"""``kubestray demo``: the main job on a simulated cluster, from an empty store to a finding."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from kubestray.cli import options


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--seed", type=int, default=7, help="another seed, another cluster [7]")
    parser.add_argument(
        "--keep", metavar="DIR", help="keep the demo's store in this folder to search in it afterwards"
    )
    parser.add_argument(
        "--serve",
        action=argparse.BooleanOptionalAction,
        help="stay on the console when all is found, until interrupted [on a terminal]",
    )
    options.settings(parser)


def run(parsed: argparse.Namespace) -> int:
    """Simulate, send, detect, show; leave nothing behind unless asked to."""
    from kubestray.cli.demonstration import Demonstration

    options.configure(parsed)
    # A script that runs the demo waits for its end; a person at a terminal wants to look around.
    at_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    stays = at_terminal if parsed.serve is None else parsed.serve
    if parsed.keep:
        return Demonstration(Path(parsed.keep), parsed.seed, kept=True, stays=stays).run()
    with tempfile.TemporaryDirectory(prefix="kubestray-demo-") as folder:
        return Demonstration(Path(folder), parsed.seed, kept=False, stays=stays).run()
