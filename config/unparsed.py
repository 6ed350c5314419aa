"""What a server cannot even parse as HTTP is refused in the shape of all other errors; Django never sees it."""

import uuid

import orjson


def refusal(status: int, reason: str) -> bytes:
    """A whole HTTP/1.1 response, after which the connection is closed."""
    code = "BAD_REQUEST" if status < 500 else "INTERNAL_ERROR"  # noqa: PLR2004
    body = orjson.dumps({"error": code, "message": reason})
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-Request-ID: {uuid.uuid4()}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body
