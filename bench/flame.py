"""Where a request's microseconds go: `docs/images/flame.svg`, and a table by layer.

    .venv/bin/python -m bench.flame [--seconds 20]

Runs ours on gunicorn with one worker under load. What a request costs, and how much of that in the kernel, is measured
first and undisturbed; then py-spy looks, from outside and without stopping it, which thread holds the interpreter and
what it calls there. So the kernel's share is the kernel's own account, and the samples divide the rest. py-spy has to
be allowed to read another process: as root, or with `kernel.yama.ptrace_scope=0`.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import cases, data, load, stacks, systems, usage
from bench.cases import Tasks
from bench.data import Database
from bench.measure import set_apart
from bench.report import Row, table
from bench.results import TITLES
from bench.stacks import Stacks
from bench.systems import ROOT, SYSTEMS, Running

PICTURE = ROOT / "docs" / "images" / "flame.svg"
PY_SPY = systems.PEERS / "bin" / "py-spy"
CASES = ("one", "list")
CONNECTIONS = 16
RATE = 500  # samples a second


@dataclass(frozen=True)
class Profile:
    """Of one case: microseconds of CPU a request, and what was seen meanwhile."""

    own: float
    kernel: float
    database: float
    stacks: Stacks

    def rows(self) -> dict[str, float]:
        """Microseconds by layer."""
        found = {name: self.own * share for name, share in stacks.shares(self.stacks).items()}
        return found | {
            "kernel (sockets, epoll, threads)": self.kernel,
            "**together**": self.own + self.kernel,
            "PostgreSQL, beside it": self.database,
        }


def profile(running: Running, script: load.Script, seconds: int) -> Profile:
    load.warm_up(running.port, script, CONNECTIONS)
    before = usage.cpu_times(running.process.pid), usage.cpu_seconds(data.postmaster())
    seen = load.run(running.port, script, CONNECTIONS, seconds)
    after = usage.cpu_times(running.process.pid), usage.cpu_seconds(data.postmaster())
    own, kernel = (1e6 * (end - begin) / seen.requests for begin, end in zip(before[0], after[0], strict=True))
    return Profile(own, kernel, 1e6 * (after[1] - before[1]) / seen.requests, sample(running, script, seconds))


def sample(running: Running, script: load.Script, seconds: int) -> Stacks:
    """Look at the server under load, and at the worker that may replace its worker."""
    output = script.path.with_suffix(".raw")
    what = ["--pid", str(running.process.pid), "--subprocesses", "--gil", "--nonblocking", "--function"]
    how = ["--rate", str(RATE), "--duration", str(seconds), "--format", "raw", "--output", str(output)]
    with subprocess.Popen([PY_SPY, "record", *what, *how], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as spy:
        load.run(running.port, script, CONNECTIONS, seconds + 1)
        said = spy.communicate()[0].decode()
    if spy.returncode:
        raise SystemExit(f"py-spy failed:\n{said}")
    print("\n".join(line for line in said.splitlines() if "Samples:" in line), file=sys.stderr)
    return stacks.read(output.read_text())


def profiles(database: Database, tasks: Tasks, seconds: int) -> Iterator[tuple[str, Profile]]:
    """By the case's title, each with a server of its own."""
    cpus = set_apart()
    with TemporaryDirectory() as folder:
        for case in CASES:
            script = load.Script(Path(folder) / case, cases.requests(case, tasks, case, case))
            script.write()
            with systems.start(database.system, database.urls, cpus) as running:
                yield TITLES[case], profile(running, script, seconds)


def by_layer(found: Mapping[str, Profile]) -> Iterator[Row]:
    columns = [one.rows() for one in found.values()]
    yield ["µs of CPU a request", *found]
    for name in dict.fromkeys(name for column in columns for name in column):
        yield [name, *(f"{column.get(name, 0):.0f}" for column in columns)]


def main() -> None:
    """Measure, print the table, and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=20, help="of load, twice for each case")
    parser.add_argument("--picture", type=Path, default=PICTURE)
    given = parser.parse_args()
    ours = next(system for system in SYSTEMS if system.key == "a")
    with data.server() as rows, data.databases(rows, [ours]) as databases:
        found = dict(profiles(databases[ours.database], Tasks.read(rows), given.seconds))
    print(table(by_layer(found)))
    given.picture.write_text(stacks.picture({name: one.stacks for name, one in found.items()}))


if __name__ == "__main__":
    main()
