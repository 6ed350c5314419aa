"""The query of a list, as a plain pydantic model."""

import datetime as dt
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from tasks.schemas import ABSENT, Limit, refusal, speaking

Q_MAX_LENGTH = 100
CURSOR_MAX_LENGTH = 500

# What Python and PostgreSQL both understand, and nothing that either would round.
INSTANT = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-](0\d|1[0-5]):[0-5]\d)"

Sort = Literal["-created_at", "created_at", "-updated_at", "updated_at", "-order", "order"]


def _boolean(value: str) -> bool:
    if value not in {"true", "false"}:
        raise refusal("must be true or false")
    return value == "true"


def _instant(value: str) -> str:
    if not re.fullmatch(INSTANT, value, re.ASCII) or value.startswith("0000"):
        raise refusal("must be a date and time with an offset, like 2026-11-20T11:31:30Z (write + as %2B)")
    return value


# No examples of filters: Swagger UI would fill them in, and then show nothing.
Moment = Annotated[dt.datetime, BeforeValidator(_instant)]


class ListParameters(BaseModel):
    """Which tasks, in which order, and how many of them."""

    limit: Limit = Field(ABSENT, description="The most tasks of a page; without it, 10,000", examples=[50])
    cursor: str = Field(
        ABSENT,
        min_length=1,
        max_length=CURSOR_MAX_LENGTH,
        description="`next_cursor` of the page before; the other parameters, but for `limit`, have to be the same",
    )
    sort: Sort = Field(
        "-created_at",
        description="By this field, `-` for descending; tasks of the same `order` are newest first (`-order`: last)",
        examples=["-created_at"],
    )
    completed: Annotated[bool, BeforeValidator(_boolean)] = Field(
        ABSENT, description="Only tasks that are done (`true`), or that are not (`false`)"
    )
    created_at_gte: Moment = Field(
        ABSENT, description="Only tasks created then or later: `2026-11-20T11:31:30.537123Z`"
    )
    created_at_lt: Moment = Field(ABSENT, description="Only tasks created before")
    updated_at_gte: Moment = Field(ABSENT, description="Only tasks last changed then or later")
    updated_at_lt: Moment = Field(ABSENT, description="Only tasks last changed before")
    completed_at_gte: Moment = Field(ABSENT, description="Only tasks done since then or later")
    completed_at_lt: Moment = Field(ABSENT, description="Only tasks done since before")
    q: Annotated[str, BeforeValidator(speaking)] = Field(
        ABSENT,
        min_length=1,
        max_length=Q_MAX_LENGTH,
        description="Only tasks whose text has each of these words, anywhere, in upper or lower case: `milk bread`",
    )

    @property
    def filters(self) -> dict[str, Any]:
        """Those that are given, by name."""
        return self.model_dump(exclude={"limit", "cursor", "sort"}, exclude_unset=True)
