"""Print the OpenAPI document, as it is committed in openapi.json."""

import json
from typing import Any

from django.core.management.base import BaseCommand

from config.api import api


class Command(BaseCommand):
    help = "Print the OpenAPI document."
    requires_system_checks = ()

    def handle(self, **_options: Any) -> None:  # noqa: ANN401 (Django's)
        self.stdout.write(json.dumps(api.get_openapi_schema(), indent=2, ensure_ascii=False))
