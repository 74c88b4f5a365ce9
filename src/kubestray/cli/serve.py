"""``kubestray serve``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kubestray.cli import options, output
from kubestray.cli.stopping import Stopping

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from kubestray.config import Config
    from kubestray.pipeline.running import Running
    from kubestray.pipeline.server import Server

_FLAGS = (
    "content metric_index collector_settings timezone search_timeout search_memory search_rows "
    "otlp_grpc otlp_http remote_write signalfx splunk_hec http console_url session_key_file "
    "oidc_issuer oidc_client_id oidc_client_secret_file oidc_claim oidc_roles "
    "receiver_token receiver_token_file receiver_sources new_series max_attributes mapping "
    "tls_certificate tls_key tls_client_ca "
    "kafka_brokers kafka_topics kafka_group kafka_encoding kafka_cluster kafka_properties "
    "observability_realm observability_url observability_token_file observability_inputs "
    "observability_resolution observability_backfill max_request max_queue max_queue_bytes commit_interval "
    "future_limit retention_raw retention_summaries churning_attributes percentile_metrics "
    "accelerated_searches give_up_after lateness settle spread idle catch_up"
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    options.settings(parser, *_FLAGS.split())


def run(parsed: argparse.Namespace) -> int:
    """Serve until told to stop by SIGINT or SIGTERM."""
    from kubestray.pipeline.server import Server

    config = options.configure(parsed)
    stopping = Stopping()
    with Server(config, _console) as server:
        output.note(f"kubestray serves {server.url}: {', '.join(server.addresses())}")
        _welcome(server, config)
        stopping.wait()
        output.note("kubestray stops: what was acknowledged is in the store")
    return 0


def _console(running: Running) -> ASGIApp:
    from kubestray.web.app import console

    return console(running)


def _welcome(server: Server, config: Config) -> None:
    """Say where the console is; as long as no admin can log in, with a link for the first."""
    from kubestray.api.access import link_path
    from kubestray.api.accounts import Accounts
    from kubestray.api.session_secret import session_secret
    from kubestray.cli.console_address import console_address

    assert server.running
    session_secret(config)  # what is wrong with it is told now, and not to the first visitor
    address = console_address(config, server.address("http"))
    secret = Accounts(server.running.documents, server.running.clock).first_link()
    if secret:
        output.note(f"log in for the first time, within a day, at {address}{link_path(secret)}")
    else:
        output.note(f"the console is at {address}")
