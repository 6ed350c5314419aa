"""A PostgreSQL of these tests' own, migrated, and the ways to it."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from config.databases import API_ROLE
from tests import live
from tests.client import Live
from tests.parts import PgBouncer, PostgreSQL, Proxy
from tests.parts.pgbouncer import PROGRAMS


@dataclass(frozen=True)
class Database:
    """The server and the URLs of its two roles."""

    server: PostgreSQL
    owner_url: str
    api_url: str

    def manage(
        self, *command: str, api_url: str = "", owner_url: str = "", typed: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `manage.py` as a deployment does."""
        urls = {"DATABASE_URL": api_url or self.api_url, "DATABASE_URL_UNPOOLED": owner_url or self.owner_url}
        return live.python("manage.py", *command, env=urls, typed=typed)


@contextmanager
def served(server: str, database: Database, api_url: str = "", **env: str) -> Iterator[Live]:
    """The service in front of the database, or of whatever `api_url` leads through."""
    urls = {"DATABASE_URL": api_url or database.api_url, "DATABASE_URL_UNPOOLED": database.owner_url}
    with live.serve(server, {**urls, **env}) as base_url, closing(Live(server, base_url)) as client:
        yield client


def created(output: str) -> Mapping[str, str]:
    """The URLs that `create_roles` printed, by variable."""
    return dict(line.split("=", 1) for line in output.splitlines())


@pytest.fixture(scope="session")
def database() -> Iterator[Database]:
    """Roles and tables made by the commands that make them everywhere."""
    with PostgreSQL() as server:
        bare = Database(server, server.url, server.url)
        made = bare.manage("create_roles", "--owner", urlsplit(server.url).username or "", "--api", API_ROLE)
        assert made.returncode == 0, made.stderr
        database = Database(server, server.url, created(made.stdout)["DATABASE_URL"])
        migrated = database.manage("migrate")
        assert migrated.returncode == 0, migrated.stderr
        yield database


@pytest.fixture(scope="module")
def direct(database: Database) -> Iterator[Proxy]:
    """A proxy between the service and PostgreSQL."""
    with Proxy(database.server.address) as proxy:
        yield proxy


@pytest.fixture(scope="module", params=PROGRAMS)
def pgbouncer(request: pytest.FixtureRequest, database: Database) -> Iterator[PgBouncer]:
    """In transaction mode, with fewer connections to PostgreSQL than it has clients."""
    with PgBouncer(database.api_url, name=request.param, pool_size=4) as pgbouncer:
        yield pgbouncer
