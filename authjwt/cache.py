"""Tokens accepted a moment ago, so that a burst of requests pays for one verification.

What may be left out for such a token, and why: its text, the rules and so the outcome of every rule that knows no time
are the same. Of those that do, `nbf` and `iat` ask for a time that is not after now, and the lifetime of a token
without `iat` is counted from now: once kept they stay kept while the clock goes forward. `exp` alone ends, at a second
that is known. What remains to be asked is whether the clock went back, and whether the key is still one of the issuer.
"""

import threading
from collections import OrderedDict
from typing import Final, NamedTuple

from authjwt.keys import VerificationKey
from authjwt.principal import VerifiedClaims

MAX_SECONDS: Final = 60.0
MAX_TOKENS: Final = 8192  # 600 bytes each: 5 MB; 21 MB if all user and key ids are as long as can be


class Accepted(NamedTuple):
    """A verified token: what it says, and the key that made it good under this algorithm and key id."""

    claims: VerifiedClaims
    algorithm: str
    kid: str | None
    key: VerificationKey
    since: float
    """When it was verified."""

    until: float
    """From when on it counts no more."""


class AcceptedTokens:
    """Good tokens only, bounded in number and time.

    Each names the key object that made it good: each reading of a key set makes new objects, so that whoever compares
    them lets a token count no longer than the set it was verified with. Tokens are kept as digests: a memory dump
    shows none.
    """

    def __init__(self) -> None:
        self._tokens: OrderedDict[bytes, Accepted] = OrderedDict()  # the first to be verified comes first
        self._lock = threading.Lock()  # for writing; a dict may be read meanwhile

    def get(self, digest: bytes, now: float) -> Accepted | None:
        """Return what was accepted under this digest, if it still would be with the same keys."""
        accepted = self._tokens.get(digest)
        if accepted is not None and accepted.since <= now < accepted.until:
            return accepted
        return None

    def put(self, digest: bytes, accepted: Accepted) -> None:
        """Remember a token for at most a minute, and forget the oldest if there are too many."""
        until = min(accepted.until, accepted.since + MAX_SECONDS)
        with self._lock:
            self._tokens[digest] = accepted._replace(until=until)
            self._tokens.move_to_end(digest)
            if len(self._tokens) > MAX_TOKENS:
                self._tokens.popitem(last=False)
