"""The pages on one user: what there is of them, as a file, and gone."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import Count, Max, Min, Q
from django.http import HttpRequest, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from tasks.admin.history import erasures, note_erasure
from tasks.downloads import download
from tasks.export import Form
from tasks.models import USER_ID_MAX_LENGTH, Task, TaskQuerySet
from tasks.queries import erase_user
from tasks.turns import writing_for

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin
    from django.http.response import HttpResponseBase

NEWEST = 20


def urls(model_admin: ModelAdmin[Task]) -> list[URLPattern]:
    """The paths of the pages; which user, the query string says (`user_id`)."""
    site = model_admin.admin_site
    return [
        path("user/", site.admin_view(partial(_show, model_admin)), name="tasks_task_user"),
        path(
            "user/export/", site.admin_view(require_POST(partial(_export, model_admin))), name="tasks_task_user_export"
        ),
        path("user/erase/", site.admin_view(partial(_erase, model_admin)), name="tasks_task_user_erase"),
    ]


def url(user_id: str, page: str = "") -> str:
    """Where a page on the user is: their own, or its `export` or `erase`."""
    name = f"admin:tasks_task_user{page and f'_{page}'}"
    return f"{reverse(name)}?{urlencode({'user_id': user_id})}"


def _show(model_admin: ModelAdmin[Task], request: HttpRequest) -> HttpResponseBase:
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    user_id = _asked(request)
    tasks = _tasks(user_id)
    newest = tasks.newest_first()[:NEWEST]
    context = (
        _context(model_admin, request, user_id)
        | _facts(tasks)
        | {
            "title": "User",
            "newest": newest,
            "may_erase": model_admin.has_delete_permission(request),
            "erasures": erasures(user_id) if not newest else (),
        }
    )
    return TemplateResponse(request, "admin/tasks/task/user.html", context)


def _export(model_admin: ModelAdmin[Task], request: HttpRequest) -> HttpResponseBase:
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    try:
        form = Form(request.POST.get("form", ""))
    except ValueError:
        raise BadRequest("the form is json, csv or ics") from None
    return download(request, _tasks(_asked(request)), form)


class EraseForm(forms.Form):
    """Asks for the user's id, typed."""

    confirmation = forms.CharField(label="Type the user id to confirm", strip=False)

    def __init__(self, user_id: str, *args: Any) -> None:  # noqa: ANN401 (Django's)
        super().__init__(*args)
        self._expected = re.sub("[\r\n]", "", user_id)  # nobody can type these
        self.fields["confirmation"].widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}

    def clean_confirmation(self) -> str:
        confirmation: str = self.cleaned_data["confirmation"]
        if confirmation != self._expected:
            raise forms.ValidationError("This is not the user id. Nothing was erased.")
        return confirmation


def _erase(model_admin: ModelAdmin[Task], request: HttpRequest) -> HttpResponseBase:
    if not model_admin.has_delete_permission(request):
        raise PermissionDenied
    user_id = _asked(request)
    form = EraseForm(user_id, request.POST if request.method == "POST" else None)
    if form.is_valid():
        with writing_for(user_id):
            erased = erase_user(user_id, "operator")
            note_erasure(request, user_id, erased)
        messages.success(request, f"Erased the user, with {erased:,} tasks.")
        return HttpResponseRedirect(url(user_id))
    context = (
        _context(model_admin, request, user_id) | _facts(_tasks(user_id)) | {"title": "Erase a user", "form": form}
    )
    return TemplateResponse(request, "admin/tasks/task/erase.html", context)


def _asked(request: HttpRequest) -> str:
    user_id = request.GET.get("user_id", "")
    if not 1 <= len(user_id) <= USER_ID_MAX_LENGTH or "\x00" in user_id:
        raise BadRequest(f"user_id has 1 to {USER_ID_MAX_LENGTH} characters, none of them NUL")
    return user_id


def _tasks(user_id: str) -> TaskQuerySet:
    return Task.objects.using("operator").owned_by(user_id)


def _facts(tasks: TaskQuerySet) -> dict[str, Any]:
    return tasks.aggregate(
        open=Count("pk", filter=Q(completed=False)),
        completed=Count("pk", filter=Q(completed=True)),
        first=Min("created_at"),
        last=Max("updated_at"),
    )


def _context(model_admin: ModelAdmin[Task], request: HttpRequest, user_id: str) -> dict[str, Any]:
    return model_admin.admin_site.each_context(request) | {
        "opts": model_admin.opts,
        "user_id": user_id,
        "user_url": url(user_id),
        "list_url": f"{reverse('admin:tasks_task_changelist')}?{urlencode({'user_id': user_id})}",
        "export_url": url(user_id, "export"),
        "erase_url": url(user_id, "erase"),
    }
