"""/docs in a browser: it shows the calls, makes one, and asks nobody but this server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import Chromium
from tests.browser.watched_page import THEMES, WatchedPage
from tests.socket.programs import Programs

#: The sum of red, green and blue of a middle grey.
HALF_BRIGHT = 3 * 128


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Programs(tmp_path_factory.mktemp("docs-page")) as running:
        yield f"http://127.0.0.1:{running.ports['WEB_PORT']}"


@pytest.fixture
def watched(chromium: Chromium, origin: str) -> Iterator[WatchedPage]:
    with chromium.new_context(viewport={"width": 1280, "height": 1000}) as context:
        yield WatchedPage(context, origin)


def test_it_shows_the_calls_and_makes_one(watched: WatchedPage, origin: str, tmp_path: Path) -> None:
    page = watched.page
    page.goto(f"{origin}/docs")
    call = page.locator("#operations-server-getServer")
    expect(call).to_be_visible()
    expect(page.locator("#operations-tasks-submitTask")).to_contain_text("/v1/tasks")
    expect(page.locator("#operations-server-getServerHeaders")).to_be_hidden()
    expect(page.locator(".auth-wrapper .authorize")).to_be_visible()
    call.locator("button.opblock-summary-control").click()
    call.get_by_role("button", name="Try it out").click()
    call.get_by_role("button", name="Execute").click()
    answer = call.locator(".live-responses-table")
    expect(answer).to_contain_text("200")
    expect(answer).to_contain_text('"version"')
    page.screenshot(path=str(tmp_path / "docs.png"))
    assert watched.asked
    watched.check()
    assert page.evaluate("Object.keys(localStorage)") == []


@pytest.mark.parametrize("theme", THEMES)
def test_it_is_dark_where_the_system_is(watched: WatchedPage, origin: str, theme: Literal["light", "dark"]) -> None:
    page = watched.page
    page.goto(f"{origin}/docs")
    expect(page.locator("#operations-server-getServer")).to_be_visible()
    page.emulate_media(color_scheme=theme)
    page.wait_for_function(
        "(isDark) => document.documentElement.classList.contains('dark-mode') === isDark", arg=theme == "dark"
    )
    ink = page.locator(".opblock-tag").first.evaluate("(tag) => getComputedStyle(tag).color")
    assert (sum(map(int, re.findall(r"\d+", ink)[:3])) > HALF_BRIGHT) == (theme == "dark"), ink
    watched.check()


@pytest.mark.parametrize("theme", THEMES)
def test_its_text_can_be_read(watched: WatchedPage, origin: str, theme: Literal["light", "dark"]) -> None:
    page = watched.page
    page.emulate_media(color_scheme=theme)
    page.goto(f"{origin}/docs")
    for call in ("tasks-submitTask", "server-getServer"):
        page.locator(f"#operations-{call} button.opblock-summary-control").click()
        expect(page.locator(f"#operations-{call} .header-col").first).to_be_visible()
    assert watched.violations({"runOnly": ["color-contrast"]}) == []
    expect(page.locator(".opblock-summary-description").filter(has_text="`")).to_have_count(0)


def test_the_page_of_errors_opens_at_the_code(watched: WatchedPage, origin: str) -> None:
    watched.page.goto(f"{origin}/docs/errors#queue_full")
    expect(watched.page.locator("#queue_full")).to_be_in_viewport()
    expect(watched.page.locator("main")).to_contain_text("Codes of failed tasks")
    watched.check()
