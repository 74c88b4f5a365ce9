"""``kubestray collector-config``: what a collector has to be told so that every detection has its data."""

from __future__ import annotations

import argparse

from kubestray.cli import options
from kubestray.collectors.values import CHARTS, PROTOCOLS, Wanted, values


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    usual = Wanted()
    parser.add_argument(
        "--chart",
        choices=tuple(CHARTS),
        default=usual.chart,
        help="values for the Splunk or the upstream chart, or a collector's own file [splunk]",
    )
    parser.add_argument(
        "--protocol",
        choices=tuple(PROTOCOLS),
        default=usual.protocol,
        help="how metrics are sent here [otlp]",
    )
    parser.add_argument(
        "--endpoint",
        metavar="HOST:PORT",
        default=usual.endpoint,
        help="where kubestray listens; TLS with https:// before it [kubestray.kubestray.svc, the usual port]",
    )
    parser.add_argument(
        "--cluster", metavar="NAME", default=usual.cluster, help=f"the cluster's name [{usual.cluster}]"
    )
    parser.add_argument(
        "--token-env",
        metavar="NAME",
        default=usual.variable,
        help=f"the environment variable that holds the token, which is never printed [{usual.variable}]",
    )
    options.store_alone(parser)


def run(parsed: argparse.Namespace) -> int:
    """Print the configuration."""
    wanted = Wanted(parsed.chart, parsed.protocol, parsed.endpoint, parsed.cluster, parsed.token_env)
    print(values(wanted), end="")
    return 0
