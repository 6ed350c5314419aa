"""Tokens that were verified a moment ago: they cost little, and nobody could tell otherwise."""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from authjwt.cache import Accepted, AcceptedTokens
from authjwt.jwk import parse_key
from authjwt.jws import MAX_TOKEN_LENGTH, digest_of
from authjwt.keys import ASYMMETRIC_ALGORITHMS, SecretKeys, VerificationKey, hmac_key
from authjwt.principal import VerifiedClaims
from authjwt.refusal import InvalidToken
from authjwt.verifier import Verifier
from tests.authjwt.forge import ASYMMETRIC, ISSUER, OLD_SECRET, REMOVED, SECRET, issuer_key, token
from tests.authjwt.outcomes import outcome

NOW = 1_800_000_000
WEEK = 7 * 24 * 3600


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now: float = NOW

    def __call__(self) -> float:
        return self.now


class CountingKey(VerificationKey):
    """A real key that counts how often any of its kind is used."""

    uses = 0

    def verifies(self, algorithm: str, signing_input: bytes, signature: bytes) -> bool:
        """Count, then verify."""
        CountingKey.uses += 1
        return super().verifies(algorithm, signing_input, signature)


def counting_key(algorithm: str) -> CountingKey:
    """Make a new key object of the issuer's key."""
    if algorithm == "HS256":
        return CountingKey(None, frozenset({algorithm}), hmac_key(SECRET))
    key = parse_key(issuer_key(algorithm).jwk(), ASYMMETRIC_ALGORITHMS)
    return CountingKey(key.kid, key.algorithms, key.material)


class Keys:
    """Keys for one algorithm that can be exchanged, and whoever asks for them counted."""

    def __init__(self, algorithm: str) -> None:
        self.algorithms = frozenset({algorithm})
        self.keys: tuple[VerificationKey, ...] = (counting_key(algorithm),)
        self.asked = 0

    def candidates(self, _algorithm: str, _kid: str | None) -> tuple[VerificationKey, ...]:
        """Return all of them."""
        self.asked += 1
        return self.keys


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["HS256", "EdDSA"])
def keys(request: pytest.FixtureRequest) -> Keys:
    CountingKey.uses = 0
    return Keys(request.param)


@pytest.fixture
def verifier(keys: Keys, clock: Clock) -> Verifier:
    return Verifier([keys], issuers=[ISSUER], audiences=[ISSUER], secret_requires=[], clock=clock)


def signed(keys: Keys, **payload: Any) -> str:
    """Make a token that is good for a quarter of an hour."""
    (algorithm,) = keys.algorithms
    return token(algorithm, payload={"iat": NOW, "exp": NOW + 900, **payload})


def test_token_is_verified_once(verifier: Verifier, keys: Keys, clock: Clock) -> None:
    same = signed(keys)
    for clock.now in range(NOW, NOW + 60):
        assert outcome(verifier, same) == "alice"
    assert CountingKey.uses == 1


def test_users_are_told_apart(verifier: Verifier, keys: Keys) -> None:
    users = ["alice", "bob", "carol"]
    tokens = [signed(keys, sub=user) for user in users]
    for _ in range(3):
        assert [outcome(verifier, one) for one in tokens] == users
    assert CountingKey.uses == 3


def test_users_are_told_apart_under_threads(verifier: Verifier, keys: Keys) -> None:
    users = [f"user-{number}" for number in range(8)]
    tokens = [signed(keys, sub=user) for user in users]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(len(users)) as pool:
            found = list(pool.map(lambda one: {outcome(verifier, one) for _ in range(5000)}, tokens))
    finally:
        sys.setswitchinterval(before)
    assert found == [{user} for user in users]


def test_token_expires_to_the_second(verifier: Verifier, keys: Keys, clock: Clock) -> None:
    same = signed(keys, exp=NOW + 10)
    for clock.now, expected in ((NOW, "alice"), (NOW + 24.999, "alice"), (NOW + 25, "expired")):
        assert outcome(verifier, same) == expected
    assert CountingKey.uses == 1


@pytest.mark.parametrize(("seconds", "uses"), [(59.9, 1), (60, 2), (899, 2), (-0.1, 2), (-15, 2)])
def test_token_is_verified_anew_after_a_minute_and_when_the_clock_is_set_back(
    verifier: Verifier, keys: Keys, clock: Clock, seconds: float, uses: int
) -> None:
    same = signed(keys)
    for clock.now in (NOW, NOW + seconds):
        assert outcome(verifier, same) == "alice"
    assert CountingKey.uses == uses


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"nbf": NOW + 15}, "not_yet_valid"),
        ({"iat": NOW + 15}, "issued_in_the_future"),
        ({"iat": REMOVED, "exp": NOW + WEEK + 15}, "lives_too_long"),
    ],
)
def test_clock_that_is_set_back_makes_a_token_too_young(
    verifier: Verifier, keys: Keys, clock: Clock, payload: dict[str, Any], expected: str
) -> None:
    same = signed(keys, **payload)
    assert outcome(verifier, same) == "alice"
    clock.now = NOW - 1
    assert outcome(verifier, same) == expected


TIMES = st.integers(NOW - 120, NOW + 120) | st.sampled_from([NOW + half / 2 for half in (-1, 1, 29, 31, 119, 121)])


