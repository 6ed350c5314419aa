import threading

from django.apps import AppConfig
from django.core.cache import close_caches
from django.core.handlers.base import reset_urlconf
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connections, reset_queries


class ConfigConfig(AppConfig):
    """Brings the commands and the system checks of the deployment."""

    name = "config"

    def ready(self) -> None:
        """Register the checks, and leave out what Django does around every request for what none of them has."""
        from config import checks  # noqa: F401, PLC0415 (settings can be read from here on)

        request_started.disconnect(reset_queries)
        request_finished.disconnect(close_caches)
        request_finished.disconnect(reset_urlconf)
        for signal in (request_started, request_finished):  # those who used a connection give it back themselves
            signal.disconnect(close_old_connections)
        # What asgiref's does in a thread, without looking for an event loop each time.
        connections._connections = threading.local()  # type: ignore[attr-defined]
