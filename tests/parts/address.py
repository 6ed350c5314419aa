"""Where a part is."""

import random
import socket
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

# Below the ports that the kernel gives to clients: nobody takes one while its server is down, and no client of a server
# that is down is connected to itself.
PORTS = range(20_000, 32_000)


class Address(NamedTuple):
    host: str
    port: int


def free_address() -> Address:
    """Return an address of this machine that nobody listens on."""
    while True:
        address = Address("127.0.0.1", random.choice(PORTS))  # noqa: S311 (no secret)
        with socket.socket() as probe:
            if probe.connect_ex(address):
                return address


def relocate(url: str, address: Address) -> str:
    """Return the URL of the same role and database at another address, without TLS."""
    parts = urlsplit(url)
    credentials = parts.netloc.rpartition("@")[0]
    query = urlencode({**dict(parse_qsl(parts.query)), "sslmode": "disable"})
    return parts._replace(netloc=f"{credentials}@{address.host}:{address.port}", query=query).geturl()
