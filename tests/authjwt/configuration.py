"""The service's settings by mode, as its environment variables make them."""

from typing import Any

from authjwt.conf import from_environment
from tests.authjwt.corpus import Mode
from tests.authjwt.forge import ISSUER, SECRET


def variables(mode: Mode, jwks_url: str) -> dict[str, str]:
    """Give the variables of a service in this mode that trusts what the corpus is made for. Empty ones are unset."""
    return {
        "BETTER_AUTH_JWT_MODE": mode,
        "BETTER_AUTH_SECRET": "" if mode == "jwks" else SECRET,
        "BETTER_AUTH_URL": "" if mode == "secret" else ISSUER,
        "BETTER_AUTH_JWKS_URL": "" if mode == "secret" else jwks_url,
    }


def settings_for(mode: Mode, jwks_url: str) -> dict[str, Any]:
    """Give `settings.AUTHJWT` for this mode."""
    lower_case: dict[str, Any] = {name.lower(): value for name, value in variables(mode, jwks_url).items()}
    return from_environment(**lower_case)
