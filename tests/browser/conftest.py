"""A browser that is started once for each file of tests."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.chromium import HOW_TO_GET_IT, Chromium, launch
from tests.waiting import TIMEOUT_S

HAS_FAILED = pytest.StashKey[bool]()

expect.set_options(timeout=TIMEOUT_S * 1000)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[HAS_FAILED] = report.failed
    return report


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # While Playwright is open, an event loop runs in this thread, and tests of other files could not start their own.
    with sync_playwright() as playwright:
        started = launch(playwright)
        if started is None:
            pytest.skip(HOW_TO_GET_IT)
        yield started
        started.close()


@pytest.fixture
def chromium(browser: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Chromium:
    """A test that fails leaves what its pages show in its temporary folder."""
    return Chromium(browser, tmp_path, lambda: request.node.stash.get(HAS_FAILED, False))
