"""The wire of what concerns several tasks: what comes in, as plain pydantic models, and what goes out."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from ninja import Schema
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from tasks.ordering import Place
from tasks.preconditions import HEADER, Preconditions
from tasks.schemas import ABSENT, TASK_EXAMPLE, NewTask, Task, TaskChanges, TaskID, refusal

OPERATIONS_MAX = 100


def _tags(value: str) -> str:
    if not re.fullmatch(HEADER, value):
        raise refusal("must be * or a list of quoted entity tags")
    return value


_ID = Annotated[TaskID, Field(strict=False)]  # JSON has no UUIDs
_IfMatch = Annotated[
    str,
    Field(
        description="As the header If-Match: only if the task's entity tag is one of these",
        examples=['"9b2cf3e1a0d84c57"'],
        json_schema_extra={"pattern": HEADER},
    ),
    AfterValidator(_tags),
]


def _exactly_one(schema: dict[str, Any]) -> None:
    schema |= {"minProperties": 1, "maxProperties": 1, "examples": [{"after": TASK_EXAMPLE["id"]}, {"to": "first"}]}


class _Input(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class Move(_Input):
    """Where a task is to stand: exactly one of the three."""

    model_config = ConfigDict(json_schema_extra=_exactly_one)

    after: _ID = Field(ABSENT, description="The id of the task that it is to follow")
    before: _ID = Field(ABSENT, description="The id of the task that is to follow it")
    to: Literal["first", "last"] = Field(ABSENT, description="Before or after all other tasks")

    @model_validator(mode="after")
    def _one(self) -> "Move":
        if len(self.model_fields_set) != 1:
            raise refusal("must have exactly one of after, before, to")
        return self

    @property
    def place(self) -> Place:
        if "to" in self.model_fields_set:
            return Place(self.to)
        return Place("after", self.after) if "after" in self.model_fields_set else Place("before", self.before)


class _Conditional(_Input):
    id: _ID
    if_match: _IfMatch = ABSENT

    @property
    def when(self) -> Preconditions:
        return Preconditions.of({"HTTP_IF_MATCH": self.if_match} if self.if_match else {})


class Create(_Input):
    """As POST /tasks."""

    op: Literal["create"]
    task: NewTask


class Update(_Conditional):
    """As PATCH /tasks/{id}."""

    op: Literal["update"]
    task: TaskChanges


class Delete(_Conditional):
    """As DELETE /tasks/{id}."""

    op: Literal["delete"]


_KINDS: Final[Mapping[object, type[BaseModel]]] = {"create": Create, "update": Update, "delete": Delete}


def _read(value: object) -> object:
    """By the one model that is meant, so that a problem is where the body has it, and not below the name of a model."""
    kind = value.get("op") if isinstance(value, dict) else None
    return _KINDS[kind].model_validate(value) if isinstance(kind, str) and kind in _KINDS else value


Operation = Annotated[Create | Update | Delete, Field(discriminator="op"), BeforeValidator(_read)]


class Batch(_Input):
    """Operations that are done one after another, all or none."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "operations": [
                        {"op": "create", "task": {"text": "Buy groceries"}},
                        {"op": "update", "id": TASK_EXAMPLE["id"], "task": {"completed": True}},
                        {"op": "delete", "id": "01938f3a-1234-7000-8000-000000000002"},
                    ]
                }
            ]
        }
    )

    operations: list[Operation] = Field(min_length=1, max_length=OPERATIONS_MAX)


class Written(Schema):
    """The task as it is after the operation."""

    status: Literal[200, 201]
    task: Task


class Deleted(Schema):
    """The task is gone."""

    status: Literal[204]


class BatchResults(Schema):
    """What each operation would have been answered with, in their order."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"results": [{"status": 201, "task": TASK_EXAMPLE}, {"status": 204}]}]}
    )

    results: list[Written | Deleted]


class Cleared(Schema):
    """How many tasks were deleted."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"deleted": 3}]})

    deleted: int = Field(ge=0)
