"""Tasks in Django's admin, over the operators' connection. Every write keeps the model's rules and has its history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import BadRequest
from django.db import transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.text import Truncator

from tasks import turns
from tasks.admin import actions, listing, users
from tasks.admin.forms import TaskForm
from tasks.models import CLIENT_FIELDS, Task, TaskQuerySet

if TYPE_CHECKING:
    TaskAdminBase = admin.ModelAdmin[Task]
else:
    TaskAdminBase = admin.ModelAdmin

DECIDED_BY_THE_SERVER = ("id", "created_at", "updated_at", "completed_at")
SHOWN = 80  # characters of a text in a list


@admin.register(Task)
class TaskAdmin(TaskAdminBase):
    form = TaskForm
    list_display = ("shortened", "user", "completed", "order", "created_at", "updated_at")
    list_filter = ("completed", listing.CreatedFilter, listing.UserFilter)
    search_fields = ("id", "user_id", "text")
    search_help_text = "An id, a user id, or words of the text: each in full, upper or lower case"
    readonly_fields = ("user", *DECIDED_BY_THE_SERVER)
    sortable_by = ()
    list_per_page = 50
    show_facets = admin.ShowFacets.NEVER  # each would count all tasks
    actions = actions.ALL
    change_list_template = "admin/tasks/task/change_list.html"

    def get_queryset(self, request: HttpRequest) -> TaskQuerySet:
        return Task.objects.using("operator").of_all_users()

    # The list

    @admin.display(description="text")
    def shortened(self, task: Task) -> str:
        return format_html("<bdi>{}</bdi>", Truncator(" ".join(task.text.split())).chars(SHOWN))

    @admin.display(description="user")
    def user(self, task: Task) -> str:
        return format_html(
            '<a href="{}"><bdi>{}</bdi></a>', users.url(task.user_id), Truncator(task.user_id).chars(SHOWN)
        )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[listing.TaskList]:  # noqa: ANN401 (Django's)
        return listing.TaskList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Task], search_term: str
    ) -> tuple[QuerySet[Task], bool]:
        """The tasks that match, each once."""
        return (listing.matching(queryset, search_term) if search_term.strip() else queryset), False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Nothing that no index is for."""
        return lookup in {"completed__exact", "created", "user_id"}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list, or do what was chosen. Raises BadRequest if what was ticked is no task."""
        try:
            [UUID(value) for value in request.POST.getlist(ACTION_CHECKBOX_NAME)]
        except ValueError:
            raise BadRequest("the id of a task was expected") from None
        return super().changelist_view(request, extra_context)

    def get_urls(self) -> list[URLPattern]:
        """Add the pages on a user, whose ids may hold anything and so are no part of a path."""
        return [*users.urls(self), *super().get_urls()]

    # One task

    def get_fields(self, request: HttpRequest, obj: Task | None = None) -> Any:  # noqa: ANN401 (Django's)
        if obj is None:
            return ("user_id", *CLIENT_FIELDS)
        version = ("version",) if self.has_change_permission(request, obj) else ()
        return (*CLIENT_FIELDS, "user", *DECIDED_BY_THE_SERVER, *version)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Task | None:
        """The task; while it is written to, nobody else's."""
        task = super().get_object(request, object_id, from_field)
        if task and request.method == "POST":
            same = self.get_queryset(request).filter(pk=task.pk)
            turns.take(same)
            return same.select_for_update().first()
        return task

    @transaction.atomic("operator")
    def changeform_view(self, *args: Any, **options: Any) -> HttpResponse:  # noqa: ANN401 (Django's)
        """Write a task and its history at once. (Django's own transaction is on the connection of the API.)"""
        return super().changeform_view(*args, **options)

    @transaction.atomic("operator")
    def delete_view(self, *args: Any, **options: Any) -> HttpResponse:  # noqa: ANN401 (Django's)
        """Delete a task and note it at once."""
        return super().delete_view(*args, **options)

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:  # noqa: ANN401 (Django's)
        """Show what was typed for a task that was deleted meanwhile; elsewhere, as Django does."""
        if request.method != "POST" or "text" not in request.POST:
            return super()._get_obj_does_not_exist_redirect(request, opts, object_id)  # type: ignore[misc,no-any-return]  # there, and not in the stubs
        context = self.admin_site.each_context(request) | {
            "title": "This task is gone",
            "opts": self.opts,
            "text": request.POST["text"],
        }
        return TemplateResponse(request, "admin/tasks/task/gone.html", context)

    def save_model(self, request: HttpRequest, obj: Task, form: ModelForm[Task], change: bool) -> None:  # noqa: FBT001 (Django's)
        """Write as the API does, so that the database decides the times."""
        values = {name: getattr(obj, name) for name in CLIENT_FIELDS}
        if change:
            self.get_queryset(request).filter(pk=obj.pk).change(**values)
        else:
            obj.pk = self.get_queryset(request).add(user_id=obj.user_id, **values)["id"]

    def delete_model(self, request: HttpRequest, obj: Task) -> None:
        self.get_queryset(request).filter(pk=obj.pk).remove()
