"""What is remembered of lists while nothing of their user's changes: how many tasks match, and entity tags.

Counting 100,000 tasks takes twenty times as long as reading a page of them, and keeping their number in the database
would cost each write a tenth of its time. A user's newest revision tells whether what is known still holds.
"""

import time
from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Any, Final, NamedTuple

MOST: Final = 4096  # facts kept, of whoever asked last
SECONDS: Final = 3600.0  # and no longer: revisions come again where a database is set back to an earlier time


class Known(NamedTuple):
    """What was found at a revision."""

    revision: int
    value: Any


UNKNOWN: Final = Known(-1, 0)

_lock = Lock()
_known: OrderedDict[Hashable, tuple[float, Known]] = OrderedDict()


def recall(key: Hashable) -> Known:
    """What is known and the revision at which it was found, or UNKNOWN."""
    until, known = _known.get(key, (0.0, UNKNOWN))
    return known if time.monotonic() < until else UNKNOWN


def remember(key: Hashable, known: Known) -> None:
    """Keep what was found just now."""
    with _lock:
        _known[key] = time.monotonic() + SECONDS, known
        _known.move_to_end(key)
        while len(_known) > MOST:
            _known.popitem(last=False)
