"""HTTP's own: methods, unknown paths, headers, ids of requests, CORS."""

import uuid

import pytest

from tests.client import User
from tests.shapes import assert_error

JSON = {"Content-Type": "application/json"}
ORIGIN = "http://localhost:3000"
TASK = "/tasks/01938f3a-1234-7000-8000-000000000404"


@pytest.mark.parametrize(
    "path",
    [
        "/nope",
        "/tasks/",
        "/task",
        "/tasks/a/b",
        "/TASKS",
        "/api/tasks",
        "/health/",
        "/.env",
        "/tasks%2f",
        "/static/nope",
    ],
)
def test_unknown_path_is_not_found(alice: User, path: str) -> None:
    assert_error(alice.get(path), 404)


def test_unknown_path_is_not_found_for_nobody(nobody: User) -> None:
    assert_error(nobody.get("/nope"), 404)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/tasks", "GET, HEAD, OPTIONS, POST"),
        ("PATCH", "/tasks", "GET, HEAD, OPTIONS, POST"),
        ("TRACE", "/tasks", "GET, HEAD, OPTIONS, POST"),
        ("POST", TASK, "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        ("TRACE", TASK, "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        ("GET", "/tasks/batch", "OPTIONS, POST"),
        ("DELETE", "/tasks/clear-completed", "OPTIONS, POST"),
        ("PATCH", "/tasks/changes", "GET, HEAD, OPTIONS"),
        ("PUT", f"{TASK}/move", "OPTIONS, POST"),
        ("POST", "/me", "DELETE, GET, HEAD, OPTIONS"),
        ("POST", "/me/export", "GET, HEAD, OPTIONS"),
        ("POST", "/health", "GET, HEAD, OPTIONS"),
        ("DELETE", "/livez", "GET, HEAD, OPTIONS"),
        ("POST", "/openapi.json", "GET, HEAD, OPTIONS"),
        ("POST", "/docs", "GET, HEAD, OPTIONS"),
        ("POST", "/", "GET, HEAD, OPTIONS"),
        ("POST", "/static/ninja/swagger-ui.css", "GET, HEAD, OPTIONS"),
    ],
)
def test_wrong_method_is_told_the_right_ones(alice: User, method: str, path: str, allow: str) -> None:
    answer = alice.call(method, path)
    assert_error(answer, 405)
    assert answer.headers["allow"] == allow


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/tasks", "GET, HEAD, OPTIONS, POST"),
        (TASK, "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        ("/health", "GET, HEAD, OPTIONS"),
        ("/openapi.json", "GET, HEAD, OPTIONS"),
        ("/docs", "GET, HEAD, OPTIONS"),
        ("/", "GET, HEAD, OPTIONS"),
    ],
)
def test_options_lists_the_methods(nobody: User, path: str, allow: str) -> None:
    answer = nobody.call("OPTIONS", path)
    assert (answer.status, answer.body, answer.headers["allow"]) == (204, b"", allow)


def test_options_of_an_unknown_path_is_not_found(nobody: User) -> None:
    assert_error(nobody.call("OPTIONS", "/nope"), 404)


def test_head_is_get_without_the_body(alice: User) -> None:
    task = alice.task()
    for path in ("/tasks", f"/tasks/{task['id']}", "/livez", "/openapi.json", "/docs", "/"):
        head, get = alice.call("HEAD", path), alice.get(path)
        assert (head.status, head.body) == (get.status, b"")
        assert head.headers["content-length"] == str(len(get.body))
        assert head.headers["content-type"] == get.headers["content-type"]


def test_head_of_a_missing_task_is_not_found(alice: User) -> None:
    assert (alice.call("HEAD", TASK).status, alice.call("HEAD", TASK).body) == (404, b"")


@pytest.mark.parametrize(
    ("method", "query"),
    [
        *(("GET", query) for query in ("?limit=1&limit=2", "?%00=1", "?text", "?%ff=%ff", "?x[]=1&x[]=2")),
        *((method, query) for query in ("?x=1", "?") for method in ("GET", "POST", "PUT", "PATCH", "DELETE")),
    ],
)
def test_unknown_or_repeated_query_parameter_is_refused(alice: User, method: str, query: str) -> None:
    task = alice.task()
    path = "/tasks" if method == "POST" else f"/tasks/{task['id']}"
    document = {"text": "b", "completed": True} if method in {"POST", "PUT", "PATCH"} else None
    answer = alice.call(method, path + query, document)
    if query == "?":
        assert answer.status < 300
    else:
        assert_error(answer, 422)
        assert alice.get("/tasks").json == {"tasks": [task], "count": 1, "next_cursor": None}


