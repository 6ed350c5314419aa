"""What `make run` does once the dependencies are there."""

import io
import os
import socket
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand

from tasks.models import Task

DEMO_USER = "demo"
DEMO_TASKS = ("Buy groceries", "Read the API's documentation at /docs", "Write the first front end")


class Command(BaseCommand):
    help = "Migrate, add demo tasks, print how to call the API, and serve it on 127.0.0.1:PORT."

    def handle(self, **_options: Any) -> None:  # noqa: ANN401 (Django's)
        # Bound before anything is printed: from the first line on, a request is answered and not refused.
        listener = _listen(settings.ENVIRONMENT.port)
        call_command("migrate", verbosity=1 if sys.stdout.isatty() else 0)
        _add_demo_tasks()
        self._print_how_to_call(f"http://127.0.0.1:{listener.getsockname()[1]}")
        listener.set_inheritable(True)
        gunicorn = Path(sys.executable).with_name("gunicorn")
        # In place of this process, so that a signal has one process to reach.
        command = [str(gunicorn), "-c", "python:config.gunicorn", "-b", f"fd://{listener.fileno()}", "config.wsgi"]
        os.execv(gunicorn, command)  # noqa: S606 (no shell is wanted)

    def _print_how_to_call(self, base_url: str) -> None:
        self.stdout.write(f"Tasks API  {base_url}\n")
        self.stdout.write(f"Docs       {base_url}/docs\n")
        self.stdout.write(f'Try        curl -H "Authorization: Bearer {_demo_token()}" {base_url}/tasks\n')
        self.stdout.flush()


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port), backlog=2048)
    except OSError as exc:
        raise CommandError(f"Cannot listen on port {port}: {exc.strerror}. Set PORT to a free one, or to 0.") from None


def _add_demo_tasks() -> None:
    tasks = Task.objects.using("operator")
    if not tasks.owned_by(DEMO_USER).exists():
        for text in DEMO_TASKS:
            tasks.add(user_id=DEMO_USER, text=text, completed=text == DEMO_TASKS[0])


def _demo_token() -> str:
    """A token for the demo user, or the name of a shell variable to put one of Better Auth's in."""
    printed = io.StringIO()
    try:
        call_command("issue_token", DEMO_USER, expires_in=7 * 24 * 3600, stdout=printed)
    except CommandError:
        return "$TOKEN"
    return printed.getvalue().strip()
