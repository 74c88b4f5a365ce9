"""``kubestray verify FINDING.json``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from kubestray.cli import options


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("path", metavar="FINDING.json", help="a finding's document; '-' is stdin")
    options.store_alone(parser)


def run(parsed: argparse.Namespace) -> int:
    """Recompute a finding from its own file; say identical, or what differs."""
    from kubestray.risk.verifying import differences

    document = _read(parsed.path)
    found = differences(document)
    if not found:
        print("identical")
        return 0
    for difference in found:
        print(
            difference.encode("utf-8", "backslashreplace").decode("utf-8")
        )  # names may hold halves of characters
    return 1


def _read(path: str) -> dict[str, Any]:
    from kubestray.model.errors import UsageError

    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        document = json.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}:{error.lineno}:{error.colno}: is no JSON: {error.msg}") from error
    except ValueError as error:  # a number of thousands of digits, a path with a zero byte
        raise UsageError(f"{path}: cannot be read: {error}") from error
    except RecursionError as error:
        raise UsageError(f"{path}: its lists and objects lie too deep in each other") from error
    if not isinstance(document, dict) or document.get("kind") != "finding":
        raise UsageError(
            f"{path}: is no finding: expected an object whose kind is finding{_instead(document)}"
        )
    return document


def _instead(document: Any) -> str:
    """Return what to do with an incident, which is made of findings; nothing for anything else."""
    if not isinstance(document, dict) or document.get("kind") != "incident":
        return ""
    return (
        "; of an incident verify each of its findings, which kubestray findings show ID --format json gives"
    )
