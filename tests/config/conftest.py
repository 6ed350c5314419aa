"""The log of this process, to be read, and connections that no test's transaction is in."""

import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections

from config.postgresql.base import DatabaseWrapper


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the service writes to its log, instead of on stderr."""
    written = io.StringIO()
    (handler,) = (handler for handler in logging.getLogger().handlers if handler.name == "stderr")
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(written)
    yield written
    handler.setStream(before)


@pytest.fixture(params=["default", "operator"])
def database(request: pytest.FixtureRequest, db: None) -> Iterator[Any]:  # noqa: ARG001 (it has to be there)
    """A connection of its own, the API's or the operators', in no test's transaction."""
    wrapper = connections.create_connection(request.param)
    assert isinstance(wrapper, DatabaseWrapper)
    yield wrapper
    wrapper.close()
