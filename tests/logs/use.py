"""Live servers used, abused and broken, with a word wherever there is room for one."""

import re
import secrets
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg
from django.contrib.auth.hashers import make_password

from tests import live
from tests.tokens import token

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
LAST_SECONDS = 20

# A rule that quotes the row it refuses, and a failure of the kind that is answered with 503, quoting the row as well.
TRAPS = """
ALTER TABLE tasks_task ADD CONSTRAINT no_integrity CHECK (text NOT LIKE 'integrity%') NOT VALID;
CREATE FUNCTION fail_operational() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'Failing row contains (%)', NEW USING ERRCODE = '57000', DETAIL = NEW.text;
END $$;
CREATE TRIGGER fail_operational BEFORE INSERT ON tasks_task FOR EACH ROW WHEN (NEW.text LIKE 'operational%')
    EXECUTE FUNCTION fail_operational();
"""
NO_TRAPS = """
ALTER TABLE tasks_task DROP CONSTRAINT no_integrity;
DROP TRIGGER fail_operational ON tasks_task;
DROP FUNCTION fail_operational;
"""


@dataclass
class Use:
    """Requests to a server, what each was answered by its id, and every word that must not be in the log."""

    base_url: str
    words: list[str] = field(default_factory=list)
    statuses: dict[str, int | None] = field(default_factory=dict)

    def word(self, kind: str) -> str:
        """A new word that nobody may ever read in the log."""
        self.words.append(f"{kind}{secrets.token_hex(6)}")
        return self.words[-1]

    def token(self) -> str:
        made = token(self.word("sub"), name=self.word("name"))
        self.words += made.split(".")
        return made

    def send(self, name: str, method: str, path: str, client: httpx.Client | None = None, **options: Any) -> None:
        """Send a request with a word wherever there is room for one; `name` becomes its id."""
        headers = {
            "X-Request-ID": name,
            "traceparent": TRACEPARENT,
            "User-Agent": self.word("agent"),
            "X-Something": self.word("header"),
            "Referer": f"http://{self.word('referer')}.example/",
            "Cookie": f"{self.word('cookie')}={self.word('value')}",
        } | options.pop("headers", {})
        request = (client or httpx).request
        try:
            answer = request(method, self.base_url + path, headers=headers, timeout=LAST_SECONDS, **options)
        except httpx.RemoteProtocolError:  # a stream that breaks off
            self.statuses[name] = None
        else:
            self.statuses[name] = answer.status_code

    def raw(self, *lines: str) -> None:
        """Send lines that may be no HTTP at all."""
        port = httpx.URL(self.base_url).port or 0
        with socket.create_connection(("127.0.0.1", port), timeout=LAST_SECONDS) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode())
            while connection.recv(65536):
                pass


def _use_the_api(use: Use) -> None:
    authorization = {"Authorization": f"Bearer {use.token()}"}
    use.send("created", "POST", "/tasks", json={"text": use.word("text")}, headers=authorization)
    use.send("listed", "GET", "/tasks", headers=authorization)
    use.send("query", "GET", f"/tasks?{use.word('parameter')}={use.word('value')}", headers=authorization)
    use.send("task", "GET", f"/tasks/{uuid.uuid4()}", headers=authorization)
    use.send("id", "GET", f"/tasks/{use.word('id')}", headers=authorization)
    use.send("invalid", "POST", "/tasks", json={use.word("field"): use.word("text")}, headers=authorization)
    use.send("malformed", "POST", "/tasks", content=b'{"text": "%s' % use.word("text").encode(), headers=authorization)
    use.send("path", "GET", f"/{use.word('path')}")
    use.send("forged", "GET", f'/%0a%7B"event":"{use.word("forged")}"%7D%0d%0a%1b[2J')
    use.send("unsigned", "GET", "/tasks", headers={"Authorization": f"Bearer {use.token()[:-4]}AAAA"})
    use.send("basic", "GET", "/tasks", headers={"Authorization": f"Basic {use.word('basic')}"})
    use.send("host", "GET", "/tasks", headers={"Host": f"{use.word('host')}.example"})
    use.send("method", "PROPFIND", "/tasks")
    use.send("anything", use.word("METHOD").upper(), "/tasks")  # uvicorn's parser knows better
    use.send("large", "POST", "/tasks", content=use.word("text").encode() * 10_000, headers=authorization)
    for header in ("X-Request-ID", "traceparent"):
        use.send("anything", "GET", "/livez", headers={header: f"not good {use.word('bad')}"})


