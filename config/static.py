"""Static files: compressed and under hashed names once they are collected, as they lie in their packages before."""

from pathlib import Path

from whitenoise.middleware import WhiteNoiseMiddleware  # type: ignore[import-untyped]  # it has no types
from whitenoise.storage import CompressedManifestStaticFilesStorage  # type: ignore[import-untyped]


class Storage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # untyped
    """Whitenoise's, which also does without `manage.py collectstatic`: on a fresh clone, and for a file added since."""

    def stored_name(self, name: str) -> str:
        """The name that goes into a page."""
        stored: str = super().stored_name(name) if self.hash_key(name) in self.hashed_files else name
        return stored


class Middleware(WhiteNoiseMiddleware):  # type: ignore[misc]  # untyped
    """Whitenoise's, which does not warn where nothing was collected."""

    FOREVER = 31_536_000  # a year, the longest that RFC 9111's predecessors advised; whitenoise says ten

    def add_files(self, root: str, prefix: str | None = None) -> None:
        """Take in the folder, if it is there."""
        if Path(root).is_dir():
            super().add_files(root, prefix=prefix)
