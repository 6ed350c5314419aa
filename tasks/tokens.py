"""Signed tokens that clients give back: cursors of lists, and where the feed of changes is read on from."""

import json
from typing import Any

from django.core.signing import BadSignature, Signer


class ForgedToken(Exception):
    """Nobody gave out this token for this purpose, or to another user, or of another list."""

    def __init__(self, purpose: str) -> None:
        super().__init__(purpose)
        self.purpose = purpose


def write(content: list[Any], purpose: str, *bound_to: object) -> str:
    """Make a token; `purpose` is the parameter that takes it back, with `bound_to`, in values of JSON, the same."""
    return _signer(purpose, bound_to).sign_object(content)


def read(token: str, purpose: str, *bound_to: object) -> list[Any]:
    """Return the content. Raises ForgedToken."""
    try:
        content: list[Any] = _signer(purpose, bound_to).unsign_object(token)
    except BadSignature:
        raise ForgedToken(purpose) from None
    return content


def _signer(purpose: str, bound_to: tuple[object, ...]) -> Signer:
    return Signer(sep=".", salt=f"{purpose} {json.dumps(bound_to)}")  # a separator that needs no escape in a URL
