"""Time, and parties that are optional."""

from collections.abc import Collection
from typing import Any

import pytest

from authjwt.keys import SecretKeys
from authjwt.refusal import InvalidToken
from authjwt.verifier import Verifier
from tests.authjwt.forge import ISSUER, REMOVED, SECRET, token
from tests.authjwt.outcomes import outcome

NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"exp": NOW - 14}, "alice"),
        ({"exp": NOW - 14.99}, "alice"),
        ({"exp": NOW - 15}, "expired"),
        ({"exp": 253_402_300_800}, "malformed_expiry"),
        ({"nbf": 0}, "alice"),
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
    verifier = Verifier([SecretKeys([SECRET])], clock=lambda: NOW)
    made = token("HS256", payload={"iat": NOW - 100, "exp": NOW + 100, **payload})
    assert outcome(verifier, made) == expected


@pytest.mark.parametrize(("sub", "expected"), [("a", "a"), ("\u200b\u2028\u2029\u3000", "subject")])
def test_user_id_has_a_visible_character(sub: str, expected: str) -> None:
    assert outcome(Verifier([SecretKeys([SECRET])]), token("HS256", payload={"sub": sub})) == expected


def test_leeway_and_lifetime_can_be_set() -> None:
    verifier = Verifier([SecretKeys([SECRET])], leeway=0, max_lifetime=60, clock=lambda: NOW)
    assert verifier.verify(token("HS256", payload={"iat": NOW, "exp": NOW + 60})).subject == "alice"
    for payload, reason in (({"exp": NOW}, "expired"), ({"iat": NOW, "exp": NOW + 61}, "lives_too_long")):
        assert outcome(verifier, token("HS256", payload=payload)) == reason


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


def test_secret_is_for_its_own_algorithm() -> None:
    assert SecretKeys([SECRET]).candidates("EdDSA", None) == ()


def test_secret_is_not_shown() -> None:
    keys = SecretKeys([SECRET]).candidates("HS256", None)
    assert SECRET not in repr(keys)
