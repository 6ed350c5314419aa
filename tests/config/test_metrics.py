"""`/metrics` of live servers: exact over the workers and after the death of one, and bounded whatever clients send."""

import os
import re
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from authjwt.refusal import Reason
from config import __version__, exposition, metrics
from tests import live
from tests.authjwt import forge
from tests.authjwt.configuration import variables
from tests.authjwt.jwks_server import JWKSServer
from tests.client import Live, User

pytestmark = pytest.mark.django_db
OBSERVABILITY = live.ROOT / "docs" / "observability.md"
SLOTS = ("0", "1", "2")
Series = tuple[str, frozenset[tuple[str, str]]]


@dataclass(frozen=True)
class Measured:
    """A live server and its metrics."""

    api: Live
    port: int

    def scrape(self) -> dict[Series, float]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
        return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}

    def value(self, name: str, **labels: str) -> float | None:
        return self.scrape().get((name, frozenset(labels.items())))

    def workers(self) -> list[int]:
        """Process ids of a server's workers: whose environment has our port, and whose parent's has, too."""
        mark = f"\0METRICS_PORT={self.port}\0".encode()
        ours = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if mark in _read(path)]
        return [pid for pid in ours if _parent(pid) in ours]


def _read(path: Path) -> bytes:
    try:
        return b"\0" + path.read_bytes()
    except OSError:  # it has ended, or is somebody else's
        return b""


def _parent(pid: int) -> int:
    return int(re.findall(rb"^PPid:\s+(\d+)", _read(Path(f"/proc/{pid}/status")), re.MULTILINE)[0])


@contextmanager
def _serving(name: str, env: Mapping[str, str]) -> Iterator[Measured]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    readable = {"SPT_NOENV": "1"}  # where setproctitle is installed, titles of processes would be written over it
    with live.start(name, {"METRICS_PORT": str(port), **readable, **env}) as server:
        api = Live(name, server.base_url)
        yield Measured(api, port)
        api.close()


