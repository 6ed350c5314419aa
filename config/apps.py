from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """Brings the commands and the system checks of the deployment."""

    name = "config"

    def ready(self) -> None:
        """Register the checks."""
        from config import checks  # noqa: F401, PLC0415 (settings can be read from here on)
