"""Which request this is, and of which trace: what every line of its log has in common."""

import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

ASGIApplication = Callable[[dict[str, Any], Any, Any], Awaitable[None]]

REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

# W3C Trace Context. Version 00 is exactly this; later ones may go on after another hyphen, and version ff is none.
TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})(?P<trace_id>[0-9a-f]{32})-(?!0{16})(?P<parent_id>[0-9a-f]{16})"
    r"-[0-9a-f]{2}(?P<more>-.*)?"
)


def begin(offered_id: str, traceparent: str) -> str:
    """Put the request's id, and its trace if it has one, on every line from here on. Returns the id."""
    request_id = offered_id if REQUEST_ID.fullmatch(offered_id) else str(uuid.uuid4())
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id, **trace(traceparent))
    return request_id


def trace(traceparent: str) -> dict[str, str]:
    """`trace_id` and `parent_id` of a valid header; of any other, nothing."""
    found = TRACEPARENT.fullmatch(traceparent)
    if found is None or (found["version"] == "00" and found["more"]):
        return {}
    return {"trace_id": found["trace_id"], "parent_id": found["parent_id"]}


def identified_asgi(application: ASGIApplication) -> ASGIApplication:
    """Have uvicorn know the id too, which logs what fails while a response streams: Django binds it in a task below."""

    async def identified(scope: dict[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401 (ASGI's)
        if scope["type"] == "http":
            request_id = begin(_header(scope, b"x-request-id"), _header(scope, b"traceparent"))
            others = [(name, value) for name, value in scope["headers"] if name != b"x-request-id"]
            scope = {**scope, "headers": [*others, (b"x-request-id", request_id.encode())]}
        await application(scope, receive, send)

    return identified


def _header(scope: dict[str, Any], wanted: bytes) -> str:
    """The value of a header; of one that is repeated all, as Django joins them."""
    values: list[bytes] = [value for name, value in scope["headers"] if name == wanted]
    return b",".join(values).decode("latin-1")
