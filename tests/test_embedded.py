"""The embedded server as its users meet it: real processes, real signals, a folder of their own."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from config import embedded
from config.embedded import locks, server
from tests.live import ROOT

# What a client does: print the URL, then live until its input ends.
CLIENT = """
import os, sys
from pathlib import Path
from config import embedded
home = Path(sys.argv[1])
print(embedded.url(home), flush=True)
"""
LIVE = "sys.stdin.readline()\n"
SECONDS = 20


def test_another_server_that_cannot_be_reached_is_said_once() -> None:
    command = [sys.executable, "-m", "pytest", "tests/test_client.py", "-q", "-p", "no:cacheprovider"]
    env = os.environ | {"TEST_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (pytest.ExitCode.USAGE_ERROR, "")
    assert done.stderr.startswith("ERROR: TEST_DATABASE_URL: connection failed")


@pytest.fixture
def new_home(tmp_path: Path) -> Iterator[Path]:
    """Where nothing is yet."""
    home = tmp_path / "postgres"
    yield home
    embedded.release(home)


@pytest.fixture(scope="module")
def stopped_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home: Path = tmp_path_factory.mktemp("stopped") / "postgres"
    embedded.url(home)
    embedded.release(home)
    return home


@pytest.fixture
def home(new_home: Path, stopped_home: Path) -> Path:
    """With a data folder made before, which is most of the work of a first start."""
    shutil.copytree(stopped_home, new_home, ignore=shutil.ignore_patterns("log", "*.lock"))
    return new_home


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One server for the tests that only look."""
    home = tmp_path_factory.mktemp("shared") / "postgres"
    embedded.url(home)
    yield home
    embedded.release(home)


class Client:
    """Another process that uses the server."""

    def __init__(self, home: Path, code: str = CLIENT + LIVE) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, str(home)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@contextmanager
def client(home: Path, code: str = CLIENT + LIVE) -> Iterator[Client]:
    other = Client(home, code)
    with other.process:
        yield other
        other.process.kill()


def answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def query(url: str, statement: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return row and row[0]


def write_row(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept (value text)")
        connection.execute("INSERT INTO kept VALUES ('here')")


def noted_pid(path: Path) -> int:
    return int(path.read_text().split()[0])


def postmaster(home: Path) -> int:
    return noted_pid(home / "data" / "postmaster.pid")


def starts(home: Path) -> int:
    return (home / "log").read_text().count("starting PostgreSQL")


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_restart_keeps_the_rows(home: Path) -> None:
    write_row(embedded.url(home))
    embedded.release(home)

    assert query(embedded.url(home), "SELECT value FROM kept") == "here"
    assert starts(home) == 2


def test_release_returns_when_the_server_has_stopped(home: Path) -> None:
    url = embedded.url(home)

    embedded.release(home)

    assert not answers(url)
    assert not (home / "data" / "postmaster.pid").exists()


def test_release_without_a_server_does_nothing(new_home: Path) -> None:
    embedded.release(new_home)

    assert not new_home.exists()


def test_killed_server_comes_back_with_its_rows(home: Path) -> None:
    write_row(embedded.url(home))
    os.kill(postmaster(home), signal.SIGKILL)

    assert query(embedded.url(home), "SELECT value FROM kept") == "here"
    assert starts(home) == 2


def test_killed_server_comes_back_while_its_backends_still_work(home: Path) -> None:
    """A new server waits for the processes of the killed one: two on one folder would destroy it."""
    url = embedded.url(home)
    write_row(url)
    busy = psycopg.connect(url)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(busy.execute, "SELECT count(*) FROM generate_series(1, 8000000)")
        assert eventually(lambda: query(url, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'") == 2)
        os.kill(postmaster(home), signal.SIGKILL)
        url = embedded.url(home)
    assert isinstance(answer.exception(), psycopg.OperationalError | None)
    busy.close()

    assert query(url, "SELECT value FROM kept") == "here"


def test_racing_processes_share_one_server(new_home: Path) -> None:
    racers = [Client(new_home) for _ in range(4)]

    urls = {racer.line() for racer in racers}

    assert len(urls) == 1
    assert starts(new_home) == 1
    for racer in racers:
        racer.process.communicate()


def test_racing_threads_share_one_server(new_home: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        urls = set(pool.map(embedded.url, [new_home] * 8))

    assert len(urls) == 1
    assert starts(new_home) == 1


def test_server_ends_with_its_last_user(home: Path) -> None:
    with client(home) as first, client(home) as last:
        url = first.line()
        assert last.line() == url

        first.process.communicate()
        time.sleep(0.5)
        assert answers(url)

        last.process.communicate()
        assert eventually(lambda: not answers(url))


def test_release_leaves_the_server_to_others(home: Path) -> None:
    url = embedded.url(home)
    with client(home) as other:
        assert other.line() == url

        embedded.release(home)

        time.sleep(0.5)
        assert answers(url)


def test_server_ends_when_its_user_was_killed(home: Path) -> None:
    with client(home) as user:
        url = user.line()
        user.process.kill()

        assert eventually(lambda: not answers(url))


def test_killed_keeper_is_replaced_by_the_next_client(home: Path) -> None:
    """A killed keeper does not leave the server running for ever once somebody has come by."""
    keeper = home / "keeper.lock"
    with client(home) as first:
        url = first.line()
        assert eventually(lambda: keeper.read_text() != "")
        killed = noted_pid(keeper)
        os.kill(killed, signal.SIGKILL)

        with client(home) as second:
            assert second.line() == url
            assert eventually(lambda: noted_pid(keeper) != killed)

    assert eventually(lambda: not answers(url))


def test_terminal_interrupts_only_the_client(home: Path) -> None:
    """Ctrl-C reaches the group of the client; the server is told to shut down in order when the client has ended."""
    with client(home) as user:
        url = user.line()
        assert eventually(lambda: (home / "keeper.lock").read_text() != "")
        background = {os.getsid(postmaster(home)), os.getsid(noted_pid(home / "keeper.lock"))}
        assert os.getsid(user.process.pid) not in background
        user.process.send_signal(signal.SIGINT)

    assert eventually(lambda: not answers(url))
    assert eventually(lambda: "database system is shut down" in (home / "log").read_text())


def test_interrupted_creation_is_begun_again(new_home: Path) -> None:
    with client(new_home) as user:
        assert eventually(lambda: any(new_home.glob("data.*/base")))
        user.process.kill()
    assert not (new_home / "data").exists()

    assert query(embedded.url(new_home), "SELECT 1") == 1


def test_pid_file_that_names_a_stranger_does_not_prevent_the_start(home: Path) -> None:
    """After a power failure the noted process id may be another program's by now."""
    embedded.url(home)
    pid_file = home / "data" / "postmaster.pid"
    _, _, rest = pid_file.read_text().partition("\n")
    embedded.release(home)
    pid_file.write_text(f"{os.getpid()}\n{rest}")

    assert query(embedded.url(home), "SELECT 1") == 1


@pytest.mark.parametrize("content", ["", "\0\0\0\0"], ids=["empty", "zeros"])
def test_pid_file_cut_short_does_not_prevent_the_start(home: Path, content: str) -> None:
    """A power failure may leave the pid file without its content."""
    embedded.url(home)
    embedded.release(home)
    (home / "data" / "postmaster.pid").write_text(content)

    assert query(embedded.url(home), "SELECT 1") == 1


def test_server_started_by_hand_is_not_joined_by_a_second_one(home: Path) -> None:
    """PostgreSQL's own protection against two servers on one folder stays in force."""
    url = embedded.url(home)
    pid = postmaster(home)
    (home / "server.lock").unlink()  # from here on nobody knows that this server is one of ours
    try:
        with pytest.raises(embedded.EmbeddedPostgresError, match="shared memory block"):
            embedded.url(home)
        assert answers(url)
    finally:
        os.kill(pid, signal.SIGINT)
    assert eventually(lambda: not answers(url))


def test_failed_start_shows_the_end_of_the_log(home: Path) -> None:
    embedded.url(home)
    embedded.release(home)
    with (home / "data" / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = on\n")

    with pytest.raises(embedded.EmbeddedPostgresError, match=r"DATABASE_URL[^$]*no_such_setting"):
        embedded.url(home)


def test_failed_creation_shows_the_end_of_the_log(new_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LOCALE", ("--no-such-option",))
    with pytest.raises(embedded.EmbeddedPostgresError, match=r"initdb .* failed; set DATABASE_URL[^$]*no-such-option"):
        embedded.url(new_home)


def test_start_that_takes_too_long_is_given_up(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "START_SECONDS", 0.0)
    with pytest.raises(embedded.EmbeddedPostgresError, match="PostgreSQL does not start"):
        embedded.url(home)


def test_start_of_another_process_is_not_waited_for_for_ever(shared_home: Path) -> None:
    with (
        locks.starting_or_stopping(shared_home, 0),
        pytest.raises(embedded.EmbeddedPostgresError, match="another process has been starting or stopping"),
        locks.starting_or_stopping(shared_home, 0),
    ):
        pass


def test_stop_that_takes_too_long_is_given_up(shared_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "STOP_SECONDS", 0.0)
    server.stop(shared_home)
    assert answers(embedded.url(shared_home))


def test_long_log_is_begun_anew(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LOG_BYTES", 100)
    (home / "log").write_text("from before" * 10)
    embedded.url(home)
    assert "from before" not in (home / "log").read_text()


def test_missing_wheel_names_the_way_out(new_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "find_spec", lambda _: None)
    with pytest.raises(embedded.EmbeddedPostgresError, match="set DATABASE_URL"):
        embedded.url(new_home)


def test_folder_of_another_user_is_named(new_home: Path) -> None:
    new_home.mkdir()
    new_home.chmod(0)
    with as_nobody(), pytest.raises(embedded.EmbeddedPostgresError, match=f"{new_home} belongs to another user"):
        embedded.url(new_home)
    new_home.chmod(0o700)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's rights, which make every folder one's own."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(server.NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_ordinary_user_runs_the_programs_as_they_are(new_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert server.as_ordinary_user(new_home) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone may give files away")
def test_root_without_namespaces_gives_the_files_away(new_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new_home.mkdir()
    (new_home / "log").touch()
    monkeypatch.setenv("PATH", "")
    nobody = server.NOBODY
    ids = [f"--reuid={nobody}", f"--regid={nobody}"]
    assert server.as_ordinary_user(new_home) == ["setpriv", *ids, "--clear-groups", "--"]
    assert (new_home / "log").stat().st_uid == nobody
    assert server.as_ordinary_user(new_home) == ["setpriv", *ids, "--clear-groups", "--"], "they are no longer root's"


def test_fork_holds_the_server(home: Path) -> None:
    """A worker forked from a process that uses the server uses it too, also when that process has ended."""
    with client(home, CLIENT + "if os.fork(): os._exit(0)\n" + LIVE) as user:
        url = user.line()
        user.process.wait()
        time.sleep(0.5)
        assert answers(url)

        user.process.communicate()
        assert eventually(lambda: not answers(url))


def test_fork_that_lets_go_does_not_let_go_for_its_parent(home: Path) -> None:
    code = "if not os.fork(): embedded.release(home); os._exit(0)\nos.wait(); print('forked', flush=True)\n"
    with client(home, CLIENT + code + LIVE) as user:
        url = user.line()
        assert user.line() == "forked"
        time.sleep(0.5)
        assert answers(url)


def test_fork_during_the_start_does_not_block_the_others(new_home: Path) -> None:
    """A worker forked by one thread while another one starts the server does not keep the locks of the start."""
    code = """
import os, sys, threading, time
from pathlib import Path
from config import embedded
home = Path(sys.argv[1])
starter = threading.Thread(target=embedded.url, args=[home])
starter.start()
time.sleep(0.1)
if not os.fork():
    sys.stdin.readline()
    os._exit(0)
starter.join()
print("started", flush=True)
"""
    with client(new_home, code + LIVE) as user:
        assert user.line() == "started"

        with client(new_home) as other:
            assert other.line().startswith("postgresql://")


def test_exec_holds_the_server(home: Path) -> None:
    """The program that a process becomes uses the server too, though it knows nothing of it."""
    code = "os.execv(sys.executable, [sys.executable, '-c', 'import sys; print(0, flush=True); sys.stdin.readline()'])"
    with client(home, CLIENT + code) as user:
        url = user.line()
        user.line()
        time.sleep(0.5)
        assert answers(url)

        user.process.communicate()
        assert eventually(lambda: not answers(url))


def test_exec_can_let_go(home: Path) -> None:
    then = CLIENT + LIVE + "embedded.release(home)\nprint('released', flush=True)\n" + LIVE
    code = f"os.execv(sys.executable, [sys.executable, '-c', {then!r}, sys.argv[1]])"
    with client(home, CLIENT + code) as user:
        url = user.line()
        assert user.line() == url

        user.go_on()
        assert user.line() == "released"
        assert not answers(url)
        assert user.process.poll() is None


def test_folder_is_private(shared_home: Path) -> None:
    assert stat.S_IMODE(shared_home.stat().st_mode) == 0o700
    assert stat.S_IMODE((shared_home / "data" / "password").stat().st_mode) == 0o600


@pytest.mark.parametrize("user", ["tasks_owner", "postgres"], ids=["owner", "superuser"])
def test_wrong_password_is_refused(shared_home: Path, user: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"password authentication failed|rejects connection"):
        psycopg.connect(embedded.url(shared_home), user=user, password="wrong").close()


def test_role_is_not_a_superuser(shared_home: Path) -> None:
    rights = "rolcreatedb AND rolcreaterole AND NOT rolsuper AND NOT rolbypassrls"
    assert query(embedded.url(shared_home), f"SELECT {rights} FROM pg_roles WHERE rolname = current_user") is True


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("lower('ÄÉЖ')", "äéж"),
        ("current_setting('TimeZone')", "UTC"),
        ("current_setting('server_encoding')", "UTF8"),
        ("current_setting('max_connections')", "200"),
        ("current_setting('fsync')", "on"),
        ("current_database()", "tasks"),
    ],
)
def test_server_is_set_up(shared_home: Path, expression: str, value: str) -> None:
    assert query(embedded.url(shared_home), f"SELECT {expression}") == value


def test_program_has_a_database_of_its_own() -> None:
    """Also the second time, when the database is there."""
    if os.environ["DATABASE_URL_UNPOOLED"] != embedded.url():
        pytest.skip("the tests use another server")
    name = f"program_{os.getpid()}"
    show = "import os, psycopg; print(psycopg.connect(os.environ['DATABASE_URL']).info.dbname)"
    command = [sys.executable, "-m", "config.embedded", name, sys.executable, "-c", show]
    try:
        shown = [
            subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout for _ in range(2)
        ]
    finally:
        with psycopg.connect(embedded.url(), autocommit=True) as server:
            server.execute(f"DROP DATABASE IF EXISTS {name}".encode())
    assert shown == [f"{name}\n"] * 2
