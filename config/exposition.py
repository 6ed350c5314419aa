"""`/metrics` on a port of its own, with the counts of all processes of this server summed.

Each process counts in memory-mapped files of its own, and any of them answers for all. Files are named by slot, not by
process: whoever takes the place of a dead worker takes its slot and counts on from there, so that totals stay, and so
does the number of files, however often workers are replaced. Gauges of the dead go.
"""

import atexit
import os
import platform
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, MetricsHandler, ProcessCollector, values
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from config import __version__

JWKS_READ_AT: Final = "tasks_api_jwks_read_at"
_WORKER_PID: Final = "tasks_api_worker_pid"
_READ_SECONDS: Final = 5  # that a scraper may be silent


class Exposition:
    """Made once by the process that starts the others, before config.metrics is imported; then served by each.

    Raises SystemExit, naming the variable, if the port is taken.
    """

    def __init__(self, port: int) -> None:
        self._listener = _listen(port)
        self._directory = tempfile.mkdtemp(prefix="tasks-api-metrics-")
        atexit.register(self.close)
        self._owner = os.getpid()
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = self._directory  # where prometheus_client looks
        self._slot = "parent"
        values.ValueClass = values.MultiProcessValue(lambda: self._slot)  # type: ignore[no-untyped-call]  # has no types
        self._pid = Gauge(_WORKER_PID, "Turned into the metrics of the process", multiprocess_mode="liveall")

    def free_slot(self, taken: Iterable[int]) -> int:
        """The lowest slot that nobody has, cleared of the gauges of whoever died in it."""
        occupied = set(taken)
        slot = next(slot for slot in count() if slot not in occupied)
        self.bury(slot)
        return slot

    def bury(self, slot: int) -> None:
        """Forget the gauges of a dead process; what it counted stays."""
        mark_process_dead(slot, self._directory)  # type: ignore[no-untyped-call]

    def serve(self, slot: int) -> None:
        """Count in this slot from now on, and answer scrapers in a thread."""
        self._slot = str(slot)
        self._pid.set(os.getpid())
        _Handler.registry.register(_AllProcesses(self._directory))
        server = ThreadingHTTPServer(("", 0), _Handler, bind_and_activate=False)
        server.socket.close()
        server.socket = self._listener
        threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()

    def close(self) -> None:
        """Remove the files. Called at exit, too, where a server lets Python come that far."""
        # Not in the workers, which inherit this with all else, and whose last moments nobody measures.
        if os.getpid() == self._owner:  # pragma: no branch
            shutil.rmtree(self._directory, ignore_errors=True)


def _listen(port: int) -> socket.socket:
    try:
        listener = socket.create_server(("", port))
    except OSError as exc:
        raise SystemExit(f"METRICS_PORT: cannot listen on port {port}: {exc.strerror}") from None
    listener.setblocking(False)  # noqa: FBT003 (several processes wake up for one scraper)
    return listener


class _Handler(MetricsHandler):
    registry = CollectorRegistry()
    timeout = _READ_SECONDS

    def do_GET(self) -> None:  # noqa: N802 (http.server's name)
        if self.path.partition("?")[0] == "/metrics":
            super().do_GET()
        else:
            self.send_error(HTTPStatus.NOT_FOUND)


class _AllProcesses(Collector):
    def __init__(self, directory: str) -> None:
        self._directory = Path(directory)

    def collect(self) -> Iterator[Metric]:
        """Everything in the files, and what is only known when somebody asks."""
        # An empty file is one whose process is about to write its first count, or died before it could.
        files = [str(path) for path in self._directory.glob("*.db") if _size(path)]
        for metric in MultiProcessCollector.merge(files):  # type: ignore[no-untyped-call]
            if metric.name == _WORKER_PID:
                yield from _processes({sample.labels["pid"]: int(sample.value) for sample in metric.samples})
            elif metric.name == JWKS_READ_AT:
                yield from _oldest([sample.value for sample in metric.samples if sample.value])
            else:
                yield metric
        about = GaugeMetricFamily("tasks_api_build_info", "What is running", labels=["version", "python"])
        about.add_metric([__version__, platform.python_version()], 1)
        yield about


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # gauges of a process that was buried just now
        return 0


def _processes(pids: Mapping[str, int]) -> Iterable[Metric]:
    """Memory, CPU time and open files of each worker (on Linux), labelled by its slot."""
    families: dict[str, Metric] = {}
    for slot, pid in pids.items():
        for metric in ProcessCollector(pid=partial(int, pid), registry=None).collect() if pid else ():
            family = families.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
            family.samples += [sample._replace(labels={"worker": slot}) for sample in metric.samples]
    return families.values()


def _oldest(read_at: list[float]) -> Iterator[Metric]:
    """The age of the oldest signing keys in use, once there are any."""
    if read_at:
        age = max(0.0, time.time() - min(read_at))
        yield GaugeMetricFamily("tasks_api_jwks_age_seconds", "Age of the oldest signing keys in use", age)
