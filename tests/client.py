"""One way to speak HTTP to the service, in this process or to a live server."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx
from django.test import Client as DjangoClient

from tests.tokens import token

TIMEOUT_SECONDS = 20
LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=2)  # uvicorn's is 5 seconds


@dataclass(frozen=True)
class Answer:
    """A response: `status`, `headers` by any case, the `body` as it came, `json` parsed."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Transport(Protocol):
    name: str

    def send(self, method: str, path: str, content: bytes, headers: Mapping[str, str]) -> Answer: ...


class InProcess:
    """Django's handler, with all middleware, without a server."""

    name = "django"
    _client = DjangoClient(raise_request_exception=False, enforce_csrf_checks=True)  # loads the middleware once

    def send(self, method: str, path: str, content: bytes, headers: Mapping[str, str]) -> Answer:
        sent = dict(headers)
        media_type = sent.pop("Content-Type", "")
        self._client.cookies.clear()
        response = self._client.generic(method, path, content, media_type, headers=sent, REMOTE_ADDR="127.0.0.1")
        body = b"".join(response)
        return Answer(response.status_code, httpx.Headers(list(response.items())), body)


class Live:
    """A server at `base_url`, over kept-alive connections."""

    def __init__(self, name: str, base_url: str) -> None:
        self.name = name
        self.base_url = base_url
        self._client = httpx.Client(base_url=base_url, timeout=TIMEOUT_SECONDS, limits=LIMITS)

    def send(self, method: str, path: str, content: bytes, headers: Mapping[str, str]) -> Answer:
        request = httpx.Request(method, self.base_url + path, content=content or None, headers=headers)
        response = self._client.send(request)
        return Answer(response.status_code, response.headers, response.content)

    def close(self) -> None:
        self._client.close()


@dataclass(frozen=True)
class User:
    """Somebody who calls the API: `sub` None is nobody, without a token."""

    transport: Transport
    sub: str | None
    headers: dict[str, str] = field(default_factory=dict)

    def call(
        self,
        method: str,
        path: str,
        document: Any = None,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send `document` as JSON, or `content` as it is (then with a Content-Type only if `headers` has one)."""
        sent = dict(self.headers)
        if self.sub is not None:
            sent["Authorization"] = f"Bearer {token(self.sub)}"
        if document is not None:
            content = json.dumps(document).encode()
            sent["Content-Type"] = "application/json"
        return self.transport.send(method, path, content or b"", sent | dict(headers or {}))

    def get(self, path: str, **options: Any) -> Answer:
        return self.call("GET", path, **options)

    def post(self, path: str, document: Any = None, **options: Any) -> Answer:
        return self.call("POST", path, document, **options)

    def put(self, path: str, document: Any = None, **options: Any) -> Answer:
        return self.call("PUT", path, document, **options)

    def patch(self, path: str, document: Any = None, **options: Any) -> Answer:
        return self.call("PATCH", path, document, **options)

    def delete(self, path: str, **options: Any) -> Answer:
        return self.call("DELETE", path, **options)

    def task(self, text: str = "Buy groceries", **fields: Any) -> dict[str, Any]:
        """Create a task and return it."""
        answer = self.post("/tasks", {"text": text, **fields})
        assert answer.status == 201, answer.body
        created: dict[str, Any] = answer.json
        return created
