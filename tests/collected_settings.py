"""The service's settings with the collected files where TEST_STATIC_ROOT says."""

import os
from pathlib import Path

from config.settings import *  # noqa: F403, TID251 (all of them, and one changed)

STATIC_ROOT = Path(os.environ["TEST_STATIC_ROOT"])
