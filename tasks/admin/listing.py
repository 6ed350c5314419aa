"""The list of all users' tasks: found through indexes only, whatever is asked of it, and never counted to its end."""

from __future__ import annotations

import datetime as dt
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.views.main import PAGE_VAR, SEARCH_VAR, ChangeList
from django.contrib.postgres.search import SearchQuery
from django.db import connections, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.text import Truncator

from tasks.admin import paging
from tasks.models import USER_ID_MAX_LENGTH, WORDS, TaskQuerySet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.contrib.admin import ModelAdmin
    from django.db.models import QuerySet
    from django.http import HttpRequest

    from tasks.models import Task

COUNTED_UP_TO = 1_000


class TaskList(ChangeList):
    """Newest first, by keyset."""

    page: paging.Page
    size: str
    """How many tasks match, in words."""

    def get_ordering(self, _request: HttpRequest, _queryset: QuerySet[Any]) -> list[Any]:
        """Always the same: there are indexes for no other."""
        return ["-created_at", "-id"]

    def get_results(self, request: HttpRequest) -> None:
        queryset = cast("TaskQuerySet", self.queryset)
        with by_index(self.query):
            self.page = paging.read(queryset, request.GET.get(PAGE_VAR, ""), self.list_per_page)
            count = len(self.page.tasks)
            if self.page.newer or self.page.older:
                count = count_up_to(COUNTED_UP_TO, queryset)
        self.size = counted(count, COUNTED_UP_TO)
        self.result_list = self.page.tasks
        self.result_count = self.full_result_count = count
        self.multi_page = bool(self.page.newer or self.page.older)
        self.show_admin_actions = bool(count)

    @property
    def newer(self) -> str:
        """The query string of the page of newer tasks; empty if this is the first."""
        return self.get_query_string({PAGE_VAR: self.page.newer}) if self.page.newer else ""

    @property
    def older(self) -> str:
        """The query string of the page of older tasks; empty if this is the last."""
        return self.get_query_string({PAGE_VAR: self.page.older}) if self.page.older else ""

    @property
    def without_search(self) -> str:
        """The query string of the list with the same filters."""
        return self.get_query_string(remove=[SEARCH_VAR])


def count_up_to(limit: int, queryset: QuerySet[Task]) -> int:
    """Count the tasks, but no further than one beyond the limit."""
    return queryset.order_by()[: limit + 1].count()


def counted(count: int, limit: int) -> str:
    """Say how many tasks `count_up_to` found."""
    if count > limit:
        return f"more than {limit:,} tasks"
    return "1 task" if count == 1 else f"{count:,} tasks"


def matching(queryset: QuerySet[Task], term: str) -> QuerySet[Task]:
    """The tasks with this id, of this user, or with all these words in their text."""
    term = term.strip()
    found = Q(words=SearchQuery(term, config="simple"))
    if len(term) <= USER_ID_MAX_LENGTH:
        found |= Q(user_id=term)
    with suppress(ValueError):
        found |= Q(pk=UUID(term))
    return queryset.alias(words=WORDS).filter(found)


@contextmanager
def by_index(term: str) -> Iterator[None]:
    """Find what matches a term by the indexes that are for it.

    PostgreSQL takes a word for frequent that it has not met, and would look for it through all tasks, newest first.
    """
    with transaction.atomic("operator"):
        if term.strip():
            with connections["operator"].cursor() as cursor:  # what remains: bitmaps of the indexes' matches
                cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
        yield


class CreatedFilter(SimpleListFilter):
    title = "created"
    parameter_name = "created"
    DAYS = {
        "today": ("Today", 0),
        "7days": ("Past 7 days", 6),
        "30days": ("Past 30 days", 29),
        "year": ("Past year", 364),
    }

    def lookups(self, _request: HttpRequest, _model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(value, title) for value, (title, _) in self.DAYS.items()]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Task]) -> QuerySet[Task]:
        """Whole days, in UTC: seven of them are today and the six before."""
        days = self.DAYS.get(self.value() or "")
        if days is None:
            return queryset
        midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
        return queryset.filter(created_at__gte=midnight - dt.timedelta(days=days[1]))


class UserFilter(SimpleListFilter):
    """The tasks of one user, where a link asks for them."""

    title = "user"
    parameter_name = "user_id"

    def lookups(self, _request: HttpRequest, _model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(user_id, Truncator(user_id).chars(40))] if (user_id := self.value()) else []

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Task]) -> QuerySet[Task]:
        user_id = self.value() or ""
        return queryset.none() if "\x00" in user_id else queryset.filter(user_id=user_id)
