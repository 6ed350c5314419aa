"""Every credential of the corpus, in every mode, through the ninja adapter."""

import time
from collections import Counter
from collections.abc import Iterator

import pytest
from django.test import RequestFactory, override_settings

from authjwt.jwks import JWKSKeys
from authjwt.keys import KeysUnavailable, SecretKeys
from authjwt.refusal import InvalidToken, Reason
from authjwt.security import BearerAuth, bearer_token
from authjwt.verifier import Verifier
from tests.authjwt.configuration import settings_for
from tests.authjwt.corpus import CASES, MODES, Case, Mode
from tests.authjwt.forge import ISSUER, SECRET, issuer_jwks
from tests.authjwt.jwks_server import JWKSServer
from tests.authjwt.outcomes import outcome

MAX_SECONDS = 0.005
REASONS_WITHOUT_KEY = {reason.slug for reason in Reason} - {
    *("no_credentials", "malformed_header"),
    *("unknown_key", "ambiguous_key", "key_mismatch", "bad_signature"),
}


@pytest.fixture(scope="module")
def issuer() -> Iterator[JWKSServer]:
    """Serve the issuer's keys, for the whole module."""
    with JWKSServer(issuer_jwks()) as server:
        yield server


@pytest.fixture(scope="module", params=MODES)
def mode(request: pytest.FixtureRequest, issuer: JWKSServer) -> Iterator[Mode]:
    """Configure the service in each mode."""
    with override_settings(AUTHJWT=settings_for(request.param, issuer.url)):
        yield request.param


def user_of(authorization: str) -> str | None:
    """Send a request with this header through the adapter; None if it is refused."""
    request = RequestFactory().get("/", headers={"Authorization": authorization})
    try:
        return BearerAuth()(request).user_id
    except InvalidToken as exc:
        assert exc.www_authenticate.isascii(), authorization
        return None


def test_credentials_are_accepted_in_their_modes_only(mode: Mode) -> None:
    accepted = {case.id for case in CASES if user_of(case.build()) is not None}
    assert accepted == {case.id for case in CASES if mode in case.accepted}


def test_ids_are_unique() -> None:
    assert [id_ for id_, number in Counter(case.id for case in CASES).items() if number > 1] == []


def test_corpus_has_good_and_hostile_cases_enough() -> None:
    hostile = [case for case in CASES if not case.accepted]
    assert len(hostile) > 150
    assert {mode for case in CASES for mode in case.accepted} == set(MODES)


@pytest.mark.parametrize("mode", ["both"], indirect=True)
@pytest.mark.usefixtures("mode")
def test_no_credential_costs_more_than_5_ms() -> None:
    user_of(next(case for case in CASES if case.id == "good-EdDSA").build())  # fetches the keys, where there are any
    slow = {}
    for case in CASES:
        authorization = case.build()
        seconds = min(_seconds_of_work(authorization) for _ in range(3))
        if seconds > MAX_SECONDS:
            slow[case.id] = seconds
    assert slow == {}


def _seconds_of_work(authorization: str) -> float:
    started_at = time.thread_time()
    user_of(authorization)
    return time.thread_time() - started_at


def test_only_a_token_whose_claims_are_good_makes_a_fetch() -> None:
    refused_without_key = set()
    with JWKSServer(issuer_jwks()) as issuer, JWKSServer(issuer_jwks()) as untouched:
        knowing, asking = _verifier(issuer.url), _verifier(untouched.url)
        for case in CASES:
            if reason_of(knowing, case) in REASONS_WITHOUT_KEY:
                refused_without_key.add(reason_of(asking, case))
        assert untouched.hits == 0
    assert refused_without_key == REASONS_WITHOUT_KEY


def test_corpus_meets_every_reason_there_is() -> None:
    reasons = {_reason_of_header(case) for case in CASES}
    with JWKSServer(issuer_jwks()) as issuer:
        verifier = _verifier(issuer.url)
        reasons |= {reason_of(verifier, case) for case in CASES}
    assert reasons >= {reason.slug for reason in Reason} - {"ambiguous_key"}  # the issuer of the corpus has no twins


def _verifier(url: str) -> Verifier:
    return Verifier([SecretKeys([SECRET]), JWKSKeys(url)], issuers=[ISSUER], audiences=[ISSUER], secret_requires=[])


def _reason_of_header(case: Case) -> str | None:
    try:
        bearer_token(case.build())
    except InvalidToken as exc:
        return exc.reason
    return None


def reason_of(verifier: Verifier, case: Case) -> str | None:
    """Tell why a token is refused, or whose it is; None if there is none."""
    if _reason_of_header(case) is not None:
        return None
    return outcome(verifier, bearer_token(case.build()))


def test_token_that_needs_a_key_is_neither_good_nor_bad_while_there_is_none() -> None:
    with JWKSServer(issuer_jwks()) as gone:
        url = gone.url
    verifier = Verifier([JWKSKeys(url)], issuers=[ISSUER], audiences=[ISSUER])
    good = next(case for case in CASES if case.id == "good-EdDSA").build()
    with pytest.raises(KeysUnavailable):
        verifier.verify(bearer_token(good))
