"""The real parts around the service, each a context manager that leaves nothing behind, whatever happens inside.

    with PostgreSQL() as server, PgBouncer(server.url, pool_size=2) as pgbouncer, Proxy(pgbouncer.address) as proxy:
        url = proxy.to(pgbouncer.url)  # the same database, through both
        with proxy.counting() as wire:
            ...
        assert wire.round_trips == 1
        server.kill()

Each keeps its port for life, through stops and starts. None of them speaks TLS.
"""

from tests.parts.address import Address, relocate
from tests.parts.pgbouncer import PgBouncer
from tests.parts.postgresql import PostgreSQL
from tests.parts.proxy import Proxy
from tests.parts.redis import Redis
from tests.parts.wire import Message, Wire

__all__ = ["Address", "Message", "PgBouncer", "PostgreSQL", "Proxy", "Redis", "Wire", "relocate"]
