"""A browser as a person uses it: Debian's Chromium, without a window, that waits until a page has settled."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.processes import wait_for

DRIVER, CHROMIUM = shutil.which("chromedriver"), shutil.which("chromium")
DEADLINE = 90.0
"""Seconds for anything to be seen."""

NOT_YET = (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
)
"""What Selenium raises while a page is still being drawn."""

ARGUMENTS = (
    "--headless=new",
    # Tests run as root too.
    "--no-sandbox",
    # In containers it is small.
    "--disable-dev-shm-usage",
    # Nothing of its own on the network.
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

needs_browser = pytest.mark.skipif(
    not (DRIVER and CHROMIUM) and os.environ.get("PRET_BROWSER") != "required",
    reason="no Chromium here; on Debian: apt-get install chromium chromium-driver",
)


class Browser:
    """One window on the console."""

    def __init__(self, driver: webdriver.Chrome, url: str, downloads: Path) -> None:
        self._driver = driver
        self._url = url
        self._downloads = downloads

    def open(self, path: str = "") -> None:
        """Go to a page and wait until it stands."""
        self._driver.get(f"{self._url}/{path}")
        self.settle()

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the address."""
        return dict(parse_qsl(urlsplit(str(self._driver.current_url)).query))

    @property
    def text(self) -> str:
        """All the text that can be seen, with plain spaces."""
        return _plain(self._driver.find_element(By.TAG_NAME, "body").text)

    def settle(self) -> None:
        """Wait until the script behind the page has run."""
        self._until("the page to settle", lambda: bool(self._find('[data-test-script-state="notRunning"]')))

    def see(self, *sentences: str) -> None:
        """Wait for all of these to stand in the page."""
        missing: list[str] = []

        def all_stand() -> bool:
            text = self.text
            missing[:] = [sentence for sentence in sentences if _plain(sentence) not in text]
            return not missing

        try:
            self._until("sentences", all_stand)
        except AssertionError:
            raise AssertionError(f"{missing} cannot be seen; the page says:\n{self.text}") from None

    def click(self, key: str, inside: str = "button") -> None:
        """Press the button with the key of the console's widget, or what is `inside` of it."""
        self.press(f".st-key-{key} {inside}")

    def press(self, selector: str) -> None:
        """Click what the selector finds."""
        self._do(selector, lambda element: element.click())

    def fill(self, key: str, value: str) -> None:
        """Write into a field, as with the keyboard, and leave it."""

        def type_in(element: WebElement) -> None:
            element.send_keys(Keys.CONTROL, "a")
            element.send_keys(Keys.BACKSPACE, value, Keys.TAB)

        self._do(f".st-key-{key} input", type_in)

    def paste(self, key: str, text: str) -> None:
        """Write into a field of several lines."""
        self._do(f".st-key-{key} textarea", lambda element: element.send_keys(text))

    def search(self, key: str, text: str) -> None:
        """Write into a field that does something at each letter, and stay there."""

        def type_in(element: WebElement) -> None:
            element.send_keys(Keys.CONTROL, "a")
            element.send_keys(Keys.BACKSPACE, text)

        self._do(f".st-key-{key} input", type_in)

    def choose(self, key: str, place: int) -> None:
        """Choose from a list with the keyboard, `place` entries below the one that is chosen."""

        def pick(element: WebElement) -> None:
            element.click()
            element.send_keys(*[Keys.ARROW_DOWN] * place, Keys.ENTER)

        self._do(f".st-key-{key} input", pick)

    def value_of(self, key: str) -> str:
        """What a field holds."""
        return str(self._find(f".st-key-{key} input").get_attribute("value"))

    def is_shown(self, selector: str) -> bool:
        """Whether such an element is there and can be seen."""
        return any(element.is_displayed() for element in self._driver.find_elements(By.CSS_SELECTOR, selector))

    def narrow_to(self, width: int, height: int = 844) -> None:
        """Be as wide as a phone; a window of Chromium cannot be."""
        facts = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": True}
        self._driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", facts)

    @property
    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        script = (
            "const page = document.querySelector('[data-testid=stMain]'); return page.scrollWidth - page.clientWidth"
        )
        return int(self._driver.execute_script(script))

    def hand_over(self, key: str, file: Path) -> None:
        """Choose a file for upload."""
        self._do(f".st-key-{key} input[type=file]", lambda element: element.send_keys(str(file)))

    def text_of(self, selector: str) -> str:
        """The text of one part of the page, once it is there."""
        found: list[str] = []
        self._do(selector, lambda element: found.append(element.text))
        return found[-1]

    def has(self, selector: str) -> bool:
        """Whether the page has such an element now."""
        return bool(self._driver.find_elements(By.CSS_SELECTOR, selector))

    def download(self, key: str, pattern: str) -> Path:
        """Press a button that downloads, wait for the file, which gets its name when it is whole, and give it."""
        for old in self._downloads.glob(pattern):
            old.unlink()
        self.click(key)
        return wait_for(f"the download {pattern}", lambda: next(self._downloads.glob(pattern), None), DEADLINE)

    def _find(self, selector: str) -> WebElement:
        return self._driver.find_element(By.CSS_SELECTOR, selector)

    def _do(self, selector: str, act: Callable[[WebElement], None]) -> None:
        self.settle()

        def done() -> bool:
            element = self._find(selector)
            # Not at an edge, where the bar of the page covers it.
            self._driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
            act(element)
            return True

        self._until(selector, done)
        self.settle()

    def _until(self, what: str, probe: Callable[[], bool]) -> None:
        def patient() -> bool:
            try:
                return probe()
            except NOT_YET:
                return False

        wait_for(what, patient, DEADLINE)


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("\N{WORD JOINER}", ""))


@contextmanager
def browser(url: str, downloads: Path, *, width: int = 1280, height: int = 900) -> Iterator[Browser]:
    """Open a window of this size."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in (*ARGUMENTS, f"--window-size={width},{height}"):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    try:
        yield Browser(driver, url, downloads)
    finally:
        driver.quit()
