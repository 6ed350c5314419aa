"""Tries everything a deployment needs. A check is a function that yields findings; the tuples CHECKS name them."""

from config.doctor.database import CHECKS as DATABASE_CHECKS
from config.doctor.findings import Finding, State, examine
from config.doctor.surroundings import CHECKS as OTHER_CHECKS

DEADLINE = 12.0
"""Seconds for all checks together."""

CHECKS = (*DATABASE_CHECKS, *OTHER_CHECKS)

__all__ = ["CHECKS", "DEADLINE", "Finding", "State", "examine"]
