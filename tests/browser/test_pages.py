"""Each page fits its screen, keeps to its Content-Security-Policy (the fixture `page` has an eye on it) and to axe."""

import pytest

from tests.browser.chromium import SIZES, Page
from tests.browser.test_operators import LIST, select_and_run
from tests.client import User

SCHEMES = ("light", "dark")
OURS = ("dashboard", "list", "user", "erase", "confirm")


def show(desk: Page, name: str, alice: User) -> None:
    """Open one of the operators' pages, on a task of alice."""
    alice.task("Remember " + "the groceries " * 30)
    match name:
        case "dashboard":
            desk.visit("/admin/")
            desk.click("#numbers summary")  # opens the plot's table
            assert desk.one("svg.plot").size["height"] > 100  # the style sheet has come
        case "list":
            desk.visit(f"{LIST}?q={alice.sub}")
        case "user":
            desk.visit(f"{LIST}user/?user_id={alice.sub}")
        case "erase":
            desk.visit(f"{LIST}user/erase/?user_id={alice.sub}")
        case "confirm":
            select_and_run(desk, alice, "delete_selected")


@pytest.mark.parametrize("name", OURS)
def test_operators_page_fits(desk: Page, alice: User, name: str) -> None:
    show(desk, name, alice)
    for size in SIZES:
        desk.show_as(size)
        assert desk.overflow() <= 0, size


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", OURS)
def test_operators_page_keeps_nobody_out(desk: Page, alice: User, name: str, scheme: str) -> None:
    desk.show_as("desktop", scheme)
    show(desk, name, alice)
    for size in SIZES:
        desk.show_as(size, scheme)
        assert desk.barriers() == []


@pytest.mark.parametrize("size", SIZES)
def test_documentation_fits(page: Page, size: str) -> None:
    page.show_as(size)
    for _ in range(2):  # from the service, and from the browser's cache
        page.visit("/docs")
        page.one("#operations-Tasks-listTasks")
        assert page.overflow() <= 0
