"""The Chromium of this system, as tests and the command for screenshots use it."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Playwright

from tests.waiting import TIMEOUT_S

#: It asks nobody for anything by itself, and has a camera that shows a moving pattern and that every page may use.
ARGUMENTS = [
    *("--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
]
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
    """Opens contexts, each with cookies and storage of its own, and keeps a trace of those in a test that fails."""

    def __init__(self, browser: Browser, traces: Path, has_failed: Callable[[], bool]) -> None:
        """traces: where they are kept; open one with `playwright show-trace FILE`. has_failed: whether the test has."""
        self._browser = browser
        self._traces = traces
        self._has_failed = has_failed
        self._kept = 0

    @contextlib.contextmanager
    def new_context(self, **options: Any) -> Iterator[BrowserContext]:
        """options: those of Playwright."""
        context = self._browser.new_context(**options)
        context.set_default_timeout(TIMEOUT_S * 1000)
        context.tracing.start(snapshots=True, screenshots=False)
        is_failing = False
        try:
            yield context
        except BaseException:
            is_failing = True
            raise
        finally:
            if is_failing or self._has_failed():
                self._kept += 1
                context.tracing.stop(path=self._traces / f"trace-{self._kept}.zip")
            else:
                context.tracing.stop()
            context.close()
