"""Every path of the service."""

from django.contrib import admin
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import RedirectView

from config import dashboard, errors, metrics
from config.api import api
from config.login import LoginForm

# No AdminSite of our own: Django would import it with the apps, before the servers have prepared config.metrics.
admin.site.login_form = LoginForm
admin.site.site_header = admin.site.site_title = "Tasks API"
admin.site.index_title = "Operators' desk"

urlpatterns = [
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.admin_view(dashboard.index)),
    path("admin/", admin.site.urls),
    path("", api.urls),
    # Last: with DEBUG, Django would answer an unknown path with a page of its own.
    re_path("", csrf_exempt(errors.refused), name=metrics.UNMATCHED),
]

handler400 = handler403 = handler404 = errors.refused
handler500 = errors.server_error
