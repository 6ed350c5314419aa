"""Verification of bearer tokens: cheap checks first, the network never for garbage, the signature last."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

from authjwt.cache import SignatureCache
from authjwt.jws import UnverifiedToken, parse
from authjwt.keys import SECRET_ALGORITHM, KeySource, KeysUnavailable, VerificationKey
from authjwt.principal import VerifiedClaims
from authjwt.refusal import InvalidToken, Reason
from authjwt.rules import CHECKS, LEEWAY, MAX_LIFETIME, Check, Rules

__all__ = ["Finding", "InvalidToken", "KeysUnavailable", "VerifiedClaims", "Verifier"]


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
        signatures: SignatureCache | None = None,
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
        self._checks = (*CHECKS, Check("its signature is that of the issuer", self._check_signature))
        self._signatures = signatures or SignatureCache()
        self._clock = clock

    def verify(self, unverified_token: str) -> VerifiedClaims:
        """Return the claims of an acceptable token.

        Raises InvalidToken, or KeysUnavailable if it cannot be known at the moment whether the token is good.
        """
        now = self._clock()
        token = parse(unverified_token)
        for check in self._checks:
            check.run(token, self.rules, now)
        return VerifiedClaims(subject=token.claims["sub"])

    def explain(self, unverified_token: str) -> Iterator[Finding]:
        """Yield the outcome of each check that `verify` makes, up to and including the one that fails."""
        now = self._clock()
        try:
            token = parse(unverified_token)
        except InvalidToken as exc:
            yield Finding(_WELL_FORMED, exc)
            return
        yield Finding(_WELL_FORMED, None)
        for check in self._checks:
            try:
                check.run(token, self.rules, now)
            except (InvalidToken, KeysUnavailable) as exc:
                yield Finding(check.rule, exc)
                return
            yield Finding(check.rule, None)

    def _check_signature(self, token: UnverifiedToken, _rules: Rules, now: float) -> None:
        """Use a key, nowhere else (RFC 8725, section 3.3). The algorithm decides on the source, that on the key."""
        algorithm = str(token.algorithm)
        keys = self._source_of[algorithm].candidates(algorithm, token.kid)
        if not keys:
            raise InvalidToken(Reason.UNKNOWN_KEY)
        if not any(self._verifies(key, algorithm, token, now) for key in keys):
            raise InvalidToken(Reason.BAD_SIGNATURE)

    def _verifies(self, key: VerificationKey, algorithm: str, token: UnverifiedToken, now: float) -> bool:
        if algorithm == SECRET_ALGORITHM:  # an HMAC costs no more than looking it up
            return key.verifies(algorithm, token.signing_input, token.signature)
        return self._signatures.verifies(key, algorithm, token.signing_input, token.signature, now)


_WELL_FORMED = "it is a signed JWT"
