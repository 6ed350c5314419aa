"""What a number of users takes, reckoned from what was measured: the table of docs/deploying/sizing.md."""

import math
from collections.abc import Callable, Iterator

from bench.report import Row
from bench.results import Results, Turn

SYSTEM, CASE, CONNECTIONS = "a", "mixed", 16  # our gunicorn, 70 % lists of 50, 15 % GET one, 10 % PATCH, 5 % POST

DAILY_USERS = (1_000, 10_000, 100_000, 1_000_000)
REQUESTS_A_DAY = 60  # of a user who comes that day
PEAK = 0.12 * 3 / 3600  # of a day's requests in a second: an eighth of them in one hour, thrice its mean in a second
BUSY = 0.5  # of a CPU, at the peak
USERS_FOR_A_DAILY_ONE = 3
TASKS_OF_A_USER = 50
BYTES_A_TASK = 677  # with all indexes, of a table that was written to: docs/deploying/backups.md
THREADS = 16  # each with a connection: config/gunicorn.py
LEAST_PROCESSES = 2  # one ends, is replaced or rolled out, and another answers
# Neon: a compute unit is a CPU and 4 GB, of which it caches three quarters; the sizes it has.
CACHE_OF_A_UNIT = 3e9
UNITS = (0.25, 0.5, *range(1, 17), *range(18, 57, 2))
COLUMNS = (
    *("users a day", "tasks", "requests/s at the peak", "processes"),
    *("memory, MB", "connections", "Neon compute", "disk, GB"),
)


def rows(measured: Results) -> Iterator[Row]:
    """One for each number of users."""
    yield [*COLUMNS]
    server, database = (_cpu_seconds(measured, whose) for whose in ("server_cpu", "database_cpu"))
    (memory,) = [record for record in measured.of_kind("memory") if record["system"] == SYSTEM]
    for users in DAILY_USERS:
        per_second = users * REQUESTS_A_DAY * PEAK
        tasks = users * USERS_FOR_A_DAILY_ONE * TASKS_OF_A_USER
        processes = max(LEAST_PROCESSES, math.ceil(per_second * server / BUSY))
        cached = users * TASKS_OF_A_USER * BYTES_A_TASK
        wanted = max(per_second * database / BUSY, cached / CACHE_OF_A_UNIT)
        units = next((size for size in UNITS if size >= wanted), UNITS[-1])
        megabytes = (processes * memory["worker"] + memory["all"] - memory["worker"]) / 1e6
        yield [
            f"{users:,}",
            f"{tasks:,}",
            f"{per_second:,.0f}",
            f"{processes}",
            f"{round(megabytes, -1):,.0f}",
            f"{processes * THREADS}",
            f"{units:g} CU",
            f"{tasks * BYTES_A_TASK / 1e9:,.1f}",
        ]


def _cpu_seconds(measured: Results, whose: str) -> float:
    """Of a request."""
    of: Callable[[Turn], float] = lambda turn: turn[whose] / turn["requests"]  # noqa: E731 (typed so)
    found = measured.typical("near", CASE, CONNECTIONS, SYSTEM, of)
    if found is None:
        raise ValueError(f"{CASE} was not measured")
    return found
