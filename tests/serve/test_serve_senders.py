"""Programs that others wrote send to a running server: Prometheus and vmagent, where they are installed."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from product import TRACEBACK, search, wait_until

SCRAPED = b"""# TYPE seen_requests_total counter
seen_requests_total{code="200",path="/a b\\"c"} 1027
# TYPE seen_temperature gauge
seen_temperature{unit="\xe2\x98\x83"} -3.5
seen_nothing NaN
# TYPE seen_seconds histogram
seen_seconds_bucket{le="0.5"} 2
seen_seconds_bucket{le="+Inf"} 3
seen_seconds_sum 4.5
seen_seconds_count 3
"""


class _Target(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(SCRAPED)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def target() -> Iterator[int]:
    """The port of something to scrape."""
    server = HTTPServer(("127.0.0.1", 0), _Target)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join(10)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def command(program: str, folder: Path, scraped: int, written: str) -> list[str]:
    """Return how a program is started that scrapes every second and sends what it got at once."""
    scrape = f"  - {{job_name: t, static_configs: [{{targets: ['127.0.0.1:{scraped}']}}]}}\n"
    text = f"global: {{scrape_interval: 1s}}\nscrape_configs:\n{scrape}"
    if program == "prometheus":
        queue = "queue_config: {batch_send_deadline: 200ms}"
        text += f"remote_write: [{{url: '{written}', {queue}, metadata_config: {{send_interval: 1s}}}}]\n"
    file = folder / "scrape.yml"
    file.write_text(text)
    address = f"127.0.0.1:{free_port()}"
    if program == "prometheus":
        own = ["--web.listen-address", address, "--storage.tsdb.path", str(folder / "data")]
        return [program, "--config.file", str(file), *own]
    own = [f"-remoteWrite.tmpDataPath={folder / 'data'}", f"-httpListenAddr={address}"]
    flags = [f"-promscrape.config={file}", f"-remoteWrite.url={written}", "-remoteWrite.flushInterval=1s"]
    return [program, *flags, *own]


@pytest.mark.parametrize("program", ["prometheus", "vmagent"])
def test_remote_write_of_others(server, target, tmp_path, program):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed (Debian's packages prometheus, victoria-metrics)")
    here = f"127.0.0.1:{target}"
    written = f"http://127.0.0.1:{server.ports['otlp_http']}/api/v1/write"
    labels = f'WHERE index=* instance="{here}"'
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command(program, tmp_path, target, written), stdout=log, stderr=subprocess.STDOUT
        )
        try:
            wait_until(lambda: search(server.store, f"| mstats max(seen_temperature) AS n {labels} BY unit"))
        finally:
            process.terminate()
            process.wait(30)
    rows = search(server.store, '| mpreview index=* filter="metric_name=seen_*"')
    found = {
        (row["metric_name"], row.get("le"), row.get("unit"), row.get("path"), row["_value"])
        for row in rows
        if row["instance"] == here
    }
    assert found == {
        ("seen_requests_total", None, None, '/a b"c', 1027),
        ("seen_temperature", None, "☃", None, -3.5),
        ("seen_seconds_bucket", "0.5", None, None, 2),
        ("seen_seconds_bucket", "+Inf", None, None, 3),
        ("seen_seconds_sum", None, None, None, 4.5),
        ("seen_seconds_count", None, None, None, 3),
    }
    assert TRACEBACK not in server.log
