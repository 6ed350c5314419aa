import pytest

from tests.client import Transport


@pytest.fixture(params=["django", "gunicorn", "uvicorn", "granian"])
def transport(request: pytest.FixtureRequest) -> Transport:
    server: Transport = request.getfixturevalue(request.param)
    return server
