"""Signatures verified a moment ago, so that a burst of requests pays for one.

Only the signature is remembered: every claim is checked anew each time, so that a token expires to the second.
"""

import hashlib
import threading
from typing import Final, NamedTuple

from authjwt.keys import VerificationKey

MAX_SECONDS: Final = 60.0
MAX_SIGNATURES: Final = 1024


class _Entry(NamedTuple):
    key: VerificationKey
    stored_at: float


class SignatureCache:
    """Good signatures only, bounded in number and time.

    An entry names the key object that made it good. Each reading of a key set makes new objects, so that an entry
    counts no longer than the set it was verified with. Tokens are kept as digests: a memory dump shows none.
    """

    def __init__(self, *, max_seconds: float = MAX_SECONDS, max_signatures: int = MAX_SIGNATURES) -> None:
        self._max_seconds = max_seconds
        self._max_signatures = max_signatures
        self._entries: dict[bytes, _Entry] = {}
        self._lock = threading.Lock()  # for writing; a dict may be read meanwhile

    def verifies(
        self, key: VerificationKey, algorithm: str, signing_input: bytes, signature: bytes, now: float
    ) -> bool:
        """Answer like `VerificationKey.verifies`, remembering a yes."""
        digest = hashlib.sha256(b"%b.%b.%b" % (algorithm.encode(), signing_input, signature)).digest()
        entry = self._entries.get(digest)
        if entry is not None and entry.key is key and 0 <= now - entry.stored_at < self._max_seconds:
            return True
        good = key.verifies(algorithm, signing_input, signature)
        if good:
            self._remember(digest, _Entry(key, now))
        return good

    def _remember(self, digest: bytes, entry: _Entry) -> None:
        with self._lock:
            self._entries[digest] = entry
            if len(self._entries) > self._max_signatures:
                del self._entries[next(iter(self._entries))]  # the oldest: a dict keeps the order of insertion
