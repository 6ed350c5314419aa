"""What the process tells of its keys."""

from django.test import override_settings

from authjwt.conf import from_environment
from authjwt.security import current_verifier
from authjwt.status import key_status
from tests.authjwt.configuration import settings_for
from tests.authjwt.forge import OLD_SECRET, SECRET, token
from tests.authjwt.jwks_server import JWKSServer


@override_settings(AUTHJWT=from_environment(better_auth_secrets=f"2:{SECRET},1:{OLD_SECRET}"))
def test_status_of_secrets_is_their_number() -> None:
    status = key_status()
    assert (status.mode, status.secrets, status.jwks) == ("secret", 2, None)


def test_status_of_a_jwks_is_what_was_read(issuer: JWKSServer) -> None:
    with override_settings(AUTHJWT=settings_for("jwks", issuer.url) | {"SECRETS": (SECRET,)}):
        current_verifier().verify(token("EdDSA"))
        status = key_status()
    assert (status.mode, status.secrets) == ("jwks", 0)
    assert status.jwks is not None
    assert status.jwks.keys == 5
