"""``kubestray serve``."""

from __future__ import annotations

import argparse
import signal
import threading
from typing import TYPE_CHECKING

from kubestray.cli import options, output

if TYPE_CHECKING:
    from fastapi import FastAPI

    from kubestray.pipeline.running import Running

_FLAGS = (
    "content metric_index timezone search_timeout search_memory search_rows otlp_grpc otlp_http remote_write "
    "signalfx splunk_hec http console_url session_key_file oidc_issuer oidc_client_id "
    "oidc_client_secret_file oidc_claim oidc_roles receiver_token_file "
    "max_request max_queue commit_interval future_limit "
    "retention_raw retention_summaries churning_attributes give_up_after lateness idle catch_up"
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    options.settings(parser, *_FLAGS.split())


def run(parsed: argparse.Namespace) -> int:
    """Serve until told to stop by SIGINT or SIGTERM."""
    from kubestray.pipeline.server import Server
    from kubestray.web.app import console, first_link

    config = options.configure(parsed)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    made: list[FastAPI] = []

    def make(running: Running) -> FastAPI:
        made.append(console(running))
        return made[0]

    with Server(config, make) as server:
        output.note(f"kubestray serves {server.url}: {', '.join(server.addresses())}")
        address = config["console_url"].rstrip("/") or f"http://{server.address('http')}"
        if link := first_link(made[0]):
            output.note(f"log in for the first time, within a day, at {address}{link}")
        else:
            output.note(f"the console is at {address}")
        stopping.wait()
        output.note("kubestray stops: what was acknowledged is in the store")
    return 0
