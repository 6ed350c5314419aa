"""Measure ours beside its peers: `make bench`, `make bench-quick`, or

    .venv/bin/python -m bench [--quick] [--systems a c e] [--check] [--logs DIRECTORY]

On Linux. PostgreSQL, the servers and the load run on this machine, which should do nothing else meanwhile.
bench.systems says what is measured and how it is started, bench.cases what is asked, bench.measure in which order and
how often.
"""

import argparse
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from bench import data, pages, report
from bench.cases import Tasks
from bench.measure import FULL, QUICK, Bench, set_apart
from bench.results import Results
from bench.systems import SYSTEMS, System

USUAL = [system.key for system in SYSTEMS if system.usual]
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Make the databases, check the systems, measure, and write what came out."""
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    plan = QUICK if given.quick else FULL
    chosen = [system for system in SYSTEMS if system.key in given.systems]
    if not given.check:
        near, far = (seconds * len(chosen) / 60 for seconds in plan.seconds())
        print(f"This takes about {near + far:.0f} minutes, {far:.0f} of them at a distance.", file=sys.stderr)
    cpus = set_apart()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))

        def log(system: System) -> IO[bytes] | int:
            if given.logs is None:
                return subprocess.DEVNULL
            logs: Path = given.logs
            logs.mkdir(parents=True, exist_ok=True)
            return stack.enter_context((logs / f"{system.key}.log").open("ab"))

        rows = stack.enter_context(data.server())
        databases = stack.enter_context(data.databases(rows, chosen))
        bench = Bench(plan, chosen, databases, Tasks.read(rows), cpus, folder, log)
        if given.check:
            bench.check(bench.start(stack))
            return
        records = [*bench.cold_starts(), *bench.near(), *bench.far()]
        ((version,),) = rows.execute("SHOW server_version").fetchall()
        results = Results(report.machine(bool(cpus), version), records)
    print(report.markdown(results))
    if not given.quick and given.systems == USUAL:
        report.write(results, RESULTS)
        pages.write(results)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    keys = [system.key for system in SYSTEMS]
    parser.add_argument("--quick", action="store_true", help="fewer cases, printed and not kept")
    parser.add_argument("--check", action="store_true", help="only look whether all systems answer alike")
    parser.add_argument("--systems", nargs="+", choices=keys, default=USUAL, help="others, printed and not kept")
    parser.add_argument("--logs", type=Path, help="where the servers' logs go; without, nowhere")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
