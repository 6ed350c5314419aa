"""The one NinjaAPI: what every operation has in common, and which routers there are."""

from collections.abc import Callable
from functools import cache, partial, wraps
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import conditional_page, require_safe
from ninja import NinjaAPI
from ninja.errors import ValidationError
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from config import __version__, errors, health, openapi
from config.body import StrictJSONParser
from config.postgresql import patience, retry
from config.postgresql.row_security import acting_as
from config.rate_limit import BearerAuth
from tasks.api import router as tasks

ANSWER_SECONDS = 4.0  # what a request waits for the database, of the 5 seconds that a caller waits at most


class TasksAPI(NinjaAPI):
    """NinjaAPI with a complete document, built once."""

    def get_openapi_schema(self, **_: Any) -> OpenAPISchema:  # noqa: ANN401 (ninja's own keywords)
        return self._document()

    @cache  # noqa: B019 (there is one API, and it lives as long as the process)
    def _document(self) -> OpenAPISchema:
        return openapi.complete(super().get_openapi_schema(path_prefix=""))


def declared_query_only(operation: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Refuse query parameters that the operation does not declare, and repeated ones: ninja passes both."""
    described: Operation = operation._ninja_operation  # type: ignore[attr-defined]  # set by the router
    declared = {
        name
        for model in described.models
        if model.__ninja_param_source__ == "query"
        for name in model.__ninja_flatten_map__
    }

    @wraps(operation)
    def checked(request: HttpRequest, **values: Any) -> HttpResponse:  # noqa: ANN401 (the operation's own)
        if request.META["QUERY_STRING"]:
            problems = [
                {
                    "loc": ("query", name),
                    "type": "query",
                    "msg": "unknown query parameter" if name not in declared else "repeated",
                }
                for name, given in request.GET.lists()
                if name not in declared or len(given) > 1
            ]
            if problems:
                raise ValidationError(problems)
        return operation(request, **values)

    return checked


def on_own_rows(operation: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Run the operation on its caller's rows only, and again after a failure of the database that passes.

    A task keeps the id it was given when its input was read, so a second INSERT is found to be the first. A second
    DELETE would find nothing, and say 404 of what the first has done.
    """

    @wraps(operation)
    def confined(request: HttpRequest, **values: Any) -> HttpResponse:  # noqa: ANN401 (the operation's own)
        with acting_as(request.auth.user_id), patience.at_most(ANSWER_SECONDS):  # type: ignore[attr-defined]  # by ninja
            try:
                return retry.call(partial(operation, request, **values), repeatable=request.method != "DELETE")
            finally:
                _give_back_connection()

    return confined


def _give_back_connection() -> None:
    """To the pool, where there is one: a client may take long to read what is ready to be sent."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()


def read_only(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """GET and HEAD; to any other method the answer is 405, and not that a CSRF token is missing.

    Whoever kept the page asks whether it is still the same (304) before using it.
    """
    return csrf_exempt(require_safe(cache_control(no_cache=True)(conditional_page(view))))


api = TasksAPI(
    title="Tasks API",
    version=__version__,
    description=openapi.DESCRIPTION,
    servers=openapi.SERVERS,
    openapi_extra=openapi.EXTRA,
    parser=StrictJSONParser(),
    auth=BearerAuth(),
    urls_namespace="api",
    docs_decorator=read_only,
)
errors.install(api)
tasks.add_decorator(on_own_rows)
tasks.add_decorator(declared_query_only)
api.add_router("/tasks", tasks)
api.add_router("", health.router)


@api.get("/", auth=None, include_in_schema=False)
def index(request: HttpRequest) -> HttpResponse:
    """Where the documentation is."""
    return JsonResponse({"name": api.title, "version": __version__, "docs": api.docs_url, "openapi": api.openapi_url})
