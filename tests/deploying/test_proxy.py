"""deploy/proxy/nginx.conf in a real nginx, in front of a live server."""

import time
from collections.abc import Iterator

import httpx
import pytest

from tests import live
from tests.parts import Address
from tests.parts.nginx import HOST, Nginx
from tests.tokens import token

pytestmark = pytest.mark.django_db(databases=["default", "operator"])
CONFIGURATION = (live.ROOT / "deploy" / "proxy" / "nginx.conf").read_text()
LIMIT = 5
ALICE = {"Authorization": f"Bearer {token('alice-behind-nginx')}"}


@pytest.fixture(scope="module")
def proxy(django_db_setup: None) -> Iterator[Nginx]:  # noqa: ARG001 (the live server needs the test database)
    env = {
        "ALLOWED_HOSTS": HOST,
        "TRUSTED_PROXY_HOPS": "1",
        "RATE_LIMIT": f"{LIMIT}/hour",
        "WEB_CONCURRENCY": "1",
    }
    with live.serve("gunicorn", env) as base_url:
        url = httpx.URL(base_url)
        with Nginx(CONFIGURATION, Address(url.host, url.port or 0)) as nginx:
            yield nginx


@pytest.fixture(scope="module")
def browser(proxy: Nginx) -> Iterator[httpx.Client]:
    with _client(proxy) as client:
        yield client


def _client(nginx: Nginx) -> httpx.Client:
    return httpx.Client(base_url="https://{}:{}".format(*nginx.address), headers={"Host": HOST}, verify=nginx.trust)


def _ask(browser: httpx.Client, method: str, path: str, **options: object) -> httpx.Response:
    return browser.request(method, path, extensions={"sni_hostname": HOST}, **options)  # type: ignore[arg-type]  # httpx's own


def _refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/json"
    assert {"error", "message"} <= set(answer.json())
    return answer.status_code, answer.json()["error"]


def test_service_knows_of_tls(browser: httpx.Client) -> None:
    assert "strict-transport-security" in _ask(browser, "GET", "/livez", headers={"X-Forwarded-Proto": "http"}).headers


def test_task_is_created(browser: httpx.Client) -> None:
    assert _ask(browser, "POST", "/tasks", json={"text": "through nginx"}, headers=ALICE).status_code == 201


def test_nobody_chooses_their_address(browser: httpx.Client) -> None:
    """Else each refused token could come from another one, and the limit of refused tokens would be none."""
    answers = [
        _ask(browser, "GET", "/tasks", headers={"Authorization": "Bearer forged", "X-Forwarded-For": f"192.0.2.{nth}"})
        for nth in range(LIMIT + 1)
    ]
    assert answers[-1].status_code == 429


@pytest.mark.parametrize("size", [100_000, 1_000_000])  # refused by the service, and by nginx
def test_large_body_is_refused_in_the_shape_of_all_errors(size: int, browser: httpx.Client) -> None:
    headers = ALICE | {"Content-Type": "application/json"}
    refused = _ask(browser, "POST", "/tasks", content=b" " * size, headers=headers)
    assert _refusal(refused) == (413, "PAYLOAD_TOO_LARGE")


def test_large_token_is_the_services_to_refuse(browser: httpx.Client) -> None:
    answer = _ask(browser, "GET", "/tasks", headers={"Authorization": f"Bearer {'a' * 9_000}"})
    assert _refusal(answer)[0] in (401, 429)  # its address may have had too many refused


def test_endless_head_is_refused_in_the_shape_of_all_errors(browser: httpx.Client) -> None:
    answer = _ask(browser, "GET", "/livez", headers={"X-Large": "a" * 20_000})
    assert _refusal(answer) == (431, "REQUEST_HEADER_FIELDS_TOO_LARGE")


def test_plain_http_is_refused(proxy: Nginx) -> None:
    answer = httpx.get("http://{}:{}/tasks".format(*proxy.plain), headers={"Host": HOST} | ALICE)
    assert _refusal(answer) == (403, "FORBIDDEN")


def test_service_that_is_away_is_503() -> None:
    nobody = Address("127.0.0.1", 1)
    with Nginx(CONFIGURATION, nobody) as nginx, _client(nginx) as browser:
        started = time.monotonic()
        answer = _ask(browser, "GET", "/tasks", headers=ALICE)
    assert _refusal(answer) == (503, "SERVICE_UNAVAILABLE")
    assert answer.headers["retry-after"] == "1"
    assert time.monotonic() - started < 10
