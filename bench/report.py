"""The results as files: all of them as JSON, what they say as Markdown, and two plots."""

import json
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import distributions
from pathlib import Path

from bench import chart, systems
from bench.results import NAMES, TITLES, Results, Spread, Turn, p50, p99, per_cpu_second, per_second

Row = Sequence[str]
MAIN = 16  # connections, of the plot
PACKAGES = {
    systems.OURS: ("django", "django-ninja", "psycopg", "gunicorn", "uvicorn", "orjson"),
    systems.PEERS: (
        *("fastapi", "sqlmodel", "sqlalchemy", "asyncpg", "uvicorn"),
        *("django", "djangorestframework", "gunicorn", "django-bolt", "granian"),
    ),
}


def machine(pinned: bool, postgresql: str) -> dict[str, str]:  # noqa: FBT001 (said by name)
    """What it was measured on."""
    return {
        "CPU": f"{os.cpu_count()} × {_cpu()}",
        "placement": "the server on a CPU of its own; PostgreSQL, wrk and the proxy on the others"
        if pinned
        else "everything on one CPU, or where the kernel puts it",
        "Python": platform.python_version(),
        "PostgreSQL": postgresql,
        "ours": _versions(systems.OURS),
        "peers": _versions(systems.PEERS),
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _versions(environment: Path) -> str:
    found = {one.name.lower(): one.version for one in distributions(path=[str(environment / systems.SITE)])}
    return ", ".join(f"{name} {found[name]}" for name in PACKAGES[environment] if name in found)


def write(results: Results, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "results.json").write_text(json.dumps(asdict(results), indent=1) + "\n")
    (folder / "results.md").write_text(markdown(results))
    (folder / "throughput.svg").write_text(_throughput(results))
    (folder / "distance.svg").write_text(_distance(results))


def markdown(results: Results) -> str:
    parts = ["# Results", "Written by `make bench`. Medians over the alternations; in brackets the least and the most."]
    parts += ["\n".join(f"* {name}: {value}" for name, value in results.machine.items())]
    if distances := [1000 * record["seconds"] for record in results.of_kind("distance")]:
        least, most = min(distances), max(distances)
        parts += [f"The distance is a proxy's, set anew before each case: {least:.2f} to {most:.2f} ms, measured then."]
    for title, rows in _tables(results):
        parts += [f"## {title}", table(rows)]
    return "\n\n".join([*parts, "## Errors", _errors(results), ""])


def table(rows: Iterator[Row]) -> str:
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|---" * (head.count("|") - 1) + "|", *body])


def _tables(results: Results) -> Iterator[tuple[str, Iterator[Row]]]:
    for connections in results.connections("near"):
        at = f"{connections} connection{'s' * (connections > 1)}"
        yield f"Requests per second, {at}", _cells(results, "near", connections, _typical(per_second, "{:,.0f}"))
        for to in [key for key in ("c", "e") if key in results.systems]:
            for what, of in {"requests per second": per_second, "requests per CPU second": per_cpu_second}.items():
                yield f"Against {NAMES[to]}, {what}, {at}", _cells(results, "near", connections, _ratio(to, of))
        yield f"Latency p50 / p99 in ms, {at}", _cells(results, "near", connections, _latency)
        yield (
            f"CPU of server + database in s per 1,000 requests, {at}",
            _cells(results, "near", connections, _cpu_seconds),
        )
    yield "Memory and start", _per_system(results)
    for connections in results.connections("far"):
        at = f"{connections} connection{'s' * (connections > 1)}"
        yield f"5 ms from the database: p50 / p99 in ms, {at}", _cells(results, "far", connections, _latency)
        yield f"5 ms from the database: p50 in round trips, {at}", _cells(results, "far", connections, _in_round_trips)
    yield "Round trips to the database for a request", _round_trips(results)


Cell = Callable[[Results, str, str, int, str], str | None]  # of a kind, case, number of connections, system


def _cells(results: Results, kind: str, connections: int, cell: Cell) -> Iterator[Row]:
    yield ["", *(NAMES[key] for key in results.systems)]
    for case in results.cases(kind):
        yield [TITLES[case], *(cell(results, kind, case, connections, key) or "–" for key in results.systems)]


def _typical(of: Callable[[Turn], float], form: str) -> Cell:
    def cell(results: Results, kind: str, case: str, connections: int, system: str) -> str | None:
        value = results.typical(kind, case, connections, system, of)
        return None if value is None else form.format(value)

    return cell


def _ratio(to: str, of: Callable[[Turn], float]) -> Cell:
    def cell(results: Results, _kind: str, case: str, connections: int, system: str) -> str | None:
        spread = results.ratio(case, connections, system, to, of)
        return _spread(spread) if spread else None

    return cell


def _spread(spread: Spread) -> str:
    return f"{spread.median:.2f} ({spread.least:.2f}–{spread.most:.2f})"


def _pair(first: Cell, second: Cell, between: str) -> Cell:
    def cell(results: Results, kind: str, case: str, connections: int, system: str) -> str | None:
        at = (results, kind, case, connections, system)
        left = first(*at)
        return left and f"{left}{between}{second(*at)}"

    return cell


_latency = _pair(_typical(p50, "{:.1f}"), _typical(p99, "{:.1f}"), " / ")
_cpu_seconds = _pair(
    _typical(lambda turn: 1000 * turn["server_cpu"] / turn["requests"], "{:.2f}"),
    _typical(lambda turn: 1000 * turn["database_cpu"] / turn["requests"], "{:.2f}"),
    " + ",
)


def _in_round_trips(results: Results, kind: str, case: str, connections: int, system: str) -> str | None:
    milliseconds = results.typical(kind, case, connections, system, p50)
    return f"{milliseconds / (1000 * results.distance(case)):.2f}" if milliseconds else None


def _per_system(results: Results) -> Iterator[Row]:
    yield ["", *(NAMES[key] for key in results.systems)]
    sizes = {record["system"]: record for record in results.of_kind("memory")}
    how = next(iter(sizes.values()))["how"]
    for what, name in {"worker": "the worker", "all": "the worker and its master"}.items():
        yield [f"{how} of {name}, MB", *(f"{sizes[key][what] / 1e6:.0f}" for key in results.systems)]
    yield ["start to first 200, s", *(f"{results.seconds_to_start(key):.2f}" for key in results.systems)]
    if "page" in results.cases("near"):
        yield ["p50 of a page of 50 of 100,000 against a list of 50", *map(_page_cost(results), results.systems)]


def _page_cost(results: Results) -> Callable[[str], str]:
    def cost(system: str) -> str:
        at = min(results.connections("near"))
        page, whole = (results.typical("near", case, at, system, p50) for case in ("page", "list"))
        return f"{page / whole:.2f}" if page and whole else "–"

    return cost


def _round_trips(results: Results) -> Iterator[Row]:
    found = {(record["case"], record["system"]): record["round_trips"] for record in results.of_kind("round trips")}
    yield ["", *(NAMES[key] for key in results.systems)]
    for case in results.cases("round trips"):
        yield [TITLES[case], *(f"{found[case, key]:g}" for key in results.systems)]


def _errors(results: Results) -> str:
    lines = [
        f"* {turn['kind']}, {TITLES[turn['case']]}, {turn['connections']} connections, {NAMES[turn['system']]}:"
        f" {turn['errors']} of {turn['requests']}"
        for turn in results.records
        if turn.get("errors")
    ]
    return "\n".join(lines) or "None: every request of every system succeeded."


def _throughput(results: Results) -> str:
    groups = {
        TITLES[case]: [
            (NAMES[key], spread.median)
            for key in results.systems
            if (spread := results.ratio(case, MAIN, key, "c", per_cpu_second))
        ]
        for case in results.cases("near")
    }
    return chart.bars(f"Requests per CPU second, {NAMES['c']} = 1, {MAIN} connections", groups)


def _distance(results: Results) -> str:
    groups = {
        TITLES[case]: [
            (NAMES[key], milliseconds)
            for key in results.systems
            if (milliseconds := results.typical("far", case, 1, key, p50))
        ]
        for case in results.cases("far")
    }
    return chart.bars("Milliseconds at the median, database 5 ms away", groups)
