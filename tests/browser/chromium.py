"""The Chromium of this system, as tests and the command for screenshots use it."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Error, Playwright

from tests.waiting import TIMEOUT_S

#: It asks nobody for anything by itself, and has a camera that shows a moving pattern and that every page may use.
ARGUMENTS = [
    *("--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
]
#: For the picture of a page whose test has failed, as a page that hangs gives none.
SCREENSHOT_TIMEOUT_S = 10.0
HOW_TO_GET_IT = "There is no chromium on the PATH; `make test-page` installs it where it can (Debian, as root)."


def launch(playwright: Playwright) -> Browser | None:
    """Start it. None if this system has none."""
    path = shutil.which("chromium")
    if path is None:
        return None
    # Chromium's sandbox refuses to run as root, as tests in containers do.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, *sandbox], timeout=TIMEOUT_S * 1000)


class Chromium:
    """Opens contexts, each with cookies and storage of its own, and keeps what their pages show if the test fails.

    Traces of Playwright would say more, but take a seventh of the processor time of all tests.
    """

    def __init__(self, browser: Browser, folder: Path, has_failed: Callable[[], bool]) -> None:
        """folder: for page-N.html and page-N.png. has_failed: whether the test has."""
        self._browser = browser
        self._folder = folder
        self._has_failed = has_failed
        self._kept = 0

    @contextlib.contextmanager
    def new_context(self, **options: Any) -> Iterator[BrowserContext]:
        """options: those of Playwright."""
        context = self._browser.new_context(**options)
        context.set_default_timeout(TIMEOUT_S * 1000)
        is_failing = False
        try:
            yield context
        except BaseException:
            is_failing = True
            raise
        finally:
            if is_failing or self._has_failed():
                self._keep_pages(context)
            context.close()

    def _keep_pages(self, context: BrowserContext) -> None:
        for page in context.pages:
            self._kept += 1
            with contextlib.suppress(Error):
                (self._folder / f"page-{self._kept}.html").write_text(page.content(), "utf-8")
                path = self._folder / f"page-{self._kept}.png"
                page.screenshot(path=path, full_page=True, timeout=SCREENSHOT_TIMEOUT_S * 1000)
