"""The `Authorization` header, the challenge, and the verifier of the process."""

import logging
import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory, override_settings
from ninja import NinjaAPI

from authjwt.conf import from_environment
from authjwt.principal import Principal
from authjwt.refusal import InvalidToken, Reason
from authjwt.security import BearerAuth, bearer_token, current_verifier
from tests.authjwt.configuration import settings_for
from tests.authjwt.forge import OLD_SECRET, SECRET, assemble, claims, header, hs256, token

SECRET_MODE = from_environment(better_auth_secret=SECRET)


def authenticate(authorization: str | None) -> Principal:
    headers = {} if authorization is None else {"Authorization": authorization}
    return BearerAuth()(RequestFactory().get("/", headers=headers))


def refusal(authorization: str | None) -> InvalidToken:
    with override_settings(AUTHJWT=SECRET_MODE), pytest.raises(InvalidToken) as caught:
        authenticate(authorization)
    return caught.value


@override_settings(AUTHJWT=SECRET_MODE)
def test_good_token_becomes_a_principal_and_nothing_else() -> None:
    assert authenticate(f"Bearer {token('HS256')}") == Principal(user_id="alice")


def test_principal_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Principal("alice").user_id = "mallory"  # type: ignore[misc]


@pytest.mark.parametrize("authorization", [None, "", "Basic YTpi", "Token x", "Bearerx y", "\tBearer x"])
def test_missing_credentials_are_challenged_without_an_error_code(authorization: str | None) -> None:
    """RFC 6750, section 3.1: no error code for a client that may not know that a token is needed."""
    exc = refusal(authorization)
    assert (exc.error, exc.www_authenticate) == (None, 'Bearer realm="tasks"')


@pytest.mark.parametrize("authorization", ["Bearer", "Bearer ", "bearer   ", "Bearer a b", "Bearer a,b"])
def test_malformed_header_is_an_invalid_request(authorization: str) -> None:
    exc = refusal(authorization)
    assert (exc.reason, exc.error) == ("malformed_header", "invalid_request")


def test_bad_token_is_told_why() -> None:
    exc = refusal("Bearer toyAQF0y5vs1OXn8toyAQF0y5vs1OXn8.c2lnbmF0dXJl")
    assert str(exc) == exc.description == "not a JWT: send the token from /api/auth/token"
    assert exc.www_authenticate == (
        'Bearer realm="tasks", error="invalid_token", '
        'error_description="not a JWT: send the token from /api/auth/token"'
    )


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.slug)
def test_description_has_only_what_rfc_6750_allows(reason: Reason) -> None:
    """Section 3: printable ASCII without quotation mark and backslash."""
    assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+", InvalidToken(reason).description)


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [("Bearer x", "x"), ("bearer x", "x"), ("BEARER   x", "x"), ("Bearer x  ", "x"), (" Bearer X", "X")],
)
def test_scheme_is_taken_in_any_case_and_spaces_are_forgiven(authorization: str, expected: str) -> None:
    assert bearer_token(authorization) == expected


def test_other_white_space_is_left_to_the_token() -> None:
    assert bearer_token("Bearer \tx\xa0") == "\tx\xa0"


@override_settings(AUTHJWT=SECRET_MODE, DEBUG=True)
def test_header_is_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for authorization in ("Basic c2VjcmV0", "Bearer c2VjcmV0", f"Bearer {token('HS256')}x"):
        refusal(authorization)
    assert "c2VjcmV0" not in caplog.text
    assert "eyJ" not in caplog.text


def test_scheme_in_the_openapi_document() -> None:
    assert BearerAuth().openapi_security_schema == {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    api = NinjaAPI(auth=BearerAuth(), urls_namespace="test_security")
    api.get("/x")(lambda request: None)  # noqa: ARG005 (an operation)
    assert api.get_openapi_schema(path_prefix="")["components"]["securitySchemes"] == {
        "BearerAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }


@override_settings(AUTHJWT=SECRET_MODE)
def test_there_is_one_verifier_a_process() -> None:
    with ThreadPoolExecutor(8) as threads:
        assert len({id(verifier) for verifier in threads.map(lambda _: current_verifier(), range(64))}) == 1


def test_verifier_follows_the_settings() -> None:
    old = f"Bearer {assemble(header('HS256'), claims('HS256'), lambda i: hs256(i, OLD_SECRET))}"
    with override_settings(AUTHJWT=from_environment(better_auth_secret=OLD_SECRET)):
        assert authenticate(old).user_id == "alice"
    assert refusal(old).reason == "bad_signature"


@override_settings(AUTHJWT=from_environment(better_auth_secrets=f"2:{SECRET},1:{OLD_SECRET}"))
def test_every_secret_of_a_rotation_verifies() -> None:
    for secret in (SECRET, OLD_SECRET):
        made = assemble(header("HS256"), claims("HS256"), partial(hs256, secret=secret))
        assert authenticate(f"Bearer {made}").user_id == "alice"


@pytest.mark.parametrize(
    "conf",
    [{}, settings_for("both", "http://127.0.0.1:1/jwks") | {"MODE": None}, {"MODE": "jwks"}, {"MODE": "secret"}],
    ids=["nothing", "both without a mode", "no url", "no secret"],
)
def test_unclear_configuration_lets_nobody_in(conf: dict[str, object]) -> None:
    with override_settings(AUTHJWT=conf), pytest.raises(ImproperlyConfigured):
        authenticate(f"Bearer {token('HS256')}")
