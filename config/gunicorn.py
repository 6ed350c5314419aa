"""The production server: `gunicorn -c python:config.gunicorn config.wsgi`. The only place that configures it."""

import gc
from pathlib import Path
from typing import Any

from gunicorn import glogging  # type: ignore[import-untyped]  # it has no types

from config import bounds, embedded, environment, logging
from config.exposition import Exposition
from config.worker import Worker

_environment = environment.read()
_exposition = Exposition(_environment.metrics_port) if _environment.metrics_port else None

bind = f"0.0.0.0:{_environment.port}"  # in a container; `make run` binds the loopback address itself
worker_class = Worker
workers = _environment.web_concurrency
threads = 16
worker_connections = 800  # a worker; idle ones cost no thread. Below the 1,024 files that many systems allow a process
preload_app = True  # loaded once, before the workers are forked: a quicker start, and memory they share
max_requests = 100_000  # then a worker is replaced, so that a leak of 1 KB a request ends at 100 MB;
max_requests_jitter = 20_000  # one worker at a time
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # a disk may block the sign of life
timeout = 30
graceful_timeout = bounds.GRACEFUL_SECONDS
keepalive = bounds.KEEP_ALIVE_SECONDS
http_parser = "fast"
limit_request_line = bounds.REQUEST_LINE_BYTES
limit_request_fields = bounds.FIELDS
limit_request_field_size = bounds.FIELD_BYTES
control_socket_disable = True
forwarder_headers = forwarded_allow_ips = ""  # nobody is believed, not even on this machine: config.address decides
secure_scheme_headers: dict[str, str] = {}


class Logger(glogging.Logger):  # type: ignore[misc]  # untyped
    """gunicorn's, without its access log: each request has its line from config.middleware."""

    access_log_enabled = False


logger_class = Logger
logconfig_dict = logging.dict_config(level=_environment.log_level, form=_environment.log_format)


gc.disable()  # while the application is loaded: nothing of it is garbage, and looking at it all takes time


def when_ready(_server: Any) -> None:  # noqa: ANN401 (gunicorn's arbiter, untyped)
    """The application is loaded, and no worker is forked: what is there stays, in memory that they share."""
    gc.freeze()
    gc.enable()


def pre_fork(server: Any, worker: Worker) -> None:  # noqa: ANN401 (gunicorn's arbiter, untyped)
    """Give the worker a slot for its metrics."""
    if _exposition:
        worker.slot = _exposition.free_slot(other.slot for other in server.WORKERS.values())


def post_worker_init(worker: Worker) -> None:
    """Count in that slot."""
    if _exposition:
        _exposition.serve(worker.slot)


def child_exit(_server: Any, worker: Worker) -> None:  # noqa: ANN401 (gunicorn's arbiter, untyped)
    """A worker has ended, however it did."""
    if _exposition:
        _exposition.bury(worker.slot)


def on_exit(_server: Any) -> None:  # noqa: ANN401 (gunicorn's arbiter, untyped)
    """Return only when the embedded PostgreSQL, if this process was the last to use it, has stopped."""
    if _environment.database_url is None:
        embedded.release()
