"""What somebody does with the app, and what it does when something is in the way."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from selenium.webdriver.common.keys import Keys

from tests import npm
from tests.browser.chromium import Page
from tests.client import Live
from tests.live import ROOT
from tests.web.conftest import PASSWORD
from tests.web.site import Site, run

pytestmark = pytest.mark.django_db(databases=["default", "operator"])

KEPT = """new Promise((resolve) => {
  indexedDB.open("keyval-store").onsuccess = ({ target: { result: database } }) => {
    const kept = database.transaction("keyval").objectStore("keyval").count();
    kept.onsuccess = () => { database.close(); resolve(kept.result); };
  };
})"""
SMALLEST_TARGET = 44  # pixels
TARGETS = "[...document.querySelectorAll('button, label.check, input:not([type=checkbox])')]"


def add(page: Page, *texts: str) -> None:
    for text in texts:
        page.type(".add input", text + Keys.ENTER)
        page.one(row(text))


def row(text: str) -> str:
    """The selector of a task that the server has."""
    return f"li:has([aria-label='Delete: {text}'])"


def checkbox(text: str) -> str:
    return f"{row(text)} .check"


def wait_until(page: Page, expression: str) -> None:
    """Wait for JavaScript to say yes."""
    page.wait(lambda: page.script(expression), expression)


def note(page: Page, part: str) -> str:
    """What the page says, once that is in it."""
    wait_until(page, f"document.querySelector('.note')?.textContent.includes('{part}')")
    return page.text(".note p")


def complains(page: Page, of: str) -> None:
    """The browser complains of this, and of nothing else."""
    said: list[str] = page.wait(page.complaints, f"a complaint of {of}")
    assert [complaint for complaint in said if of not in complaint] == []


def shown(page: Page) -> list[str]:
    return [element.text for element in page.all("li .text")]


def on_server(device: httpx.Client) -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = device.get("/tasks").json()["tasks"]
    return tasks


def tokens_asked_for(page: Page) -> int:
    return int(page.script("performance.getEntriesByType('resource').filter(e => e.name.endsWith('/token')).length"))


def test_types_are_right(app: Path) -> None:
    run(app, npm.tool("tsc"), "--noEmit")


# Accounts


def test_signs_up(visitor: Page) -> None:
    visitor.click(".narrow > p .link")
    visitor.type("[name=name]", "Grace Hopper")
    visitor.type("[name=email]", "grace@example.com")
    visitor.type("[name=password]", PASSWORD)
    visitor.click(".sign .primary")
    assert visitor.text(".empty") == "Nothing to do yet."
    assert visitor.text("header p") == "Grace Hopper"


def test_sign_in_with_a_wrong_password_says_so(visitor: Page) -> None:
    visitor.type("[name=email]", "nobody@example.com")
    visitor.type("[name=password]", PASSWORD + Keys.ENTER)
    assert note(visitor, "Invalid") == "Invalid email or password"
    complains(visitor, "401")


def test_sign_out_leaves_nothing_on_the_device(page: Page) -> None:
    add(page, "private")
    kept = page.script(KEPT)
    page.click("header .quiet")
    page.one(".sign")
    assert page.script(KEPT) == kept - 1  # other tests leave what they have


def test_session_that_has_ended_leads_to_signing_in(page: Page) -> None:
    page.driver.delete_all_cookies()
    _let_time_pass(page)
    page.type(".add input", "one more" + Keys.ENTER)
    assert note(page, "session") == "Your session has ended. Sign in again."
    page.one(".sign")
    complains(page, "401")


# Tasks


def test_created_task_is_there_after_a_reload(page: Page, device: httpx.Client) -> None:
    add(page, "Buy oat milk", "Call the dentist")
    assert [task["text"] for task in on_server(device)] == ["Call the dentist", "Buy oat milk"]
    page.visit("/")
    page.one(row("Call the dentist"))
    assert shown(page) == ["Call the dentist", "Buy oat milk"]


def test_completed_task_is_done_on_the_server(page: Page, device: httpx.Client) -> None:
    add(page, "Water the plants")
    page.click(checkbox("Water the plants"))
    wait_until(page, "document.querySelector('main').innerText.includes('All done.')")
    _soon(lambda: on_server(device)[0]["completed"])


def test_two_quick_clicks_leave_a_task_open(page: Page, device: httpx.Client) -> None:
    add(page, "Water the plants")
    page.script("document.querySelector('.check input').click() ?? document.querySelector('.check input').click()")
    before = on_server(device)[0]["updated_at"]
    page.type(".add input", "another" + Keys.ENTER)
    page.one(row("another"))
    _soon(lambda: on_server(device)[1]["updated_at"] >= before and not on_server(device)[1]["completed"])
    assert page.all(".check input:checked") == []


def test_edited_text_is_kept(page: Page, device: httpx.Client) -> None:
    add(page, "Buy milk")
    page.click(f"{row('Buy milk')} .text")
    page.one(".edit input").send_keys("Buy oat milk" + Keys.ENTER)
    page.one(row("Buy oat milk"))
    _soon(lambda: on_server(device)[0]["text"] == "Buy oat milk")


def test_edit_that_came_too_late_shows_the_newer_state(page: Page, device: httpx.Client) -> None:
    add(page, "Buy milk")
    page.click(checkbox("Buy milk"))  # the page has the entity tag from here on
    _soon(lambda: on_server(device)[0]["completed"])
    page.click(f"{row('Buy milk')} .text")
    device.patch(f"/tasks/{on_server(device)[0]['id']}", json={"text": "Buy soy milk"})
    page.one(".edit input").send_keys("Buy oat milk" + Keys.ENTER)
    assert "changed elsewhere" in note(page, "changed")
    assert shown(page) == ["Buy soy milk"]
    assert on_server(device)[0]["text"] == "Buy soy milk"
    complains(page, "412")


def test_deleted_task_is_gone_and_can_be_had_back(page: Page, device: httpx.Client) -> None:
    add(page, "Buy milk")
    page.click("[aria-label='Delete: Buy milk']")
    assert note(page, "Deleted") == "Deleted “Buy milk”."
    assert on_server(device) == []
    page.click(".note .link")
    page.one(row("Buy milk"))
    assert [task["text"] for task in on_server(device)] == ["Buy milk"]


def test_deletion_of_what_changed_elsewhere_is_not_done(page: Page, device: httpx.Client) -> None:
    add(page, "Buy milk")
    device.patch(f"/tasks/{on_server(device)[0]['id']}", json={"text": "Buy soy milk"})
    page.click("[aria-label='Delete: Buy milk']")
    assert "changed elsewhere" in note(page, "changed")
    assert shown(page) == [task["text"] for task in on_server(device)] == ["Buy soy milk"]


# What is in the way


def test_task_created_offline_is_sent_once_there_is_a_network(page: Page, device: httpx.Client) -> None:
    with _offline(page):
        page.type(".add input", "Later" + Keys.ENTER)
        page.one(".hint")
        page.one(".offline")
        note(page, "New tasks wait on this device.")
        assert on_server(device) == []
    page.one(row("Later"))
    assert [task["text"] for task in on_server(device)] == ["Later"]
    complains(page, "net::ERR_INTERNET_DISCONNECTED")


@contextmanager
def _offline(page: Page) -> Iterator[None]:
    command, network = (
        "Network.emulateNetworkConditions",
        {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1},
    )
    page.driver.execute_cdp_cmd("Network.enable", {})
    page.driver.execute_cdp_cmd(command, {"offline": True, **network})
    try:
        yield
    finally:
        page.driver.execute_cdp_cmd(command, {"offline": False, **network})


def test_token_is_renewed_before_its_end(page: Page) -> None:
    """The browser fails the test by its complaint, should the service have refused one."""
    add(page, "with the first token")
    assert tokens_asked_for(page) == 1
    _let_time_pass(page)
    add(page, "with the second")
    assert tokens_asked_for(page) == 2


def test_token_that_is_refused_is_renewed(page: Page, site: Site) -> None:
    """While Better Auth's clock is late, the page thinks tokens good that the service refuses, the second one too."""
    with site.late():
        page.visit("/")
        assert "does not take your token" in note(page, "token")
        assert tokens_asked_for(page) == 2
        complains(page, "401")
    add(page, "now that it is right")
    assert tokens_asked_for(page) == 3
    complains(page, "401")


