"""The operations that need a token, in a router for each group of them."""

from tasks.api.batch import router as batch
from tasks.api.me import router as me
from tasks.api.tasks import router as tasks

__all__ = ["batch", "me", "tasks"]
