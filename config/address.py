"""Where a request comes from, as far as its sender cannot choose it."""

import ipaddress
import re

from django.conf import settings
from django.http import HttpRequest

_IPV6_PREFIX = 64  # what one customer has at least: single addresses cost nothing


def client(request: HttpRequest) -> str:
    """The client's IPv4 address or IPv6 /64.

    The connection's other end, unless `TRUSTED_PROXY_HOPS` proxies are known to stand in front, each of which appends
    its own client to X-Forwarded-For: then the entry that many from the right. What is further left anybody can write.
    """
    peer = request.META.get("REMOTE_ADDR", "")
    hops = settings.TRUSTED_PROXY_HOPS
    if hops:
        entries = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if len(entries) >= hops and (network := _network(entries[-hops])):
            return network
    return _network(peer) or peer


def _network(entry: str) -> str | None:
    """The network of an entry: `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]`, any of them with a port; else None."""
    bracketed = re.fullmatch(r"\[([^\]]+)\](?::\d+)?", entry.strip())
    host = bracketed[1] if bracketed else entry.strip()
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address), _IPV6_PREFIX), strict=False))
