"""A real Chromium for tests: the system's, or the one that playwright has fetched."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Error, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_LOUD = (
    "NO BROWSER, SO THE LIVE PAGE WAS NOT TESTED: install Chromium (Debian: apt-get install chromium), or have "
    "playwright fetch one (.venv/bin/playwright install chromium)."
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start one; the test is skipped, with a reason that cannot be overlooked, where there is none."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=path)
        except Error as error:
            if path is None:
                pytest.skip(_LOUD)
            raise AssertionError(path) from error
        with browser:
            yield browser
