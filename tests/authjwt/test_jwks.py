"""Keys from a JWKS: known ones are never waited for, unknown ones are looked for, floods and outages are survived."""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from authjwt import jwks
from authjwt.jwks import WAITING, JWKSKeys
from authjwt.keys import KeysUnavailable
from authjwt.refusal import InvalidToken
from authjwt.verifier import Verifier
from tests.authjwt.forge import ISSUER, KeyPair, assemble, claims, issuer_jwks, issuer_key, key_pair, token
from tests.authjwt.jwks_server import (
    Behaviour,
    JWKSServer,
    behaving,
    cut_short,
    hang_up,
    no_http,
    reset,
    respond,
    stall,
)
from tests.authjwt.outcomes import outcome

TTL = 300
DAY = 24 * 3600


class Clock:
    """Monotonic time that can be put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(issuer: JWKSServer, clock: Clock) -> Callable[..., Verifier]:
    """Make verifiers of the issuer's keys on the clock of the test."""

    def make(**options: Any) -> Verifier:
        keys = JWKSKeys(issuer.url, **{"clock": clock, "ttl": TTL, **options})
        return Verifier([keys], issuers=[ISSUER], audiences=[ISSUER])

    return make


@pytest.fixture
def verifier(make: Callable[..., Verifier]) -> Verifier:
    return make()


def signed_by(pair: KeyPair, **head: Any) -> str:
    """Make a good token signed by a key of any name."""
    return assemble({"alg": pair.algorithm, "kid": pair.kid, **head}, claims(), pair.sign)


def seconds_of(action: Callable[[], object]) -> float:
    started_at = time.monotonic()
    action()
    return time.monotonic() - started_at