@given(
    iat=TIMES | st.just(REMOVED),
    nbf=TIMES | st.just(REMOVED),
    exp=TIMES | st.sampled_from([NOW + WEEK + offset for offset in (-1, 0, 14, 15, 16)]),
    times=st.lists(TIMES, min_size=2, max_size=8),
)
@example(iat=REMOVED, nbf=REMOVED, exp=NOW + 10, times=[NOW, NOW + 24.5, NOW + 25])
@settings(max_examples=200, deadline=None, database=None)
def test_whatever_the_clock_does_the_answer_is_that_of_a_verifier_that_remembers_nothing(
    iat: object, nbf: object, exp: float, times: list[float]
) -> None:
    """So that every rule about time stays kept as long as a token is remembered."""
    same = token("HS256", payload={"iat": iat, "nbf": nbf, "exp": exp})
    clock, source = Clock(), SecretKeys([SECRET])
    remembering = Verifier([source], clock=clock)
    for clock.now in times:
        assert outcome(remembering, same) == outcome(Verifier([source], clock=clock), same)


def test_refused_token_is_never_remembered(verifier: Verifier, keys: Keys) -> None:
    forged = signed(keys).rpartition(".")[0] + "." + signed(keys, sub="mallory").rpartition(".")[2]
    assert [outcome(verifier, forged) for _ in range(3)] == ["bad_signature"] * 3
    assert CountingKey.uses == 3


def test_token_that_was_too_young_is_taken_later(verifier: Verifier, keys: Keys, clock: Clock) -> None:
    early = signed(keys, nbf=NOW + 20)
    for clock.now, expected in ((NOW, "not_yet_valid"), (NOW + 5, "alice")):
        assert outcome(verifier, early) == expected


def test_explanation_neither_remembers_nor_relies_on_it(verifier: Verifier, keys: Keys) -> None:
    same = signed(keys)
    assert all(finding.problem is None for finding in verifier.explain(same))
    verifier.verify(same)
    assert all(finding.problem is None for finding in verifier.explain(same))
    assert CountingKey.uses == 3


def test_token_ends_with_its_key(verifier: Verifier, keys: Keys) -> None:
    same = signed(keys)
    assert outcome(verifier, same) == "alice"
    keys.keys = ()
    assert outcome(verifier, same) == "unknown_key"


def test_keys_are_asked_for_once_even_if_they_changed(verifier: Verifier, keys: Keys) -> None:
    """A second question could wait a second time, and spend a second search for the key."""
    same = signed(keys)
    for asked, found in enumerate((keys.keys, keys.keys, tuple(map(counting_key, keys.algorithms)), ()), start=1):
        keys.keys = found
        outcome(verifier, same)
        assert keys.asked == asked


def test_token_is_verified_anew_with_a_key_that_was_read_anew(verifier: Verifier, keys: Keys) -> None:
    """Although it is equal to the one before."""
    same = signed(keys)
    for uses in (1, 2):
        keys.keys = tuple(map(counting_key, keys.algorithms))
        assert [outcome(verifier, same) for _ in range(3)] == ["alice"] * 3
        assert CountingKey.uses == uses


@pytest.mark.parametrize("place", [0, 1])
def test_token_is_remembered_whichever_of_several_keys_signed_it(clock: Clock, place: int) -> None:
    """Two secrets while one rotates. Once its own is gone the token is refused."""
    keys = Keys("HS256")
    (own,), other = keys.keys, VerificationKey(None, keys.algorithms, hmac_key(OLD_SECRET))
    keys.keys = (own, other) if place == 0 else (other, own)
    verifier, same = Verifier([keys], clock=clock), signed(keys)
    CountingKey.uses = 0
    assert [outcome(verifier, same) for _ in range(3)] == ["alice"] * 3
    assert CountingKey.uses == 1
    keys.keys = (other,)
    assert outcome(verifier, same) == "bad_signature"


# The cache by itself


def accepted(subject: str = "alice", since: float = NOW, until: float = NOW + 900) -> Accepted:
    return Accepted(VerifiedClaims(subject), "HS256", None, counting_key("HS256"), since, until)


def test_8192_tokens_are_held_and_the_one_verified_longest_ago_goes_first() -> None:
    cache, one = AcceptedTokens(), accepted()
    for number in (*range(9000), 1000, *range(9000, 9500)):
        cache.put(number.to_bytes(2), one)
    held = [number for number in range(9500) if cache.get(number.to_bytes(2), NOW)]
    assert held == [1000, *range(1309, 9500)]


# The name of a token


@pytest.mark.parametrize("algorithm", ["HS256", *ASYMMETRIC])
def test_flipped_bit_makes_another_name(algorithm: str) -> None:
    good = token(algorithm)
    mutants = {
        good[:place] + chr(ord(good[place]) ^ 1 << bit) + good[place + 1 :]
        for place in range(len(good))
        for bit in range(7)
    }
    assert len({digest_of(one) for one in (good, *mutants)}) == 7 * len(good) + 1


@pytest.mark.parametrize("around", [".{}", "{}.", " {}", "{} ", "{}=", "{}\0", "{}\n", "\ufeff{}"])
def test_nothing_around_a_token_is_overlooked(verifier: Verifier, keys: Keys, around: str) -> None:
    good = signed(keys)
    assert outcome(verifier, good) == "alice"
    assert outcome(verifier, around.format(good)) in {"malformed", "not_a_jwt"}


def test_too_large_a_token_is_given_no_name() -> None:
    assert digest_of("x" * MAX_TOKEN_LENGTH)
    with pytest.raises(InvalidToken) as caught:
        digest_of("x" * (MAX_TOKEN_LENGTH + 1))
    assert caught.value.reason == "too_large"


@pytest.mark.parametrize("character", ["\ud800", "\xe9", "\U0001f600", "\0"])
def test_what_no_token_holds_is_a_refusal(verifier: Verifier, character: str) -> None:
    assert outcome(verifier, f"{character}.a.b") == "malformed"
