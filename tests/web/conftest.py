"""One service, one app and one browser for all tests; each gets an account of its own, and an empty list."""

import secrets
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests import live, npm
from tests.browser import chromium
from tests.browser.chromium import Page
from tests.parts.address import free_address
from tests.web import site as the_app
from tests.web.site import Site

PASSWORD = "correct horse battery staple"
REQUESTS_A_MINUTE = 250


@pytest.fixture(scope="session")
def port() -> int:
    npm.node()
    return free_address().port


@pytest.fixture(scope="session")
def service(port: int, django_db_setup: None) -> Iterator[str]:  # noqa: ARG001 (its database)
    """The base URL of a service that trusts the app's Better Auth, and lets the app's page call it."""
    url = f"http://127.0.0.1:{port}"
    environment = {"BETTER_AUTH_URL": url, "BETTER_AUTH_SECRET": "", "CORS_ORIGINS": url, "WEB_CONCURRENCY": "1"}
    with live.serve("gunicorn", environment | {"RATE_LIMIT": f"{REQUESTS_A_MINUTE}/minute"}) as base_url:
        yield base_url


@pytest.fixture(scope="session")
def app(service: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return the_app.build(tmp_path_factory.mktemp("examples"), service)


@pytest.fixture(scope="session")
def site(app: Path, port: int) -> Iterator[Site]:
    with the_app.serve(app, port) as started:
        yield started


@pytest.fixture(scope="session")
def chromium_page(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium.start(site.url, tmp_path_factory.mktemp("chromium")) as page:
        yield page


@pytest.fixture
def phone(chromium_page: Page) -> Iterator[Page]:
    """A browser that has shown nothing yet; it must have nothing against what it will show."""
    chromium_page.driver.delete_all_cookies()
    chromium_page.show_as("phone")
    chromium_page.complaints()
    yield chromium_page
    assert chromium_page.complaints() == []


@pytest.fixture
def visitor(phone: Page) -> Page:
    """The app, as it welcomes somebody who is not signed in."""
    phone.visit("/")
    phone.one(".sign")
    return phone


@pytest.fixture
def page(phone: Page) -> Page:
    """The app, as it shows their list to somebody who has just signed up."""
    user = {"name": "Ada Lovelace", "email": f"{uuid.uuid4()}@example.com", "password": PASSWORD}
    address = {
        "X-Forwarded-For": f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}.1"
    }  # three in ten seconds each
    answer = httpx.post(f"{phone.base_url}/api/auth/sign-up/email", json=user, headers=address)
    for name, value in answer.raise_for_status().cookies.items():
        cookie = {"name": name, "value": value, "httpOnly": True, "url": phone.base_url}
        phone.driver.execute_cdp_cmd("Network.setCookie", cookie)
    phone.visit("/")
    phone.one(".add")
    return phone


@pytest.fixture
def device(page: Page, service: str) -> Iterator[httpx.Client]:
    """Another device of the same user, which speaks to the service."""
    cookies = {cookie["name"]: cookie["value"] for cookie in page.driver.get_cookies()}
    token = httpx.get(f"{page.base_url}/api/auth/token", cookies=cookies).raise_for_status().json()["token"]
    with httpx.Client(base_url=service, headers={"Authorization": f"Bearer {token}"}) as client:
        yield client
