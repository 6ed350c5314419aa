"""Views and a middleware that break in every way they can, quoting what they were sent in the query."""

import logging
import threading
import warnings
from collections.abc import Callable, Iterator

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from config import urls


def middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def fails(request: HttpRequest) -> HttpResponse:
        if request.path == "/broken/middleware":
            raise RuntimeError(request.GET["said"])
        return get_response(request)

    return fails


def view(request: HttpRequest) -> HttpResponse:
    """Raise an exception with a cause, a context and a note."""
    said = request.GET["said"]
    try:
        try:
            dict[str, int]()[said]
        except KeyError:
            int(said)
    except ValueError as exc:
        exc.add_note(said)
        raise RuntimeError(said) from exc
    return HttpResponse()


def group(request: HttpRequest) -> HttpResponse:
    said = request.GET["said"]
    raise ExceptionGroup(said, [ValueError(said), OSError(5, said, f"/tmp/{said}")])  # noqa: S108 (a name in a message)


def suspicious(request: HttpRequest) -> HttpResponse:
    raise SuspiciousOperation(request.GET["said"])


def bad(request: HttpRequest) -> HttpResponse:
    raise BadRequest(request.GET["said"])


def stream(request: HttpRequest) -> StreamingHttpResponse:
    said = request.GET["said"]

    def parts() -> Iterator[bytes]:
        yield b"a" * 100_000
        raise RuntimeError(said)

    return StreamingHttpResponse(parts())


def unstarted(request: HttpRequest) -> StreamingHttpResponse:
    """Fail before the first byte, which for gunicorn is time enough to answer with 500."""
    said = request.GET["said"]
    return StreamingHttpResponse(int(part) for part in [said])


def libraries(request: HttpRequest) -> HttpResponse:
    """Log, warn and fail in a thread, as libraries do."""
    said = request.GET["said"]
    log = logging.getLogger("some.library")
    log.warning("put together: " + said)  # noqa: G003 (as some do)
    log.warning("put in: %s, %d", said, 42)
    log.warning("by name: %(said)s", {"said": said})
    log.warning("missing: %s %s", said)  # noqa: PLE1206 (as some do)
    log.warning({"a dict": said})
    log.debug("at DEBUG: %s", said)
    logging.getLogger("django.db.backends").debug("SELECT %s", said)
    log.error("with all: %s", said, extra={"said": said}, stack_info=True)
    warnings.warn(said, RuntimeWarning, stacklevel=1)
    thread = threading.Thread(target=int, args=[said], name=said)
    thread.start()
    thread.join()
    return HttpResponse()


urlpatterns = [
    *(path(f"broken/{view.__name__}", view) for view in (view, group, suspicious, bad, libraries, stream, unstarted)),
    path("broken/post", csrf_exempt(view)),
    *urls.urlpatterns,
]
handler400, handler403, handler404, handler500 = urls.handler400, urls.handler403, urls.handler404, urls.handler500
