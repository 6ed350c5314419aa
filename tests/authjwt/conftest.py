"""Fixtures shared by the tests of `authjwt`."""

from collections.abc import Iterator

import pytest

from tests.authjwt.forge import issuer_jwks
from tests.authjwt.jwks_server import JWKSServer


@pytest.fixture
def issuer() -> Iterator[JWKSServer]:
    """Serve the issuer's keys."""
    with JWKSServer(issuer_jwks()) as server:
        yield server
