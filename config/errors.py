"""Whatever is raised on the way becomes a response here, and only here."""

import sys
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

import orjson
from django.conf import settings
from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError
from django.dispatch import receiver
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from ninja import NinjaAPI, Schema
from ninja.errors import HttpError, ValidationError
from pydantic import Field

from authjwt.keys import KeysUnavailable
from authjwt.refusal import InvalidToken
from config import tracebacks, unparsed
from config.body import MalformedBody, UnsupportedMediaType
from config.logging import Logger
from config.rate_limit import Quota, RateLimited
from tasks.batches import BatchFailed
from tasks.changes import ExpiredToken
from tasks.idempotency import KeyReused, StillRunning
from tasks.models import Task
from tasks.ordering import NoRoom, NoSuchNeighbour
from tasks.preconditions import PreconditionFailed
from tasks.tokens import ForgedToken

log = Logger(__name__)

RETRY_AFTER_SECONDS = 1
SHOWN_DETAILS = 20
SHOWN_CHARACTERS = 200

CODES = unparsed.CODES | {
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",  # the admin's only; the API says 404 of what is not the caller's
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    409: "CONFLICT",
    410: "SYNC_TOKEN_EXPIRED",
    412: "PRECONDITION_FAILED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    416: "RANGE_NOT_SATISFIABLE",  # of a static file
    422: "VALIDATION_ERROR",
    429: "RATE_LIMITED",
    503: "SERVICE_UNAVAILABLE",
}
KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"  # 422, too
BATCH_FAILED = "BATCH_FAILED"  # 422, too


class Error(Schema):
    """The one shape of every answer with a status of 400 or more."""

    error: str = Field(
        description="What went wrong, for a program",
        examples=["NOT_FOUND"],
        json_schema_extra={"enum": [*CODES.values(), KEY_REUSED, BATCH_FAILED]},
    )
    message: str = Field(description="What went wrong, for a person", examples=["Task not found"])
    details: list[str] = Field(
        default_factory=list, description="What exactly, one line each; only where there is something to add"
    )


def body(status: int, message: str, details: Iterable[str] = (), code: str | None = None) -> dict[str, object]:
    """The JSON object of an error, free of what JSON in UTF-8 cannot carry; `code` if it is not the status's own."""
    shown = [_shown(line) for _, line in zip(range(SHOWN_DETAILS), details, strict=False)]
    return {"error": code or CODES[status], "message": _shown(message)} | ({"details": shown} if shown else {})


def _shown(text: str) -> str:
    return text[:SHOWN_CHARACTERS].encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def error_response(
    status: int,
    message: str,
    details: Iterable[str] = (),
    headers: dict[str, str] | None = None,
    code: str | None = None,
) -> HttpResponse:
    """An error in the one shape."""
    return never_stored(status, body(status, message, details, code), headers)


def never_stored(status: int, content: dict[str, object], headers: dict[str, str] | None = None) -> HttpResponse:
    """JSON that no cache keeps."""
    return HttpResponse(
        orjson.dumps(content),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"} | (headers or {}),
    )


def unavailable(message: str, retry_after: int = RETRY_AFTER_SECONDS) -> HttpResponse:
    """503, with the seconds after which it is worth trying again."""
    return error_response(503, message, headers={"Retry-After": str(retry_after)})


def to_response(exc: BaseException | None) -> HttpResponse:
    """The response for an exception, by its type or the nearest type it derives from."""
    return (_answer_for(exc) or _internal_error)(exc)


def _answer_for(exc: BaseException | None) -> Callable[[Any], HttpResponse] | None:
    return next((ANSWERS[kind] for kind in type(exc).__mro__ if kind in ANSWERS), None)


def _rate_limited(quota: Quota) -> HttpResponse:
    headers = quota.headers | {"Retry-After": str(max(1, quota.reset))}
    return error_response(429, "Too many requests; try again later", headers=headers)


def _validation_error(exc: ValidationError) -> HttpResponse:
    details = [f"{_location(error['loc'])}: {error['msg'].removeprefix('Value error, ')}" for error in exc.errors]
    if any(error["loc"][0] == "path" for error in exc.errors):
        return error_response(422, "Invalid task ID format", details)
    return error_response(422, "The request is not valid", details)


