"""How operators sign in to the admin."""

from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError

from config import address, rate_limit
from config.logging import Logger
from config.rate_limit import RateLimited

ATTEMPTS = "10 per 15 minutes"

log = Logger(__name__)


class LoginForm(AdminAuthenticationForm):
    """Django's, with so many attempts at a name from an address: passwords are not to be tried out."""

    def clean(self) -> dict[str, Any]:
        """Check name and password. After too many attempts the right one is refused, too, without a look at it."""
        client = address.client(self.request) if self.request else ""
        try:
            rate_limit.at(ATTEMPTS).hit("login", f"{client} {self.cleaned_data.get('username')}".casefold())
            return super().clean()
        except RateLimited as exc:
            log.warning("operator_login_limited")
            minutes = -(-exc.quota.reset // 60)
            raise ValidationError(f"Too many attempts. Try again in {minutes} minutes.", code="limited") from None
        except ValidationError:
            log.warning("operator_login_refused")
            raise
