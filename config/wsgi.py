"""The WSGI application: the recommended and measured way to serve."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_application = get_wsgi_application()  # first, so that a bad environment is reported before anything else fails

from django.conf import settings

from config import startup
from config.body import bounded_wsgi

startup.prepare()
application = bounded_wsgi(django_application, settings.MAX_BODY_BYTES)
