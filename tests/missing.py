"""What to do about a test whose programs are not installed."""

import os
from typing import NoReturn

import pytest


def give_up(reason: str) -> NoReturn:
    """Skip the calling test; under continuous integration (the variable CI is set) fail, for a skip goes unnoticed."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason}; required because CI is set", pytrace=False)
    pytest.skip(reason)