def _location(loc: tuple[str | int, ...]) -> str:
    """Where: ("body", "payload", "text") is `text`, ("path", "task_id") is `task_id`, the body itself `body`."""
    source, *names = loc
    inner = names[1:] if source == "body" else names
    return ".".join(str(name)[: SHOWN_CHARACTERS // 2] for name in inner) or str(source)


def _invalid_token(exc: InvalidToken) -> HttpResponse:
    return error_response(401, exc.description, headers={"WWW-Authenticate": exc.www_authenticate})


def _parser_error(exc: HttpError) -> HttpResponse:
    """Ninja wraps whatever the parser of bodies raises."""
    return to_response(exc.__cause__)


def _database_unavailable(exc: OperationalError | InterfaceError) -> HttpResponse:
    log.warning("database_unavailable", **tracebacks.facts(exc.__cause__ or exc))
    return unavailable("The database cannot be reached; try again")


def _still_running() -> HttpResponse:
    message = "The first request with this Idempotency-Key is still running; try again"
    return error_response(409, message, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def _batch_failed(exc: BatchFailed) -> HttpResponse:
    answer = to_response(exc.cause)
    cause = orjson.loads(answer.content)
    details = [f"operations.{exc.index}: {answer.status_code} {cause['error']} {cause['message']}"]
    return error_response(422, "An operation could not be done, so none was", details, code=BATCH_FAILED)


def _no_such_neighbour(exc: NoSuchNeighbour) -> HttpResponse:
    return error_response(422, "The request is not valid", [f"{exc.side}: must be another task of yours"])


def _too_large() -> HttpResponse:
    """Nobody reads the rest of the body, so the connection cannot be used again (gunicorn puts its own header)."""
    details = [f"limit: {settings.MAX_BODY_BYTES} bytes"]
    return error_response(413, "The request body is too large", details, {"Connection": "close"})


def _internal_error(_exc: BaseException | None) -> HttpResponse:
    return error_response(500, "Something went wrong on our side; it has been logged")


@receiver(got_request_exception)
def _log_crash(**_: Any) -> None:  # noqa: ANN401 (whatever the signal sends)
    """Django sends this once for each exception that nothing expects, from views and middleware, with DEBUG too."""
    exc = sys.exc_info()[1]
    if _answer_for(exc) is None:
        log.error("unhandled_exception", exc_info=exc)


ANSWERS: dict[type[BaseException], Callable[[Any], HttpResponse]] = {
    InvalidToken: _invalid_token,
    KeysUnavailable: lambda exc: unavailable("The signing keys cannot be reached; try again", exc.retry_after),
    RateLimited: lambda exc: _rate_limited(exc.quota),
    KeyReused: lambda _: error_response(422, "This Idempotency-Key came with another request before", code=KEY_REUSED),
    StillRunning: lambda _: _still_running(),
    Task.DoesNotExist: lambda _: error_response(404, "Task not found"),
    ExpiredToken: lambda _: error_response(410, "The token is too old: start again without it"),
    ForgedToken: lambda exc: error_response(
        422, "The request is not valid", [f"{exc.purpose}: is none that you got here"]
    ),
    PreconditionFailed: lambda _: error_response(412, "The task is not what you expected: get it, and decide again"),
    BatchFailed: _batch_failed,
    NoSuchNeighbour: _no_such_neighbour,
    NoRoom: lambda _: error_response(409, "There is no number left for `order`"),
    ValidationError: _validation_error,
    HttpError: _parser_error,
    MalformedBody: lambda exc: error_response(400, "The body is not valid JSON", [str(exc)]),
    UnsupportedMediaType: lambda exc: error_response(415, str(exc)),
    UnreadablePostError: lambda _: error_response(400, "The body could not be read to its end"),
    RequestDataTooBig: lambda _: _too_large(),
    OperationalError: _database_unavailable,
    InterfaceError: _database_unavailable,
    Http404: lambda _: error_response(404, "No such resource"),
    PermissionDenied: lambda _: error_response(403, "You may not do this"),
    SuspiciousOperation: lambda _: error_response(400, "The request is malformed"),
    BadRequest: lambda _: error_response(400, "The request is malformed"),
}


def _answer(_request: HttpRequest, exc: Any) -> HttpResponse:  # noqa: ANN401 (ninja: an exception, or its class)
    """What nothing expects goes on to Django, which is told of it in one place."""
    if _answer_for(exc) is None:
        raise exc
    return to_response(exc)


def install(api: NinjaAPI) -> None:
    """Answer for everything an operation raises."""
    for kind in (Exception, HttpError, ValidationError, Http404):
        api.add_exception_handler(kind, _answer)


def csrf_failure(_request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW (the admin's forms)."""
    return error_response(403, "CSRF verification failed", [reason] if reason else [])


def refused(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's handler400, handler403 and handler404, and the view of every path that is no other view's."""
    if request.path.endswith("/") and exception is None:
        return error_response(404, "No such resource", ["the paths of the API do not end in a slash"])
    return to_response(exception or Http404())


def server_error(_request: HttpRequest) -> HttpResponse:
    """Django's handler500: called while the exception is being handled."""
    return to_response(sys.exc_info()[1])


def for_status(response: HttpResponseBase) -> HttpResponse:
    """Put an error that some library answered in its own words into the one shape, headers kept."""
    status = response.status_code if response.status_code in CODES else (400 if response.status_code < 500 else 500)  # noqa: PLR2004
    shaped = error_response(status, HTTPStatus(response.status_code).phrase)
    for name in ("Allow", "Content-Range", "Retry-After", "WWW-Authenticate"):
        if name in response:
            shaped[name] = response[name]
    return shaped
