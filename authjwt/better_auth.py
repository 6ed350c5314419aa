"""What Better Auth does by convention: its secrets, its URLs. Settings may import this; it imports no framework."""

import math
import re
from typing import Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

DEFAULT_SECRET: Final = "better-auth-secret-12345678901234567890"  # noqa: S105 (published, and refused for that)
"""What Better Auth signs with if nobody gives it a secret. Everybody knows it."""

_DEFAULT_PATH: Final = "/api/auth"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Endpoints(NamedTuple):
    """What follows from the base URL of a Better Auth server."""

    origin: str
    """`scheme://host[:port]`: the default `iss` and `aud` of its tokens."""

    jwks_url: str


def parse_secrets(text: str) -> tuple[str, ...]:
    """Read BETTER_AUTH_SECRETS, as in `2:new,1:old`: the signing secret first.

    The order is that of the list, as in Better Auth: its first entry signs, whatever its number. Raises ValueError
    with a message that names the variable and the place of the entry, never the secret.
    """
    secrets: dict[int, str] = {}
    for place, entry in enumerate(text.split(","), start=1):
        version, _, secret = (part.strip() for part in entry.partition(":"))
        if not re.fullmatch(r"[0-9]{1,9}", version) or not secret:
            raise ValueError(f"BETTER_AUTH_SECRETS: entry {place} is not <version>:<secret>, as in 2:new,1:old")
        if int(version) in secrets:
            raise ValueError(f"BETTER_AUTH_SECRETS: entry {place} repeats a version")
        secrets[int(version)] = secret
    return tuple(secrets.values())


def derive(base_url: str) -> Endpoints:
    """Derive origin and JWKS URL from BETTER_AUTH_URL.

    As in Better Auth, a path in the URL replaces `/api/auth`, and the origin is what the WHATWG URL standard makes of
    it: lower case, without the default port. Raises ValueError, naming the variable.
    """
    try:
        parts = split_http_url(base_url)
    except ValueError as exc:
        raise ValueError(f"BETTER_AUTH_URL: {exc}") from None
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    port = "" if parts.port in {None, _DEFAULT_PORTS[parts.scheme]} else f":{parts.port}"
    origin = f"{parts.scheme}://{host}{port}"
    return Endpoints(origin, f"{origin}{parts.path.rstrip('/') or _DEFAULT_PATH}/jwks")


def split_http_url(url: str) -> SplitResult:
    """Take a plain HTTP URL apart. Raises ValueError unless it is ASCII with a scheme, a host and at most a path."""
    if not re.fullmatch(r"https?://[!-~]+", url, re.IGNORECASE):
        raise ValueError("not a URL like https://auth.example.com")
    parts = urlsplit(url)
    if not parts.hostname or parts.port == 0:  # reading the port raises ValueError if it is no number
        raise ValueError("a URL without a usable host or port")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("a URL with credentials, a query or a fragment")
    return parts


def estimate_entropy(secret: str) -> float:
    """Return bits of entropy as Better Auth estimates them: length times log2 of the number of distinct characters.

    There has to be one character at least.
    """
    return len(secret) * math.log2(len(set(secret)))
