"""What a verifier says of a token."""

from authjwt.refusal import InvalidToken
from authjwt.verifier import Verifier


def outcome(verifier: Verifier, unverified_token: str) -> str:
    """Tell who it is, or why it is refused."""
    try:
        return verifier.verify(unverified_token).subject
    except InvalidToken as exc:
        return exc.reason
