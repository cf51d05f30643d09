"""The Chromium of this system, started once for each file of tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.waiting import TIMEOUT_S

#: It asks nobody for anything by itself. Chromium's sandbox refuses to run as root, as tests in containers do.
ARGUMENTS = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
#: A camera that shows a moving pattern, and that every page may use.
ARGUMENTS += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


expect.set_options(timeout=TIMEOUT_S * 1000)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("There is no chromium on the PATH; `make test-page` installs it where it can (Debian, as root).")
    # While Playwright is open, an event loop runs in this thread, and tests of other files could not start their own.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, *sandbox])
        yield browser
        browser.close()
