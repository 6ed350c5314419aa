"""What docs/deploying says in figures is what the code and the measurements have."""

import re
import secrets
import subprocess

import yaml

from bench import sizing
from config import bounds
from config.environment import Environment
from tests import live

PAGES = live.ROOT / "docs" / "deploying"
URL = "postgresql://role:password@ep-example.eu-central-1.aws.neon.tech/tasks"
SECRETS = {"SECRET_KEY": secrets.token_urlsafe(48), "DATABASE_URL": URL, "DATABASE_URL_UNPOOLED": URL}


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


def test_serverless_gives_its_job_and_its_service_a_whole_environment() -> None:
    block = (PAGES / "serverless.md").read_text().partition("```sh\n")[2].partition("```")[0]
    script = f"IMAGE=tasks-api; gcloud() {{ echo $@; }}\n{block}"
    printed = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True).stdout
    given = re.findall(r"--set-env-vars (\S+) --set-secrets (\S+)", printed)
    assert len(given) == printed.count("\n") == 2
    for variables, names in given:
        env = {name.upper(): "" for name in Environment.model_fields if name != "rate_limit"}
        env |= dict(pair.split("=", 1) for pair in variables.split(","))
        env |= {name: SECRETS[name] for name in re.findall(r"(\w+)=", names)}
        done = live.python("manage.py", "check", "--deploy", "--fail-level", "WARNING", env=env)
        assert done.returncode == 0, done.stderr


def test_kubernetes_leaves_the_time_that_the_end_takes() -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```", (PAGES / "container.md").read_text(), re.DOTALL | re.MULTILINE)
    pod = yaml.safe_load(block)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    waits = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > waits + bounds.GRACEFUL_SECONDS
    probes = [container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")]
    assert set(probes) == {"/livez"}
