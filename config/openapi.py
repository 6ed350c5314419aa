"""The OpenAPI document: what ninja writes of the operations, completed by what all of them share."""

from typing import Any

from ninja.openapi.schema import OpenAPISchema

from config import errors

DESCRIPTION = """\
A per-user to-do list behind [Better Auth](https://www.better-auth.com).

Send the JWT that Better Auth issued as `Authorization: Bearer <JWT>`: its `sub` owns every task you create, and no
other user's task exists for you. Bodies are JSON in UTF-8, strict: unknown fields, repeated names and repeated or
unknown query parameters are refused. Timestamps are the database's clock, in UTC, with six fractional digits.
Wherever GET works, HEAD does; OPTIONS answers with `Allow`.\
"""

SERVERS = [{"url": "/", "description": "This service"}]

EXTRA = {
    "info": {
        "summary": "Create, read, update and delete your tasks, and nobody else's",
        "contact": {"name": "The Tasks API maintainers"},
        "license": {"name": "MIT", "identifier": "MIT"},
    },
    "tags": [
        {"name": "Tasks", "description": "The caller's tasks"},
        {"name": "Data rights", "description": "All that is kept of the caller: how much, as a file, and its end"},
        {"name": "Health", "description": "Probes for load balancers and people; no token needed"},
    ],
}

TAG = '"9b2cf3e1a0d84c57"'


def _string(description: str, example: str, **schema: Any) -> dict[str, Any]:  # noqa: ANN401 (JSON Schema's)
    """A header, in an answer or in a request."""
    return {"description": description, "schema": {"type": "string"} | schema, "example": example}


HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": _string(
        "The caller's, if it sent a usable one, else a new UUID; it is on every line of our log",
        "0b9a3f0e-7f1c-4f0c-9d3c-6a1f0d3f2a11",
        pattern="^[A-Za-z0-9._:-]{1,128}$",
    ),
    "Cache-Control": _string("`private, no-cache` on tasks, `no-store` on errors and files", "no-store"),
    "Location": _string(
        "The path of the new task", "/tasks/01938f3a-1234-7000-8000-000000000001", format="uri-reference"
    ),
    "Idempotency-Replayed": _string(
        "`true` on the answer of an earlier request with the same `Idempotency-Key`; else absent", "true", enum=["true"]
    ),
    "ETag": _string(
        "The entity tag, another one after each change: a task's is strong, a list's weak",
        TAG,
        pattern='^(W/)?"[0-9a-f]{16}"$',
    ),
    "Link": _string(
        'The next page (`rel="next"`, RFC 8288), with all parameters; absent on the last one',
        '</tasks?limit=50&cursor=WyIyMDI2LTExLTIwVDExOjMxOjMwLjUzNzEyM1oi>; rel="next"',
    ),
    "Content-Disposition": _string("A name for the file", 'attachment; filename="tasks-2026-11-20.json"'),
    "WWW-Authenticate": _string(
        "The challenge of RFC 6750",
        'Bearer realm="tasks", error="invalid_token", error_description="The token has expired"',
    ),
    "Retry-After": {
        "description": "Seconds after which it is worth trying again",
        "schema": {"type": "integer", "minimum": 0},
        "example": 1,
    },
    "RateLimit-Policy": _string(
        "The quota: `q` requests in `w` seconds (IETF draft); absent when no limit is set", '"user";q=600;w=60'
    ),
    "RateLimit": _string(
        "What is left: `r` requests for the next `t` seconds (IETF draft); absent when no limit is set",
        '"user";r=599;t=60',
    ),
}

PARAMETERS = {  # ninja drops those of the types
    "task_id": "The task's id, in the text form of RFC 9562, in any case",
    "since": "The `next_since` of the last answer; without it, everything from the start",
    "limit": "The most changes to send at once",
}

# Of the operations on one task, in this order.
CONDITIONS = {
    "If-Match": "`*`, or entity tags, of which the task's has to be one (a weak one never is); else 412",
    "If-None-Match": "`*`, or entity tags, of which the current one must not be one; else 304 to GET, 412 to others",
}

STATUSES = {"listTasks": {304}, "getTask": {304}, "listChanges": {410}}

# Each POST takes it, and so can replay an answer, or say 409.
KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "description": (
        "Makes the request safe to send again: the same key with the same request has the first answer again "
        "(`Idempotency-Replayed: true`), for 24 hours. With another request it is 422, "
        "`IDEMPOTENCY_KEY_REUSED`; while the first one runs, 409. A request that failed leaves its key free. "
        "1 to 255 visible ASCII characters, in quotation marks or bare: a UUID, say."
    ),
    "schema": {"type": "string", "pattern": '^("([!#-\\[\\]-~]|\\\\["\\\\]){1,255}"|[!#-~][!-~]{0,254})$'},
    "example": '"8e03978e-40d5-43e8-bc93-6894a57f9324"',
}

PAGED = {"listTasks"}

QUOTA = ("RateLimit-Policy", "RateLimit")