@pytest.mark.parametrize("offered", ["a", "A.b:c_d-e", "x" * 128])
def test_request_id_of_the_caller_is_kept(nobody: User, offered: str) -> None:
    assert nobody.get("/livez", headers={"X-Request-ID": offered}).headers["x-request-id"] == offered


@pytest.mark.parametrize("offered", ["", "x" * 129, "a b", "a/b", "a\tb"])
def test_unusable_request_id_is_replaced(nobody: User, offered: str) -> None:
    made = nobody.get("/livez", headers={"X-Request-ID": offered}).headers["x-request-id"]
    assert str(uuid.UUID(made)) == made


def test_tasks_are_for_private_caches_that_ask(alice: User) -> None:
    created = alice.post("/tasks", {"text": "a"})
    path = created.headers["location"]
    there = (created, alice.get("/tasks"), alice.get(path), alice.patch(path, {"text": "b"}))
    for answer in (*there, alice.delete(path), alice.delete(f"/me?confirm={alice.sub}")):
        assert answer.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize("path", ["/tasks", TASK, "/nope"])
def test_preflight_of_the_front_end_passes(nobody: User, path: str) -> None:
    answer = nobody.call(
        "OPTIONS",
        path,
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "authorization,content-type,if-match,if-none-match",
        },
    )
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert {"GET", "POST", "PUT", "PATCH", "DELETE"} <= set(answer.headers["access-control-allow-methods"].split(", "))
    assert {"authorization", "content-type", "if-match", "if-none-match"} <= set(
        answer.headers["access-control-allow-headers"].split(", ")
    )


@pytest.mark.parametrize("path", ["/tasks", "/nope"])
def test_front_end_may_read_answers_and_errors(nobody: User, path: str) -> None:
    answer = nobody.get(path, headers={"Origin": ORIGIN})
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {
        "ETag",
        "Location",
        "RateLimit",
        "RateLimit-Policy",
        "Retry-After",
        "WWW-Authenticate",
        "X-Request-ID",
    } <= set(exposed)
    assert "origin" in answer.headers["vary"].lower()


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://localhost:3001", "https://localhost:3000", ORIGIN + ".evil.example"],
)
def test_other_origins_may_not(alice: User, origin: str) -> None:
    preflight = alice.call("OPTIONS", "/tasks", headers={"Origin": origin, "Access-Control-Request-Method": "GET"})
    for answer in (preflight, alice.get("/tasks", headers={"Origin": origin})):
        assert "access-control-allow-origin" not in answer.headers


def test_unknown_host_is_a_bad_request(nobody: User) -> None:
    assert_error(nobody.get("/tasks", headers={"Host": "evil.example"}), 400)


def test_probe_is_answered_under_any_host(nobody: User) -> None:
    assert nobody.get("/livez", headers={"Host": "10.1.2.3"}).status == 200


def test_index_points_to_the_documentation(nobody: User) -> None:
    answer = nobody.get("/")
    assert (answer.json["docs"], answer.json["openapi"]) == ("/docs", "/openapi.json")


def test_docs_load_nothing_from_elsewhere(nobody: User) -> None:
    page = nobody.get("/docs")
    assert page.status == 200
    assert b"//" not in page.body.replace(b"<!--", b"").replace(b"http://www.w3.org", b"")
    for asset in ("ninja/swagger-ui-bundle.js", "ninja/swagger-ui-init.js", "ninja/swagger-ui.css"):
        assert asset.encode() in page.body
        assert nobody.get(f"/static/{asset}").status == 200


def test_admin_leads_to_its_login(nobody: User) -> None:
    assert nobody.get("/admin/").headers["location"].startswith("/admin/login/")
    assert nobody.get("/admin").headers["location"] == "/admin/"
