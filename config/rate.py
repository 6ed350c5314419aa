"""How a rate is written: `600/minute`, `10 per 15 minutes`."""

import re
from typing import Final, NamedTuple

SECONDS: Final = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
WRITTEN: Final = re.compile(rf"\s*([0-9]+)\s*(?:/|per)\s*([0-9]*)\s*({'|'.join(SECONDS)})s?\s*", re.IGNORECASE)


class Rate(NamedTuple):
    """So many requests in so many seconds."""

    requests: int
    seconds: int

    @classmethod
    def parse(cls, written: str) -> "Rate":
        """Raises ValueError for what is no rate, or lets nothing pass."""
        found = WRITTEN.fullmatch(written)
        rate = cls(int(found[1]), int(found[2] or 1) * SECONDS[found[3].lower()]) if found else cls(0, 0)
        if not (rate.requests and rate.seconds):
            raise ValueError("must be like 600/minute (second, minute, hour or day)")
        return rate
