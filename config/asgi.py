"""The ASGI application, for uvicorn."""

import os
import warnings
from typing import Any

from config import environment
from config.exposition import Exposition

_environment = environment.read()  # first, so that a bad environment is reported before anything else fails
exposition = Exposition(_environment.metrics_port) if _environment.metrics_port else None
if exposition:
    exposition.serve(0)  # before anything is imported that counts

import django
from django.core.asgi import get_asgi_application
from django.db import connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.conf import settings

from config import headers, startup, uvicorn
from config.body import Receive, bounded_asgi
from config.correlation import identified_asgi
from config.postgresql.connection import Connection

POOL = {
    "connection_class": Connection,
    "min_size": 0,
    "max_size": 8,
    "max_idle": 30,
    "timeout": 10,
    "reconnect_timeout": 0,  # the pool would back off, up to minutes, while requests come and could try
}


def pool_connections() -> None:
    """Every request has a thread of its own here, so a connection kept by a thread would leak: pool them instead."""
    for parameters in connections.settings.values():
        parameters["CONN_MAX_AGE"] = 0
        parameters["CONN_HEALTH_CHECKS"] = False  # a trip each; the backend looks whether the server hung up
        parameters["OPTIONS"] |= {"pool": POOL}


# Django would rather have asynchronous iterators. Whitenoise's files are small, and on a disk of this machine.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")
uvicorn.install()
pool_connections()
startup.prepare()
http = identified_asgi(bounded_asgi(get_asgi_application(), settings.MAX_BODY_BYTES))


async def application(scope: dict[str, Any], receive: Receive, send: Any) -> None:  # noqa: ANN401 (ASGI's)
    """ASGI's two protocols: the requests are Django's, the server's life is ours."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
    else:
        await http({**scope, "headers": headers.apart(scope["headers"])}, receive, send)


async def _live(receive: Receive, send: Any) -> None:  # noqa: ANN401 (ASGI's)
    """Clean up before uvicorn ends itself by the signal it was sent, which skips what Python does at exit."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    if exposition:
        exposition.close()
    await send({"type": "lifespan.shutdown.complete"})
