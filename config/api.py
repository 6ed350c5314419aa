"""The one NinjaAPI: what every operation has in common, and which routers there are."""

from collections.abc import Callable
from functools import cache, partial, wraps
from typing import Any, TypeVar

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.http.response import HttpResponseBase
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
from tasks.api import batch, me, tasks

ANSWER_SECONDS = 4.0  # what a request waits for the database, of the 5 seconds that a caller waits at most


Answer = TypeVar("Answer")
Read = Callable[[HttpRequest, dict[str, Any]], dict[str, Any]]

ONCE = {"batchTasks", "clearCompleted"}  # operations that may answer something else when they are done twice

_UNUSED = HttpResponse()


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


def ask(user_id: str, question: Callable[[], Answer], *, repeatable: bool = True) -> Answer:
    """Ask the database on behalf of a user: of their own rows only, and again after a failure of it that passes."""
    with acting_as(user_id), patience.at_most(ANSWER_SECONDS):
        try:
            return retry.call(question, repeatable=repeatable)
        finally:
            connection.close_if_unusable_or_obsolete()  # a client may take long to read what is ready to be sent


def on_own_rows(operation: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Run the operation on its caller's rows only, and again after a failure of the database that passes.

    A task keeps the id it was given when its input was read, so a second INSERT is found to be the first; with an
    Idempotency-Key, anything is. A second DELETE would find nothing, and say 404 of what the first has done; a second
    conditional write, another task than it was meant for, and say 412; so would operations of a batch.
    """
    name = operation._ninja_operation.operation_id  # type: ignore[attr-defined]  # set by the router

    @wraps(operation)
    def confined(request: HttpRequest, **values: Any) -> HttpResponse:  # noqa: ANN401 (the operation's own)
        user_id = request.auth.user_id  # type: ignore[attr-defined]  # by ninja
        return ask(user_id, partial(operation, request, **values), repeatable=_repeatable(request, name))

    return confined


def _repeatable(request: HttpRequest, name: str) -> bool:
    if request.method == "POST" and "HTTP_IDEMPOTENCY_KEY" in request.META:
        return True
    conditional = "HTTP_IF_MATCH" in request.META or "HTTP_IF_NONE_MATCH" in request.META
    return request.method == "GET" or not (request.method == "DELETE" or conditional or name in ONCE)


def able_to_ask(operation: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Let the operation, and what it leaves to be done while its answer is sent, ask on its caller's behalf."""

    @wraps(operation)
    def enabled(request: HttpRequest, **values: Any) -> HttpResponseBase:  # noqa: ANN401 (the operation's own)
        request.ask = partial(ask, request.auth.user_id)  # type: ignore[attr-defined]  # `AskingRequest`
        return operation(request, **values)

    return enabled


_PLAIN = frozenset({"path", "body"})


def _sources(operation: Operation) -> list[str]:
    return [model.__ninja_param_source__ for model in operation.models]


def _by_ninja(operation: Operation) -> Read:
    """Without a query, parameters that come from nowhere else are the same each time."""
    only_query = set(_sources(operation)) == {"query"}
    without: dict[str, Any] = {}

    def read(request: HttpRequest, path: dict[str, Any]) -> dict[str, Any]:
        if not only_query or request.META["QUERY_STRING"]:
            return operation._get_values(request, path, _UNUSED)
        if not without:
            without.update(operation._get_values(request, path, _UNUSED))
        return without

    return read


def _by_pydantic(operation: Operation) -> Read:
    """What is valid, in a fifth of ninja's time; of anything else, ninja says what is wrong with it."""
    models = [
        (getattr(model, "__read_from_single_attr__", None), model.__pydantic_validator__.validate_python)
        for model in operation.models
    ]

    def read(request: HttpRequest, path: dict[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        try:
            for body, validate in models:
                values |= validate({body: api.parser.parse_body(request)} if body else path).__dict__
        except UnreadablePostError:  # there is nothing to be read again
            raise
        except Exception:  # noqa: BLE001 (it comes again)
            return operation._get_values(request, path, _UNUSED)
        return values

    return read


def straight(operation: Operation) -> None:
    """Leave out what ninja asks for each time and ours never has: async auth, throttles, streams, other results."""
    read = _by_pydantic(operation) if _PLAIN.issuperset(_sources(operation)) else _by_ninja(operation)

    def run(request: HttpRequest, **path: Any) -> HttpResponseBase:  # noqa: ANN401 (of any type)
        try:
            for authenticate in operation.auth_callbacks:
                request.auth = authenticate(request)  # type: ignore[attr-defined]  # ninja's
            response: HttpResponseBase = operation.view_func(request, **read(request, path))
        except Exception as exc:  # noqa: BLE001 (as ninja does)
            return api.on_exception(request, exc)
        return response

    operation.run = run  # type: ignore[method-assign]


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
for group in (batch, tasks):
    group.router.add_decorator(on_own_rows)
me.router.add_decorator(able_to_ask)
for path, group in (("/tasks", batch), ("/tasks", tasks), ("/me", me)):  # in this order: no id is `batch`
    group.router.add_decorator(declared_query_only)
    api.add_router(path, group.router)
api.add_router("", health.router)


@api.get("/", auth=None, include_in_schema=False)
def index(request: HttpRequest) -> HttpResponse:
    """Where the documentation is."""
    return JsonResponse({"name": api.title, "version": __version__, "docs": api.docs_url, "openapi": api.openapi_url})


for bound in api._get_bound_routers():
    for view in bound.path_operations.values():
        for operation in view.operations:
            straight(operation)
