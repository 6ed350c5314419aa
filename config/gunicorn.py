"""The production server: `gunicorn -c python:config.gunicorn config.wsgi`. The only place that configures it."""

import socket
from typing import Any

import orjson
from gunicorn import util  # type: ignore[import-untyped]  # it has no types

from config import embedded, environment, logging

_environment = environment.read()

bind = f"0.0.0.0:{_environment.port}"  # in a container; `make run` binds the loopback address itself
workers = _environment.web_concurrency
worker_class = "gthread"
threads = 16
preload_app = True  # loaded once, before the workers are forked: a quicker start, and memory they share
timeout = 30
graceful_timeout = 25  # requests in flight may finish within the 30 s that a platform gives
keepalive = 75  # longer than a load balancer keeps its end, so that it never meets a closing connection
limit_request_line = 8190
limit_request_field_size = 65_536  # a token that is too large is for the service to refuse, with 401
control_socket_disable = True
logconfig_dict = logging.dict_config(level=_environment.log_level, form=_environment.log_format)


def on_exit(_server: Any) -> None:  # noqa: ANN401 (gunicorn's arbiter, untyped)
    """Return only when the embedded PostgreSQL, if this process was the last to use it, has stopped."""
    if _environment.database_url is None:
        embedded.release()


def _write_error(client: socket.socket, status: int, reason: str, _message: str) -> None:
    """Refuse what is not even HTTP (or more of it than we take) in the shape of all other errors."""
    code = "BAD_REQUEST" if status < 500 else "INTERNAL_ERROR"  # noqa: PLR2004
    body = orjson.dumps({"error": code, "message": reason})
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    util.write_nonblock(client, head.encode("ascii") + body)


util.write_error = _write_error  # gunicorn has no setting for it; its own page is HTML
