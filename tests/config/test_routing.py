"""The API's requests do not pay for what the admin's need."""

from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client

from tests.tokens import token


@pytest.mark.django_db(databases=["default", "operator"])
def test_api_request_with_an_operators_cookie_reads_no_session(django_assert_num_queries: Any) -> None:
    session = SessionStore()
    session.create()
    client = Client()
    client.cookies["sessionid"] = str(session.session_key)
    with django_assert_num_queries(0, using="operator"):
        response = client.get("/tasks", headers={"Authorization": f"Bearer {token('alice')}"})
    assert response.status_code == 200
    assert not hasattr(response.wsgi_request, "session")


@pytest.mark.django_db(databases=["default", "operator"])
def test_page_of_operators_has_their_session() -> None:
    assert hasattr(Client().get("/admin/login/").wsgi_request, "session")
