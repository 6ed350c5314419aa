"""PgBouncer in transaction mode, as in front of a Neon compute."""

import re
import signal
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

from config.embedded import server
from tests.debian import program
from tests.parts.address import relocate
from tests.parts.process import Process

# The programs to run tests with: Debian 12's, and one that keeps prepared statements apart, as Neon's does.
PROGRAMS = ("pgbouncer", "pgbouncer-1.24")
PREPARED_STATEMENTS_SINCE = (1, 21)


class PgBouncer(Process):
    """In front of the server that the URLs name; their roles may log in, with the passwords that the URLs have.

    `pool_size` is the number of server connections per role and database. `settings` are pgbouncer.ini's.
    """

    stop_signal = signal.SIGQUIT  # since 1.23 SIGTERM waits for the clients to go

    def __init__(self, *urls: str, name: str = "pgbouncer", pool_size: int = 4, **settings: str | int) -> None:
        self._program = program(name)  # first: it skips the test where there is none
        self.keeps_statements = _version(self._program) >= PREPARED_STATEMENTS_SINCE
        super().__init__()
        self._upstream = [urlsplit(url) for url in urls]
        self.url = relocate(urls[0], self.address)
        self._settings = {
            "listen_addr": self.address.host,
            "listen_port": self.address.port,
            "unix_socket_dir": "",
            "pool_mode": "transaction",
            "auth_type": "scram-sha-256",
            "auth_file": self.home / "users.txt",
            "server_tls_sslmode": "disable",
            "max_client_conn": 1000,
            "default_pool_size": pool_size,
            "server_login_retry": 1,
            "query_wait_timeout": 120,
            **({"max_prepared_statements": 1000} if self.keeps_statements else {}),
            **settings,
        }

    def to(self, url: str) -> str:
        """Return the URL of the same role and database through here."""
        return relocate(url, self.address)

    def command(self) -> list[str]:
        upstream = self._upstream[0]
        databases = f"[databases]\n* = host={upstream.hostname} port={upstream.port}\n[pgbouncer]\n"
        ini = databases + "".join(f"{name} = {value}\n" for name, value in self._settings.items())
        (self.home / "pgbouncer.ini").write_text(ini)
        users = {url.username: unquote(url.password or "") for url in self._upstream}
        (self.home / "users.txt").write_text("".join(f'"{name}" "{secret}"\n' for name, secret in users.items()))
        return as_pgbouncer(self.home, self._program)


def as_pgbouncer(home: Path, program: Path) -> list[str]:
    """The command that runs it with the pgbouncer.ini in `home`. Like PostgreSQL it refuses to be run by root."""
    return [*server.as_ordinary_user(home), str(program), str(home / "pgbouncer.ini")]


def _version(path: Path) -> tuple[int, ...]:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(number) for number in re.findall(r"\d+", said.partition("\n")[0]))
