"""The WSGI application: the recommended and measured way to serve."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from config import startup
from config.body import bounded_wsgi

django_application = get_wsgi_application()
startup.prepare()
application = bounded_wsgi(django_application, settings.MAX_BODY_BYTES)
