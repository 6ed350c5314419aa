"""The Django app: `authjwt` in INSTALLED_APPS brings the system checks and the commands."""

from django.apps import AppConfig
from django.core.checks import Tags, register


class AuthJWTConfig(AppConfig):
    """Registers the checks of `settings.AUTHJWT`."""

    name = "authjwt"
    verbose_name = "Bearer tokens"

    def ready(self) -> None:
        """Register the checks. They are imported here, because only now settings may be read."""
        from authjwt.checks import check_configuration  # noqa: PLC0415 (see above)

        register(check_configuration, Tags.security)
