"""Tasks in Django's admin, over the operators' connection. Every write keeps the model's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from tasks.models import Task, TaskQuerySet

if TYPE_CHECKING:
    TaskAdminBase = admin.ModelAdmin[Task]
else:
    TaskAdminBase = admin.ModelAdmin

DECIDED_BY_PEOPLE = ("text", "completed", "order")


@admin.register(Task)
class TaskAdmin(TaskAdminBase):
    list_display = ("__str__", "user_id", "completed", "order", "created_at", "updated_at")
    list_filter = ("completed", "created_at")
    search_fields = ("=id", "=user_id", "text")
    readonly_fields = ("id", "created_at", "updated_at", "completed_at")
    ordering = ("-created_at", "-id")
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> TaskQuerySet:
        return Task.objects.using("operator")

    def get_readonly_fields(self, request: HttpRequest, obj: Task | None = None) -> Any:  # noqa: ANN401 (Django's)
        """A task stays its owner's."""
        return self.readonly_fields if obj is None else ("user_id", *self.readonly_fields)

    def save_model(self, request: HttpRequest, obj: Task, form: ModelForm[Task], change: bool) -> None:  # noqa: FBT001 (Django's)
        """Write as the API does, so that the database decides the times."""
        values = {name: getattr(obj, name) for name in DECIDED_BY_PEOPLE}
        if change:
            self.get_queryset(request).filter(pk=obj.pk).change(**values)
        else:
            obj.pk = self.get_queryset(request).add(user_id=obj.user_id, **values)["id"]

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        self.get_queryset(request).filter(pk__in=queryset.values_list("pk")).remove()
