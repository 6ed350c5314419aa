"""One request, one answer."""

import json
from http.client import HTTPConnection
from typing import Any


def ask(port: int, method: str, path: str, token: str | None = None, body: object = None) -> tuple[int, Any]:
    """Return the status, and the body if it is JSON. Raises OSError if nobody answers."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if body is not None:
        headers["Content-Type"] = "application/json"
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    return response.status, json.loads(content) if content[:1] == b"{" else None
