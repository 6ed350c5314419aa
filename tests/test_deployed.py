"""A server as it is deployed: behind a proxy that ends TLS, under a name of its own, with its files collected."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from django.core.management import call_command
from django.test import override_settings

from tests import live

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root: Path = tmp_path_factory.mktemp("static")
    with override_settings(STATIC_ROOT=str(root)):
        call_command("collectstatic", interactive=False, verbosity=0)
    return root


@pytest.fixture(scope="module", params=["gunicorn", "uvicorn", "granian"])
def browser(request: pytest.FixtureRequest, collected: Path, django_db_setup: None) -> Iterator[httpx.Client]:  # noqa: ARG001 (the live server needs the test database)
    """Reaches the service through the proxy."""
    env = {
        "ALLOWED_HOSTS": "api.example.com",
        "WEB_CONCURRENCY": "1",
        "DJANGO_SETTINGS_MODULE": "tests.collected_settings",
        "TEST_STATIC_ROOT": str(collected),
    }
    headers = {"Host": "api.example.com", "X-Forwarded-Proto": "https"}
    with live.serve(request.param, env) as base_url, httpx.Client(base_url=base_url, headers=headers) as client:
        yield client


def _asset(browser: httpx.Client, page: str, pattern: str) -> str:
    """The path of a file that a page asks for."""
    found = re.search(rf'(?:src|href)="(/static/{pattern})"', browser.get(page).text)
    assert found, pattern
    return found[1]


@pytest.mark.parametrize(
    ("page", "pattern"),
    [
        ("/docs", r"ninja/swagger-ui-bundle\.[0-9a-f]{12}\.js"),
        ("/docs", r"ninja/swagger-ui\.[0-9a-f]{12}\.css"),
        ("/admin/login/", r"admin/css/login\.[0-9a-f]{12}\.css"),
    ],
)
def test_file_named_by_its_content_is_compressed_and_kept_for_good(
    browser: httpx.Client, page: str, pattern: str
) -> None:
    path = _asset(browser, page, pattern)
    answer = browser.get(path)
    assert answer.headers["cache-control"] == "max-age=31536000, public, immutable"
    assert answer.headers.get("content-encoding") == "gzip"
    assert int(answer.headers["content-length"]) < len(answer.content)
    assert "Accept-Encoding" in answer.headers["vary"]
    assert browser.get(path, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    plain = browser.get(path, headers={"Accept-Encoding": "identity"})
    assert plain.content == answer.content
    assert "content-encoding" not in plain.headers


def test_file_of_another_content_is_not_there(browser: httpx.Client) -> None:
    path = _asset(browser, "/docs", r"ninja/swagger-ui\.[0-9a-f]{12}\.css")
    assert browser.get(re.sub(r"\.[0-9a-f]{12}\.", ".0123456789ab.", path)).status_code == 404


def test_file_under_its_own_name_is_kept_a_minute(browser: httpx.Client) -> None:
    answer = browser.get("/static/ninja/swagger-ui.css")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "max-age=60, public")


@pytest.mark.parametrize("path", ["/tasks", "/docs", "/nope", "/admin/login/"])
def test_browsers_are_told_to_come_back_over_tls(browser: httpx.Client, path: str) -> None:
    said = browser.get(path).headers["strict-transport-security"]
    assert said == "max-age=31536000; includeSubDomains; preload"


def test_cookies_of_the_admin_are_this_hosts_and_no_scripts(browser: httpx.Client) -> None:
    cookie = browser.get("/admin/login/").headers["set-cookie"]
    assert cookie.startswith("__Host-csrftoken=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
