"""Flags that several commands share, and the settings they give."""

from __future__ import annotations

import argparse
import getpass
import logging
import os
import sys
from pathlib import Path
from typing import Any

from kubestray.cli.log_lines import OneLine
from kubestray.config import SETTINGS, Config, load_config


def settings(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add the flags of settings; ``store``, ``config`` and ``log_level`` come with every command."""
    wanted = {"store", "log_level", *names}
    group = parser.add_argument_group("settings (docs/settings.md)")
    group.add_argument("--config", metavar="FILE", help="the TOML file of settings")
    for setting in SETTINGS:
        if setting.name == "content" or setting.name not in wanted:
            continue
        if setting.secret:
            # Known, to be refused: else it would be taken for an abbreviation of the flag that names a file.
            group.add_argument(setting.flag, action=_Secret, dest=argparse.SUPPRESS, help=argparse.SUPPRESS)
            continue
        shown = setting.default or "none"
        group.add_argument(
            setting.flag,
            dest=setting.name,
            metavar="VALUE",
            help=f"{setting.help} [{shown}]".replace("%", "%%"),
        )
    if "content" in wanted:
        group.add_argument(
            "--content",
            action="append",
            metavar="DIR",
            help="a content folder in force beside the built-in one; repeatable",
        )


def store_alone(parser: argparse.ArgumentParser) -> None:
    """Add ``--store``, which every command takes, to one that opens none."""
    parser.add_argument("--store", metavar="VALUE", help="taken as by every command; this one opens no store")


def actor(parser: argparse.ArgumentParser, told: str) -> None:
    """Add ``--actor``, the name that the audit log has; without it the user who runs the command."""
    parser.add_argument("--actor", type=_actor, default="", help=f"{told} [the user who runs this]")


def _actor(name: str) -> str:
    """Return who does it; without a name the user who runs this, by number where it has no name here."""
    if name:
        return name
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # containers run as users that no file knows
        return f"uid {os.getuid()}"


class _Secret(argparse.Action):
    """Refuses a secret on the command line."""

    def __call__(
        self, parser: argparse.ArgumentParser, _namespace: Any, _values: Any, flag: str | None = None
    ) -> None:
        setting = next(each for each in SETTINGS if each.flag == flag)
        parser.error(
            f"{flag}: other users of this machine could read it here; set {setting.variable}, "
            f"or name a file that holds it with {flag}-file"
        )


def searching(parser: argparse.ArgumentParser) -> None:
    """Add what every command that runs searches takes: switches, and the settings of searches."""
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a compatibility switch; repeatable"
    )
    limits = ("search_timeout", "search_memory", "search_rows")
    settings(parser, "content", "metric_index", "mapping", "timezone", *limits)


def times(parser: argparse.ArgumentParser) -> None:
    """Add ``--now``, ``--earliest`` and ``--latest``."""
    parser.add_argument(
        "--now", metavar="T", help="what now is: RFC 3339, epoch seconds or an SPL time [the clock]"
    )
    parser.add_argument(
        "--earliest", metavar="T", help="where the time range starts if the text does not say"
    )
    parser.add_argument("--latest", metavar="T", help="where the time range ends if the text does not say")


def configure(parsed: argparse.Namespace) -> Config:
    """Put the settings together and set up logging to stderr."""
    flags = {setting.name: getattr(parsed, setting.name, None) for setting in SETTINGS}
    if isinstance(flags["content"], list):
        flags["content"] = os.pathsep.join(flags["content"])
    file = parsed.config or os.environ.get("KUBESTRAY_CONFIG")
    config = load_config(flags, os.environ, Path(file) if file else None)
    told = logging.StreamHandler(sys.stderr)
    told.setFormatter(OneLine())
    logging.basicConfig(level=config["log_level"], handlers=[told])
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # its start-up lines are of no use to anybody
    return config
