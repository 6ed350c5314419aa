"""The tables of the documentation that are made of the results.

`make bench` writes them together with the results, and this alone:

    .venv/bin/python -m bench.pages
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import sizing
from bench.report import MAIN, Row, table
from bench.results import NAMES, TITLES, Results, p50, p99, per_second
from bench.systems import ROOT

RESULTS = Path(__file__).parent / "results" / "results.json"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OURS, PEERS = "a", ("c", "d", "d2", "e")  # on gunicorn, the recommended server
SERVERS = ("a", "b", "f")  # that ours runs on
CASES = ("one", "list", "page", "post", "patch", "delete")
NONE = "–"  # noqa: RUF001 (as in the results)
MADE = re.compile(r"(?<=<!-- measured: )(\w+) -->\n.*?(?=<!-- /measured -->)", re.DOTALL)


def read() -> Results:
    return Results(**json.loads(RESULTS.read_text()))


def write(results: Results) -> None:
    """Bring the pages up to these results."""
    for page in PAGES:
        page.write_text(renewed(page.read_text(), results))


def renewed(page: str, results: Results) -> str:
    """The page with its tables made anew."""
    tables = {"against": _against, "beside": _beside, "servers": _servers, "sizing": sizing.rows}
    return MADE.sub(lambda found: f"{found[1]} -->\n{table(tables[found[1]](results))}\n", page)


def _against(results: Results) -> Iterator[Row]:
    """How many times the requests per second of each peer."""
    yield ["against", *(TITLES[case] for case in CASES)]
    for key in [key for key in results.systems if key in PEERS]:
        ratios = [results.ratio(case, MAIN, OURS, key, per_second) for case in CASES]
        yield [NAMES[key], *(_times(ratio.median) if ratio else NONE for ratio in ratios)]


def _times(ratio: float) -> str:
    """Two digits."""
    return f"{ratio:.0f}" if ratio >= 9.95 else f"{ratio:.1f}" if ratio >= 0.995 else f"{ratio:.2f}"  # noqa: PLR2004


def _beside(results: Results) -> Iterator[Row]:
    """What else each costs."""
    systems = [key for key in results.systems if key in (OURS, *PEERS)]
    yield ["", *(NAMES[key] for key in systems)]
    for case in ("one", "list"):
        yield [f"{TITLES[case]}, p99 in ms", *(_typical(results, "near", MAIN, case, key) for key in systems)]
    for case in ("one", "post"):
        yield [
            f"{TITLES[case]} 5 ms from the database, p50 in ms",
            *(_typical(results, "far", 1, case, key) for key in systems),
        ]
    trips = {(record["case"], record["system"]): record["round_trips"] for record in results.of_kind("round trips")}
    for case in ("one", "patch"):
        yield [f"{TITLES[case]}, round trips to the database", *(f"{trips[case, key]:g}" for key in systems)]
    yield from _process(results, systems)


def _servers(results: Results) -> Iterator[Row]:
    """The same on each server."""
    systems = [key for key in results.systems if key in SERVERS]
    yield ["", *(NAMES[key].removeprefix("ours, ") for key in systems)]
    for case in ("one", "list", "patch"):
        speeds = [results.typical("near", case, MAIN, key, per_second) for key in systems]
        yield [f"{TITLES[case]}, requests per second", *(f"{speed:,.0f}" if speed else NONE for speed in speeds)]
    yield from _process(results, systems)


def _process(results: Results, systems: Sequence[str]) -> Iterator[Row]:
    """What one takes."""
    sizes = {record["system"]: record["worker"] for record in results.of_kind("memory")}
    yield ["memory of the worker, MB", *(f"{sizes[key] / 1e6:.0f}" for key in systems)]
    yield ["start to the first answer, s", *(f"{results.seconds_to_start(key):.2f}" for key in systems)]


def _typical(results: Results, kind: str, connections: int, case: str, key: str) -> str:
    value = results.typical(kind, case, connections, key, p50 if kind == "far" else p99)
    return NONE if value is None else f"{value:.1f}"


if __name__ == "__main__":
    write(read())
