"""The picture of docs/front-end.md: `make screenshots` writes it; no part of the suite."""

import pytest

from tests.browser.chromium import Page
from tests.browser.screenshots import IMAGES
from tests.web.test_app import add, checkbox

pytestmark = pytest.mark.django_db(databases=["default", "operator"])


def test_picture_of_the_app(page: Page) -> None:
    add(page, "Write to Zoë", "Book the train to Kraków", "Water the plants", "Call the dentist", "Buy oat milk")
    for text in ("Write to Zoë", "Water the plants"):
        page.click(checkbox(text))
    page.one("h2:nth-of-type(2)")
    page.photograph(IMAGES / "app-phone.png")
