"""Tokens as an application signs them that shares BETTER_AUTH_SECRET with the service."""

import time
from typing import Any

import jwt

from tests.environment import SECRET


def token(sub: str, **claims: Any) -> str:
    """An HS256 token of `sub`, good for an hour."""
    now = int(time.time())
    return jwt.encode({"sub": sub, "iat": now, "exp": now + 3600} | claims, SECRET, algorithm="HS256")
