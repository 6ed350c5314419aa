"""How the cost of a request grows with the tasks of its user and with connections; bench.growth has the users.

    .venv/bin/python -m bench.scaling [--alternations 3]

Runs ours on gunicorn with one worker, as bench does. Users of each size are as many as make 20,000 tasks, between
others of whom there are 150,000; no two tasks of a user were made one after the other. Writes
bench/results/scaling.json, scaling.md and scaling.svg.
"""

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tqdm import tqdm

from bench import data, report
from bench.__main__ import RESULTS
from bench.cases import Tasks
from bench.chart import Panel, panels
from bench.data import Connection
from bench.measure import QUICK, Bench, Setting, set_apart
from bench.results import TITLES, Results, Turn, p50, p99, per_second
from bench.systems import SYSTEMS

SIZES = (10, 50, 500, 5_000, 100_000)  # tasks of a user
LONGEST = 5_000  # of the lists that are asked for as a whole
TASKS = 20_000  # of all users of a size, at least
CASES = ("list", "page", "one", "post", "patch")
CONNECTIONS = (1, 4, 16, 64, 256)
BUSY_CASES = ("one", "list", "patch")
SECONDS = 2
NAMES = TITLES | {"list": "GET list", "page": "page of 50"}

ADD = """
INSERT INTO rows
SELECT uuidv7(at - now()), owner, 'Buy groceries, number ' || n, done, (n %% 100)::integer, at, at,
       CASE WHEN done THEN at END
FROM (SELECT n, owner, n %% 5 < 2 AS done,
             date_trunc('hour', now()) - interval '1 hour' - random() * interval '10 days' AS at
      FROM unnest(%s::text[], %s::integer[]) AS users(owner, size), generate_series(1, size) AS n) AS added
ORDER BY at
"""


