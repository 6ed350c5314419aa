"""Swagger UI, as somebody uses it who has a token."""

from tests.browser.chromium import Page
from tests.client import User
from tests.tokens import token


def test_try_it_out_with_a_pasted_token(page: Page, alice: User) -> None:
    task = alice.task("Try it out")
    page.visit("/docs")
    page.click(".auth-wrapper .authorize")
    page.type(".auth-container input", token(str(alice.sub)))
    page.click(".auth-btn-wrapper .authorize")
    page.click(".auth-btn-wrapper .btn-done")
    page.click("#operations-Tasks-listTasks .opblock-summary-control")
    page.click("#operations-Tasks-listTasks .try-out__btn")
    page.click("#operations-Tasks-listTasks .execute")
    answer = page.text("#operations-Tasks-listTasks .live-responses-table .response")
    assert answer.startswith("200")
    assert task["id"] in answer
