"""Request bodies: bounded before they are read, and strict JSON when they are."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from io import BytesIO
from typing import Any, NoReturn

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from ninja.errors import ValidationError
from ninja.parser import Parser

INT_DIGITS = 20  # more than 64 bits hold; int() of thousands of digits is slow, and of more refused


class MalformedBody(Exception):
    """The body is no JSON at all."""


class UnsupportedMediaType(Exception):
    """The body is not declared as JSON in UTF-8."""


class StrictJSONParser(Parser):
    """RFC 8259 as clients mean it: UTF-8, one object, every name once, finite numbers.

    Raises UnsupportedMediaType, MalformedBody, or ValidationError where the JSON is fine and its content is not.
    """

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        if request.content_type != "application/json":
            raise UnsupportedMediaType("Send the body as application/json")
        if request.content_params and request.content_params.get("charset", "utf-8").lower() != "utf-8":
            raise UnsupportedMediaType("Send the body in UTF-8")
        document = _loads(request.body)
        if not isinstance(document, dict):
            _refuse("must be a JSON object")
        return document


def _loads(data: bytes) -> object:
    try:
        return json.loads(data.decode(), object_pairs_hook=_object, parse_constant=_constant, parse_int=_int)
    except UnicodeDecodeError as exc:
        raise MalformedBody(f"not UTF-8 at byte {exc.start}") from None
    except json.JSONDecodeError as exc:
        raise MalformedBody(f"{exc.msg} at line {exc.lineno} column {exc.colno}") from None
    except RecursionError:
        raise MalformedBody("nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        _refuse("repeats a name")
    return document


def _constant(name: str) -> NoReturn:
    _refuse(f"{name} is not a JSON number")


def _int(digits: str) -> int | float:
    return int(digits) if len(digits) <= INT_DIGITS else float(digits)


def _refuse(reason: str) -> NoReturn:
    raise ValidationError([{"loc": ("body",), "msg": reason, "type": "json"}])


WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
ASGIApplication = Callable[[dict[str, Any], Receive, Any], Awaitable[None]]


def bounded_wsgi(application: WSGIApplication, limit: int) -> WSGIApplication:
    """Read a body of at most `limit` bytes whole, and no byte of one that is declared to be larger.

    Chunked ones get a length, since Django takes them for empty; of those, `limit` + 1 bytes show that it is too much.
    A body left unread would hold up the next request on the connection: gunicorn may swallow both while it clears away.
    """

    def bounded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            data = _body(environ, limit)
        except RequestDataTooBig:
            environ["CONTENT_LENGTH"] = str(max(limit + 1, int(environ.get("CONTENT_LENGTH") or 0)))
            _close_after(start_response)
        except OSError as exc:
            environ["wsgi.input"], environ["CONTENT_LENGTH"] = _Broken(exc), "1"
            _close_after(start_response)
        else:
            environ["wsgi.input"], environ["CONTENT_LENGTH"] = BytesIO(data), str(len(data))
        return application(environ, start_response)

    return bounded


def _body(environ: dict[str, Any], limit: int) -> bytes:
    """Raises RequestDataTooBig, unread; OSError where the body breaks off, stalls, or is no chunks."""
    coding = environ.pop("HTTP_TRANSFER_ENCODING", "").strip().lower()
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if coding not in {"", "chunked"}:
        raise OSError("a transfer coding other than chunked")
    if length > limit:
        raise RequestDataTooBig
    if not coding and not length:
        return b""
    data: bytes = environ["wsgi.input"].read(limit + 1 if coding else length)
    if len(data) > limit:
        raise RequestDataTooBig
    if len(data) < length:
        raise ConnectionAbortedError("the body ended before its Content-Length")
    return data


class _Broken(BytesIO):
    """A body that breaks off, or is no chunks: it fails when somebody reads it."""

    def __init__(self, reason: OSError) -> None:
        super().__init__()
        self._reason = reason

    def read(self, _size: int | None = -1, /) -> bytes:
        raise self._reason


def _close_after(start_response: Callable[..., Any]) -> None:
    """Have gunicorn say `Connection: close`: it will close, because of what was not read, and a client should know."""
    response: Any = getattr(start_response, "__self__", None)
    if hasattr(response, "force_close"):
        response.force_close()


def bounded_asgi(application: ASGIApplication, limit: int) -> ASGIApplication:
    """The same under ASGI, where Django would read every body to its end before anything else."""

    async def bounded(scope: dict[str, Any], receive: Receive, send: Any) -> None:  # noqa: ANN401 (ASGI's)
        headers = [(name, value) for name, value in scope["headers"] if name != b"transfer-encoding"]
        declared = dict(headers).get(b"content-length")
        body = receive
        if declared is None:
            data = await _receive(receive, limit)
            if data is None:
                return
            scope = {**scope, "headers": [*headers, (b"content-length", b"%d" % len(data))]}
            body = _replay(data)
        elif int(declared) > limit:
            body = _replay(b"")
        answered = asyncio.Event()

        async def answer(message: Message) -> None:
            answered.set()
            await send(message)

        await application(scope, _listen(body, answered, receive), answer)

    return bounded


async def _receive(receive: Receive, limit: int) -> bytes | None:
    """None: the client left before the end."""
    data = b""
    while len(data) <= limit:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        data += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return data


def _replay(data: bytes) -> Receive:
    """Hand `data` over as the whole body. Of one that is refused unread, uvicorn is not even asked for the rest.

    It would tell the client to continue.
    """

    async def replay() -> Message:
        return {"type": "http.request", "body": data, "more_body": False}

    return replay


def _listen(body: Receive, answered: asyncio.Event, receive: Receive) -> Receive:
    """The body; then, once the answer has begun, that the client has left, so that Django makes no more of it.

    Said before, it would have Django forget a request whose view goes on: what that writes would have no line in the
    log.
    """
    whole = False

    async def listen() -> Message:
        nonlocal whole
        if not whole:
            message = await body()
            whole = not message.get("more_body", False)
            return message
        await answered.wait()
        while (message := await receive())["type"] != "http.disconnect":
            pass  # more of a body that was refused
        return message

    return listen
