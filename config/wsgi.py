"""The WSGI application: the recommended and measured way to serve."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup(set_prefix=False)  # first, so that a bad environment is reported before anything else fails

from django.conf import settings

from config import startup
from config.body import bounded_wsgi
from config.handler import Handler

startup.prepare()
application = bounded_wsgi(Handler(), settings.MAX_BODY_BYTES)
