"""Verification of bearer tokens: cheap checks first, the network never for garbage, the signature last."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

from authjwt.cache import Accepted, AcceptedTokens
from authjwt.jws import UnverifiedToken, digest_of, parse
from authjwt.keys import KeySource, KeysUnavailable, VerificationKey
from authjwt.principal import VerifiedClaims
from authjwt.refusal import InvalidToken, Reason
from authjwt.rules import CHECKS, LEEWAY, MAX_LIFETIME, Check, Rules, expires_at


class Finding(NamedTuple):
    """One step of an explanation: a rule, and what was wrong if it was not kept."""

    rule: str
    problem: InvalidToken | KeysUnavailable | None


class Verifier:
    """Says whom a token stands for, or raises. Knows no web framework; thread-safe."""

    def __init__(  # noqa: PLR0913 (every option by name)
        self,
        sources: Iterable[KeySource],
        *,
        issuers: Collection[str] = (),
        audiences: Collection[str] = (),
        secret_requires: Collection[str] = ("iss", "aud"),
        max_lifetime: float = MAX_LIFETIME,
        leeway: float = LEEWAY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.sources = tuple(sources)
        self._source_of = {algorithm: source for source in self.sources for algorithm in source.algorithms}
        self.rules = Rules(
            algorithms=frozenset(self._source_of),
            issuers=frozenset(issuers),
            audiences=frozenset(audiences),
            secret_requires=frozenset(secret_requires),
            max_lifetime=max_lifetime,
            leeway=leeway,
        )
        self._accepted = AcceptedTokens()
        self._clock = clock

    def verify(self, unverified_token: str) -> VerifiedClaims:
        """Return the claims of an acceptable token.

        Raises InvalidToken, or KeysUnavailable if it cannot be known at the moment whether the token is good.
        """
        now = self._clock()
        digest = digest_of(unverified_token)
        accepted = self._accepted.get(digest, now)
        if accepted is None:
            return self._verify_anew(unverified_token, digest, now)
        keys = self._candidates(accepted.algorithm, accepted.kid)
        for key in keys:
            if key is accepted.key:
                return accepted.claims
        return self._verify_anew(unverified_token, digest, now, keys)

    def explain(self, unverified_token: str) -> Iterator[Finding]:
        """Yield the outcome of each check that `verify` makes, up to and including the one that fails."""
        now, rule = self._clock(), "it is a signed JWT"
        try:
            token = parse(unverified_token)
            for check in (*CHECKS, Check("its signature is that of the issuer", self._check_signature)):
                yield Finding(rule, None)
                rule = check.rule
                check.run(token, self.rules, now)
        except (InvalidToken, KeysUnavailable) as exc:
            yield Finding(rule, exc)
        else:
            yield Finding(rule, None)

    def _verify_anew(
        self, unverified_token: str, digest: bytes, now: float, keys: tuple[VerificationKey, ...] = ()
    ) -> VerifiedClaims:
        """Verify with these keys; without any, with those that the token asks for."""
        token = parse(unverified_token)
        for check in CHECKS:
            check.run(token, self.rules, now)
        algorithm, kid = str(token.algorithm), token.kid
        key = _signer(token, keys or self._candidates(algorithm, kid))
        claims = VerifiedClaims(subject=token.claims["sub"])
        self._accepted.put(digest, Accepted(claims, algorithm, kid, key, now, expires_at(token, self.rules)))
        return claims

    def _candidates(self, algorithm: str, kid: str | None) -> tuple[VerificationKey, ...]:
        """Return at least one key. The algorithm decides on the source, that on the keys."""
        keys = self._source_of[algorithm].candidates(algorithm, kid)
        if not keys:
            raise InvalidToken(Reason.UNKNOWN_KEY)
        return keys

    def _check_signature(self, token: UnverifiedToken, _rules: Rules, _now: float) -> None:
        _signer(token, self._candidates(str(token.algorithm), token.kid))


def _signer(token: UnverifiedToken, keys: Iterable[VerificationKey]) -> VerificationKey:
    """Return the key that signed a token: keys are used here, nowhere else (RFC 8725, section 3.3)."""
    for key in keys:
        if key.verifies(str(token.algorithm), token.signing_input, token.signature):
            return key
    raise InvalidToken(Reason.BAD_SIGNATURE)
