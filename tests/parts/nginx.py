"""nginx with our configuration for it, in front of a server of ours."""

import datetime as dt
import os
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.debian import program
from tests.parts.address import Address, free_address
from tests.parts.process import Process

HOST = "api.example.com"
FRAME = """\
{user}
daemon off;
master_process off; # whoever ends it leaves no worker behind
pid {home}/pid;
error_log stderr;
events {{}}
http {{
    client_body_temp_path {home}/client;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    {ours}
}}
"""


class Nginx(Process):
    """At `address` with TLS, at `plain` without; `trust` is what its clients need to believe it."""

    def __init__(self, configuration: str, behind: Address) -> None:
        self._program = program("nginx-1.26")
        super().__init__()
        self.plain = free_address()
        _write_certificate(self.home)
        self.trust = ssl.create_default_context(cafile=self.home / "fullchain.pem")
        moved = {
            "127.0.0.1:8000": "{}:{}".format(*behind),
            "listen 443": "listen {}:{}".format(*self.address),
            "listen 80": "listen {}:{}".format(*self.plain),
            "/etc/letsencrypt/live/api.example.com": str(self.home),
        }
        for there, here in moved.items():
            assert there in configuration
            configuration = configuration.replace(there, here)
        lines = [line for line in configuration.splitlines() if "[::]" not in line]
        user = "user root;" if os.geteuid() == 0 else ""
        self._text = FRAME.format(user=user, home=self.home, ours="\n".join(lines))

    def command(self) -> list[str]:
        (self.home / "nginx.conf").write_text(self._text)
        return [str(self._program), "-e", "stderr", "-p", str(self.home), "-c", str(self.home / "nginx.conf")]


def _write_certificate(folder: Path) -> None:
    """One that it signed itself, for a day."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "fullchain.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "privkey.pem").write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