def users(size: int) -> list[str]:
    return [f"user-of-{size}-{n}" for n in range(max(1, TASKS // size))]


def add(rows: Connection) -> None:
    owners = [(user, size) for size in SIZES for user in users(size)]
    rows.execute(ADD, [[user for user, _ in owners], [size for _, size in owners]])


def of_size(tasks: Tasks, size: int) -> Tasks:
    """The tasks of these users alone."""
    chosen = users(size)
    owned = tuple((task, user) for task, user in tasks.owned if user in set(chosen))
    return Tasks(owned, tasks.tokens, chosen[0])


def by_tasks(bench: Bench, alternations: int) -> Iterator[Turn]:
    """One connection, users of each size in turns."""
    groups = {size: replace(bench, tasks=of_size(bench.tasks, size)) for size in SIZES}
    with ExitStack() as stack:
        running = bench.start(stack)
        for alternation in tqdm(range(alternations), unit="alternation", disable=not sys.stderr.isatty()):
            for case in CASES:
                for size, group in groups.items():
                    if case != "list" or size <= LONGEST:
                        at = Setting("tasks", case, 1, SECONDS)
                        yield from (turn | {"tasks": size} for turn in group.turns(running, at, [alternation]))


def by_connections(bench: Bench, alternations: int) -> Iterator[Turn]:
    """Users of 50 tasks."""
    usual = replace(bench, tasks=of_size(bench.tasks, 50))
    with ExitStack() as stack:
        running = bench.start(stack)
        for alternation in tqdm(range(alternations), unit="alternation", disable=not sys.stderr.isatty()):
            for case in BUSY_CASES:
                for connections in CONNECTIONS:
                    yield from usual.turns(running, Setting("connections", case, connections, SECONDS), [alternation])


def measure(alternations: int) -> Results:
    cpus = set_apart()
    ours = [system for system in SYSTEMS if system.key == "a"]
    with TemporaryDirectory() as folder, data.server() as rows:
        add(rows)
        with data.databases(rows, ours) as databases:
            tasks, log = Tasks.read(rows), lambda _: subprocess.DEVNULL
            bench = Bench(QUICK, ours, databases, tasks, cpus, Path(folder), log)
            turns = [*by_tasks(bench, alternations), *by_connections(bench, alternations)]
        ((version,),) = rows.execute("SHOW server_version").fetchall()
        return Results(report.machine(bool(cpus), version), turns)


Value = Callable[[Turn], float]


def cpu(of: str) -> Value:
    """Milliseconds a request."""
    return lambda turn: 1000 * float(turn[f"{of}_cpu"]) / turn["requests"]


def line(results: Results, kind: str, case: str, by: str, of: Value) -> list[tuple[float, float]]:
    """Medians over the alternations."""
    found = defaultdict[int, list[float]](list)
    for turn in results.of_kind(kind):
        if turn["case"] == case:
            found[turn[by]].append(of(turn))
    return [(x, median(values)) for x, values in sorted(found.items())]


def drawn(results: Results) -> list[Panel]:
    tasks, connections = results.cases("tasks"), results.cases("connections")
    return [
        Panel(
            "Milliseconds at the median, one connection",
            "tasks of the user",
            {NAMES[case]: line(results, "tasks", case, "tasks", p50) for case in tasks},
        ),
        Panel(
            "GET list: milliseconds of CPU a request",
            "tasks of the user",
            {of: line(results, "tasks", "list", "tasks", cpu(of)) for of in ("server", "database")},
        ),
        Panel(
            "Requests per second",
            "connections",
            {NAMES[case]: line(results, "connections", case, "connections", per_second) for case in connections},
        ),
        Panel(
            "GET one: milliseconds",
            "connections",
            {
                name: line(results, "connections", "one", "connections", of)
                for name, of in {"p50": p50, "p99": p99}.items()
            },
        ),
    ]


def markdown(results: Results) -> str:
    """What the plots say, and the cost of each case in CPU."""
    parts = ["# Scaling", "Written by `python -m bench.scaling`. Medians over the alternations."]
    parts += ["\n".join(f"* {name}: {value}" for name, value in results.machine.items())]
    latency = "{:.2f} / {:.2f}"
    for title, kind, by, form, of in (
        ("p50 / p99 in ms by tasks of the user, 1 connection", "tasks", "tasks", latency, (p50, p99)),
        (
            "CPU of server + database in ms a request by tasks of the user",
            *("tasks", "tasks", "{:.2f} + {:.2f}", (cpu("server"), cpu("database"))),
        ),
        ("Requests per second by connections", "connections", "connections", "{:,.0f}", (per_second,)),
        ("p50 / p99 in ms by connections", "connections", "connections", latency, (p50, p99)),
    ):
        parts += [f"## {title}", report.table(_rows(results, kind, by, form, of))]
    failed = sum(sum(turn["errors"].values()) for turn in results.records)
    return "\n\n".join([*parts, f"Errors: {failed}.", ""])


def _rows(results: Results, kind: str, by: str, form: str, of: tuple[Value, ...]) -> Iterator[list[str]]:
    across = sorted({turn[by] for turn in results.of_kind(kind)})
    yield ["", *(f"{x:,}" for x in across)]
    for case in results.cases(kind):
        lines = [dict(line(results, kind, case, by, one)) for one in of]
        yield [NAMES[case], *(form.format(*(one[x] for one in lines)) if x in lines[0] else "–" for x in across)]


def main() -> None:
    """Measure, print the tables and write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alternations", type=int, default=3)
    parser.add_argument("--into", type=Path, default=RESULTS)
    given = parser.parse_args()
    results = measure(given.alternations)
    print(markdown(results))
    given.into.mkdir(exist_ok=True)
    (given.into / "scaling.json").write_text(json.dumps(asdict(results), indent=1) + "\n")
    (given.into / "scaling.md").write_text(markdown(results))
    (given.into / "scaling.svg").write_text(panels("How the cost of a request grows", drawn(results)))


if __name__ == "__main__":
    main()
