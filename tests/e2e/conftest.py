"""One browser for the tests of a module."""

from collections.abc import Iterator

import pytest
from chromium import chromium
from selenium import webdriver


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """Headless Chromium."""
    driver = chromium(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()
