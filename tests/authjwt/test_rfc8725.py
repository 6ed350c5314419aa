"""RFC 8725, "JSON Web Token Best Current Practices": a test for each of its points that concern a verifier."""

from collections.abc import Iterator

import pytest

from authjwt.jwks import JWKSKeys
from authjwt.keys import SecretKeys
from authjwt.rules import MAX_LIFETIME
from authjwt.verifier import Verifier
from tests.authjwt.forge import (
    ISSUER,
    REMOVED,
    SECRET,
    assemble,
    base64url,
    claims,
    header,
    hs256,
    issuer_jwks,
    issuer_key,
    key_pair,
    to_json,
    token,
)
from tests.authjwt.jwks_server import JWKSServer
from tests.authjwt.outcomes import outcome


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    """Trust both sources, for one issuer and audience."""
    with JWKSServer(issuer_jwks()) as issuer:
        yield Verifier([SecretKeys([SECRET]), JWKSKeys(issuer.url)], issuers=[ISSUER], audiences=[ISSUER])


PARTIES = {"iss": ISSUER, "aud": ISSUER}


def test_3_1_algorithm_is_checked_against_an_allow_list(verifier: Verifier) -> None:
    assert outcome(verifier, token("HS256", {"alg": "HS512"}, PARTIES)) == "algorithm"


def test_3_1_each_key_is_used_with_the_algorithm_it_is_for(verifier: Verifier) -> None:
    forged = assemble(header("RS256", kid="key-PS256"), claims(), issuer_key("RS256").sign)
    assert outcome(verifier, forged) == "key_mismatch"


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256"])
def test_3_1_public_key_is_no_secret(verifier: Verifier, algorithm: str) -> None:
    public = to_json(issuer_key(algorithm).jwk())
    forged = assemble(header("HS256", kid=f"key-{algorithm}"), claims(**PARTIES), lambda i: hs256(i, public))
    assert outcome(verifier, forged) == "bad_signature"


def test_3_2_none_is_not_accepted(verifier: Verifier) -> None:
    assert outcome(verifier, assemble({"alg": "none"}, claims(), lambda _: b"")) == "algorithm"


def test_3_2_rsa_keys_are_strong_enough() -> None:
    weak = key_pair("weak", "RS256", "RSA1024")
    with JWKSServer({"keys": [weak.jwk()]}) as issuer:
        verifier = Verifier([JWKSKeys(issuer.url)], issuers=[ISSUER], audiences=[ISSUER])
        signed = assemble({"alg": "RS256", "kid": "weak"}, claims(), lambda _: bytes(256))
        assert outcome(verifier, signed) == "unknown_key"


def test_3_3_signature_is_validated_for_every_token(verifier: Verifier) -> None:
    for algorithm in ("HS256", "EdDSA", "ES256", "ES512", "RS256", "PS256"):
        good = token(algorithm, payload=PARTIES)
        assert verifier.verify(good).subject == "alice"
        head, _, signature = good.split(".")
        other = f"{head}.{base64url(to_json(claims(**PARTIES, sub='mallory')))}.{signature}"
        assert outcome(verifier, other) == "bad_signature"


def test_3_3_nested_tokens_are_refused(verifier: Verifier) -> None:
    nested = assemble(header("EdDSA", cty="JWT"), token("EdDSA").encode(), issuer_key("EdDSA").sign)
    assert outcome(verifier, nested) == "malformed"
    assert outcome(verifier, token("EdDSA", {"cty": "JWT"})) == "extension"


def test_3_4_points_off_the_curve_are_no_keys() -> None:
    off = issuer_key("ES256").jwk(y=base64url(bytes(31) + b"\1"))
    with JWKSServer({"keys": [off]}) as issuer:
        verifier = Verifier([JWKSKeys(issuer.url)], issuers=[ISSUER], audiences=[ISSUER])
        assert outcome(verifier, token("ES256")) == "unknown_key"


def test_3_5_short_secrets_are_no_keys() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        SecretKeys(["password"])


def test_3_6_compressed_tokens_are_refused(verifier: Verifier) -> None:
    assert outcome(verifier, token("EdDSA", {"zip": "DEF"})) == "extension"


def test_3_7_only_utf_8_is_read(verifier: Verifier) -> None:
    assert outcome(verifier, token("HS256", to_json(header("HS256")).decode().encode("utf-16"))) == "malformed"


def test_3_8_issuer_is_validated(verifier: Verifier) -> None:
    assert outcome(verifier, token("EdDSA", payload={"iss": "https://evil.example"})) == "issuer"


def test_3_8_subject_is_validated(verifier: Verifier) -> None:
    assert outcome(verifier, token("EdDSA", payload={"sub": REMOVED})) == "subject"


def test_3_9_audience_is_validated(verifier: Verifier) -> None:
    assert outcome(verifier, token("EdDSA", payload={"aud": "https://other.example"})) == "audience"
    assert outcome(verifier, token("EdDSA", payload={"aud": REMOVED})) == "audience"


def test_3_10_key_id_is_looked_up_and_nothing_else(verifier: Verifier) -> None:
    for kid in ("../../dev/null", "' OR 1=1 --", "http://127.0.0.1:1/key", "key-EdDSA' --"):
        assert outcome(verifier, token("EdDSA", {"kid": kid})) == "unknown_key"


def test_3_10_key_locations_of_a_token_are_not_followed(verifier: Verifier) -> None:
    with JWKSServer({"keys": [key_pair("foreign", "EdDSA").jwk()]}) as attacker:
        for name in ("jku", "x5u"):
            head = header("EdDSA", kid="foreign", **{name: attacker.url})
            forged = assemble(head, claims(), key_pair("foreign", "EdDSA").sign)
            assert outcome(verifier, forged) == "embedded_key"
        assert attacker.hits == 0


@pytest.mark.parametrize("typ", ["logout+jwt", "id+jwt", "better-auth.session-cache+jwt"])
def test_3_11_explicit_types_of_other_tokens_are_refused(verifier: Verifier, typ: str) -> None:
    assert outcome(verifier, token("EdDSA", {"typ": typ})) == "type"


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"nonce": "n", "at_hash": "h"}, "id_token"),
        ({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}, "security_event"),
        ({"cnf": {"jkt": "x"}}, "sender_constrained"),
    ],
    ids=["ID token", "logout token", "sender-constrained token"],
)
def test_3_12_kinds_of_tokens_exclude_each_other(verifier: Verifier, other: dict[str, object], reason: str) -> None:
    assert outcome(verifier, token("EdDSA", payload=other)) == reason


def test_2_8_long_lived_tokens_are_refused(verifier: Verifier) -> None:
    """Not a point of its own there: what is stolen once must not be good for ever (RFC 6750, section 5.3)."""
    issued = claims()["iat"]
    assert outcome(verifier, token("EdDSA", payload={"exp": issued + MAX_LIFETIME + 1})) == "lives_too_long"


def test_published_keys_without_expected_parties_accept_nothing() -> None:
    verifier = Verifier([JWKSKeys("http://127.0.0.1:1/jwks")])
    assert outcome(verifier, token("EdDSA")) == "issuer"
