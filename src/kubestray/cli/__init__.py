"""The command line. Results go to stdout, everything else to stderr.

Exit codes: 0 done, 1 the work failed, 2 wrong usage, 3 bad content or bad search text.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from kubestray import __version__
from kubestray.cli.without_pandas import WithoutPandas
from kubestray.model.errors import KubestrayError

COMMANDS = {
    "demo": "a simulated cluster with an attack under way, found before your eyes",
    "serve": "receive metrics and run detections on schedule",
    "ingest": "put OTLP metric files into the store; '-' is stdin",
    "search": "run one search in SPL",
    "detect": "run detections once",
    "evaluate": "measure methods and their false alarms on data with labels",
    "findings": "list findings and incidents, decide about them, suppress what is expected",
    "account": "print a link that sets the password of an account of the console",
    "replay": "run detections over past time as they would have run live",
    "verify": "recompute a finding offline from its own file",
    "content": "check, list and show detections and other content",
    "notify": "list outputs, try one, list and resend what could not be delivered",
    "simulate": "write a labelled, simulated cluster as OTLP files",
    "doctor": "tell what arrives, what each detection lacks, and which setting of a collector brings it",
    "collector-config": "print what a collector has to be told so that every detection has its data",
}

# Values of these may start with a minus (-30d), which argparse would take for a flag.
_TIME_FLAGS = ("--earliest", "--latest", "--now", "--from", "--to", "--preview", "--expires")

_COMPARES = frozenset({"evaluate"})
"""Commands that run detectors of other libraries, some of which are made with pandas."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command line and exit."""
    if argv is None and not _COMPARES.intersection(sys.argv):
        sys.meta_path.insert(0, WithoutPandas())
    arguments = _joined(list(sys.argv[1:] if argv is None else argv))
    try:
        code = _run(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
        sys.exit(code)
    except KubestrayError as error:
        print(f"kubestray: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("kubestray: interrupted", file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        # The reader (head, less) has seen enough, or the output cannot be written (a full disk); what has
        # the name of a file is about that.
        if not isinstance(error, BrokenPipeError):
            where = "the output cannot be written" if error.filename is None else f"{error.filename}"
            print(f"kubestray: {where}: {error.strerror or error}", file=sys.stderr)
        # What is still buffered would fail once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="kubestray", description="Find the Kubernetes workloads that stray from their own normal."
    )
    parser.add_argument("--version", action="version", version=f"kubestray {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    wanted = next((word for word in arguments if word in COMMANDS), None)
    module: ModuleType | None = None
    for name, summary in COMMANDS.items():
        sub = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name == wanted:
            module = importlib.import_module(f"kubestray.cli.{name.replace('-', '_')}")
            module.arguments(sub)
    try:
        parsed = parser.parse_args(arguments)
    except SystemExit:
        if sys.stdout is not None:
            sys.stdout.flush()  # --help to a reader that has gone fails here, where it is caught
        raise
    assert module is not None
    return int(module.run(parsed))


def _joined(arguments: list[str]) -> list[str]:
    """Write ``--earliest -30d`` as ``--earliest=-30d``."""
    joined: list[str] = []
    words = iter(arguments)
    for word in words:
        value = next(words, None) if word in _TIME_FLAGS else None
        joined.append(word if value is None else f"{word}={value}")
    return joined
