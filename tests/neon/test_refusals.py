"""What the database says no to: for good, and then it is named in the log and not asked again; or for now."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests import live
from tests.client import Live, User
from tests.neon.conftest import Database
from tests.neon.load import Timed, at_once, timed
from tests.parts import relocate
from tests.parts.neon import NeonProxy
from tests.shapes import assert_error

AT_ONCE = 2.0  # seconds: a good deal less than a request's patience
PERMANENT = [
    ("login", "endpoint is disabled", "Console request failed: endpoint is disabled"),
    ("statement", "quota", "Your account or project has exceeded the compute time quota. Upgrade your plan."),
]
WAKING = [("login", "Couldn't connect to compute node"), ("statement", "Control plane request failed")]


@contextmanager
def _served(url: str, log: Path) -> Iterator[User]:
    env = {"DATABASE_URL": url, "DATABASE_URL_UNPOOLED": url, "WEB_CONCURRENCY": "1"}
    with (
        log.open("wb") as file,
        live.serve("gunicorn", env, log=file) as base_url,
        closing(Live("gunicorn", base_url)) as client,
    ):
        yield User(client, "alice-refused")


def _assert_unavailable(request: Timed) -> None:
    assert_error(request.answer, 503)
    assert int(request.answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize(("refused", "named", "message"), PERMANENT)
def test_refusal_for_good_is_named_and_not_retried(
    refused: str, named: str, message: str, database: Database, tmp_path: Path
) -> None:
    with (
        NeonProxy(message, at_the_door=refused == "login") as neon,
        _served(relocate(database.api_url, neon.address), tmp_path / "log") as alice,
    ):
        request = timed(lambda: alice.get("/tasks"))
        _assert_unavailable(request)
        assert request.seconds < AT_ONCE
        assert neon.sessions == 1
    assert f'"reason":"{named}"' in (tmp_path / "log").read_text()


def test_refusal_for_now_is_retried(database: Database, tmp_path: Path) -> None:
    with ExitStack() as stack:
        proxies = [stack.enter_context(NeonProxy(text, at_the_door=at == "login")) for at, text in WAKING]
        urls = [relocate(database.api_url, neon.address) for neon in proxies]
        users = [stack.enter_context(_served(url, tmp_path / str(number))) for number, url in enumerate(urls)]
        for request in at_once([partial(user.post, "/tasks", {"text": "Wake up"}) for user in users]):
            _assert_unavailable(request)
        assert all(neon.sessions > 2 for neon in proxies)


@pytest.mark.parametrize("wrong", ["password", "database", "host"])
def test_wrong_url_is_named(wrong: str, database: Database, tmp_path: Path) -> None:
    at = database.server.address
    url, named = {
        "password": (database.server.to("postgresql://tasks_api:wrong@host/tasks"), "authentication failed"),
        "database": (database.api_url.replace("/tasks?", "/nowhere?"), 'database \\"nowhere\\" does not exist'),
        "host": (database.api_url.replace(f"@{at.host}", "@database.invalid"), "database.invalid"),
    }[wrong]
    with _served(url, tmp_path / "log") as alice:
        request = timed(lambda: alice.get("/tasks"))
        _assert_unavailable(request)
        assert wrong == "host" or request.seconds < AT_ONCE
    log = (tmp_path / "log").read_text()
    assert named in log
    assert "wrong" not in log


def test_replica_is_unavailable_to_who_writes(database: Database, tmp_path: Path) -> None:
    with _served(f"{database.api_url}&options=-cdefault_transaction_read_only%3Don", tmp_path / "log") as alice:
        assert alice.get("/tasks").status == 200
        request = timed(lambda: alice.post("/tasks", {"text": "lost"}))
        _assert_unavailable(request)
        assert request.seconds < AT_ONCE
    assert '"reason":"read-only transaction"' in (tmp_path / "log").read_text()
