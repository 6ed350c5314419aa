"""The wire: what comes in, as plain pydantic models, and what goes out."""

import datetime as dt
import json
import re
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

import orjson
import uuid6
from ninja import Schema
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from tasks.models import ORDER_MAX, ORDER_MIN, TEXT_MAX_LENGTH, USER_ID_MAX_LENGTH, Row

# What the server decides and a client may send back as it got it.
SERVER_FIELDS = ("id", "user_id", "created_at", "updated_at", "completed_at")

LIMIT_MAX = 500  # tasks or changes in one answer
SINCE_MAX_LENGTH = 200

TASK_EXAMPLE: JsonDict = {
    "id": "01938f3a-1234-7000-8000-000000000001",
    "user_id": "toyAQF0y5vs1OXn8",
    "text": "Buy groceries",
    "completed": False,
    "order": 0,
    "created_at": "2026-11-20T11:31:30.537123Z",
    "updated_at": "2026-11-20T11:31:30.537123Z",
    "completed_at": None,
}

CHANGES_EXAMPLE: JsonDict = {
    "changes": [
        {"type": "upsert", "task": TASK_EXAMPLE},
        {
            "type": "delete",
            "id": "01938f3a-1234-7000-8000-000000000002",
            "deleted_at": "2026-11-20T11:32:05.000417Z",
        },
    ],
    "next_since": "WzQyLDE3OTUxNzQyOTBd.kKq2h1d0Jx4yZbHn1kq6mW5w3bq9Jp0oS8cVt7uRzXE",
    "has_more": False,
}


# Unicode's White_Space, written out: Python, JavaScript and JSON Schema's validators each have their own idea of \s.
WHITE_SPACE = r"\u0009-\u000d\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
VISIBLE = re.compile(rf"[^{WHITE_SPACE}]")
UUID_TEXT = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")  # RFC 9562's


def refusal(reason: str) -> PydanticCustomError:
    """What a validator raises: pydantic would keep a ValueError, and with its traceback the request, for ever."""
    return PydanticCustomError("value", "{reason}", {"reason": reason})


def speaking(text: str) -> str:
    """What has something to say, and can be stored. (No str of pydantic's has a lone surrogate.)"""
    if not VISIBLE.search(text):
        raise refusal("must not be only white space")
    if "\x00" in text:
        raise refusal("must not contain NUL")
    return text


def _integral(value: object) -> object:
    """To JSON Schema, and so to the document, 3.0 is an integer."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _hyphenated(value: object) -> object:
    """Its text form only: uuid.UUID would take braces, urn: and missing hyphens, so one task had many URLs."""
    if isinstance(value, str) and not UUID_TEXT.fullmatch(value):
        raise refusal("must be a UUID")
    return value


def _digits(value: object) -> object:
    """Of a query: int() would take signs, spaces and underscores."""
    if isinstance(value, str) and not re.fullmatch("[0-9]{1,9}", value):
        raise refusal("must be a whole number")
    return value


Text = Annotated[
    str,
    Field(
        min_length=1,
        max_length=TEXT_MAX_LENGTH,
        description="1 to 500 Unicode code points, stored exactly as sent; not only white space, no NUL",
        examples=["Buy groceries"],
        json_schema_extra={"pattern": rf"^[^\u0000]*[^\u0000{WHITE_SPACE}][^\u0000]*$"},
    ),
    AfterValidator(speaking),
]
Completed = Annotated[bool, Field(description="Whether the task is done")]
Order = Annotated[
    int,
    Field(ge=ORDER_MIN, le=ORDER_MAX, description="For the client's own ordering: 32 bits, signed"),
    BeforeValidator(_integral),  # last, so that the bounds stay in the document
]
Timestamp = Annotated[
    dt.datetime,
    Field(json_schema_extra={"pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$"}),
]
Since = Annotated[str, Field(max_length=SINCE_MAX_LENGTH)]
Limit = Annotated[int, Field(ge=1, le=LIMIT_MAX), BeforeValidator(_digits)]
TaskID = Annotated[
    UUID, BeforeValidator(_hyphenated), Field(description="The task's id, a UUID", examples=[str(TASK_EXAMPLE["id"])])
]

# Stands where a value is not, and is never seen: only what was given is read, and ninja leaves it out of the document.
# (null is another thing, and refused.)
ABSENT: Any = None


def _document(schema: dict[str, Any], model: type["TaskInput"]) -> None:
    """Say in the document what the validators do."""
    schema["properties"] |= {name: {"description": "Ignored: the server decides it"} for name in SERVER_FIELDS}
    schema["examples"] = [model.EXAMPLE]


class TaskInput(BaseModel):
    """What all bodies share: no conversions, no unknown fields, the server's own ones ignored."""

    model_config = ConfigDict(strict=True, extra="forbid", json_schema_extra=_document)

    EXAMPLE: ClassVar[dict[str, Any]]

    @model_validator(mode="before")
    @classmethod
    def _drop_server_fields(cls, data: object) -> object:
        if not isinstance(data, dict) or data.keys().isdisjoint(SERVER_FIELDS):
            return data
        return {name: value for name, value in data.items() if name not in SERVER_FIELDS}

    @property
    def given(self) -> dict[str, Any]:
        """What is to be written, by field."""
        return self.__dict__.copy()


