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
        {"name": "Health", "description": "Probes for load balancers and people; no token needed"},
    ],
}

HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "The caller's, if it sent a usable one, else a new UUID; it is on every line of our log",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"},
        "example": "0b9a3f0e-7f1c-4f0c-9d3c-6a1f0d3f2a11",
    },
    "Cache-Control": {
        "description": "`private, no-cache` on tasks, `no-store` on errors",
        "schema": {"type": "string"},
        "example": "no-store",
    },
    "Location": {
        "description": "The path of the new task",
        "schema": {"type": "string", "format": "uri-reference"},
        "example": "/tasks/01938f3a-1234-7000-8000-000000000001",
    },
    "WWW-Authenticate": {
        "description": "The challenge of RFC 6750",
        "schema": {"type": "string"},
        "example": 'Bearer realm="tasks", error="invalid_token", error_description="The token has expired"',
    },
    "Retry-After": {
        "description": "Seconds after which it is worth trying again",
        "schema": {"type": "integer", "minimum": 0},
        "example": 1,
    },
    "RateLimit-Policy": {
        "description": "The quota: `q` requests in `w` seconds (IETF draft); absent when no limit is set",
        "schema": {"type": "string"},
        "example": '"user";q=600;w=60',
    },
    "RateLimit": {
        "description": "What is left: `r` requests for the next `t` seconds (IETF draft); absent when no limit is set",
        "schema": {"type": "string"},
        "example": '"user";r=599;t=60',
    },
}

PARAMETERS = {"task_id": "The task's id, in the text form of RFC 9562, in any case"}  # ninja drops those of the types

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
    components["schemas"]["Error"] = errors.Error.model_json_schema()
    components["responses"] = {RESPONSES[status][0]: _error(status) for status in RESPONSES}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete(operation, with_id="{" in path)
    return document


def _complete(operation: dict[str, Any], *, with_id: bool) -> None:
    secured = "security" in operation
    operation.setdefault("security", [])
    for parameter in operation["parameters"]:
        parameter.setdefault("description", PARAMETERS[parameter["name"]])
        if "examples" in parameter:  # JSON Schema's list; a parameter has one value, or a map
            parameter["example"] = parameter.pop("examples")[0]
    for status, response in operation["responses"].items():
        response["headers"] = _refs("X-Request-ID", "Cache-Control", *(QUOTA if secured else ()))
        if status == 201:  # noqa: PLR2004
            response["headers"] |= _refs("Location")
    statuses = {413, 500}
    if secured:
        statuses |= {400, 401, 422, 429, 503}
    if with_id:
        statuses |= {404}
    if "requestBody" in operation:
        statuses |= {415}
    for status in sorted(statuses):
        operation["responses"][status] = {"$ref": f"#/components/responses/{RESPONSES[status][0]}"}
    operation["responses"] = dict(sorted(operation["responses"].items()))


def _error(status: int) -> dict[str, Any]:
    _, description, message, details, headers = RESPONSES[status]
    return {
        "description": description,
        "headers": _refs("X-Request-ID", "Cache-Control", *headers),
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/Error"},
                "example": errors.body(status, message, details),
            }
        },
    }


def _refs(*names: str) -> dict[str, dict[str, str]]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
