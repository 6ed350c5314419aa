"""Good tokens, changed at random: none is accepted, and none leads to anything but a refusal.

The good one was accepted a moment before.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from authjwt.jwks import JWKSKeys
from authjwt.keys import SecretKeys
from authjwt.principal import VerifiedClaims
from authjwt.refusal import InvalidToken
from authjwt.strict_json import parse_object
from authjwt.verifier import Verifier
from tests.authjwt.forge import ASYMMETRIC, ISSUER, SECRET, claims, header, issuer_jwks, to_json, token
from tests.authjwt.jwks_server import JWKSServer

ALGORITHMS = ("HS256", *ASYMMETRIC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)

unhurried = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    """Trust secret and keys of the issuer."""
    with JWKSServer(issuer_jwks()) as issuer:
        yield Verifier(
            [SecretKeys([SECRET]), JWKSKeys(issuer.url)], issuers=[ISSUER], audiences=[ISSUER], secret_requires=[]
        )


def user_of(verifier: Verifier, unverified_token: str) -> str | None:
    """Verify; None if refused."""
    try:
        claims = verifier.verify(unverified_token)
    except InvalidToken:
        return None
    assert isinstance(claims, VerifiedClaims)
    return claims.subject


def accepted_token(verifier: Verifier, algorithm: str) -> str:
    """Make a good token, and have it remembered."""
    good = token(algorithm)
    assert user_of(verifier, good) == "alice"
    return good


@given(algorithm=st.sampled_from(ALGORITHMS), data=st.data())
@unhurried
def test_flipped_bits_are_never_accepted(verifier: Verifier, algorithm: str, data: st.DataObject) -> None:
    good = accepted_token(verifier, algorithm)
    place = data.draw(st.integers(0, len(good) - 1))
    mask = data.draw(st.integers(1, 127))
    mutant = good[:place] + chr(ord(good[place]) ^ mask) + good[place + 1 :]
    assert user_of(verifier, mutant) is None


@given(algorithm=st.sampled_from(ALGORITHMS), data=st.data())
@unhurried
def test_truncated_tokens_are_never_accepted(verifier: Verifier, algorithm: str, data: st.DataObject) -> None:
    good = accepted_token(verifier, algorithm)
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, len(good)))
    assert user_of(verifier, good[start:end]) == ("alice" if good[start:end] == good else None)


@given(algorithm=st.sampled_from(ALGORITHMS), inserted=st.text(min_size=1, max_size=5), data=st.data())
@unhurried
def test_tokens_with_insertions_are_never_accepted(
    verifier: Verifier, algorithm: str, inserted: str, data: st.DataObject
) -> None:
    good = accepted_token(verifier, algorithm)
    place = data.draw(st.integers(0, len(good)))
    assert user_of(verifier, good[:place] + inserted + good[place:]) is None


@given(
    tokens=st.lists(st.sampled_from(ALGORITHMS), min_size=3, max_size=3),
    parts=st.lists(st.integers(0, 2), min_size=3, max_size=3),
)
@unhurried
def test_parts_of_different_tokens_are_never_accepted(verifier: Verifier, tokens: list[str], parts: list[int]) -> None:
    made = [token(algorithm, payload={"sub": f"user-{place}"}) for place, algorithm in enumerate(tokens)]
    mixed = ".".join(one.split(".")[part] for one, part in zip(made, parts, strict=True))
    assert user_of(verifier, mixed) is None


@given(algorithm=st.sampled_from(ALGORITHMS), name=st.sampled_from(sorted(claims())), value=JSON)
@example(algorithm="EdDSA", name="exp", value=float("inf"))
@example(algorithm="HS256", name="exp", value=-0.0)
@unhurried
def test_claims_of_any_type_are_only_ever_refused(verifier: Verifier, algorithm: str, name: str, value: object) -> None:
    """The signature is good here: what is accepted must be so for its claims, and name a user as a string."""
    user = user_of(verifier, token(algorithm, payload={name: value}))
    assert user in {None, "alice", value if isinstance(value, str) else None}


@given(algorithm=st.sampled_from(ALGORITHMS), name=st.sampled_from(["alg", "typ", "kid", "crit", "x"]), value=JSON)
@unhurried
def test_headers_of_any_type_are_only_ever_refused(
    verifier: Verifier, algorithm: str, name: str, value: object
) -> None:
    assert user_of(verifier, token(algorithm, {name: value})) in {None, "alice"}


@given(unverified_token=st.text(max_size=200) | st.from_regex(r"[\w-]{0,40}(\.[\w-]{0,40}){1,4}"))
@unhurried
def test_no_text_at_all_is_accepted(verifier: Verifier, unverified_token: str) -> None:
    assert user_of(verifier, unverified_token) is None


@given(head=st.binary(max_size=60), payload=st.binary(max_size=60))
@unhurried
def test_signed_bytes_that_are_no_claims_are_never_accepted(verifier: Verifier, head: bytes, payload: bytes) -> None:
    assert user_of(verifier, token("HS256", head, to_json(claims("HS256")))) is None
    assert user_of(verifier, token("HS256", to_json(header("HS256")), payload)) is None


@given(value=st.dictionaries(st.text(), JSON, max_size=5))
@unhurried
def test_strict_json_reads_what_any_serialiser_writes(value: dict[str, Any]) -> None:
    if "inf" not in repr(value):
        assert parse_object(json.dumps(value).encode()) == value