class NewTask(TaskInput):
    """A task to be created."""

    EXAMPLE = {"text": "Buy groceries", "order": 3}

    text: Text
    completed: Completed = False
    order: Order = 0

    # Decided once, and never given: a request that is tried again makes the same task.
    id: UUID = Field(default_factory=uuid6.uuid7, exclude=True)


class TaskReplacement(TaskInput):
    """All of a task that a client decides; without `order`, it is 0 again."""

    EXAMPLE = {"text": "Buy groceries and bread", "completed": True}

    text: Text
    completed: Completed
    order: Order = 0


class TaskChanges(TaskInput):
    """What is to change; what is absent stays."""

    EXAMPLE = {"completed": True}

    text: Text = ABSENT
    completed: Completed = ABSENT
    order: Order = ABSENT

    @property
    def given(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name in self.model_fields_set}


class Task(Schema):
    """One task."""

    model_config = ConfigDict(json_schema_extra={"examples": [TASK_EXAMPLE]})

    id: UUID = Field(description="UUIDv7, made by the server")
    user_id: str = Field(description="The owner: the token's `sub`", min_length=1, max_length=USER_ID_MAX_LENGTH)
    text: Text
    completed: Completed
    order: Order
    created_at: Timestamp = Field(description="Set once, by the database's clock")
    updated_at: Timestamp = Field(description="Moves on every change and only on a change")
    completed_at: Timestamp | None = Field(description="Since when the task is done; null while it is not")


class TaskList(Schema):
    """Some of the caller's tasks."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"tasks": [TASK_EXAMPLE], "count": 1, "next_cursor": None}]}
    )

    tasks: list[Task]
    count: int = Field(description="The number of matching tasks, on this page or not", ge=0)
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last one")


class Upsert(Schema):
    """A task that was created or changed, as it is now."""

    type: Literal["upsert"]
    task: Task


class Deletion(Schema):
    """A task that was deleted, and when."""

    type: Literal["delete"]
    id: UUID = Field(description="The id that the task had")
    deleted_at: Timestamp = Field(description="By the database's clock")


class TaskChangesSince(Schema):
    """What changed, in the order it did; each task once, with the latest of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [CHANGES_EXAMPLE]})

    changes: list[Annotated[Upsert | Deletion, Field(discriminator="type")]]
    next_since: str = Field(description="Send it as `since` the next time")
    has_more: bool = Field(description="Whether there is more already")


def list_json(tasks: str, count: int, next_cursor: str | None) -> str:
    """The body of the list, from its tasks in JSON, with commas between them; its shape is `TaskList`'s."""
    return f'{{"tasks":[{tasks}],"count":{count},"next_cursor":{json.dumps(next_cursor)}}}'


class Counts(Schema):
    """How many tasks the caller has."""

    open: int = Field(description="Tasks that are not completed", ge=0)
    completed: int = Field(description="Completed tasks", ge=0)


class Me(Schema):
    """The caller, and how much is kept of them."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"user_id": "toyAQF0y5vs1OXn8", "counts": {"open": 3, "completed": 9}}]}
    )

    user_id: str = Field(description="The token's `sub`", min_length=1, max_length=USER_ID_MAX_LENGTH)
    counts: Counts


def task_json(row: Row) -> bytes:
    """One task in UTF-8 JSON, as PostgreSQL writes it too. Its shape is `Task`'s."""
    return orjson.dumps(row, timestamp, orjson.OPT_PASSTHROUGH_DATETIME)


def timestamp(value: dt.datetime) -> str:
    """ISO 8601 in UTC with six fractional digits, also where they are zeros."""
    return value.astimezone(dt.UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
