"""``kubestray serve``."""

from __future__ import annotations

import argparse
import signal
import threading

from kubestray.cli import options, output

_FLAGS = (
    "content metric_index timezone search_timeout search_memory search_rows otlp_grpc otlp_http remote_write "
    "signalfx splunk_hec http receiver_token_file receiver_sources new_series max_attributes mapping "
    "tls_certificate tls_key tls_client_ca "
    "kafka_brokers kafka_topics kafka_group kafka_encoding kafka_cluster kafka_properties "
    "observability_realm observability_url observability_token_file observability_inputs "
    "observability_resolution observability_backfill max_request max_queue max_queue_bytes commit_interval "
    "future_limit retention_raw retention_summaries churning_attributes give_up_after lateness idle catch_up"
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    options.settings(parser, *_FLAGS.split())


def run(parsed: argparse.Namespace) -> int:
    """Serve until told to stop by SIGINT or SIGTERM."""
    from kubestray.pipeline.server import Server

    config = options.configure(parsed)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    with Server(config) as server:
        output.note(f"kubestray serves {server.url}: {', '.join(server.addresses())}")
        stopping.wait()
        output.note("kubestray stops: what was acknowledged is in the store")
    return 0
