"""The measurements: systems take turns within each case, so that what the machine does meanwhile hits all alike."""

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any

import psycopg
from tqdm import tqdm

from bench import cases, data, load, systems, usage
from bench.ask import ask
from bench.cases import Tasks
from bench.check import check
from bench.data import Database
from bench.distance import Proxy
from bench.systems import Running, System

ROUND_TRIP, NEAR_ENOUGH = 0.005, 0.0001  # seconds
MOVES = 5  # at most, for a machine that is not at rest
SHORTEST = 60  # statements that tell how far away the database is
SETTLED = 0.05  # seconds after which nothing more comes of a request that was answered
COUNTED = 5  # requests of which the round trips are counted
WRITES = ("post", "patch", "put", "delete", "mixed")
UNDONE = ("post", "delete", "mixed")  # a changed text is as good as another


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    cases: Sequence[str]
    connections: dict[int, int]  # their number, and the seconds of each turn
    alternations: int
    cold_starts: int
    far_cases: Sequence[str]
    far_connections: Sequence[int]
    far_alternations: int

    def seconds(self) -> tuple[float, float]:
        """About how long each system takes, near its database and at a distance from it."""
        near = len(self.cases) * self.alternations * sum(seconds + 0.5 for seconds in self.connections.values())
        far = len(self.far_cases) * self.far_alternations * len(self.far_connections) * 1.6
        return near + self.cold_starts + 5, far + 2


FULL = Plan(
    cases=("one", "list", "page", "post", "patch", "delete", "mixed"),
    connections={1: 1, 16: 1, 64: 1},
    alternations=5,
    cold_starts=5,
    far_cases=("one", "list", "post", "put", "patch", "delete"),
    far_connections=(1, 16),
    far_alternations=5,
)
QUICK = Plan(
    cases=("one", "list", "patch"),
    connections={16: 1},
    alternations=2,
    cold_starts=0,
    far_cases=("one", "patch"),
    far_connections=(1,),
    far_alternations=1,
)


@dataclass(frozen=True)
class Setting:
    """What the systems do in turns."""

    kind: str  # near or far
    case: str
    connections: int
    seconds: int


def set_apart() -> set[int]:
    """Leave one CPU of several to the servers, and keep to the others, as do PostgreSQL, wrk and the proxy then."""
    first, *rest = sorted(os.sched_getaffinity(0))
    if not rest:
        return set()
    os.sched_setaffinity(0, rest)
    return {first}