def test_refused_task_is_told_about(page: Page) -> None:
    page.script("document.querySelector('.add input').removeAttribute('maxlength')")
    page.script(f"document.querySelector('.add input').value = '{'x' * 501}'")
    page.one(".add input").send_keys(Keys.ENTER)
    assert "500 characters" in note(page, "500")
    assert shown(page) == []
    complains(page, "422")


def test_too_many_requests_are_told_about(page: Page, device: httpx.Client) -> None:
    while device.get("/tasks").status_code != 429:
        pass
    page.type(".add input", "one too many" + Keys.ENTER)
    assert "Try again in" in note(page, "Try again in")
    complains(page, "429")


def test_page_of_an_origin_that_is_not_allowed_may_not_read_answers(phone: Page, service: str) -> None:
    """The browser says so, in the words of docs/front-end.md."""
    phone.driver.get(phone.base_url.replace("127.0.0.1", "localhost"))
    fetch = f"fetch('{service}/tasks', {{headers: {{Authorization: 'x'}}}}).catch(error => error.name)"
    assert phone.script(fetch) == "TypeError"
    complaints = phone.wait(phone.complaints, "a complaint")
    (said,) = re.findall(r"No 'Access-Control-Allow-Origin' .*?resource\.", " ".join(complaints))
    assert f"| `{said}` |" in (ROOT / "docs" / "front-end.md").read_text()


