"""What browsers are told: what an answer may do, and how long it may be kept."""

import uuid

import pytest

from tests.client import User
from tests.shapes import assert_nothing_inline

DIRECTIVES = {"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"}
EVERYWHERE = {
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


@pytest.mark.parametrize(
    ("method", "path", "sent"),
    [
        pytest.param("GET", "/tasks", {}, id="tasks"),
        pytest.param("GET", "/livez", {}, id="probe"),
        pytest.param("GET", "/docs", {}, id="docs"),
        pytest.param("GET", "/openapi.json", {}, id="document"),
        pytest.param("GET", "/admin/login/", {}, id="admin"),
        pytest.param("GET", "/admin/", {}, id="redirect"),
        pytest.param("GET", "/static/ninja/swagger-ui.css", {}, id="file"),
        pytest.param("GET", "/nope", {}, id="unknown path"),
        pytest.param("DELETE", "/tasks", {}, id="wrong method"),
        pytest.param("GET", "/tasks", {"Authorization": "Bearer x"}, id="refused token"),
        pytest.param("GET", "/tasks", {"Host": "evil.example"}, id="unknown host"),
        pytest.param("POST", "/admin/login/", {}, id="no CSRF token"),
        pytest.param("OPTIONS", "/tasks", {}, id="options"),
        pytest.param(
            "OPTIONS",
            "/tasks",
            {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "GET"},
            id="preflight",
        ),
    ],
)
def test_every_answer_has_an_id_and_says_what_browsers_may_do(
    alice: User, method: str, path: str, sent: dict[str, str]
) -> None:
    answer = alice.call(method, path, headers=sent)
    assert uuid.UUID(answer.headers["x-request-id"])
    assert {name: answer.headers.get(name) for name in EVERYWHERE} == EVERYWHERE
    policy = answer.headers["content-security-policy"].split("; ")
    assert set(policy) >= DIRECTIVES
    assert not any("unsafe" in directive for directive in policy)
    is_page = answer.headers.get("content-type", "").startswith("text/html")
    assert ("script-src 'self'" in policy) == is_page or path == "/admin/"


@pytest.mark.parametrize("path", ["/docs", "/admin/login/"])
def test_pages_have_nothing_inline(nobody: User, path: str) -> None:
    assert_nothing_inline(nobody.get(path).body.decode())


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
def test_documentation_is_asked_for_again_and_not_sent_again(nobody: User, path: str) -> None:
    first = nobody.get(path)
    assert first.headers["cache-control"] == "no-cache"
    again = nobody.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers.get("content-security-policy") in {None, first.headers["content-security-policy"]}
    assert nobody.call("HEAD", path, headers={"If-None-Match": first.headers["etag"]}).status == 304
    assert nobody.get(path, headers={"If-None-Match": '"another"'}).body == first.body


def test_file_is_kept_a_minute_and_then_asked_for(nobody: User) -> None:
    path = "/static/ninja/swagger-ui.css"
    first = nobody.get(path)
    assert first.headers["cache-control"] == "max-age=60, public"
    assert "access-control-allow-origin" not in first.headers
    for condition in (
        {"If-None-Match": first.headers["etag"]},
        {"If-Modified-Since": first.headers["last-modified"]},
    ):
        again = nobody.get(path, headers=condition)
        assert (again.status, again.body) == (304, b"")
    head = nobody.call("HEAD", path)
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(first.body)))


@pytest.mark.parametrize(
    "path", ["/admin/login/", "/admin/", "/admin/tasks/task/01938f3a-1234-7000-8000-000000000404/change/"]
)
def test_admin_is_kept_by_nobody(nobody: User, path: str) -> None:
    said = nobody.get(path).headers["cache-control"].split(", ")
    assert {"no-store", "private"} <= set(said)
