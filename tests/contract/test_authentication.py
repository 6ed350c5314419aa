"""Who is let in. What makes a token bad, in all its forms: tests/authjwt."""

import time

import pytest

from tests.client import User
from tests.shapes import assert_error
from tests.tokens import token

ID = "01938f3a-1234-7000-8000-000000000001"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", path) for path in ("/tasks", "/tasks/changes", "/me", "/me/export")),
        *(("POST", path) for path in ("/tasks", "/tasks/batch", "/tasks/clear-completed", "/tasks/x/move")),
        *((method, f"/tasks/{ID}") for method in ("GET", "PUT", "PATCH", "DELETE")),
        ("GET", "/tasks/x"),
        ("DELETE", "/me?confirm=alice"),
    ],
)
def test_every_operation_needs_a_token(nobody: User, method: str, path: str) -> None:
    answer = nobody.call(method, path)
    assert_error(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "error=" not in answer.headers["www-authenticate"]


def test_unknown_query_parameter_does_not_come_before_the_token(nobody: User) -> None:
    assert_error(nobody.get("/tasks?x=1"), 401)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_scheme_is_taken_in_any_case(nobody: User, scheme: str) -> None:
    assert nobody.get("/tasks", headers={"Authorization": f"{scheme} {token('alice')}"}).status == 200


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param(f"Basic {token('alice')}", id="another scheme"),
        pytest.param(token("alice"), id="no scheme"),
        pytest.param("Bearer", id="no token"),
        pytest.param("Bearer x", id="no JWT"),
        pytest.param(f"Bearer {token('alice')}x", id="signature changed"),
        pytest.param(f"Bearer {token('alice', exp=int(time.time()) - 60)}", id="expired"),
        pytest.param(f"Bearer {token('')}", id="empty sub"),
    ],
)
def test_bad_credentials_are_refused(nobody: User, authorization: str) -> None:
    answer = nobody.get("/tasks", headers={"Authorization": authorization})
    assert_error(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")
