"""The limit: WSGI, psycopg and orjson, and nothing else, on the server that ours runs on.

No framework, no validation, no row-level security, no log line, no CORS; and the token is read and not verified. One
connection a thread, one statement a request, which returns what is answered. What Python and psycopg leave possible.

    gunicorn -k gthread --threads 16 bench.peers.limit:application
"""

import os
import threading
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

import orjson
import psycopg
from psycopg.rows import dict_row
from uuid6 import uuid7

FIELDS = 'id, user_id, text, completed, "order", created_at, updated_at, completed_at'
OWN = "user_id = %s AND id = %s"
LIST = f"SELECT {FIELDS} FROM task WHERE user_id = %s ORDER BY created_at DESC, id DESC"
COUNT = "(SELECT count(*) FROM task WHERE user_id = %s) AS count"
GET = f"SELECT {FIELDS} FROM task WHERE {OWN}"
INSERT = f'INSERT INTO task (id, user_id, text, completed, "order") VALUES (%s, %s, %s, %s, %s) RETURNING {FIELDS}'
DELETE = f"DELETE FROM task WHERE {OWN} RETURNING id"
COMPLETED_AT = "CASE WHEN {0} THEN coalesce(completed_at, now()) END"

Answer = tuple[str, bytes]
NOT_FOUND: Answer = ("404 Not Found", b'{"error":"NOT_FOUND"}')
_own = threading.local()


def execute(statement: str, *values: object) -> list[dict[str, Any]]:
    if not hasattr(_own, "connection"):
        _own.connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, row_factory=dict_row)
    return _own.connection.execute(statement, values, prepare=False).fetchall()


def user_of(environ: dict[str, Any]) -> str:
    payload = environ["HTTP_AUTHORIZATION"].split(".")[1]
    return orjson.loads(urlsafe_b64decode(payload + "=="))["sub"]


def body_of(environ: dict[str, Any]) -> dict[str, Any]:
    return orjson.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))


def one(rows: list[dict[str, Any]], status: str = "200 OK") -> Answer:
    return (status, dumps(rows[0])) if rows else NOT_FOUND


def dumps(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


def list_tasks(user: str, limit: str | None) -> Answer:
    if limit is None:
        tasks = execute(LIST, user)
        return "200 OK", dumps({"tasks": tasks, "count": len(tasks)})
    tasks = execute(LIST.replace(FIELDS, f"{FIELDS}, {COUNT}", 1) + " LIMIT %s", user, user, limit)
    count = [task.pop("count") for task in tasks]
    return "200 OK", dumps({"tasks": tasks, "count": count[0] if count else 0})


def create(user: str, values: dict[str, Any]) -> Answer:
    order, completed = values.get("order", 0), values.get("completed", False)
    return one(execute(INSERT, uuid7(), user, values["text"], completed, order), "201 Created")


def change(user: str, task: str, values: dict[str, Any]) -> Answer:
    sets = [f'"{name}" = %s' for name in values]
    if "completed" in values:
        sets.append(f"completed_at = {COMPLETED_AT.format(values['completed'] is True)}")
    statement = f"UPDATE task SET {', '.join(sets)}, updated_at = now() WHERE {OWN} RETURNING {FIELDS}"
    return one(execute(statement, *values.values(), user, task))


def delete(user: str, task: str) -> Answer:
    return ("204 No Content", b"") if execute(DELETE, user, task) else NOT_FOUND


def answer(environ: dict[str, Any]) -> Answer:
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    if path == "/health":
        return "200 OK", dumps({"status": "healthy", "database": execute("SELECT 'connected' AS is")[0]["is"]})
    user, task = user_of(environ), path[len("/tasks/") :]
    if method == "GET":
        query = environ["QUERY_STRING"]
        return (
            one(execute(GET, user, task)) if task else list_tasks(user, parse_qs(query)["limit"][0] if query else None)
        )
    if method == "POST":
        return create(user, body_of(environ))
    if method == "DELETE":
        return delete(user, task)
    return change(user, task, ({"order": 0} if method == "PUT" else {}) | body_of(environ))


def application(
    environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]
) -> Iterable[bytes]:
    status, body = answer(environ)
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
