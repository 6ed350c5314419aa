"""Time, parties that are optional, and the cache of signatures."""

from collections.abc import Callable, Collection
from typing import Any

import pytest

from authjwt.cache import SignatureCache
from authjwt.jwk import parse_key
from authjwt.keys import ASYMMETRIC_ALGORITHMS, SecretKeys, VerificationKey
from authjwt.refusal import InvalidToken
from authjwt.verifier import Verifier
from tests.authjwt.forge import ISSUER, REMOVED, SECRET, issuer_key, token

NOW = 1_800_000_000
SIGNED = b"header.payload"


def outcome(*, now: float = NOW, **payload: Any) -> str:
    """Verify an HS256 token with these claims at a certain time: who it is, or why it is refused."""
    verifier = Verifier([SecretKeys([SECRET])], clock=lambda: now)
    made = token("HS256", payload={"iat": NOW - 100, "exp": NOW + 100, **payload})
    try:
        return verifier.verify(made).subject
    except InvalidToken as exc:
        return exc.reason


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"exp": NOW - 14}, "alice"),
        ({"exp": NOW - 14.99}, "alice"),
        ({"exp": NOW - 15}, "expired"),
        ({"nbf": NOW + 15}, "alice"),
        ({"nbf": NOW + 15.01}, "not_yet_valid"),
        ({"iat": NOW + 15}, "alice"),
        ({"iat": NOW + 16}, "issued_in_the_future"),
        ({"iat": NOW, "exp": NOW + 7 * 86400}, "alice"),
        ({"iat": NOW, "exp": NOW + 7 * 86400 + 1}, "lives_too_long"),
        ({"iat": REMOVED, "exp": NOW + 7 * 86400 + 15}, "alice"),
        ({"iat": REMOVED, "exp": NOW + 7 * 86400 + 16}, "lives_too_long"),
    ],
)
def test_times_are_compared_with_15_seconds_of_leeway(payload: dict[str, Any], expected: str) -> None:
    assert outcome(**payload) == expected


def test_leeway_and_lifetime_can_be_set() -> None:
    verifier = Verifier([SecretKeys([SECRET])], leeway=0, max_lifetime=60, clock=lambda: NOW)
    assert verifier.verify(token("HS256", payload={"iat": NOW, "exp": NOW + 60})).subject == "alice"
    for payload, reason in (({"exp": NOW}, "expired"), ({"iat": NOW, "exp": NOW + 61}, "lives_too_long")):
        with pytest.raises(InvalidToken) as caught:
            verifier.verify(token("HS256", payload=payload))
        assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("requires", "payload", "accepted"),
    [
        (["iss", "aud"], {"iss": ISSUER, "aud": ISSUER}, True),
        (["iss", "aud"], {"iss": ISSUER}, False),
        (["iss", "aud"], {"aud": ISSUER}, False),
        (["iss"], {"iss": ISSUER}, True),
        ([], {}, True),
        ([], {"iss": "https://evil.example"}, False),
        ([], {"aud": "https://other.example"}, False),
        ([], {"iss": None}, False),
    ],
)
def test_parties_of_hs256_tokens_must_match_and_may_be_optional(
    requires: Collection[str], payload: dict[str, Any], *, accepted: bool
) -> None:
    verifier = Verifier([SecretKeys([SECRET])], issuers=[ISSUER], audiences=[ISSUER], secret_requires=requires)
    if accepted:
        assert verifier.verify(token("HS256", payload=payload)).subject == "alice"
    else:
        with pytest.raises(InvalidToken):
            verifier.verify(token("HS256", payload=payload))


class CountingKey(VerificationKey):
    """A real key that counts how often it is used."""

    uses = 0

    def verifies(self, algorithm: str, signing_input: bytes, signature: bytes) -> bool:
        """Count, then verify."""
        CountingKey.uses += 1
        return super().verifies(algorithm, signing_input, signature)


@pytest.fixture
def counting_key() -> Callable[[], CountingKey]:
    """Make key objects of the issuer's EdDSA key, counting from zero."""
    CountingKey.uses = 0
    key = parse_key(issuer_key("EdDSA").jwk(), ASYMMETRIC_ALGORITHMS)
    return lambda: CountingKey(key.kid, key.algorithms, key.material)


def test_signature_is_verified_once(counting_key: Callable[[], CountingKey]) -> None:
    key, cache, signature = counting_key(), SignatureCache(), issuer_key("EdDSA").sign(SIGNED)
    assert [cache.verifies(key, "EdDSA", SIGNED, signature, NOW + second) for second in range(59)] == [True] * 59
    assert key.uses == 1


def test_bad_signature_is_never_remembered(counting_key: Callable[[], CountingKey]) -> None:
    key, cache = counting_key(), SignatureCache()
    assert [cache.verifies(key, "EdDSA", SIGNED, bytes(64), NOW) for _ in range(3)] == [False] * 3
    assert key.uses == 3


@pytest.mark.parametrize("later", [60, 3600, -1])
def test_signature_is_remembered_for_a_minute(counting_key: Callable[[], CountingKey], later: int) -> None:
    """A clock that is set back ends it, too."""
    key, cache, signature = counting_key(), SignatureCache(), issuer_key("EdDSA").sign(SIGNED)
    for now in (NOW, NOW + later):
        assert cache.verifies(key, "EdDSA", SIGNED, signature, now)
    assert key.uses == 2


def test_signature_is_remembered_for_one_key_object(counting_key: Callable[[], CountingKey]) -> None:
    cache, signature = SignatureCache(), issuer_key("EdDSA").sign(SIGNED)
    for key in (counting_key(), counting_key()):
        assert cache.verifies(key, "EdDSA", SIGNED, signature, NOW)
    assert CountingKey.uses == 2


def test_remembered_signatures_are_bounded_oldest_first(counting_key: Callable[[], CountingKey]) -> None:
    key, cache = counting_key(), SignatureCache(max_signatures=2)
    for signed in (b"a.a", b"b.b", b"c.c", b"c.c", b"b.b", b"a.a"):
        assert cache.verifies(key, "EdDSA", signed, issuer_key("EdDSA").sign(signed), NOW)
    assert key.uses == 4


def test_secret_is_not_shown() -> None:
    keys = SecretKeys([SECRET]).candidates("HS256", None)
    assert SECRET not in repr(keys)