@dataclass
class Bench:
    """What is there to be measured."""

    plan: Plan
    systems: Sequence[System]
    databases: dict[str, Database]
    tasks: Tasks
    cpus: set[int]  # the servers'
    folder: Path
    log: Callable[[System], IO[bytes] | int]

    def start(self, stack: ExitStack, port: int | None = None) -> list[Running]:
        """Start all, one after the other, and end all at once; their database is behind `port`, if one is given."""
        running = [stack.enter_context(self._start(system, port)) for system in self.systems]
        for one in running:
            stack.callback(one.process.terminate)
        return running

    def _start(self, system: System, port: int | None = None) -> Any:  # noqa: ANN401 (a context manager)
        urls = self.databases[system.database].urls
        if port:
            urls = {name: _at_port(url, port) for name, url in urls.items()}
        return systems.start(system, urls, self.cpus, self.log(system))

    def check(self, running: list[Running]) -> None:
        """Raise Differs unless all answer alike."""
        agreed: dict[str, Any] = {}
        for one in running:
            check(one, self.tasks, agreed)
            self.databases[one.system.database].restore()
        print("All systems give the same answers.", file=sys.stderr)

    def cold_starts(self) -> Iterator[dict[str, Any]]:
        """From the start of the process to the first 200."""
        for _ in range(self.plan.cold_starts):
            for system in self.systems:
                with self._start(system) as running:
                    yield {"kind": "start", "system": system.key, "seconds": running.started_in}

    def near(self) -> Iterator[dict[str, Any]]:
        """Every turn, with the database on the same machine."""
        plan = self.plan
        with ExitStack() as stack:
            running = self.start(stack)
            self.check(running)
            for case in tqdm(plan.cases, unit="case", disable=not sys.stderr.isatty()):
                for connections, seconds in plan.connections.items():
                    yield from self.turns(
                        running, Setting("near", case, connections, seconds), range(plan.alternations)
                    )
            for one in running:
                yield {"kind": "start", "system": one.system.key, "seconds": one.started_in}
                yield {"kind": "memory", "system": one.system.key, **usage.memory(one.process.pid)}

    def far(self) -> Iterator[dict[str, Any]]:
        """The same with the database at a distance, and how often a request makes the way."""
        plan = self.plan
        with ExitStack() as stack:
            proxy = stack.enter_context(Proxy.start(data.port(), ROUND_TRIP / 2))
            running = self.start(stack, proxy.port)
            for case in tqdm(plan.far_cases, unit="case", disable=not sys.stderr.isatty()):
                yield from self._round_trips(running, case, proxy)
                yield {"kind": "distance", "case": case, "seconds": self._keep_away(proxy)}
                for connections in plan.far_connections:
                    yield from self.turns(running, Setting("far", case, connections, 1), range(plan.far_alternations))

    def _keep_away(self, proxy: Proxy) -> float:
        """Have it be ROUND_TRIP away, whatever of that the proxy takes by itself now. Returns how far it is then."""
        for _ in range(MOVES):
            away = self._distance(proxy)
            if abs(away - ROUND_TRIP) < NEAR_ENOUGH:
                return away
            proxy.move((ROUND_TRIP - away) / 2)
        return self._distance(proxy)

    def _distance(self, proxy: Proxy) -> float:
        """Seconds, at the median, that the shortest statement takes longer through the proxy."""
        url = self.databases[self.systems[0].database].urls["DATABASE_URL"]
        far, near = (_answered_in(_at_port(url, port)) for port in (proxy.port, data.port()))
        return far - near

    def turns(self, running: list[Running], at: Setting, alternations: Iterable[int]) -> Iterator[dict[str, Any]]:
        """One of each system for each of the alternations, which go by number."""
        for alternation in alternations:
            seed = f"{at.case} {at.kind} {at.connections} {alternation}"
            for one in running:
                if not _refuses(one, at.case, self.tasks):
                    script = self._script(at.case, seed, one.system)
                    yield asdict(at) | {"alternation": alternation} | self._turn(one, at, script)

    def _turn(self, running: Running, at: Setting, script: load.Script) -> dict[str, Any]:
        load.warm_up(running.port, script, at.connections)
        pids = {"server": running.process.pid, "database": data.postmaster()}
        before = {name: usage.cpu_seconds(pid) for name, pid in pids.items()}
        seen = load.run(running.port, script, at.connections, at.seconds)
        used = {f"{name}_cpu": usage.cpu_seconds(pid) - before[name] for name, pid in pids.items()}
        self._settle(running)
        if at.case in UNDONE:
            self.databases[running.system.database].restore()
        elif at.case in WRITES:
            self.databases[running.system.database].run("VACUUM {table}")
        return {"system": running.system.key, **asdict(seen), "per_second": seen.per_second, **used}

    def _settle(self, running: Running) -> None:
        """Wait for what wrk did not: a write that is still under way would meet rows that are being restored."""
        task, user = self.tasks.owned[0]
        ask(running.port, "GET", f"/tasks/{task}", self.tasks.tokens[user])
        time.sleep(SETTLED)

    def _round_trips(self, running: list[Running], case: str, proxy: Proxy) -> Iterator[dict[str, Any]]:
        for one in running:
            script = self._script(case, f"{case} round trips", one.system)
            load.warm_up(one.port, script, 1)
            counts = []
            for request in script.requests[:COUNTED]:
                time.sleep(SETTLED)  # what comes after the answer belongs to the request before
                counts.append(-proxy.turns)
                load.send(one.port, [request])
                time.sleep(SETTLED)
                counts[-1] += proxy.turns
            trips = statistics.median(counts)
            yield {"kind": "round trips", "system": one.system.key, "case": case, "round_trips": trips}
            self.databases[one.system.database].restore()

    def _script(self, case: str, seed: str, system: System) -> load.Script:
        label = f"{system.key} {seed}"
        script = load.Script(self.folder / case, cases.requests(case, self.tasks, seed, label))
        script.write()
        return script


def _answered_in(url: str) -> float:
    """Seconds, at the median, of the shortest statement; with a pause before each, as between requests."""
    took = []
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(SHORTEST):
            time.sleep(ROUND_TRIP)
            begun = time.perf_counter()
            connection.execute("SELECT")
            took.append(time.perf_counter() - begun)
    return statistics.median(took)


def _refuses(running: Running, case: str, tasks: Tasks) -> bool:
    """Whether the system knows no pages, which is no reason to measure its refusals."""
    path = f"/tasks?limit={cases.PAGE}"
    return case == "page" and ask(running.port, "GET", path, tasks.tokens[tasks.reader])[0] >= HTTPStatus.BAD_REQUEST


def _at_port(url: str, port: int) -> str:
    head, _, database = url.rpartition("/")
    return f"{head.rpartition(':')[0]}:{port}/{database}"