def _send_what_is_no_request(use: Use) -> None:
    use.raw(use.word("nonsense"))
    use.raw(f"GET /{use.word('path')} HTTP/1.1", "Host: localhost", f"{use.word('na me')}: {use.word('value')}")
    use.raw(f"GET /?{use.word('query')} HTTP/1.1", "Host: localhost", f"Content-Length: {use.word('length')}")


def _break_the_database(use: Use) -> None:
    authorization = {"Authorization": f"Bearer {use.token()}"}
    for kind in ("integrity", "operational"):
        use.send(f"crash-{kind}", "POST", "/tasks", json={"text": use.word(kind)}, headers=authorization)


def _break_views(use: Use) -> None:
    for name in ("view", "group", "middleware", "stream", "unstarted"):
        use.send(f"crash-{name}", "GET", f"/broken/{name}?said={use.word('said')}")
    use.send("crash-post", "POST", f"/broken/post?said={use.word('said')}", content=use.word("body").encode())
    for name in ("suspicious", "bad", "libraries"):
        use.send(name, "GET", f"/broken/{name}?said={use.word('said')}")


def _break_the_admin(use: Use, username: str, password: str) -> None:
    login, add = "/admin/login/", "/admin/tasks/task/add/"
    form = {"username": use.word("username"), "password": use.word("password")}
    use.send("csrf", "POST", login, data=form)
    with httpx.Client() as client:
        csrf = re.search(r'csrfmiddlewaretoken" value="(\w+)"', client.get(use.base_url + login).text)
        assert csrf
        form["csrfmiddlewaretoken"] = csrf[1]
        kept = {"Cookie": f"csrftoken={client.cookies['csrftoken']}"}
        use.send("stranger", "POST", login, data=form, headers=kept)
        form |= {"username": username, "password": password}
        signed_in = client.post(use.base_url + login, data=form)
        assert signed_in.status_code == 302, signed_in.text
        kept = {"Cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())}
        use.words += [password, *client.cookies.values()]
        form |= {"csrfmiddlewaretoken": client.cookies["csrftoken"], "text": use.word("integrity"), "order": "0"}
        form["user_id"] = use.word("owner")
        use.send("crash-admin", "POST", add, data=form, headers=kept)


@contextmanager
def traps_and_an_operator() -> Iterator[tuple[str, str]]:
    username, password = f"operator{secrets.token_hex(6)}", secrets.token_hex(12)
    with psycopg.connect(live.database_urls()["DATABASE_URL_UNPOOLED"], autocommit=True) as connection:
        connection.execute(TRAPS)
        connection.execute(
            "INSERT INTO auth_user (username, password, is_superuser, is_staff, is_active, first_name, last_name,"
            " email, date_joined) VALUES (%s, %s, true, true, true, '', '', '', now())",
            [username, make_password(password)],
        )
        try:
            yield username, password
        finally:
            connection.execute(NO_TRAPS)
            connection.execute("DELETE FROM tasks_task WHERE text LIKE 'text%%'")
            connection.execute("DELETE FROM auth_user WHERE username = %s", [username])


def use_and_break(use: Use, username: str, password: str) -> None:
    """Do all of it."""
    _use_the_api(use)
    _send_what_is_no_request(use)
    _break_the_database(use)
    _break_views(use)
    _break_the_admin(use, username, password)
