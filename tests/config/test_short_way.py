"""The short way of a request ends where Django's, ninja's and corsheaders' long ways do."""

import json
from io import BytesIO
from typing import Any

import pytest
from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse
from hypothesis import given
from hypothesis import strategies as st
from ninja.errors import HttpError, ValidationError
from pydantic import BaseModel

from config import api, middleware
from config.handler import Request
from tasks.api.answers import Answer

OPERATIONS = {
    operation.operation_id: operation
    for bound in api.api._get_bound_routers()
    for view in bound.path_operations.values()
    for operation in view.operations
}


def _environ(**given: str) -> dict[str, Any]:
    body = given.pop("body", "").encode()
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/tasks", "SCRIPT_NAME": "", "CONTENT_LENGTH": str(len(body))}
    return environ | given | {"wsgi.input": BytesIO(body), "wsgi.url_scheme": "http"}


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({}, id="plain"),
        pytest.param({"REQUEST_METHOD": "post", "CONTENT_TYPE": "application/json", "body": "{}"}, id="json"),
        pytest.param({"CONTENT_TYPE": "Application/JSON; charset=latin-1", "body": "é"}, id="charset"),
        pytest.param({"CONTENT_TYPE": "text/plain; charset=nonsense"}, id="no charset"),
        pytest.param({"CONTENT_TYPE": ""}, id="no type"),
        pytest.param({"PATH_INFO": ""}, id="no path"),
        pytest.param({"PATH_INFO": "*"}, id="asterisk"),
        pytest.param({"PATH_INFO": "//tasks"}, id="two slashes"),
        pytest.param({"PATH_INFO": "/Ã©"}, id="UTF-8"),
        pytest.param({"PATH_INFO": "/\xff%"}, id="not UTF-8"),
    ],
)
def test_request_is_what_djangos_would_be(given: dict[str, str]) -> None:
    ours, djangos = Request(_environ(**given)), WSGIRequest(_environ(**given))
    for name in ("path", "path_info", "method", "content_type", "content_params", "encoding", "body", "resolver_match"):
        assert getattr(ours, name) == getattr(djangos, name), name
    assert ours.META["PATH_INFO"] == djangos.META["PATH_INFO"]
    assert {*vars(djangos)} - {*vars(ours)} == set()


def test_answer_is_what_djangos_would_be() -> None:
    ours = Answer(b"{}", 201, {"Content-Type": "application/json", "ETag": '"a"'})
    djangos = HttpResponse(b"{}", status=201, headers={"Content-Type": "application/json", "ETag": '"a"'})
    assert ours.serialize() == djangos.serialize()
    of_ours, of_djangos = ({name: str(value) for name, value in vars(one).items()} for one in (ours, djangos))
    assert of_ours == of_djangos


ID = "01938f3a-1234-7000-8000-000000000001"
SCALARS: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, 1, 2**40, 1.5, "", " ", "a", "first", "create", ID, [], {}]
)
NAMES = st.sampled_from(["text", "completed", "order", "id", "user_id", "to", "after", "op", "task", "operations", "x"])
OBJECTS = st.dictionaries(NAMES, st.one_of(SCALARS, st.dictionaries(NAMES, SCALARS)))
BODIES: dict[str, dict[str, Any]] = {
    "createTask": {"text": "a", "id": "ignored"},
    "replaceTask": {"text": "a", "completed": True},
    "updateTask": {"order": 1},
    "moveTask": {"to": "first"},
    "batchTasks": {"operations": [{"op": "delete", "id": ID}]},
}


def _read(read: api.Read, task_id: str, body: object) -> object:
    """The operation's values; or what is wrong with the request."""
    request = WSGIRequest(_environ(CONTENT_TYPE="application/json", body=json.dumps(body)))
    try:
        values = read(request, {"task_id": task_id})
    except (ValidationError, HttpError) as exc:
        return type(exc), str(exc), getattr(exc, "errors", None)
    return {name: one.model_dump(exclude={"id"}) if isinstance(one, BaseModel) else one for name, one in values.items()}


@pytest.mark.parametrize("name", BODIES)
@given(task_id=st.sampled_from([ID, ID.upper(), "1"]), changes=OBJECTS, whole=st.booleans())
def test_values_are_what_ninjas_would_be(name: str, task_id: str, changes: dict[str, Any], whole: bool) -> None:  # noqa: FBT001
    body = changes if whole else BODIES[name] | changes
    operation = OPERATIONS[name]
    assert _read(api._by_pydantic(operation), task_id, body) == _read(api._by_ninja(operation), task_id, body)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["/tasks", "/admin/login/"])
@pytest.mark.parametrize("origin", [*settings.CORS_ALLOWED_ORIGINS, "https://evil.example", "null"])
def test_front_ends_are_told_what_corsheaders_would_tell_them(method: str, path: str, origin: str) -> None:
    told = []
    for make in (middleware.cors, CorsMiddleware):
        request = HttpRequest()
        request.method, request.path, request.path_info, request.META["HTTP_ORIGIN"] = method, path, path, origin
        response: Any = make(lambda _: HttpResponse(headers={"Vary": "Accept"}))(request)
        told.append({name.lower(): value for name, value in response.items()})
    ours, corsheaders = told
    assert ours == corsheaders
