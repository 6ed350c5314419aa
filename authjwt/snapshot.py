"""The keys of one reading of a JWK Set: never changed, only replaced as a whole, so that reading needs no lock."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Self

from authjwt.jwk import parse_key_set
from authjwt.keys import VerificationKey
from authjwt.refusal import InvalidToken, Reason

_Name = tuple[str | None, str]
"""Key id and algorithm."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Keys by the names that tokens call them by."""

    as_of: float = -inf
    """When the reading was begun (monotonic seconds): it shows every change made before."""

    keys: Mapping[_Name, tuple[VerificationKey, ...]] = field(default_factory=dict, repr=False)
    kids: frozenset[str | None] = frozenset()

    @classmethod
    def of(cls, document: bytes, algorithms: Collection[str], as_of: float) -> Self:
        """Read a JWK Set. Raises ValueError if it is none."""
        keys = defaultdict(list)
        for key in parse_key_set(document, algorithms).keys:
            for algorithm in key.algorithms:
                keys[key.kid, algorithm].append(key)
        return cls(
            as_of=as_of,
            keys={name: tuple(same_name) for name, same_name in keys.items()},
            kids=frozenset(kid for kid, _ in keys),
        )

    @property
    def size(self) -> int:
        """How many keys there are, each counted once, whatever names and algorithms it has."""
        return len({id(key) for same_name in self.keys.values() for key in same_name})

    def candidates(self, algorithm: str, kid: str | None) -> tuple[VerificationKey, ...]:
        """Return the keys of this name: one, or several if the issuer gave one name twice. Empty if unknown.

        Raises InvalidToken if the key exists and is not for this algorithm.
        """
        if kid is None:
            return self._nameless(algorithm)
        keys = self.keys.get((kid, algorithm), ())
        if not keys and kid in self.kids:
            raise InvalidToken(Reason.KEY_MISMATCH)
        return keys

    def _nameless(self, algorithm: str) -> tuple[VerificationKey, ...]:
        """Choose for a token without `kid`: the key without `kid`, else the only key for its algorithm.

        Where that leaves a choice the token is refused: trying keys one after the other would let a token be good
        for a reason that nobody stated.
        """
        keys = self.keys.get((None, algorithm)) or tuple(
            key for (_, used_with), same_name in self.keys.items() if used_with == algorithm for key in same_name
        )
        if len(keys) > 1:
            raise InvalidToken(Reason.AMBIGUOUS_KEY)
        return keys
