"""The parts do what fault tests rely on."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager

import psycopg
import pytest

from tests.parts import PgBouncer, PostgreSQL, Proxy, Redis
from tests.parts.address import free_address
from tests.parts.pgbouncer import PROGRAMS
from tests.parts.postgresql import Mode

SOON = 5.0


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with PostgreSQL() as server:
        yield server


@pytest.fixture
def proxy(server: PostgreSQL) -> Iterator[Proxy]:
    with Proxy(server.address) as proxy:
        yield proxy


@contextmanager
def client(url: str) -> Iterator[psycopg.Connection]:
    with closing(psycopg.connect(url, autocommit=True, cursor_factory=psycopg.ClientCursor, connect_timeout=5)) as it:
        yield it


def one(connection: psycopg.Connection) -> object:
    row = connection.execute("SELECT 1").fetchone()
    return row and row[0]


def write_row(url: str) -> None:
    with client(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (value text)")
        connection.execute("INSERT INTO kept VALUES ('here')")


def rows(url: str) -> object:
    with client(url) as connection:
        return connection.execute("SELECT value FROM kept").fetchall()


def eventually(connections: int, proxy: Proxy) -> bool:
    deadline = time.monotonic() + SOON
    while proxy.connections != connections and time.monotonic() < deadline:
        time.sleep(0.005)
    return proxy.connections == connections


class Answer(threading.Thread):
    """A query in another thread, for a server that does not answer yet."""

    def __init__(self, connection: psycopg.Connection) -> None:
        super().__init__(daemon=True)
        self.connection = connection
        self.value: object = None
        self.start()

    def run(self) -> None:
        self.value = one(self.connection)

    def comes(self, seconds: float) -> bool:
        self.join(seconds)
        return self.value == 1


def test_proxy_counts_one_trip_for_a_statement(server: PostgreSQL, proxy: Proxy) -> None:
    with client(proxy.to(server.url)) as connection, proxy.counting() as wire:
        one(connection)
    assert (wire.round_trips, wire.ready_for_query, wire.statements) == (1, 1, ["SELECT 1"])
    assert wire.bytes_sent == len("Q....SELECT 1.")
    assert wire.connections_opened == 0


def test_proxy_counts_three_trips_for_a_transaction(server: PostgreSQL, proxy: Proxy) -> None:
    with client(proxy.to(server.url)) as connection, proxy.counting() as wire, connection.transaction():
        one(connection)
    assert (wire.round_trips, wire.statements) == (3, ["BEGIN", "SELECT 1", "COMMIT"])


def test_proxy_counts_one_trip_for_a_pipeline(server: PostgreSQL, proxy: Proxy) -> None:
    """Statements sent without waiting in between."""
    with client(proxy.to(server.url)) as connection, proxy.counting() as wire, connection.pipeline():
        psycopg.Cursor(connection).execute("SELECT 1")
        psycopg.Cursor(connection).execute("SELECT 2")
    assert (wire.round_trips, wire.statements) == (1, ["SELECT 1", "SELECT 2"])


def test_proxy_counts_one_trip_for_questions_in_one_packet(server: PostgreSQL, proxy: Proxy) -> None:
    """Each is answered with a ReadyForQuery of its own, and yet nobody waited for the first."""
    question = b"Q\0\0\0\x0dSELECT 1\0"
    with client(proxy.to(server.url)) as connection, proxy.counting() as wire:
        with socket.socket(fileno=os.dup(connection.pgconn.socket)) as raw:
            raw.settimeout(SOON)
            raw.sendall(question * 2)
            received = b""
            while received.count(b"Z\0\0\0\x05I") < 2:
                received += raw.recv(1000)
        assert (wire.round_trips, wire.ready_for_query, wire.statements) == (1, 2, ["SELECT 1"] * 2)


def test_proxy_counts_big_answers_and_questions(server: PostgreSQL, proxy: Proxy) -> None:
    """A message of many packets is one message."""
    with client(proxy.to(server.url)) as connection, proxy.counting() as wire:
        text = "x" * 3_000_000
        row = connection.execute("SELECT %s", [text]).fetchone()
    assert row == (text,)
    assert (wire.round_trips, wire.statements) == (1, [f"SELECT '{text}'"])


def test_proxy_counts_logins(server: PostgreSQL, proxy: Proxy) -> None:
    """An encryption that is asked for and refused does not confuse it."""
    with proxy.counting() as wire, client(proxy.to(server.url).replace("disable", "prefer")) as connection:
        assert proxy.connections == 1
        one(connection)
    assert (wire.connections_opened, wire.round_trips, wire.statements) == (1, 2, ["SELECT 1"])
    assert eventually(0, proxy)


def test_proxy_counts_nothing_when_nothing_is_sent(server: PostgreSQL, proxy: Proxy) -> None:
    with client(proxy.to(server.url)) as connection:
        with proxy.counting() as wire:
            time.sleep(0.1)
        one(connection)
    assert (wire.bytes_sent, wire.messages, wire.connections_opened) == (0, [], 0)


def test_proxy_delays_each_direction(server: PostgreSQL, proxy: Proxy) -> None:
    with client(proxy.to(server.url)) as connection:
        proxy.delay(0.05)
        begun = time.monotonic()
        one(connection)
        assert 0.1 <= time.monotonic() - begun < 1


@pytest.mark.parametrize("reset", [False, True])
def test_proxy_cuts_connections_and_serves_new_ones(server: PostgreSQL, proxy: Proxy, *, reset: bool) -> None:
    with client(proxy.to(server.url)) as connection:
        proxy.cut(reset=reset)
        with pytest.raises(psycopg.OperationalError):
            one(connection)
    with client(proxy.to(server.url)) as connection:
        assert one(connection) == 1


def test_proxy_cuts_with_a_good_bye(proxy: Proxy) -> None:
    with socket.create_connection(proxy.address, timeout=SOON) as connection:
        assert eventually(1, proxy)
        proxy.cut()
        assert connection.recv(1) == b""


def test_proxy_cuts_with_a_reset(proxy: Proxy) -> None:
    with socket.create_connection(proxy.address, timeout=SOON) as connection:
        assert eventually(1, proxy)
        proxy.cut(reset=True)
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_proxy_swallows_what_is_sent_until_it_resumes(server: PostgreSQL, proxy: Proxy) -> None:
    with client(proxy.to(server.url)) as connection:
        proxy.swallow()
        answer = Answer(connection)
        assert not answer.comes(0.1)
        proxy.resume()
        assert answer.comes(SOON)


def test_proxy_swallows_answers_until_it_resumes(server: PostgreSQL, proxy: Proxy) -> None:
    with client(proxy.to(server.url)) as connection:
        server.freeze()
        answer = Answer(connection)
        assert not answer.comes(0.05)
        proxy.swallow()
        server.thaw()
        assert not answer.comes(0.1)
        proxy.resume()
        assert answer.comes(SOON)


def test_proxy_swallows_new_connections(server: PostgreSQL) -> None:
    """They are accepted, and nothing is said to them, not even that the server is down."""
    with Proxy(server.address) as proxy:
        server.stop()
        proxy.swallow()
        with socket.create_connection(proxy.address, timeout=0.1) as connection, pytest.raises(TimeoutError):
            connection.recv(1)
        server.start()
        proxy.resume()
        with client(proxy.to(server.url)) as again:
            assert one(again) == 1


def test_proxy_refuses_new_connections_and_keeps_the_open_ones(server: PostgreSQL, proxy: Proxy) -> None:
    with client(proxy.to(server.url)) as connection:
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(proxy.address, timeout=SOON)
        assert one(connection) == 1
    proxy.resume()
    with client(proxy.to(server.url)) as connection:
        assert one(connection) == 1


def test_proxy_resets_clients_of_a_server_that_is_down() -> None:
    with (
        Proxy(free_address()) as proxy,
        pytest.raises(ConnectionResetError),  # as soon as it is connected, or a moment later
        socket.create_connection(proxy.address, timeout=SOON) as connection,
    ):
        connection.recv(1)


def test_proxy_ends_a_connection_as_the_server_does(proxy: Proxy) -> None:
    """To whom speaks another protocol it says an error and good-bye."""
    with socket.create_connection(proxy.address, timeout=SOON) as connection, connection.makefile("rb") as stream:
        connection.sendall(b"\0\0\0\x08\0\0\0\0")
        assert b"unsupported frontend protocol" in stream.read()
    assert eventually(0, proxy)


def test_killed_server_comes_back_with_its_rows(server: PostgreSQL) -> None:
    write_row(server.url)
    server.kill()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.address, timeout=SOON)
    server.start()
    assert rows(server.url) == [("here",)]


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_restarted_server_has_ended_its_connections(server: PostgreSQL, mode: Mode) -> None:
    with client(server.url) as connection:
        server.restart(mode)
        with pytest.raises(psycopg.OperationalError):
            one(connection)
    with client(server.url) as connection:
        assert one(connection) == 1


def test_frozen_server_answers_when_it_thaws(server: PostgreSQL) -> None:
    with client(server.url) as connection:
        server.freeze()
        answer = Answer(connection)
        assert not answer.comes(0.1)
        server.thaw()
        assert answer.comes(SOON)


@pytest.fixture(scope="module", params=PROGRAMS)
def pgbouncer(request: pytest.FixtureRequest, server: PostgreSQL) -> Iterator[PgBouncer]:
    with PgBouncer(server.url, name=request.param, pool_size=2, query_wait_timeout=5) as pgbouncer:
        yield pgbouncer


def test_pgbouncer_serves_more_clients_than_it_has_connections(pgbouncer: PgBouncer) -> None:
    def backends(_: int) -> set[object]:
        with client(pgbouncer.url) as connection:
            return {pid for _ in range(10) for pid, _ in connection.execute("SELECT pg_backend_pid(), pg_sleep(0.002)")}

    with ThreadPoolExecutor(8) as clients:
        assert len(set().union(*clients.map(backends, range(8)))) == 2


def test_pgbouncer_wants_the_password(pgbouncer: PgBouncer, server: PostgreSQL) -> None:
    password = psycopg.conninfo.conninfo_to_dict(server.url)["password"]
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(pgbouncer.url.replace(str(password), "guessed"))


def test_pgbouncer_killed_and_started_serves_at_its_address(pgbouncer: PgBouncer) -> None:
    with client(pgbouncer.url) as connection:
        pgbouncer.kill()
        with pytest.raises(psycopg.OperationalError):
            one(connection)
    pgbouncer.start()
    with client(pgbouncer.url) as connection:
        assert one(connection) == 1


def test_newer_pgbouncer_keeps_prepared_statements_apart(server: PostgreSQL) -> None:
    """Clients that share server connections prepare under the same names, and each gets its own."""
    with (
        PgBouncer(server.url, name="pgbouncer-1.24", pool_size=1, query_wait_timeout=5) as pgbouncer,
        ExitStack() as stack,
    ):
        alice, bob = (stack.enter_context(client(pgbouncer.url)) for _ in range(2))
        for connection, value in [(alice, 100), (bob, 200), (alice, 100), (bob, 200)]:
            row = psycopg.Cursor(connection).execute(f"SELECT {value} + %s", [1], prepare=True).fetchone()
            assert row == (value + 1,)


def ask(redis: Redis, command: bytes) -> bytes:
    with socket.create_connection(redis.address, timeout=SOON) as connection:
        connection.sendall(command + b"\r\n")
        return connection.recv(100)


def test_redis_stops_and_starts_at_its_address() -> None:
    with Redis() as redis:
        assert ask(redis, b"INCR hits") == b":1\r\n"
        redis.stop()
        with pytest.raises(ConnectionRefusedError):
            ask(redis, b"PING")
        redis.start()
        assert ask(redis, b"PING") == b"+PONG\r\n"


def test_redis_is_silent_while_frozen() -> None:
    with Redis() as redis, socket.create_connection(redis.address, timeout=0.1) as connection:
        redis.freeze()
        connection.sendall(b"PING\r\n")
        with pytest.raises(TimeoutError):
            connection.recv(1)
        redis.thaw()
        connection.settimeout(SOON)
        assert connection.recv(7) == b"+PONG\r\n"
