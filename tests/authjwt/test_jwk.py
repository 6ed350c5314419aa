"""Members of a JWK Set: each is judged on its own, by what it is and not by what it is called."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from authjwt.jwk import KeySet, UnusableKey, parse_key, parse_key_set
from authjwt.keys import ASYMMETRIC_ALGORITHMS
from tests.authjwt.forge import ASYMMETRIC, IMPLEMENTATIONS, REMOVED, base64url, issuer_jwks, issuer_key, key_pair


def usable(jwk: object) -> frozenset[str]:
    """Tell which algorithms a key may be used with; raises if it is not used."""
    return parse_key(jwk, ASYMMETRIC_ALGORITHMS).algorithms


def parse(*keys: object) -> KeySet:
    return parse_key_set(json.dumps({"keys": keys}).encode(), ASYMMETRIC_ALGORITHMS)


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_key_as_better_auth_publishes_it_is_used(algorithm: str) -> None:
    assert usable(issuer_key(algorithm).jwk()) == {algorithm}


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "ES512"])
@pytest.mark.parametrize(
    "label", ["RS256", "ES256", "EdDSA", "Ed25519", "HS256", "none", "", "nonsense", REMOVED, None]
)
def test_wrong_label_says_nothing(algorithm: str, label: object) -> None:
    assert usable(issuer_key(algorithm).jwk(alg=label)) == {algorithm}


@pytest.mark.parametrize(
    ("label", "algorithms"),
    [("RS256", {"RS256"}), ("PS256", {"PS256"}), (REMOVED, {"RS256", "PS256"}), ("ES256", {"RS256", "PS256"})],
)
def test_possible_label_of_an_rsa_key_is_binding(label: object, algorithms: set[str]) -> None:
    assert usable(issuer_key("RS256").jwk(alg=label)) == algorithms


@pytest.mark.parametrize(
    "changes", [{"use": "sig"}, {"key_ops": ["verify"]}, {"key_ops": ["sign", "verify"]}, {"x5t": "abc"}, {"ext": True}]
)
def test_harmless_members_are_let_be(changes: dict[str, Any]) -> None:
    assert usable(issuer_key("EdDSA").jwk(**changes)) == {"EdDSA"}


def test_rsa_key_has_no_curve_to_be_judged_by() -> None:
    assert usable(issuer_key("RS256").jwk(crv="P-256")) == {"RS256"}


def _rsa(bits: int, exponent: int) -> dict[str, Any]:
    public = rsa.generate_private_key(exponent, bits).public_key()
    return RSAAlgorithm.to_jwk(public, as_dict=True)


def _private(algorithm: str) -> dict[str, Any]:
    return IMPLEMENTATIONS[algorithm].to_jwk(issuer_key(algorithm).private, as_dict=True)


UNUSABLE: dict[str, Any] = {
    "null": None,
    "string": "key",
    "list": [],
    "empty": {},
    "oct": {"kty": "oct", "k": base64url(b"x" * 32)},
    "oct that claims to be OKP": {**issuer_key("EdDSA").jwk(), "k": "AAAA"},
    "private EdDSA": _private("EdDSA"),
    "private ES256": _private("ES256"),
    "private RS256": _private("RS256"),
    "use enc": issuer_key("EdDSA").jwk(use="enc"),
    "use null": issuer_key("EdDSA").jwk(use=None),
    "use list": issuer_key("EdDSA").jwk(use=["sig"]),
    "key_ops encrypt": issuer_key("EdDSA").jwk(key_ops=["encrypt"]),
    "key_ops empty": issuer_key("EdDSA").jwk(key_ops=[]),
    "key_ops string": issuer_key("EdDSA").jwk(key_ops="verify"),
    "kid number": issuer_key("EdDSA").jwk(kid=1),
    "kid list": issuer_key("EdDSA").jwk(kid=["a"]),
    "alg number": issuer_key("EdDSA").jwk(alg=1),
    "alg list": issuer_key("EdDSA").jwk(alg=["EdDSA"]),
    "alg RSA-OAEP": issuer_key("RS256").jwk(alg="RSA-OAEP-256"),
    "alg ECDH-ES": issuer_key("ES256").jwk(alg="ECDH-ES+A128KW"),
    "alg RS512": issuer_key("RS256").jwk(alg="RS512"),
    "kty missing": issuer_key("EdDSA").jwk(kty=REMOVED),
    "kty list": issuer_key("EdDSA").jwk(kty=["OKP"]),
    "kty unknown": issuer_key("EdDSA").jwk(kty="AKP"),
    "kty lower-case": issuer_key("RS256").jwk(kty="rsa"),
    "crv missing": issuer_key("EdDSA").jwk(crv=REMOVED),
    "crv list": issuer_key("EdDSA").jwk(crv=["Ed25519"]),
    "crv X25519": issuer_key("EdDSA").jwk(crv="X25519"),
    "crv Ed448": key_pair("x", "EdDSA", "Ed448").jwk(),
    "crv P-384": key_pair("x", "ES384").jwk(),
    "crv secp256k1": key_pair("x", "ES256K").jwk(),
    "crv of another size": issuer_key("ES256").jwk(crv="P-521"),
    "x missing": issuer_key("EdDSA").jwk(x=REMOVED),
    "x number": issuer_key("EdDSA").jwk(x=1),
    "x null": issuer_key("EdDSA").jwk(x=None),
    "x short": issuer_key("EdDSA").jwk(x="AAAA"),
    "x not base64url": issuer_key("EdDSA").jwk(x="*" * 43),
    "x not ASCII": issuer_key("EdDSA").jwk(x="é" * 43),
    "x long": issuer_key("EdDSA").jwk(x="A" * 5000),
    "not on the curve": issuer_key("ES256").jwk(y=base64url(bytes(31) + b"\1")),
    "y missing": issuer_key("ES256").jwk(y=REMOVED),
    "RSA 1024": _rsa(1024, 65537),
    "RSA e=3": _rsa(2048, 3),
    "RSA e=1": issuer_key("RS256").jwk(e="AQ"),
    "RSA e even": issuer_key("RS256").jwk(e=base64url((65538).to_bytes(3))),
    "RSA e huge": issuer_key("RS256").jwk(e=base64url((2**64 + 1).to_bytes(9))),
    "RSA n missing": issuer_key("RS256").jwk(n=REMOVED),
    "RSA n huge": issuer_key("RS256").jwk(n=base64url(b"\xff" * 1500)),
    "RSA n very huge": issuer_key("RS256").jwk(n="_" * 100_000),
    "RSA n zero": issuer_key("RS256").jwk(n="AA"),
}


@pytest.mark.parametrize("jwk", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_unusable_key_is_refused(jwk: object) -> None:
    with pytest.raises(UnusableKey):
        usable(jwk)


def test_unusable_keys_do_not_spoil_the_others() -> None:
    key_set = parse(*UNUSABLE.values(), *issuer_jwks()["keys"])
    assert [key.kid for key in key_set.keys] == [f"key-{algorithm}" for algorithm in ASYMMETRIC]
    assert len(key_set.skipped) == len(UNUSABLE)
    assert {type(key.kid) for key in key_set.skipped} == {str, type(None)}


def test_skipped_key_says_why() -> None:
    (skipped,) = parse(issuer_key("EdDSA").jwk(use="enc")).skipped
    assert (skipped.kid, skipped.why) == ("key-EdDSA", "its use is not signatures")


def test_key_for_an_algorithm_that_is_not_accepted_is_skipped() -> None:
    key_set = parse_key_set(json.dumps(issuer_jwks()).encode(), ["ES256"])
    assert [key.kid for key in key_set.keys] == ["key-ES256"]


@pytest.mark.parametrize("kid", [REMOVED, None, ""], ids=["missing", "null", "empty"])
def test_key_may_have_no_name(kid: object) -> None:
    assert parse_key(issuer_key("EdDSA").jwk(kid=kid), ASYMMETRIC_ALGORITHMS).kid is None


@pytest.mark.parametrize("name", ["EdDSA", "ES256", "ES512", "RS256", "PS256", "HS256", "none"])
@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_key_verifies_with_its_own_algorithm_only(algorithm: str, name: str) -> None:
    pair = issuer_key(algorithm)
    key = parse_key(pair.jwk(), ASYMMETRIC_ALGORITHMS)
    assert key.verifies(name, b"signed", pair.sign(b"signed")) == (name == algorithm)


def test_key_material_is_not_shown() -> None:
    assert "material" not in repr(parse_key(issuer_key("EdDSA").jwk(), ASYMMETRIC_ALGORITHMS))
