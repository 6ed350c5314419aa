"""The one NinjaAPI: what every operation has in common, and which routers there are."""

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.errors import ValidationError
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from config import __version__, errors, health, openapi
from config.body import StrictJSONParser
from config.rate_limit import BearerAuth
from tasks.api import router as tasks


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


def read_only(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """GET and HEAD; to any other method the answer is 405, and not that a CSRF token is missing."""
    return csrf_exempt(require_safe(view))


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
tasks.add_decorator(declared_query_only)
api.add_router("/tasks", tasks)
api.add_router("", health.router)


@api.get("/", auth=None, include_in_schema=False)
def index(request: HttpRequest) -> HttpResponse:
    """Where the documentation is."""
    return JsonResponse({"name": api.title, "version": __version__, "docs": api.docs_url, "openapi": api.openapi_url})