# The look of it


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_a_phone_and_keeps_nobody_out(page: Page, scheme: str) -> None:
    add(page, "Buy oat milk", "Book the train to Kraków " + "w" * 80, "Call the dentist")
    page.click(checkbox("Call the dentist"))
    page.one(".check :checked")
    page.click(f"{row('Buy oat milk')} .text")
    page.show_as("phone", scheme)
    page.one(".edit")
    assert (page.overflow(), _small_targets(page), page.barriers()) == (0, [], [])
    page.driver.delete_all_cookies()
    page.visit("/")
    page.one(".sign")
    assert (page.overflow(), _small_targets(page), page.barriers()) == (0, [], [])


def _small_targets(page: Page) -> list[str]:
    sizes = f"{TARGETS}.map(e => [e.outerHTML, e.getBoundingClientRect()])"
    small = f"({sizes}).filter(([_, r]) => Math.min(r.width, r.height) < {SMALLEST_TARGET}).map(([html]) => html)"
    return [str(html) for html in page.script(small)]


# Instead of the JWT plugin


def test_token_of_the_route_handler_is_taken_in_secret_mode(page: Page, gunicorn: Live) -> None:
    cookies = {cookie["name"]: cookie["value"] for cookie in page.driver.get_cookies()}
    answer = httpx.get(f"{page.base_url}/api/token", cookies=cookies)
    header = {"Authorization": f"Bearer {answer.json()['token']}"}
    created = httpx.post(f"{gunicorn.base_url}/tasks", headers=header, json={"text": "by the secret"})
    session = httpx.get(f"{page.base_url}/api/auth/get-session", cookies=cookies).json()
    assert (created.status_code, created.json()["user_id"]) == (201, session["user"]["id"])
    assert httpx.get(f"{page.base_url}/api/token").status_code == 401


def _let_time_pass(page: Page) -> None:
    """Let the page's clock go on by nearly the life of a token."""
    page.script("(now => { Date.now = () => now() + 14.6 * 60 * 1000; })(Date.now.bind(Date))")


def _soon(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
