"""What is done with a selection of tasks: each action asks once, then says how many tasks it was.

A selection may be all that matches. What an action writes is decided when it starts, and written batch by batch, each
with its history in one transaction: whatever interrupts it, what is done is noted.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, DELETION
from django.contrib.admin.views.main import SEARCH_VAR
from django.db import transaction
from django.template.response import TemplateResponse

from tasks import turns
from tasks.admin.history import note_tasks
from tasks.admin.listing import by_index, count_up_to, counted
from tasks.downloads import download
from tasks.export import Form
from tasks.models import Task, TaskQuerySet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from django.contrib.admin import ModelAdmin
    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

MOST = 100_000  # tasks that one action writes, in some 15 s
BATCH = 2_000
EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class Writing:
    """An action that writes: to each batch of ids, returning those that there was something to do with."""

    action: str
    verb: str
    done: str
    write: Callable[[list[UUID]], list[UUID]]
    flag: int = CHANGE


def _set_completed(ids: list[UUID], *, completed: bool) -> list[UUID]:
    tasks = Task.objects.using("operator").filter(pk__in=ids).exclude(completed=completed)
    turns.take(tasks)
    return [row["id"] for row in tasks.change(completed=completed)]


def _delete(ids: list[UUID]) -> list[UUID]:
    tasks = Task.objects.using("operator").filter(pk__in=ids)
    turns.take(tasks)
    there = list(tasks.select_for_update().values_list("pk", flat=True))
    tasks.remove()
    return there


COMPLETE = Writing("complete", "Complete", "Completed", lambda ids: _set_completed(ids, completed=True))
REOPEN = Writing("reopen", "Reopen", "Reopened", lambda ids: _set_completed(ids, completed=False))
DELETE = Writing("delete_selected", "Delete", "Deleted", _delete, DELETION)


@admin.action(permissions=["change"], description="Complete selected tasks")
def complete(model_admin: ModelAdmin[Task], request: HttpRequest, queryset: QuerySet[Task]) -> HttpResponseBase | None:
    """Complete those that are open."""
    return _write(model_admin, request, queryset, COMPLETE)


@admin.action(permissions=["change"], description="Reopen selected tasks")
def reopen(model_admin: ModelAdmin[Task], request: HttpRequest, queryset: QuerySet[Task]) -> HttpResponseBase | None:
    """Reopen those that are completed."""
    return _write(model_admin, request, queryset, REOPEN)


@admin.action(permissions=["delete"], description="Delete selected tasks")
def delete_selected(
    model_admin: ModelAdmin[Task], request: HttpRequest, queryset: QuerySet[Task]
) -> HttpResponseBase | None:
    """In place of Django's, which reads every task that it deletes and lists it."""
    return _write(model_admin, request, queryset, DELETE)


@admin.action(permissions=["view"], description="Export selected tasks as CSV")
def export_csv(model_admin: ModelAdmin[Task], request: HttpRequest, queryset: QuerySet[Task]) -> HttpResponseBase:
    """All of each task, as a table."""
    return _export(model_admin, request, queryset, Form.CSV)


@admin.action(permissions=["view"], description="Export selected tasks as JSON")
def export_json(model_admin: ModelAdmin[Task], request: HttpRequest, queryset: QuerySet[Task]) -> HttpResponseBase:
    """All of each task, as the API's list has it."""
    return _export(model_admin, request, queryset, Form.JSON)


ALL = (complete, reopen, export_csv, export_json, delete_selected)


def _export(
    model_admin: ModelAdmin[Task], request: HttpRequest, queryset: QuerySet[Task], form: Form
) -> HttpResponseBase:
    if "confirmed" in request.POST:
        return download(request, cast("TaskQuerySet", queryset), form)
    count, question = _question(model_admin, request, queryset)
    title = f"Export {counted(count, MOST)} as {form.upper()}"
    return _ask(request, question | {"title": title, "action": f"export_{form}", "button": "Download"})


def _write(
    model_admin: ModelAdmin[Task], request: HttpRequest, queryset: QuerySet[Task], writing: Writing
) -> HttpResponseBase | None:
    if "confirmed" not in request.POST:
        count, question = _question(model_admin, request, queryset)
        title = f"{writing.verb} {counted(count, MOST)}"
        question |= {"title": title, "refusal": _too_many() if count > MOST else ""}
        return _ask(request, question | {"action": writing.action, "button": writing.verb})
    with by_index(request.GET.get(SEARCH_VAR, "")):
        ids = list(queryset.order_by().values_list("pk", flat=True)[: MOST + 1])
    if len(ids) > MOST:
        messages.error(request, f"Nothing was done: {_too_many()}")
        return None
    written = sum(_write_batch(request, batch, writing) for batch in _batches(ids))
    rest = "" if written == len(ids) else " There was nothing to do with the others."
    messages.success(request, f"{writing.done} {counted(written, MOST)}.{rest}")
    return None


def _write_batch(request: HttpRequest, ids: list[UUID], writing: Writing) -> int:
    with transaction.atomic("operator"):
        written = writing.write(ids)
        note_tasks(request, written, writing.flag, f"{writing.done}, in the list.")
    return len(written)


def _batches(ids: list[UUID]) -> Iterator[list[UUID]]:
    rest = iter(ids)
    while batch := list(islice(rest, BATCH)):
        yield batch


def _too_many() -> str:
    return f"an action writes at most {MOST:,} tasks. Filter the list, or search it, for fewer."


def _question(
    model_admin: ModelAdmin[Task], request: HttpRequest, queryset: QuerySet[Task]
) -> tuple[int, dict[str, Any]]:
    """How many tasks it is about (one beyond MOST stands for any more), and what the page that asks shows of them."""
    with by_index(request.GET.get(SEARCH_VAR, "")):
        count = count_up_to(MOST, queryset)
        examples = list(queryset[:EXAMPLES])
    across = request.POST.get("select_across", "0")
    selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
    return count, model_admin.admin_site.each_context(request) | {
        "opts": model_admin.opts,
        "examples": examples,
        "more": count > len(examples),
        "across": across,
        "selected": selected if across == "0" else selected[:1],  # Django wants to see one
        "list_url": request.get_full_path(),
    }


def _ask(request: HttpRequest, context: dict[str, Any]) -> HttpResponseBase:
    return TemplateResponse(request, "admin/tasks/task/confirm.html", context)