def eventually(condition: Callable[[], bool], seconds: float = 5) -> bool:
    """Wait for what happens in the background."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.005)
    return False


# When keys are fetched


def test_making_a_verifier_fetches_nothing(issuer: JWKSServer, verifier: Verifier) -> None:
    assert verifier.rules.algorithms
    assert issuer.hits == 0


def test_reading_is_told_without_a_fetch(issuer: JWKSServer, clock: Clock) -> None:
    keys = JWKSKeys(issuer.url, clock=clock)
    assert tuple(keys.reading) == (0, None, False)
    assert issuer.hits == 0
    for jwk in issuer.document["keys"]:
        jwk.pop("alg")  # RSA keys are then for two algorithms
    assert keys.candidates("RS256", "key-RS256")
    clock.ahead += 60
    reading = keys.reading
    assert (reading.keys, reading.failing) == (5, False)
    assert reading.age == pytest.approx(60, abs=5)


def test_reading_tells_that_the_issuer_is_away(issuer: JWKSServer, clock: Clock) -> None:
    keys = JWKSKeys(issuer.url, clock=clock)
    issuer.behave = respond("503 Service Unavailable")
    with pytest.raises(KeysUnavailable):
        keys.candidates("EdDSA", "key-EdDSA")
    assert keys.reading == (0, None, True)


def test_observer_is_told_of_every_fetch(
    issuer: JWKSServer, verifier: Verifier, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bool] = []
    monkeypatch.setattr(jwks, "_observers", [])
    jwks.observe(told.append)
    with behaving(issuer, reset), pytest.raises(KeysUnavailable):
        verifier.verify(token("EdDSA"))
    clock.ahead = 1
    verifier.verify(token("EdDSA"))
    assert eventually(lambda: told == [False, True])


def test_keys_are_fetched_once_for_many_tokens(issuer: JWKSServer, verifier: Verifier) -> None:
    for _ in range(5):
        verifier.verify(token("EdDSA"))
        verifier.verify(token("ES256"))
    assert issuer.hits == 1


# Rotation


def test_new_key_is_fetched_at_once(issuer: JWKSServer, verifier: Verifier) -> None:
    verifier.verify(token("EdDSA"))
    new = key_pair("new", "EdDSA")
    issuer.publish(issuer_key("EdDSA").jwk(), new.jwk())
    assert verifier.verify(signed_by(new)).subject == "alice"


def test_rotations_in_quick_succession_are_all_followed(issuer: JWKSServer, verifier: Verifier) -> None:
    """A fetch that brings a new key does not count against the allowance."""
    for number in range(12):
        new = key_pair(f"new-{number}", "EdDSA")
        issuer.publish(new.jwk())
        assert verifier.verify(signed_by(new)).subject == "alice"


def test_key_published_while_a_fetch_is_under_way_is_found_by_the_next(issuer: JWKSServer, verifier: Verifier) -> None:
    verifier.verify(token("EdDSA"))
    new = key_pair("new", "EdDSA")
    with ThreadPoolExecutor(1) as threads, behaving(issuer, stall(0.3)):
        early = threads.submit(verifier.verify, token("EdDSA", {"kid": "nobody"}))  # reads the old set, slowly
        assert eventually(lambda: issuer.hits == 2)
        issuer.publish(new.jwk())
        assert verifier.verify(signed_by(new)).subject == "alice"
        assert isinstance(early.exception(), InvalidToken)
    assert issuer.hits == 3


def test_old_key_is_good_as_long_as_it_is_published(issuer: JWKSServer, verifier: Verifier, clock: Clock) -> None:
    old = token("EdDSA")
    verifier.verify(old)
    issuer.publish(issuer_key("EdDSA").jwk(), key_pair("new", "EdDSA").jwk())
    clock.ahead = 10 * TTL
    assert verifier.verify(old).subject == "alice"


def test_removed_key_is_refused_after_the_ttl(issuer: JWKSServer, make: Callable[..., Verifier], clock: Clock) -> None:
    """Also by a service that nobody has asked for anything meanwhile."""
    verifier = make(grace=3)
    verifier.verify(token("EdDSA"))
    issuer.publish(key_pair("new", "EdDSA").jwk())
    clock.ahead = TTL + 1
    assert outcome(verifier, token("EdDSA")) == "unknown_key"


def test_removed_key_is_refused_although_its_token_was_verified_a_moment_ago(
    issuer: JWKSServer, make: Callable[..., Verifier], clock: Clock
) -> None:
    """What is remembered of a token ends with the set of keys, and costs no further fetch."""
    verifier = make(grace=3)
    same = token("EdDSA")
    verifier.verify(same)
    issuer.publish()
    clock.ahead = TTL + 1
    assert outcome(verifier, same) == "unknown_key"
    assert issuer.hits == 2


def test_token_verified_a_moment_ago_is_good_with_a_set_that_was_read_again(
    issuer: JWKSServer, make: Callable[..., Verifier], clock: Clock
) -> None:
    verifier = make(grace=3)
    same = token("EdDSA")
    for clock.ahead in (0, TTL + 1, 2 * TTL + 2):
        assert [verifier.verify(same).subject for _ in range(3)] == ["alice"] * 3
    assert issuer.hits == 3


def test_key_that_is_now_for_another_algorithm_is_refused_although_its_token_was_verified_a_moment_ago(
    issuer: JWKSServer, make: Callable[..., Verifier], clock: Clock
) -> None:
    verifier = make(grace=3)
    same = token("RS256")
    verifier.verify(same)
    issuer.publish(issuer_key("RS256").jwk(alg="PS256"))
    clock.ahead = TTL + 1
    assert outcome(verifier, same) == "key_mismatch"


def test_token_without_kid_is_refused_once_keys_are_several_although_it_was_verified_a_moment_ago(
    issuer: JWKSServer, make: Callable[..., Verifier], clock: Clock
) -> None:
    verifier = make(grace=3)
    same = assemble({"alg": "EdDSA"}, claims(), issuer_key("EdDSA").sign)
    assert [verifier.verify(same).subject for _ in range(2)] == ["alice"] * 2
    issuer.publish(issuer_key("EdDSA").jwk(), key_pair("new", "EdDSA").jwk())
    clock.ahead = TTL + 1
    assert outcome(verifier, same) == "ambiguous_key"


def test_key_replaced_under_its_name_is_refused_after_the_ttl(
    issuer: JWKSServer, make: Callable[..., Verifier], clock: Clock
) -> None:
    verifier = make(grace=3)
    same = token("EdDSA")
    verifier.verify(same)
    issuer.publish(key_pair("other", "EdDSA").jwk(kid="key-EdDSA"))
    clock.ahead = TTL + 1
    assert outcome(verifier, same) == "bad_signature"


def test_empty_key_set_is_legitimate(issuer: JWKSServer, verifier: Verifier) -> None:
    issuer.publish()
    assert outcome(verifier, token("EdDSA")) == "unknown_key"
    issuer.document = issuer_jwks()
    assert verifier.verify(token("EdDSA")).subject == "alice"


# Who waits


def test_refresh_begins_in_the_background_before_the_ttl_ends(
    issuer: JWKSServer, verifier: Verifier, clock: Clock
) -> None:
    same = token("EdDSA")
    verifier.verify(same)
    clock.ahead = TTL * 0.6
    with behaving(issuer, stall(1.5)):
        assert seconds_of(lambda: verifier.verify(same)) < 0.5
        assert eventually(lambda: issuer.hits == 2)


def test_refresh_does_not_begin_before_half_of_the_ttl(issuer: JWKSServer, verifier: Verifier, clock: Clock) -> None:
    verifier.verify(token("EdDSA"))
    clock.ahead = TTL * 0.45
    verifier.verify(token("EdDSA"))
    assert not eventually(lambda: issuer.hits > 1, 0.1)


def test_stall_after_a_failed_refresh_delays_no_known_key(
    issuer: JWKSServer, make: Callable[..., Verifier], clock: Clock
) -> None:
    verifier = make(grace=2)
    verifier.verify(token("EdDSA"))
    clock.ahead = TTL + 1
    with behaving(issuer, reset):
        verifier.verify(token("EdDSA"))
    clock.ahead += 1
    with behaving(issuer, stall(1.5)):
        assert seconds_of(lambda: verifier.verify(token("EdDSA"))) < 1


def test_stall_delays_no_request_whose_key_is_known(issuer: JWKSServer, verifier: Verifier) -> None:
    verifier.verify(token("EdDSA"))
    with ThreadPoolExecutor(4) as threads, behaving(issuer, stall(1.5)):
        waiting = [threads.submit(outcome, verifier, token("EdDSA", {"kid": f"nobody-{n}"})) for n in range(4)]
        assert eventually(lambda: issuer.hits == 2)
        known = [seconds_of(lambda: verifier.verify(token("EdDSA"))) for _ in range(50)]
        assert not any(future.done() for future in waiting)
        assert max(known) < 0.5


def test_stall_after_a_long_silence_delays_a_known_key_by_a_moment_only(
    issuer: JWKSServer, verifier: Verifier, clock: Clock
) -> None:
    verifier.verify(token("EdDSA"))
    clock.ahead = 2 * TTL
    with behaving(issuer, stall(1.5)):
        assert seconds_of(lambda: verifier.verify(token("EdDSA"))) < 0.5
        assert seconds_of(lambda: verifier.verify(token("EdDSA"))) < 0.5


def test_waiting_for_an_unknown_key_ends_at_the_deadline(issuer: JWKSServer, make: Callable[..., Verifier]) -> None:
    verifier = make(deadline=0.4)
    with behaving(issuer, stall(2)):
        started_at = time.monotonic()
        with pytest.raises(KeysUnavailable):
            verifier.verify(token("EdDSA"))
    assert time.monotonic() - started_at < 1.5


def test_fetch_itself_ends_at_the_deadline(issuer: JWKSServer, clock: Clock) -> None:
    keys = JWKSKeys(issuer.url, clock=clock, deadline=0.3)
    with behaving(issuer, stall(1)):
        with pytest.raises(KeysUnavailable):
            keys.candidates("EdDSA", "key-EdDSA")
        assert eventually(lambda: keys.reading.failing, 3)


def test_waiting_for_a_second_fetch_ends_at_the_deadline_of_the_request(
    issuer: JWKSServer, make: Callable[..., Verifier]
) -> None:
    verifier = make(deadline=0.6)
    verifier.verify(token("EdDSA"))
    with ThreadPoolExecutor(1) as threads, behaving(issuer, stall(0.4)):
        threads.submit(outcome, verifier, token("EdDSA", {"kid": "early"}))
        assert eventually(lambda: issuer.hits == 2)
        started_at = time.monotonic()
        with pytest.raises(KeysUnavailable):
            verifier.verify(token("EdDSA", {"kid": "late"}))
    assert time.monotonic() - started_at < 2


def test_stall_does_not_hold_all_threads_of_a_server(issuer: JWKSServer, verifier: Verifier, clock: Clock) -> None:
    """Made-up key ids need no key: anybody could send them. The second time shows that places are given back."""
    verifier.verify(token("EdDSA"))
    flood = [token("EdDSA", {"kid": f"nobody-{number}"}) for number in range(16)]
    for _ in range(2):
        clock.ahead += 30  # another allowance
        with ThreadPoolExecutor(16) as threads, behaving(issuer, stall(1.2)):
            answers = [threads.submit(verifier.verify, one) for one in flood]
            assert eventually(lambda: sum(answer.done() for answer in answers) == 16 - WAITING, 1)  # noqa: B023
            time.sleep(0.2)
            early = [answer for answer in answers if answer.done()]
            assert {type(answer.exception()) for answer in early} == {KeysUnavailable}
            assert len(early) == 16 - WAITING
        assert {type(answer.exception()) for answer in answers} == {KeysUnavailable, InvalidToken}


def test_any_number_of_requests_shares_the_wait_for_the_first_keys(issuer: JWKSServer, verifier: Verifier) -> None:
    """There is nobody yet whose key is known."""
    with behaving(issuer, stall(0.8)), ThreadPoolExecutor(2 * WAITING) as threads:
        users = [claims.subject for claims in threads.map(verifier.verify, [token("EdDSA")] * 2 * WAITING)]
    assert users == ["alice"] * 2 * WAITING
    assert issuer.hits == 1


def test_stall_after_a_failure_holds_nobody_for_long(issuer: JWKSServer, verifier: Verifier, clock: Clock) -> None:
    with behaving(issuer, reset), pytest.raises(KeysUnavailable):
        verifier.verify(token("EdDSA"))
    clock.ahead = 1
    with behaving(issuer, stall(2)):
        started_at = time.monotonic()
        with pytest.raises(KeysUnavailable):
            verifier.verify(token("EdDSA"))
    assert time.monotonic() - started_at < 1


# Floods


def test_300_unknown_kids_at_once_cause_at_most_10_fetches(issuer: JWKSServer, verifier: Verifier) -> None:
    flood = [token("EdDSA", {"kid": f"nobody-{number}"}) for number in range(300)]
    with ThreadPoolExecutor(16) as threads:
        reasons = set(threads.map(lambda one: outcome(verifier, one), flood))
    assert reasons == {"unknown_key"}
    assert issuer.hits <= 10


def test_new_key_is_found_soon_after_a_flood(issuer: JWKSServer, verifier: Verifier, clock: Clock) -> None:
    for number in range(20):
        outcome(verifier, token("EdDSA", {"kid": f"nobody-{number}"}))
    new = key_pair("new", "EdDSA")
    issuer.publish(new.jwk())
    clock.ahead = 4
    assert outcome(verifier, signed_by(new)) == "unknown_key"
    clock.ahead = 5.5
    assert outcome(verifier, signed_by(new)) == "alice"


def test_search_that_found_a_new_key_is_not_counted(issuer: JWKSServer, verifier: Verifier) -> None:
    """Of three searches that are allowed at once two are left for made-up keys, no more and no fewer."""
    verifier.verify(token("EdDSA"))
    outcome(verifier, token("EdDSA", {"kid": "nobody"}))
    new = key_pair("new", "EdDSA")
    issuer.publish(issuer_key("EdDSA").jwk(), new.jwk())
    verifier.verify(signed_by(new))
    assert issuer.hits == 3
    for number in range(5):
        outcome(verifier, token("EdDSA", {"kid": f"nobody-{number}"}))
    assert issuer.hits == 5


def test_known_kid_with_a_bad_signature_causes_no_fetch(issuer: JWKSServer, verifier: Verifier) -> None:
    verifier.verify(token("EdDSA"))
    forged = assemble({"alg": "EdDSA", "kid": "key-EdDSA"}, claims(), key_pair("foreign", "EdDSA").sign)
    assert outcome(verifier, forged) == "bad_signature"
    assert outcome(verifier, token("EdDSA", {"kid": "key-ES256"})) == "key_mismatch"
    assert issuer.hits == 1


# Outages

UNUSABLE: dict[str, Behaviour] = {
    "401": respond("401 Unauthorized"),
    "404": respond("404 Not Found"),
    "429": respond("429 Too Many Requests", Retry_After="7"),
    "500": respond("500 Internal Server Error"),
    "503": respond("503 Service Unavailable"),
    "204": respond("204 No Content"),
    "201": respond("201 Created"),
    "html": respond(body=b"<!doctype html><title>Sign in</title>", Content_Type="text/html"),
    "empty": respond(body=b""),
    "null": respond(body=b"null"),
    "list": respond(body=b"[]"),
    "no keys": respond(body=b'{"jwks":[]}'),
    "keys is an object": respond(body=b'{"keys":{}}'),
    "duplicate keys": respond(body=b'{"keys":[],"keys":[]}'),
    "utf-16": respond(body='{"keys":[]}'.encode("utf-16")),
    "too large": respond(body=b'{"keys":[' + b" " * 600_000 + b"]}"),
    "deep": respond(body=b'{"keys":' + b"[" * 100_000),
    "cut short": cut_short,
    "reset": reset,
    "hang up": hang_up,
    "no HTTP": no_http,
    "redirect": respond("302 Found", Location="/elsewhere"),
    "permanent redirect": respond("308 Permanent Redirect", Location="/elsewhere"),
}


@pytest.mark.parametrize("behaviour", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_first_keys_out_of_reach_is_unavailable(issuer: JWKSServer, verifier: Verifier, behaviour: Behaviour) -> None:
    with behaving(issuer, behaviour), pytest.raises(KeysUnavailable) as caught:
        verifier.verify(token("EdDSA"))
    assert 1 <= caught.value.retry_after <= 30
    assert issuer.hits == 1


def test_service_recovers_by_itself_from(issuer: JWKSServer, verifier: Verifier, clock: Clock) -> None:
    with behaving(issuer, reset), pytest.raises(KeysUnavailable):
        verifier.verify(token("EdDSA"))
    clock.ahead = 1
    assert verifier.verify(token("EdDSA")).subject == "alice"


@pytest.mark.parametrize("name", ["500", "html", "reset"])
def test_known_keys_outlive_an_outage(issuer: JWKSServer, verifier: Verifier, clock: Clock, name: str) -> None:
    verifier.verify(token("EdDSA"))
    with behaving(issuer, UNUSABLE[name]):
        for hours in (1, 12, 23):
            clock.ahead = hours * 3600
            assert verifier.verify(token("EdDSA")).subject == "alice"


def test_keys_older_than_a_day_are_used_no_more(issuer: JWKSServer, verifier: Verifier, clock: Clock) -> None:
    """Nor is what is remembered of tokens."""
    same = token("EdDSA")
    verifier.verify(same)
    clock.ahead = DAY + 1
    with behaving(issuer, reset), pytest.raises(KeysUnavailable):
        verifier.verify(same)
    clock.ahead += 1
    assert verifier.verify(same).subject == "alice"


def test_unknown_key_during_an_outage_is_unavailable(issuer: JWKSServer, verifier: Verifier) -> None:
    verifier.verify(token("EdDSA"))
    with behaving(issuer, respond("500 Internal Server Error")), pytest.raises(KeysUnavailable):
        verifier.verify(token("EdDSA", {"kid": "new"}))


def test_unknown_key_stays_unavailable_until_the_next_attempt(issuer: JWKSServer, verifier: Verifier) -> None:
    """It is not taken for a bad one meanwhile."""
    verifier.verify(token("EdDSA"))
    with behaving(issuer, reset):
        for number in range(20):
            with pytest.raises(KeysUnavailable):
                verifier.verify(token("EdDSA", {"kid": f"new-{number}"}))
    assert issuer.hits == 2


@pytest.mark.parametrize("behaviour", [reset, respond(body=b"{}")], ids=["nothing", "no JWK Set"])
def test_pauses_grow_to_a_bound(issuer: JWKSServer, verifier: Verifier, clock: Clock, behaviour: Behaviour) -> None:
    def fails_for_the(time_: int) -> bool:
        with pytest.raises(KeysUnavailable):
            verifier.verify(token("EdDSA"))
        return issuer.hits == time_

    with behaving(issuer, behaviour):
        assert fails_for_the(1)
        for attempt, pause in enumerate([0.5, 1, 2, 4, 5, 5, 5], start=2):
            clock.ahead += pause - 0.25
            assert fails_for_the(attempt - 1)
            clock.ahead += 0.3
            assert fails_for_the(attempt)


@pytest.mark.parametrize(
    ("header", "value", "seconds"),
    [
        ("Retry_After", "7", 7),
        ("X_Retry_After", "9", 9),
        ("Retry_After", "86400", 30),
        ("Retry_After", "-5", 1),
        ("Retry_After", "0", 1),
        ("Retry_After", "soon", 1),
        ("Retry_After", "9" * 400, 1),
        ("Retry_After", "Fri, 01 Jan 2100 00:00:00 GMT", 30),
        ("Retry_After", "Sat, 01 Jan 2000 00:00:00 GMT", 1),
    ],
)
def test_retry_after_is_honoured_within_bounds(
    issuer: JWKSServer, verifier: Verifier, header: str, value: str, seconds: int
) -> None:
    with (
        behaving(issuer, respond("429 Too Many Requests", body=None, **{header: value})),
        pytest.raises(KeysUnavailable) as caught,
    ):
        verifier.verify(token("EdDSA"))
    assert caught.value.retry_after == seconds


def test_process_that_can_start_no_more_threads_is_unavailable(
    issuer: JWKSServer, verifier: Verifier, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        msg = "can't start new thread"
        raise RuntimeError(msg)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(KeysUnavailable):
            verifier.verify(token("EdDSA"))
    clock.ahead = 1
    assert verifier.verify(token("EdDSA")).subject == "alice"
    assert issuer.hits == 1


# Which key


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "ES512", "RS256", "PS256"])
def test_only_key_of_its_algorithm_serves_a_token_without_kid(
    issuer: JWKSServer, verifier: Verifier, algorithm: str
) -> None:
    issuer.publish(issuer_key(algorithm).jwk(), key_pair("curve", "ES256" if algorithm != "ES256" else "EdDSA").jwk())
    nameless = assemble({"alg": algorithm}, claims(), issuer_key(algorithm).sign)
    assert verifier.verify(nameless).subject == "alice"


def test_key_without_kid_goes_before_named_ones_for_a_token_without_kid(issuer: JWKSServer, verifier: Verifier) -> None:
    nameless = key_pair("nameless", "EdDSA")
    issuer.publish(issuer_key("EdDSA").jwk(), {**nameless.jwk(), "kid": None})
    assert verifier.verify(assemble({"alg": "EdDSA"}, claims(), nameless.sign)).subject == "alice"
    assert outcome(verifier, assemble({"alg": "EdDSA"}, claims(), issuer_key("EdDSA").sign)) == "bad_signature"


def test_token_without_kid_is_refused_where_keys_are_several(issuer: JWKSServer, verifier: Verifier) -> None:
    issuer.publish(issuer_key("EdDSA").jwk(), key_pair("new", "EdDSA").jwk())
    assert outcome(verifier, assemble({"alg": "EdDSA"}, claims(), issuer_key("EdDSA").sign)) == "ambiguous_key"
    assert issuer.hits == 1


def test_key_without_kid_does_not_serve_a_token_with_kid(issuer: JWKSServer, verifier: Verifier) -> None:
    issuer.publish({**issuer_key("EdDSA").jwk(), "kid": None})
    assert outcome(verifier, token("EdDSA")) == "unknown_key"


def test_keys_that_share_a_kid_are_both_tried(issuer: JWKSServer, verifier: Verifier) -> None:
    twin = key_pair("twin", "EdDSA")
    issuer.publish(issuer_key("EdDSA").jwk(), twin.jwk(kid="key-EdDSA"), issuer_key("ES256").jwk(kid="key-EdDSA"))
    assert verifier.verify(token("EdDSA")).subject == "alice"
    assert verifier.verify(signed_by(twin, kid="key-EdDSA")).subject == "alice"


def test_algorithm_that_is_not_configured_is_refused(issuer: JWKSServer) -> None:
    keys = JWKSKeys(issuer.url, algorithms=["EdDSA"])
    verifier = Verifier([keys], issuers=[ISSUER], audiences=[ISSUER])
    assert outcome(verifier, token("ES256")) == "algorithm"
    assert keys.candidates("ES256", "key-ES256") == ()
    assert issuer.hits == 0


# Processes


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_child_fetches_for_itself_although_a_fetch_was_under_way_at_the_fork(
    issuer: JWKSServer, verifier: Verifier
) -> None:
    with behaving(issuer, stall(0.5)), ThreadPoolExecutor(1) as threads:
        parents = threads.submit(verifier.verify, token("EdDSA"))
        assert eventually(lambda: issuer.hits == 1)
        issuer.behave = respond()
        pid = os.fork()
        if pid == 0:  # pragma: no cover (in the child)
            try:
                os._exit(0 if verifier.verify(token("EdDSA")).subject == "alice" else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert parents.result().subject == "alice"


def test_keys_of_a_child_begin_anew(issuer: JWKSServer) -> None:
    """What the system calls in the child of a fork, here in the parent, for the child's own doings are not measured."""
    keys = JWKSKeys(issuer.url)
    with behaving(issuer, stall(0.5)), ThreadPoolExecutor(1) as threads:
        threads.submit(keys.candidates, "EdDSA", "key-EdDSA")
        assert eventually(lambda: issuer.hits == 1)
        issuer.behave = respond()
        keys._lock.acquire()
        while keys._places.acquire(blocking=False):
            pass
        jwks._forget_parents()
        assert keys._places.acquire(blocking=False)
        assert keys.candidates("EdDSA", "key-EdDSA")
        assert issuer.hits == 2
