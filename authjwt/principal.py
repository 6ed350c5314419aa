"""What is left of a token once it is verified."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VerifiedClaims:
    """The claims of a verified token that matter here. Made by `Verifier.verify` and nobody else."""

    subject: str
    """`sub` (RFC 7519, section 4.1.2): 1-255 characters."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking: all that the rest of a program learns. Neither the token nor its claims travel any further."""

    user_id: str
    """The verified `sub`, to be compared exactly."""
