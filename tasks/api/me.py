"""What a user can do about all that is kept of them: look, take it along, have it deleted."""

from functools import partial
from typing import Annotated, Any

import orjson
from django.http import HttpResponse, StreamingHttpResponse
from ninja import Router
from ninja.errors import ValidationError
from ninja.params.functions import Query
from pydantic import WithJsonSchema

from tasks import queries
from tasks.api.answers import json_answer, no_content
from tasks.api.request import AskingRequest
from tasks.downloads import download
from tasks.export import Form
from tasks.models import Task
from tasks.schemas import Me

router = Router(tags=["Data rights"])

# Said here: ninja would copy the schema of the enumeration to where it is used, and leave the original unused.
_Form = Annotated[Form, WithJsonSchema({"type": "string", "enum": list(Form)})]
_JSON: Form = Query(Form.JSON, alias="format", description="The form of the file")
_TASKS = {
    "type": "object",
    "properties": {"tasks": {"type": "array", "items": {"$ref": "#/components/schemas/Task"}}},
    "required": ["tasks"],
}
_FILE: dict[str, Any] = {
    "description": "The file, as an attachment",
    "content": {
        form.media_type.partition(";")[0]: {"schema": _TASKS if form is Form.JSON else {"type": "string"}}
        for form in Form
    },
}


@router.get("", operation_id="getMe", summary="Who you are, and how much is kept", response=Me)
def get_me(request: AskingRequest) -> HttpResponse:
    """The caller's user id, as the token has it, and how many tasks are open and completed."""
    user_id = request.auth.user_id
    me = {"user_id": user_id, "counts": request.ask(partial(queries.counts, user_id))}
    return json_answer(orjson.dumps(me).decode())


@router.get(
    "/export", operation_id="exportMe", summary="Download your tasks", openapi_extra={"responses": {200: _FILE}}
)
def export_me(request: AskingRequest, form: _Form = _JSON) -> StreamingHttpResponse:
    """All of the caller's tasks as a file, newest first.

    It is sent while it is read, and is no snapshot: a task that is changed meanwhile is in it as it was or as it is,
    and each that is there all the while is in it once. An answer that breaks off is not the whole file.
    """
    response = download(request, Task.objects.owned_by(request.auth.user_id), form, request.ask)
    response["Cache-Control"] = "no-store"
    return response


@router.delete("", operation_id="eraseMe", summary="Delete all that is kept of you", response={204: None})
def erase_me(
    request: AskingRequest,
    confirm: Annotated[str, Query(description="The caller's user id, so that nobody does this by mistake")],
) -> HttpResponse:
    """Delete the caller's tasks and all else that is kept of them, for good; 204 also if that is nothing.

    So many tasks that it takes longer than a request may: 503. What is deleted by then stays so; send it again.
    """
    if confirm != request.auth.user_id:
        raise ValidationError([{"loc": ("query", "confirm"), "type": "value", "msg": "must be the caller's user id"}])
    request.ask(partial(queries.erase_user, confirm))
    return no_content()
