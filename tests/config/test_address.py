"""Where a request comes from: what a sender writes itself must not matter."""

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from config import address

PEER = "198.51.100.7"


def _client(settings: Settings, hops: int, forwarded: str | None, peer: str = PEER) -> str:
    settings.TRUSTED_PROXY_HOPS = hops
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return address.client(RequestFactory().get("/tasks", REMOTE_ADDR=peer, headers=headers))


@pytest.mark.parametrize(
    ("hops", "forwarded", "client"),
    [
        pytest.param(0, "203.0.113.1", PEER, id="nobody is trusted"),
        pytest.param(1, None, PEER, id="no header"),
        pytest.param(1, "", PEER, id="empty header"),
        pytest.param(1, "203.0.113.1", "203.0.113.1", id="one hop"),
        pytest.param(1, "6.6.6.6, 203.0.113.1", "203.0.113.1", id="what the client wrote itself is left of it"),
        pytest.param(1, "6.6.6.6,203.0.113.1", "203.0.113.1", id="no space, as joined repeated headers"),
        pytest.param(2, "6.6.6.6, 203.0.113.1, 192.0.2.9", "203.0.113.1", id="two hops"),
        pytest.param(3, "203.0.113.1, 192.0.2.9", PEER, id="fewer entries than hops"),
        pytest.param(1, "203.0.113.1:4711", "203.0.113.1", id="with a port"),
        pytest.param(1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", id="IPv6"),
        pytest.param(1, "[2001:db8:1:2:ffff::1]", "2001:db8:1:2::/64", id="IPv6 in brackets"),
        pytest.param(1, "[2001:db8:1:2::1]:4711", "2001:db8:1:2::/64", id="IPv6 with a port"),
        pytest.param(1, "fe80::1%eth0", "fe80::/64", id="IPv6 with a zone"),
        pytest.param(1, "::ffff:203.0.113.1", "203.0.113.1", id="IPv4 in IPv6"),
        pytest.param(1, "unknown", PEER, id="no address"),
        pytest.param(1, "203.0.113.1, ", PEER, id="blank entry"),
        pytest.param(1, "203.0.113.256", PEER, id="number too large"),
        pytest.param(1, "[203.0.113.1", PEER, id="half a bracket"),
        pytest.param(1, "203.0.113.1;6.6.6.6", PEER, id="other separator"),
        pytest.param(1, "\u0661\u0662.0.0.1", PEER, id="other digits"),
    ],
)
def test_client_is_the_entry_that_the_outermost_trusted_proxy_wrote(
    settings: Settings, hops: int, forwarded: str | None, client: str
) -> None:
    assert _client(settings, hops, forwarded) == client


@pytest.mark.parametrize(
    ("peer", "client"),
    [("2001:db8::7", "2001:db8::/64"), ("::ffff:192.0.2.1", "192.0.2.1"), ("", "")],
    ids=["IPv6", "dual stack", "Unix socket"],
)
def test_peer_is_read_the_same_way(settings: Settings, peer: str, client: str) -> None:
    assert _client(settings, 0, None, peer) == client
