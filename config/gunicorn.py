"""The production server: `gunicorn -c python:config.gunicorn config.wsgi`. The only place that configures it."""

import socket
from types import FrameType
from typing import Any

from gunicorn import util  # type: ignore[import-untyped]  # it has no types
from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

from config import embedded, environment, logging, unparsed

_environment = environment.read()

bind = f"0.0.0.0:{_environment.port}"  # in a container; `make run` binds the loopback address itself
workers = _environment.web_concurrency
threads = 16
preload_app = True  # loaded once, before the workers are forked: a quicker start, and memory they share
timeout = 30
graceful_timeout = 25  # requests in flight may finish within the 30 s that a platform gives
keepalive = 75  # longer than a load balancer keeps its end, so that it never meets a closing connection
limit_request_line = 8190
limit_request_field_size = 65_536  # a token that is too large is for the service to refuse, with 401
control_socket_disable = True
logconfig_dict = logging.dict_config(level=_environment.log_level, form=_environment.log_format)


class Worker(ThreadWorker):  # type: ignore[misc]  # untyped
    """gunicorn's threads, with two gaps closed."""

    def handle(self, conn: TConn) -> object:
        """Answer what a connection sends; pipelined requests too, which no socket becomes readable for any more."""
        keep = super().handle(conn)
        while keep is True and self.alive and conn.parser.unreader.buf.getbuffer().nbytes:
            keep = super().handle(conn)
        return keep

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """On SIGTERM, do not wait for connections that only might send another request."""
        if self.alive:
            self.method_queue.defer(self._expire_idle)
        super().handle_exit(sig, frame)

    def _expire_idle(self) -> None:
        for conn in (*self.keepalived_conns, *self.pending_conns):
            conn.timeout = 0


worker_class = Worker


def on_exit(_server: Any) -> None:  # noqa: ANN401 (gunicorn's arbiter, untyped)
    """Return only when the embedded PostgreSQL, if this process was the last to use it, has stopped."""
    if _environment.database_url is None:
        embedded.release()


def _write_error(client: socket.socket, status: int, reason: str, _message: str) -> None:
    util.write_nonblock(client, unparsed.refusal(status, reason))


util.write_error = _write_error  # gunicorn has no setting for it; its own page is HTML
