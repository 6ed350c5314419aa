"""One GET, bounded in every way."""

import http.server
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.utils import timezone

from authjwt.fetch import DEADLINE, MAX_BYTES, FetchFailed, _connection, fetch
from tests.authjwt.forge import issuer_jwks, key_pair
from tests.authjwt.jwks_server import (
    Behaviour,
    JWKSServer,
    behaving,
    chunked,
    cut_short,
    drip,
    endless,
    no_http,
    respond,
)


def test_document_is_read_with_its_age(issuer: JWKSServer) -> None:
    with behaving(issuer, respond(Age="17")):
        document = fetch(issuer.url)
    assert (json.loads(document.body), document.age) == (issuer_jwks(), 17)
    assert 0 < document.seconds < 3


@pytest.mark.parametrize(
    ("address", "target"), [("", "/"), ("/", "/"), ("/api/auth/jwks", "/api/auth/jwks"), ("/keys?of=a", "/keys?of=a")]
)
def test_request_names_its_target_and_its_user_agent(issuer: JWKSServer, address: str, target: str) -> None:
    fetch(issuer.url.removesuffix("/api/auth/jwks") + address)
    assert issuer.requests[0].startswith(f"GET {target} HTTP/1.1\r\n")
    assert "User-Agent: tasks-api-authjwt\r\n" in issuer.requests[0]


@pytest.mark.parametrize(("url", "port"), [("http://a.example", 80), ("https://a.example", 443)])
def test_port_follows_from_the_scheme(url: str, port: int) -> None:
    connection = _connection(f"{url}/jwks", 2)
    assert (connection.port, connection.default_port, connection.timeout) == (port, port, 2)
    assert _connection(f"{url}:8443/jwks", 2).port == 8443


def test_body_of_the_greatest_size_is_read(issuer: JWKSServer) -> None:
    with behaving(issuer, respond(body=b" " * MAX_BYTES)):
        assert len(fetch(issuer.url).body) == MAX_BYTES


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        (respond(body=b" " * (MAX_BYTES + 1)), "more than 524288 bytes"),
        (endless, "more than 524288 bytes"),
        (cut_short, "IncompleteRead"),
        (respond("418 I'm a teapot"), "HTTP status 418"),
        (no_http, "BadStatusLine"),
        (respond(X="y" * 100_000), "LineTooLong"),
    ],
    ids=["one byte more", "endless", "cut short", "status", "no HTTP", "long header"],
)
def test_failure_says_why(issuer: JWKSServer, behaviour: Behaviour, why: str) -> None:
    started_at = time.monotonic()
    with behaving(issuer, behaviour), pytest.raises(FetchFailed, match=why):
        fetch(issuer.url)
    assert time.monotonic() - started_at < DEADLINE


@pytest.mark.parametrize(
    "behaviour",
    [drip(0.05), drip(0.05, length=False), drip(0.05, whole=True)],
    ids=["body", "body of no stated length", "headers"],
)
def test_deadline_is_for_everything_together(issuer: JWKSServer, behaviour: Behaviour) -> None:
    started_at = time.monotonic()
    with behaving(issuer, behaviour), pytest.raises(FetchFailed, match="in time"):
        fetch(issuer.url, deadline=0.3)
    assert time.monotonic() - started_at < 1.5


def test_failure_tells_the_status(issuer: JWKSServer) -> None:
    for behaviour, status in ((respond("418 I'm a teapot"), 418), (endless, 200), (no_http, None)):
        with behaving(issuer, behaviour), pytest.raises(FetchFailed) as caught:
            fetch(issuer.url)
        assert caught.value.status == status


@pytest.mark.parametrize("url", ["ftp://a.example", "file:///etc/passwd", "//a.example", "http://", "http://[", "x"])
def test_other_urls_are_not_fetched(url: str) -> None:
    with pytest.raises(FetchFailed):
        fetch(url)


def test_connection_can_be_aborted_at_any_time(issuer: JWKSServer) -> None:
    connection = _connection(issuer.url, DEADLINE)
    connection.abort()
    connection.connect()
    connection.close()
    connection.abort()


def test_chunked_document_is_read(issuer: JWKSServer) -> None:
    with behaving(issuer, chunked):
        assert json.loads(fetch(issuer.url).body) == issuer_jwks()


@pytest.fixture
def https_url(tmp_path: Path) -> Iterator[str]:
    """Serve HTTPS with a certificate that nobody vouches for."""
    key = key_pair("tls", "ES256").private
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = timezone.now()
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now.replace(year=now.year + 1, day=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    (tmp_path / "pem").write_bytes(pem + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pem")
    with http.server.HTTPServer(("127.0.0.1", 0), _Quiet) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"https://localhost:{server.server_address[1]}/jwks"
        server.shutdown()


class _Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


def test_deadline_is_for_the_handshake_too() -> None:
    """Of a server that sends it a byte at a time, so that no single read ever times out."""

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            for byte in b"\x16\x03\x03\x40\x00" + bytes(100):  # the head of a record of 16 KB
                connection.sendall(bytes([byte]))
                time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip, args=(listener,), daemon=True).start()
        started_at = time.monotonic()
        with pytest.raises(FetchFailed, match="in time"):
            fetch(f"https://localhost:{listener.getsockname()[1]}/jwks", deadline=0.3)
    assert time.monotonic() - started_at < 1.5


def test_certificate_is_verified(https_url: str) -> None:
    with pytest.raises(FetchFailed, match="CERTIFICATE_VERIFY_FAILED"):
        fetch(https_url)


def test_https_with_a_trusted_certificate_is_read(
    https_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "pem"))
    assert fetch(https_url).body == b"{}"


def test_certificate_of_another_host_is_refused(
    https_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "pem"))
    with pytest.raises(FetchFailed, match="CERTIFICATE_VERIFY_FAILED"):
        fetch(https_url.replace("localhost", "127.0.0.1"))
