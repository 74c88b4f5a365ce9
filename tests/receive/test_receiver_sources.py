"""Who sends: tokens, budgets of new series, the name of a cluster; TLS, and clients that take too long."""

from __future__ import annotations

import http.client
import logging
import shutil
import socket
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from http_client import send as post
from otlp_messages import gauge, request_of
from starlette.applications import Starlette

from kubestray.model.errors import UsageError
from kubestray.receive.budget import SeriesBudget
from kubestray.receive.commit import GroupCommit
from kubestray.receive.http_intake import HttpIntake
from kubestray.receive.http_server import HttpReceiver
from kubestray.receive.intake import Intake
from kubestray.receive.otlp import Bounds
from kubestray.receive.otlp_grpc import METHOD, OtlpGrpcReceiver
from kubestray.receive.otlp_http import otlp_routes
from kubestray.receive.sources import Source, Sources
from kubestray.receive.tls import Tls

PLENTY = 1_000_000
PROTOBUF = {"Content-Type": "application/x-protobuf"}


def source(name: str, token: str = "", per_hour: int = PLENTY, cluster: str = "") -> Source:
    return Source(name, token, SeriesBudget(name, per_hour), cluster)


def body(number: int, **resource: str) -> bytes:
    return request_of(gauge("m", float(number), number=str(number)), **resource).SerializeToString()


def send(receivers, token: str, content: bytes) -> int:
    headers = {**PROTOBUF, "Authorization": f"Bearer {token}"}
    return post(receivers, "/v1/metrics", content, **headers).status


def series_in(receivers) -> list[dict[str, str]]:
    return [dict(one.attributes) for batch in receivers.store.batches for one in batch.series.values()]


def test_each_token_is_a_source_and_no_other_is_taken(receivers_with):
    receivers = receivers_with(sources=Sources([source("a", "one"), source("b", "two")]))
    assert [send(receivers, token, body(1)) for token in ("one", "two", "three", "")] == [200, 200, 401, 401]
    a, b = receivers.intake.sources.all
    assert (a.tally.seen.data_points, b.tally.seen.data_points) == (1, 1)
    with pytest.raises(grpc.RpcError, match="UNAUTHENTICATED"):
        receivers.export(body(1), metadata=[("authorization", "Bearer three")])
    receivers.export(body(1), metadata=[("authorization", "Bearer two")])
    assert b.tally.seen.data_points == 2


def test_a_flood_of_new_series_hits_the_limit_of_its_source_alone(receivers_with, caplog):
    flood, calm = source("flood", "one", per_hour=3), source("calm", "two")
    receivers = receivers_with(sources=Sources([flood, calm]))
    with caplog.at_level(logging.WARNING):
        for number in range(6):
            assert send(receivers, "one", body(number)) == 200  # partly rejected, and told so
        assert send(receivers, "two", body(7)) == 200
        # What the flooding source had before goes on, layouts learned and all.
        for _ in range(3):
            assert send(receivers, "one", body(0)) == 200
    assert flood.tally.seen.rejected == {"too_many_series": 3}
    assert receivers.store.values == [0.0, 1.0, 2.0, 7.0, 0.0, 0.0, 0.0]
    assert calm.tally.seen.rejected == {}
    assert [record.args[:2] for record in caplog.records if "new series" in record.msg] == [("flood", 3)]


def test_a_budget_fills_again_in_an_hour():
    clock = [0.0]
    budget = SeriesBudget("a", 2, lambda: clock[0])
    assert [budget.take() for _ in range(3)] == [True, True, False]
    clock[0] += 1800
    assert [budget.take() for _ in range(2)] == [True, False]
    clock[0] += 10 * 3600
    assert [budget.take() for _ in range(3)] == [True, True, False]


def test_series_without_a_cluster_get_that_of_their_source(receivers_with):
    receivers = receivers_with(
        sources=Sources([source("a", "one", cluster="east"), source("b", "two", cluster="west")])
    )
    for _ in range(3):  # read, learned, recognised: each time the same
        assert send(receivers, "one", body(1, host="h")) == 200
        assert send(receivers, "two", body(1, host="h")) == 200
    assert send(receivers, "two", body(1, host="h", **{"k8s.cluster.name": "own"})) == 200
    found = [one["k8s.cluster.name"] for one in series_in(receivers)]
    assert (found.count("east"), found.count("west"), found.count("own")) == (3, 3, 1)
    ids = {key for batch in receivers.store.batches for key in batch.series_id.tolist()}
    assert len(ids) == 3


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificate for this test, is not installed")
    folder = tmp_path_factory.mktemp("tls")
    return signed(Tls(folder / "certificate.pem", folder / "key.pem"))


def signed(tls: Tls) -> Tls:
    """Make a certificate for this machine, and its key."""
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2"]
    files = ["-keyout", tls.key, "-out", tls.certificate]
    subprocess.run([*made, *names, *files], check=True, capture_output=True)
    return tls


