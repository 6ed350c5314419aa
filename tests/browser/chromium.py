"""Debian's Chromium, driven by WebDriver."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from tests import debian, npm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from selenium.webdriver.remote.webelement import WebElement

PATIENCE_SECONDS: Final = 10
SIZES: Final = {"desktop": (1280, 900), "phone": (390, 844)}
QUIET: Final = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",  # small in containers
    "--disable-sync",
    "--hide-scrollbars",
    "--no-first-run",
    "--no-proxy-server",
)


class Page:
    """One tab: what it shows, and what the browser had against it."""

    def __init__(self, driver: Chrome, base_url: str, downloads: Path) -> None:
        self.driver = driver
        self.base_url = base_url
        self._downloads = downloads
        self._said: list[str] = []

    def visit(self, path: str) -> None:
        """Open a path of the service."""
        self.driver.get(self.base_url + path)

    def show_as(self, size: str, scheme: str = "light") -> None:
        """Be a `desktop` or a `phone`, whose user likes `light` or `dark`."""
        width, height = SIZES[size]
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        media = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})

    def all(self, css: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def one(self, css: str) -> WebElement:
        """Return what matches, once it is there and can be seen."""
        found: list[WebElement] = self.wait(lambda: [match for match in self.all(css) if match.is_displayed()], css)
        assert len(found) == 1, f"{len(found)} match {css}"
        return found[0]

    def type(self, css: str, text: str) -> None:
        field = self.one(css)
        field.clear()
        field.send_keys(text)

    def choose(self, css: str, value: str) -> None:
        Select(self.one(css)).select_by_value(value)

    def click(self, css: str) -> None:
        self.one(css).click()

    def go(self, css: str) -> None:
        """Click on what leads to another page, and wait for that."""
        before = self.one("html")
        self.click(css)
        self.wait(lambda: self.all("html") != [before], f"the page after {css}")

    def text(self, css: str = "body") -> str:
        return self.one(css).text

    def script(self, source: str) -> Any:
        """What an expression of JavaScript is on this page; the page's own policy does not bind it."""
        return self.driver.execute_script(f"return {source}")

    def downloaded(self, pattern: str) -> Path:
        """Return the file that came, once it is complete."""
        (path,) = self.wait(lambda: list(self._downloads.glob(pattern)), f"a download {pattern}")
        return Path(path)

    def complaints(self) -> list[str]:
        """What the console has had to say since it was last asked: errors, refused content, files that are missing."""
        self._read_console()
        said, self._said = self._said, []
        return said

    def _read_console(self) -> None:
        entries: list[dict[str, str]] = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        self._said += [entry["message"] for entry in entries if entry["level"] in {"SEVERE", "WARNING"}]

    def overflow(self) -> int:
        """Return how many pixels the page is wider than the window."""
        return int(self.script("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def photograph(self, path: Path) -> None:
        """Write what the window shows as a PNG."""
        assert self.driver.save_screenshot(str(path))

    def barriers(self) -> list[str]:
        """What axe-core finds that keeps somebody out. What the page's policy has against axe itself is not told."""
        npm.node()
        self._read_console()
        self.driver.execute_script((npm.HERE / "node_modules/axe-core/axe.min.js").read_text())
        report = self.script("Promise.allSettled(document.getAnimations().map(a => a.finished)).then(() => axe.run())")
        self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [
            f"{violation['id']}: {violation['help']}: {node['html']}"
            for violation in report["violations"]
            for node in violation["nodes"]
        ]

    def wait(self, condition: Callable[[], Any], what: str) -> Any:
        """Return what the condition is, once it is true."""
        return WebDriverWait(self.driver, PATIENCE_SECONDS, poll_frequency=0.05).until(lambda _: condition(), what)


@contextmanager
def start(base_url: str, folder: Path) -> Iterator[Page]:
    """Start a browser with a fresh profile; the calling test is skipped where there is none, or fails under CI."""
    options = ChromeOptions()
    options.binary_location = str(debian.program("chromium"))
    downloads = folder / "downloads"
    downloads.mkdir()
    for argument in (*QUIET, f"--user-data-dir={folder / 'profile'}", *(["--no-sandbox"] if os.geteuid() == 0 else [])):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    driver = Chrome(options, ChromeService(str(debian.program("chromedriver"))))
    try:
        yield Page(driver, base_url, downloads)
    finally:
        driver.quit()
