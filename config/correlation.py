"""Which request this is, and of which trace: what every line of its log has in common."""

import os
import re
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any

ASGIApplication = Callable[[dict[str, Any], Any, Any], Awaitable[None]]

REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

# W3C Trace Context. Version 00 is exactly this; later ones may go on after another hyphen, and version ff is none.
TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})(?P<trace_id>[0-9a-f]{32})-(?!0{16})(?P<parent_id>[0-9a-f]{16})"
    r"-[0-9a-f]{2}(?P<more>-.*)?"
)

_request: ContextVar[Mapping[str, str] | None] = ContextVar("request", default=None)


def begin(offered_id: str = "", traceparent: str = "") -> str:
    """Put the request's id, and its trace if it has one, on every line from here on. Returns the id."""
    request_id = offered_id if offered_id and REQUEST_ID.fullmatch(offered_id) else _new_id()
    _request.set({"request_id": request_id} | (trace(traceparent) if traceparent else {}))
    return request_id


def end() -> None:
    """Put nothing on the lines that follow."""
    _request.set(None)


def current() -> Mapping[str, str]:
    """What goes on a line that is written now."""
    return _request.get() or {}


def _new_id() -> str:
    """A UUID of version 4, for which `uuid` takes five times as long."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def trace(traceparent: str) -> dict[str, str]:
    """`trace_id` and `parent_id` of a valid header; of any other, nothing."""
    found = TRACEPARENT.fullmatch(traceparent)
    if found is None or (found["version"] == "00" and found["more"]):
        return {}
    return {"trace_id": found["trace_id"], "parent_id": found["parent_id"]}


def identified_asgi(application: ASGIApplication) -> ASGIApplication:
    """Have uvicorn know the id too, which logs what fails while a response streams: Django binds it in a task below."""

    async def identified(scope: dict[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401 (ASGI's)
        request_id = begin(_header(scope, b"x-request-id"), _header(scope, b"traceparent"))
        others = [(name, value) for name, value in scope["headers"] if name != b"x-request-id"]
        await application({**scope, "headers": [*others, (b"x-request-id", request_id.encode())]}, receive, send)

    return identified


def _header(scope: dict[str, Any], wanted: bytes) -> str:
    """The value of a header; of one that is repeated all, as Django joins them."""
    values: list[bytes] = [value for name, value in scope["headers"] if name == wanted]
    return b",".join(values).decode("latin-1")
