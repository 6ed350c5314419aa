"""An operator's errands: find somebody's task, complete it, hand it out, erase its user."""

import json

from django.contrib.auth.models import User as Operator

from tests.browser.chromium import Page
from tests.browser.conftest import PASSWORD, sign_in
from tests.client import User

LIST = "/admin/tasks/task/"


def select_and_run(page: Page, user: User, action: str) -> None:
    """Search for the user, select all on the page, and choose an action; what asks is then shown."""
    page.visit(LIST)
    page.type("#searchbar", str(user.sub))
    page.go("#changelist-search [type=submit]")
    page.click("#action-toggle")
    page.choose("[name=action]", action)
    page.go(".actions [type=submit]")


def test_signs_in_with_name_and_password(page: Page, operator: Operator) -> None:
    sign_in(page, operator.username, "wrong")
    assert "Please enter the correct username and password" in page.text(".errornote")
    sign_in(page, operator.username, PASSWORD)
    assert page.text("#content h1") == "Operators' desk"


def test_finds_a_users_task(desk: Page, alice: User, bob: User) -> None:
    found, other = alice.task("Buy oat milk 🥛"), bob.task("Buy tickets")
    desk.visit(LIST)
    desk.type("#searchbar", str(alice.sub))
    desk.go("#changelist-search [type=submit]")
    assert found["text"] in desk.text("#result_list")
    assert other["text"] not in desk.text("#result_list")


def test_completes_a_task(desk: Page, alice: User) -> None:
    task = alice.task()
    select_and_run(desk, alice, "complete")
    assert desk.text("#content h1") == "Complete 1 task"
    desk.go("#content-main [type=submit]")
    assert "Completed 1 task" in desk.text(".messagelist")
    assert alice.get(f"/tasks/{task['id']}").json["completed"]


def test_exports_tasks(desk: Page, alice: User) -> None:
    task = alice.task("Приготовить ☕")
    select_and_run(desk, alice, "export_json")
    desk.click("#content-main [type=submit]")
    exported = json.loads(desk.downloaded("tasks-*.json").read_text())
    assert [exported_task["text"] for exported_task in exported["tasks"]] == [task["text"]]


def test_erases_a_user(desk: Page, alice: User, bob: User) -> None:
    alice.task()
    kept = bob.task()
    desk.visit(f"{LIST}user/?user_id={alice.sub}")
    desk.go("[href*=erase]")
    desk.type("[name=confirmation]", str(alice.sub))
    desk.go("#content-main [type=submit]")
    assert "Erased the user, with 1 tasks." in desk.text(".messagelist")
    assert alice.get("/tasks").json["tasks"] == []
    assert bob.get("/tasks").json["tasks"] == [kept]
