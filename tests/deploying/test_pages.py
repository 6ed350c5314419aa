"""What docs/deploying says in figures is what the code and the measurements have."""

import re

import yaml

from bench import sizing
from config import bounds
from tests import live

PAGES = live.ROOT / "docs" / "deploying"


def test_assumptions_of_the_table_are_said() -> None:
    page = (PAGES / "sizing.md").read_text()
    for said in (
        f"sends {sizing.REQUESTS_A_DAY} requests",
        f"{sizing.TASKS_OF_A_USER} tasks each",
        f"{sizing.BYTES_A_TASK} bytes",
        f"{sizing.THREADS} a process",
    ):
        assert said in page
    assert f"\nthreads = {sizing.THREADS}\n" in (live.ROOT / "config" / "gunicorn.py").read_text()
    assert f"{sizing.BYTES_A_TASK} MB in the one that was dumped" in (PAGES / "backups.md").read_text()


def test_kubernetes_leaves_the_time_that_the_end_takes() -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```", (PAGES / "container.md").read_text(), re.DOTALL | re.MULTILINE)
    pod = yaml.safe_load(block)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    waits = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > waits + bounds.GRACEFUL_SECONDS
    probes = [container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")]
    assert set(probes) == {"/livez"}