@pytest.mark.parametrize("asks_clients", [False, True])
def test_receivers_speak_tls(certificate: Tls, asks_clients: bool):
    tls = Tls(certificate.certificate, certificate.key, certificate.certificate if asks_clients else None)
    tls.check()
    stored: list[float] = []
    commit = GroupCommit(lambda batch: stored.extend(batch.value.tolist()), interval=0.01)
    intake = Intake(commit.submit, Bounds.everything)
    web = HttpReceiver("127.0.0.1:0", Starlette(routes=otlp_routes(HttpIntake(intake))), tls)
    rpc = OtlpGrpcReceiver("127.0.0.1:0", intake, tls)
    try:
        assert [answer(web.start(), tls, own) for own in (True, False)] == [200, 0 if asks_clients else 200]
        export(rpc.start(), tls)
    finally:
        web.stop()
        rpc.stop()
        commit.close()
    assert stored == ([1.0, 2.0] if asks_clients else [1.0, 1.0, 2.0])


def test_a_renewed_certificate_is_used_without_a_restart(certificate: Tls, tmp_path: Path):
    tls = Tls(tmp_path / "certificate.pem", tmp_path / "key.pem")
    for old, new in ((certificate.certificate, tls.certificate), (certificate.key, tls.key)):
        shutil.copy(old, new)
    commit = GroupCommit(lambda batch: None, interval=0.01)
    intake = Intake(commit.submit, Bounds.everything)
    web = HttpReceiver("127.0.0.1:0", Starlette(routes=otlp_routes(HttpIntake(intake))), tls)
    try:
        port = web.start()
        assert answer(port, tls, False) == 200
        tls.key.write_text("half of a key\n")
        assert answer(port, certificate, False) == 200  # with what it had
        signed(tls)
        assert answer(port, certificate, False) == 0
        assert answer(port, tls, False) == 200
    finally:
        web.stop()
        commit.close()


def answer(port: int, tls: Tls, with_certificate: bool) -> int:
    """Post over TLS; 0 if the connection was refused."""
    context = ssl.create_default_context(cafile=str(tls.certificate))
    if with_certificate:
        context.load_cert_chain(tls.certificate, tls.key)
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=10)
    try:
        connection.request("POST", "/v1/metrics", body(1), PROTOBUF)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def export(port: int, tls: Tls) -> None:
    pair = tls.key.read_bytes(), tls.certificate.read_bytes()
    credentials = grpc.ssl_channel_credentials(tls.certificate.read_bytes(), *pair)
    with grpc.secure_channel(f"localhost:{port}", credentials) as channel:
        channel.unary_unary(METHOD)(body(2), timeout=10)


def test_a_key_that_is_not_the_certificates_is_told(certificate: Tls, tmp_path: Path):
    other = tmp_path / "key.pem"
    other.write_text("no key", encoding="utf-8")
    with pytest.raises(UsageError, match="tls_key"):
        Tls(certificate.certificate, other).check()


@pytest.mark.parametrize(
    ("first", "last", "told"), [(-9, -2, "expired on"), (2, 9, "is not valid before"), (-2, 2, "")]
)
def test_a_certificate_that_is_not_valid_now_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, first: int, last: int, told: str
):
    """It is served all the same: a clock may be wrong, and some clients do not look."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now + timedelta(first)).not_valid_after(now + timedelta(last))
    tls = Tls(tmp_path / "certificate.pem", tmp_path / "key.pem")
    tls.certificate.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    tls.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    tls.check()
    assert [told in record.getMessage() for record in caplog.records] == ([True] if told else [])


def test_headers_without_end_are_cut(receivers):
    """A client that sends headers for ever, and quickly, is hung up on before they fill the memory."""
    with socket.create_connection(("127.0.0.1", receivers.http_port), timeout=10) as client:
        client.sendall(b"POST /v1/metrics HTTP/1.1\r\nHost: x\r\n")
        sent, line = 0, b"X-Padding: " + b"a" * 8000 + b"\r\n"
        try:
            while sent < 16 * 1024 * 1024:
                client.sendall(line)
                sent += len(line)
            told = client.recv(4096)
        except (BrokenPipeError, ConnectionResetError):
            told = b""
    assert told == b"" or told.startswith(b"HTTP/1.1 4")
    assert sent < 16 * 1024 * 1024 or told


def test_half_a_handshake_holds_nobody_up(certificate: Tls):
    commit = GroupCommit(lambda batch: None, interval=0.01)
    intake = Intake(commit.submit, Bounds.everything)
    web = HttpReceiver("127.0.0.1:0", Starlette(routes=otlp_routes(HttpIntake(intake))), certificate)
    try:
        port = web.start()
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        for client in idle:
            client.sendall(b"\x16\x03\x01")
        assert answer(port, certificate, False) == 200  # within the client's ten seconds
        for client in idle:
            client.close()
    finally:
        web.stop()
        commit.close()
