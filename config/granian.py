"""An optional server, in Rust: `python -m config.granian`. The only place that configures it.

docs/servers.md says what it is good for, and what it leaves open.
"""

import argparse
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, RuntimeModes
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer, WorkerProcess

from config import bounds, embedded, environment, logging
from config.exposition import Exposition

_environment = environment.read()
_exposition = Exposition(_environment.metrics_port) if _environment.metrics_port else None

from config.wsgi import application as wsgi_application  # before the workers are forked: memory they share

BACKLOG = 2048
CONNECTIONS = 800  # a worker; idle ones are counted, too
THREADS = 16  # as many as config.postgresql.patience reckons with
THREAD_IDLE_SECONDS = 31_536_000  # never: its connection to the database stays open when a thread ends
WORKER_MIB = 400  # a worker that has grown beyond is replaced
REPLACING_SECONDS = 1.0  # for the new worker to start, before the old one is ended

Headers = list[tuple[str, str]]
StartResponse = Callable[[str, Headers], object]

_retiring = threading.Event()  # this worker is about to end


# No test sees them run, though many ask for what they do: granian's threads are Rust's, which nothing in Python traces.
def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:  # pragma: no cover
    """Answer in one piece, which granian sends while the thread goes on: no reader, however slow, holds it up.

    Of an answer in parts it would have the thread wait for the reader, and end one that fails as if it were whole.
    """
    response: Any = wsgi_application(environ, partial(_last, start_response) if _retiring.is_set() else start_response)
    try:
        return [b"".join(response)]
    finally:
        response.close()


def _last(
    start_response: StartResponse, status: str, headers: Headers, _exc_info: object = None
) -> None:  # pragma: no cover
    start_response(status, [*headers, ("Connection", "close")])


class Server(MPServer):
    """granian's, on one socket for all workers: none of them takes connections along that wait to be accepted."""

    def __init__(self, listener: socket.socket, **settings: Any) -> None:  # noqa: ANN401 (granian's)
        super().__init__("config.granian:application", interface=Interfaces.WSGI, **settings)
        self.bind_addr, self.bind_port = listener.getsockname()
        self._listener = listener
        self._slots: dict[WorkerProcess, int] = {}

    def _init_shared_socket(self) -> None:
        self._sso, self._sfd = self._listener, self._listener.fileno()  # type: ignore[assignment]
        self._shd = SocketHolder(self._listener.fileno(), False, BACKLOG)  # type: ignore[call-arg,assignment]  # noqa: FBT003

    def _spawn_worker(self, idx: int, target: Any, callback_loader: Any) -> WorkerProcess:  # type: ignore[override]  # noqa: ANN401
        self._bury()
        slot = _exposition.free_slot(self._slots.values()) if _exposition else 0
        worker = super()._spawn_worker(idx, target, partial(callback_loader, slot))
        worker.terminate = partial(_have_retire, worker)  # type: ignore[method-assign]  # it is made by the class above
        self._slots[worker] = slot
        return worker

    def _respawn_workers(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (granian's)
        super()._respawn_workers(*args, **kwargs)
        self.respawned_wrks.clear()  # it would end itself when workers are killed twice within 5.5 s
        self._bury()

    def _bury(self) -> None:
        """Forget the metrics of workers that have ended."""
        for worker in [worker for worker in self._slots if not worker.inner.is_alive()]:
            slot = self._slots.pop(worker)
            if _exposition:
                _exposition.bury(slot)


def _begin(slot: int) -> Callable[..., Iterable[bytes]]:
    """In a new worker, return what it serves."""
    if _exposition:
        _exposition.serve(slot)
    threading.Thread(target=_retire_when_told, name="retire", daemon=True).start()
    threading.Thread(target=_retire_with_parent, name="parent", daemon=True).start()
    return application


def _have_retire(worker: WorkerProcess) -> None:
    worker.interrupt_by_parent = True
    if worker.inner.is_alive():
        os.kill(worker.inner.pid, signal.SIGUSR1)


def _retire_when_told() -> None:
    """A handler would wait for the main thread to run Python, which it does no more once it serves."""
    signal.sigwait({signal.SIGUSR1})
    _retire()


def _retire() -> None:
    """End in a moment. On SIGTERM granian closes idle connections, over which a request may be on its way."""
    _retiring.set()
    threading.Timer(bounds.GRACE_SECONDS, os.kill, [os.getpid(), signal.SIGTERM]).start()


def _retire_with_parent() -> None:
    """A worker whose parent was killed would serve on, and keep the port."""
    multiprocessing.parent_process().join()  # type: ignore[union-attr]  # there is one
    _retire()


def _listen(fd: int | None) -> socket.socket:
    if fd is not None:
        return socket.socket(fileno=fd)
    try:
        listener = socket.create_server(("0.0.0.0", _environment.port), backlog=BACKLOG)  # noqa: S104 (in a container)
    except OSError as exc:
        raise SystemExit(f"PORT: cannot listen on port {_environment.port}: {exc.strerror}") from None
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # connections inherit it
    return listener


def serve(fd: int | None = None) -> None:
    """Serve on PORT, or on a socket that was inherited, until told to end."""
    multiprocessing.set_start_method("fork")
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})  # workers inherit it, and wait for it when they can
    listener = _listen(fd)
    if sys.platform == "linux":  # pragma: no branch (connections inherit it, and end when nothing is taken for so long)
        stalled = bounds.STALLED_TIMEOUTS * _environment.client_timeout
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(stalled * 1000))
    level = "INFO" if _environment.log_level == "DEBUG" else _environment.log_level
    server = Server(
        listener,
        workers=_environment.web_concurrency,
        blocking_threads=THREADS,
        blocking_threads_idle_timeout=THREAD_IDLE_SECONDS,
        runtime_mode=RuntimeModes.st,
        http=HTTPModes.http1,
        websockets=False,
        backlog=BACKLOG,
        backpressure=CONNECTIONS,
        http1_settings=HTTP1Settings(
            header_read_timeout=bounds.KEEP_ALIVE_SECONDS * 1000,  # its one limit for a head and for an idle connection
            max_buffer_size=bounds.HEAD_BYTES,
        ),
        log_level=LogLevels(level.lower()),
        log_dictconfig=logging.dict_config(level=_environment.log_level, form=_environment.log_format),
        respawn_failed_workers=True,
        respawn_interval=REPLACING_SECONDS,
        workers_max_rss=WORKER_MIB,
        workers_kill_timeout=bounds.GRACEFUL_SECONDS,
    )
    if _environment.database_url is None:
        server.on_shutdown(embedded.release)
    # Not by `serve`, which lets threads idle for ten minutes at most, and warns of what does not concern this server.
    server._serve(server._spawn_wsgi_worker, _begin)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m config.granian", description=__doc__)
    parser.add_argument("--fd", type=int, help="serve on this inherited socket")
    serve(parser.parse_args().fd)
