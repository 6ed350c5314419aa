#!/usr/bin/env python
"""Django's command line for this project."""

import os
import sys


def main() -> None:
    """Run the command that the arguments name."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.management import execute_from_command_line  # noqa: PLC0415 (after the settings are named)
    from django.db import OperationalError  # noqa: PLC0415 (same)

    try:
        execute_from_command_line(sys.argv)
    except OperationalError as exc:
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"The database: {str(exc).strip()}")


if __name__ == "__main__":
    main()
