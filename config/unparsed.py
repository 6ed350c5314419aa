"""What a server refuses itself, before Django sees it, is refused in the shape of all other errors."""

from http import HTTPStatus

import orjson

from config import correlation, headers
from config.logging import Logger

log = Logger("tasks_api.unparsed")

HEADERS = headers.EVERYWHERE | {
    "Connection": "close",
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    "Content-Security-Policy": headers.NOTHING,
}

CODES = {
    400: "BAD_REQUEST",
    408: "REQUEST_TIMEOUT",
    414: "URI_TOO_LONG",
    431: "REQUEST_HEADER_FIELDS_TOO_LARGE",
    500: "INTERNAL_ERROR",
}


def refusal(status: int) -> bytes:
    """A whole HTTP/1.1 response, after which the connection is closed; and its line in the log."""
    request_id = correlation.begin()
    log.warning("refused_by_server", status=status)
    correlation.end()  # this thread may be the one that serves all connections, with lines of its own
    reason = HTTPStatus(status).phrase
    code = CODES.get(status) or CODES[400 if status < 500 else 500]  # noqa: PLR2004
    body = orjson.dumps({"error": code, "message": reason})
    sent = HEADERS | {"X-Request-ID": request_id, "Content-Length": str(len(body))}
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in sent.items()), "", ""]
    return "\r\n".join(lines).encode("ascii") + body
