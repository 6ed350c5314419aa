"""The service's settings by mode, as its environment variables make them."""

from dataclasses import asdict, dataclass
from typing import Any

from authjwt.conf import from_environment
from tests.authjwt.corpus import Mode
from tests.authjwt.forge import ISSUER, SECRET


@dataclass(frozen=True)
class Variables:
    """The environment variables that `authjwt` is configured by, all unset."""

    better_auth_jwt_mode: str | None = None
    better_auth_secret: str | None = None
    better_auth_secrets: str | None = None
    better_auth_url: str | None = None
    better_auth_jwks_url: str | None = None
    better_auth_issuer: tuple[str, ...] = ()
    better_auth_audience: tuple[str, ...] = ()

    @property
    def environ(self) -> dict[str, str]:
        """The variables as a process gets them."""
        return {
            name.upper(): ",".join(value) if isinstance(value, tuple) else value or ""
            for name, value in asdict(self).items()
        }


def variables(mode: Mode, jwks_url: str) -> Variables:
    """Give the variables of a service in this mode that trusts what the corpus is made for."""
    return Variables(
        better_auth_jwt_mode=mode,
        better_auth_secret=None if mode == "jwks" else SECRET,
        better_auth_url=None if mode == "secret" else ISSUER,
        better_auth_jwks_url=None if mode == "secret" else jwks_url,
    )


def settings_of(**values: Any) -> dict[str, Any]:
    """Give `settings.AUTHJWT` as made of these variables."""
    return from_environment(Variables(**values))


def settings_for(mode: Mode, jwks_url: str) -> dict[str, Any]:
    """Give `settings.AUTHJWT` for this mode."""
    return from_environment(variables(mode, jwks_url))