# status: component, description, example's message, example's details, headers beside those of every answer
RESPONSES: dict[int, tuple[str, str, str, list[str], tuple[str, ...]]] = {
    400: (
        "BadRequest",
        "The request, or the JSON in it, is malformed",
        "The body is not valid JSON",
        ["Expecting value at line 1 column 1"],
        QUOTA,
    ),
    401: (
        "Unauthorized",
        "No token, or one that is not accepted",
        "The token has expired",
        [],
        (*QUOTA, "WWW-Authenticate"),
    ),
    404: ("NotFound", "The caller has no such task", "Task not found", [], QUOTA),
    409: (
        "Conflict",
        "The first request with this `Idempotency-Key` is still running",
        "The first request with this Idempotency-Key is still running; try again",
        [],
        (*QUOTA, "Retry-After"),
    ),
    410: ("Expired", "The token is older than 30 days", "The token is too old: start again without it", [], QUOTA),
    412: (
        "PreconditionFailed",
        "The task is there, and not what `If-Match` or `If-None-Match` ask for; nothing was done",
        "The task is not what you expected: get it, and decide again",
        [],
        QUOTA,
    ),
    413: ("PayloadTooLarge", "The body is larger than the service takes", "The request body is too large", [], ()),
    415: ("UnsupportedMediaType", "The body is not `application/json`", "Send the body as application/json", [], QUOTA),
    422: (
        "ValidationError",
        "The request is well-formed and says something that cannot be",
        "The request is not valid",
        ["text: must not be only white space"],
        QUOTA,
    ),
    429: ("RateLimited", "Too many requests", "Too many requests; try again later", [], (*QUOTA, "Retry-After")),
    500: ("InternalError", "A fault of the service", "Something went wrong on our side; it has been logged", [], ()),
    503: (
        "ServiceUnavailable",
        "The database or the signing keys cannot be reached",
        "The database cannot be reached; try again",
        [],
        ("Retry-After",),
    ),
}


def complete(document: OpenAPISchema) -> OpenAPISchema:
    """Add the shared headers and error responses, in place."""
    components = document["components"]
    components["headers"] = HEADERS
    del components["schemas"]["ListParameters"]  # its fields are parameters, and ninja lists it as a schema too
    components["schemas"]["Error"] = errors.Error.model_json_schema()
    components["parameters"] = {
        name: {"in": "header", "name": name} | _string(description, TAG) for name, description in CONDITIONS.items()
    }
    components["responses"] = {RESPONSES[status][0]: _error(status) for status in RESPONSES}
    components["responses"]["NotModified"] = NOT_MODIFIED
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(operation, keyed=method == "post", with_id="{" in path)
    return document


def _complete(operation: dict[str, Any], *, keyed: bool, with_id: bool) -> None:
    secured = "security" in operation
    operation.setdefault("security", [])
    for parameter in operation["parameters"]:
        _describe(parameter)
    for status, response in operation["responses"].items():
        some = {
            QUOTA: secured,
            ("ETag",): _carries_a_task(response) or operation["operationId"] in PAGED,
            ("Location",): status == 201,  # noqa: PLR2004
            ("Idempotency-Replayed",): keyed,
            ("Link",): operation["operationId"] in PAGED,
            ("Content-Disposition",): "text/csv" in response.get("content", ()),
        }
        names = [name for names, there in some.items() if there for name in names]
        response["headers"] = _headers(*names)
    if keyed:
        operation["parameters"] += [KEY]
    if with_id:
        operation["parameters"] += [{"$ref": f"#/components/parameters/{name}"} for name in CONDITIONS]
    if operation["operationId"] in PAGED:
        operation["parameters"] += [{"$ref": "#/components/parameters/If-None-Match"}]
    for status in sorted(_errors(operation, secured=secured, keyed=keyed, with_id=with_id)):
        name = RESPONSES[status][0] if status in RESPONSES else "NotModified"
        operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
    operation["responses"] = dict(sorted(operation["responses"].items()))


def _errors(operation: dict[str, Any], *, secured: bool, keyed: bool, with_id: bool) -> set[int]:
    statuses = {413, 500} | STATUSES.get(operation["operationId"], set())
    if secured:
        statuses |= {400, 401, 422, 429, 503}
    if with_id:
        statuses |= {404, 412}
    if "requestBody" in operation:
        statuses |= {415}
    if keyed:
        statuses |= {409}
    return statuses


def _describe(parameter: dict[str, Any]) -> None:
    if "description" not in parameter:
        parameter["description"] = PARAMETERS[parameter["name"]]
    if "anyOf" in parameter["schema"]:  # a parameter is there or not, and never null
        parameter["schema"] = parameter["schema"]["anyOf"][0]
    if "examples" in parameter:  # JSON Schema's list; a parameter has one value, or a map
        parameter["example"] = parameter.pop("examples")[0]


def _carries_a_task(response: dict[str, Any]) -> bool:
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    return bool(schema.get("$ref") == "#/components/schemas/Task")


def _error(status: int) -> dict[str, Any]:
    _, description, message, details, headers = RESPONSES[status]
    return {
        "description": description,
        "headers": _headers(*headers),
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/Error"},
                "example": errors.body(status, message, details),
            }
        },
    }


def _headers(*names: str) -> dict[str, dict[str, str]]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-ID", "Cache-Control", *names)}


NOT_MODIFIED = {
    "description": "What is asked for is what `If-None-Match` names",
    "headers": _headers("ETag", *QUOTA),
}
