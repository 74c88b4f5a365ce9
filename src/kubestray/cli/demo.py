"""``kubestray demo``: the main job on a simulated cluster, from an empty store to a finding."""

from __future__ import annotations

import argparse
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
        "--serve", action="store_true", help="stay on the console when all is found, until interrupted"
    )
    options.settings(parser)


def run(parsed: argparse.Namespace) -> int:
    """Simulate, send, detect, show; leave nothing behind unless asked to."""
    from kubestray.cli.demonstration import Demonstration

    options.configure(parsed)
    if parsed.keep:
        return Demonstration(Path(parsed.keep), parsed.seed, kept=True, stays=parsed.serve).run()
    with tempfile.TemporaryDirectory(prefix="kubestray-demo-") as folder:
        return Demonstration(Path(folder), parsed.seed, kept=False, stays=parsed.serve).run()