@pytest.fixture(scope="module")
def silent_database() -> Iterator[str]:
    """The URL of a database that says nothing: an operation on tasks hangs for seconds, and is then a 503."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"postgresql://tasks:tasks@127.0.0.1:{listener.getsockname()[1]}/tasks"


@pytest.fixture(scope="module", params=["gunicorn", "granian"])
def workers(request: pytest.FixtureRequest, silent_database: str, django_db_setup: None) -> Iterator[Measured]:  # noqa: ARG001 (serve names it)
    """A server of several processes."""
    env = {"DATABASE_URL": silent_database, "RATE_LIMIT": "1000/hour", "WEB_CONCURRENCY": str(len(SLOTS))}
    with _serving(request.param, env) as measured:
        _wait(lambda: all(measured.value("process_open_fds", worker=slot) for slot in SLOTS))  # all have started
        yield measured


@pytest.fixture(scope="module")
def jwks() -> Iterator[JWKSServer]:
    with JWKSServer(forge.issuer_jwks()) as server:
        yield server


@pytest.fixture(scope="module")
def uvicorn(silent_database: str, jwks: JWKSServer, django_db_setup: None) -> Iterator[Measured]:  # noqa: ARG001
    keys = variables("jwks", jwks.url)
    env = {"DATABASE_URL": silent_database, "RATE_LIMIT": "3/hour", "WEB_CONCURRENCY": "1", **keys}
    with _serving("uvicorn", env) as measured:
        yield measured


def _wait(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _replace_workers(measured: Measured) -> None:
    """Kill them all, and wait until their slots are taken by others."""
    killed = measured.workers()
    assert len(killed) == len(SLOTS)
    for worker in killed:
        os.kill(worker, signal.SIGKILL)

    def replaced() -> bool:
        with suppress(OSError):  # a dying worker may still accept the scraper
            alive = all(measured.value("process_open_fds", worker=slot) for slot in SLOTS)
            return alive and not set(killed) & set(measured.workers())
        return False

    _wait(replaced)


def _many(measured: Measured, count: int, path: str, **headers: str) -> None:
    def get(_: int) -> int:
        request = urllib.request.Request(f"{measured.api.base_url}{path}", headers=headers)  # a connection each
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as exc:
            return exc.code

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(get, range(count)))


def test_requests_are_counted_exactly_over_workers(workers: Measured) -> None:
    before = workers.value("http_requests_total", method="GET", route="/livez", status="200") or 0
    timed = workers.value("http_request_duration_seconds_count", method="GET", route="/livez") or 0
    _many(workers, 300, "/livez")
    assert workers.value("http_requests_total", method="GET", route="/livez", status="200") == before + 300
    assert workers.value("http_request_duration_seconds_count", method="GET", route="/livez") == timed + 300


@pytest.mark.skipif(sys.platform != "linux", reason="workers are found in /proc")
def test_counts_outlive_the_workers_that_made_them(workers: Measured) -> None:
    _many(workers, 100, "/openapi.json")
    _replace_workers(workers)
    _many(workers, 50, "/openapi.json")
    assert workers.value("http_requests_total", method="GET", route="/openapi.json", status="200") == 150


@pytest.mark.skipif(sys.platform != "linux", reason="workers are found in /proc")
def test_requests_of_a_dead_worker_are_no_longer_in_progress(workers: Measured) -> None:
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(User(workers.api, "alice").get, "/tasks")
        _wait(lambda: workers.value("http_requests_in_progress") == 1)
        _replace_workers(workers)
        assert hanging.exception() is not None
    assert workers.value("http_requests_in_progress") == 0


def test_clients_cannot_make_new_series(workers: Measured) -> None:
    nobody, json = User(workers.api, None), {"Content-Type": "application/json"}

    def everything(salt: str) -> None:
        nobody.get(f"/{salt}")
        nobody.get(f"/tasks/{salt}", headers={"Authorization": f"Bearer {salt}"})
        nobody.call(f"X{salt[:8].upper()}", "/livez")
        User(workers.api, salt).post("/tasks", content=b"{}", headers=json)
        User(workers.api, salt).get(f"/tasks/{salt}?q={salt}", headers={"X-Request-ID": salt, "Host": salt})

    everything(str(uuid.uuid4()))
    everything(str(uuid.uuid4()))
    before = set(workers.scrape())
    for _ in range(20):
        everything(str(uuid.uuid4()))
    assert set(workers.scrape()) == before


def test_refused_tokens_are_counted_by_reason(workers: Measured) -> None:
    before = workers.value("tasks_api_refused_tokens_total", reason="not_a_jwt") or 0
    _many(workers, 10, "/tasks", Authorization="Bearer x")
    assert workers.value("tasks_api_refused_tokens_total", reason="not_a_jwt") == before + 10


def test_closed_lists_are_there_from_the_start(workers: Measured) -> None:
    series = workers.scrape()
    assert {value for name, labels in series for key, value in labels if key == "reason"} == {r.slug for r in Reason}
    for labels in ({("policy", "user")}, {("policy", "address")}):
        assert series["tasks_api_rate_limited_requests_total", frozenset(labels)] == 0
    assert series["tasks_api_rate_limit_storage_failures_total", frozenset()] == 0


def test_memory_and_cpu_of_each_worker_are_told(workers: Measured) -> None:
    if sys.platform != "linux":
        pytest.skip("prometheus_client reads /proc")
    for slot in SLOTS:
        assert (workers.value("process_resident_memory_bytes", worker=slot) or 0) > 10_000_000
        assert workers.value("process_cpu_seconds_total", worker=slot) is not None


def test_build_is_told(workers: Measured) -> None:
    (labels,) = [dict(labels) for name, labels in workers.scrape() if name == "tasks_api_build_info"]
    assert labels["version"] == __version__


def test_documented_metrics_are_those_there_are(workers: Measured) -> None:
    _many(workers, 1, "/livez")
    rows = re.findall(r"^\| (`.+?`) \| (?:counter|gauge|histogram) \|", OBSERVABILITY.read_text(), re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row)} - {"tasks_api_jwks_age_seconds"}
    assert {re.sub("_(bucket|sum|count)$", "", name) for name, _ in workers.scrape()} == documented


def test_every_policy_is_documented() -> None:
    (row,) = re.findall(r"^\| `tasks_api_rate_limited_requests_total` .*", OBSERVABILITY.read_text(), re.MULTILINE)
    assert [policy for policy in metrics.POLICIES if f"`{policy}`" not in row] == []


def test_alerts_join_metrics_by_the_labels_that_both_have() -> None:
    (rules,) = re.findall(r"^# tasks-api\.rules\.yml\n(.*?)^```", OBSERVABILITY.read_text(), re.DOTALL | re.MULTILINE)
    expressions = [rule["expr"] for group in yaml.safe_load(rules)["groups"] for rule in group["rules"]]
    assert "and on (job, instance) " in " ".join(expressions)
    assert [expression for expression in expressions if re.search(r"\band(?! on \(job, instance\) )", expression)] == []


def test_metrics_are_on_their_own_port_and_nothing_else_is(workers: Measured) -> None:
    assert User(workers.api, None).get("/metrics").status == 404
    for _ in range(8):  # of each worker
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://127.0.0.1:{workers.port}/livez", timeout=10)


@pytest.mark.parametrize("server", ["config.gunicorn", "config.asgi", "config.granian"])
def test_port_that_is_taken_is_named(server: str) -> None:
    with socket.create_server(("", 0)) as taken:
        done = live.python("-c", f"import {server}", env={"METRICS_PORT": str(taken.getsockname()[1])})
    assert done.returncode == 1
    assert done.stderr.startswith("METRICS_PORT: ")


@pytest.mark.django_db(databases=["default", "operator"])
@pytest.mark.parametrize("name", ["gunicorn", "uvicorn", "granian"])
def test_files_go_when_the_server_ends(name: str, tmp_path: Path) -> None:
    with _serving(name, {"TMPDIR": str(tmp_path), "WEB_CONCURRENCY": "1"}) as measured:
        assert measured.scrape()
        assert list(tmp_path.glob("tasks-api-metrics-*/*.db"))
    assert not list(tmp_path.glob("tasks-api-metrics-*"))


@pytest.mark.django_db(databases=["default", "operator"])
def test_file_that_is_still_empty_does_not_stop_the_scraper(tmp_path: Path) -> None:
    """As between the making of a file and its first count: for a moment, or for good if the worker dies then."""
    with _serving("gunicorn", {"TMPDIR": str(tmp_path), "WEB_CONCURRENCY": "1"}) as measured:
        (directory,) = tmp_path.glob("tasks-api-metrics-*")
        for name in ("counter_7.db", "gauge_livesum_7.db"):
            (directory / name).touch()
        assert measured.value("process_open_fds", worker="0")


def test_file_that_goes_meanwhile_holds_nothing(tmp_path: Path) -> None:
    assert exposition._size(tmp_path / "gauge_livesum_7.db") == 0


def test_uvicorn_counts_too(uvicorn: Measured) -> None:
    before = uvicorn.value("http_requests_total", method="GET", route="/livez", status="200") or 0
    _many(uvicorn, 100, "/livez")
    assert uvicorn.value("http_requests_total", method="GET", route="/livez", status="200") == before + 100


def test_metrics_are_on_their_own_port_under_uvicorn_too(uvicorn: Measured) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"http://127.0.0.1:{uvicorn.port}/livez", timeout=10)


def test_requests_beyond_a_limit_are_counted_by_policy(uvicorn: Measured) -> None:
    """Each from another address, if the header were believed, as uvicorn does of whoever comes from this machine."""
    nobody = User(uvicorn.api, None)
    for n in range(10):
        nobody.get("/tasks", headers={"X-Forwarded-For": f"203.0.113.{n}"})
    assert uvicorn.value("tasks_api_rate_limited_requests_total", policy="address") == 7


def test_signing_keys_tell_their_fetches_and_their_age(uvicorn: Measured, jwks: JWKSServer) -> None:
    assert uvicorn.value("tasks_api_jwks_age_seconds") is None, "none yet"
    headers = {"Authorization": f"Bearer {forge.token('EdDSA')}", "Content-Type": "application/json"}
    assert User(uvicorn.api, None).post("/tasks", content=b"{}", headers=headers).status == 422
    assert jwks.hits == 1
    _wait(lambda: uvicorn.value("tasks_api_jwks_fetches_total", outcome="success") == 1)
    age = uvicorn.value("tasks_api_jwks_age_seconds")
    assert age is not None
    assert 0 < age < 10
