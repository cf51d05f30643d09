"""Photos that a person has collected in the view that starts a training, and what happens when some are taken away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.chromium import Chromium
from tests.browser.given_files import drop, photo
from tests.browser.watched_page import WatchedPage
from tests.socket.programs import Programs


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("collected-photos")) as running:
        yield running


@pytest.fixture
def context(chromium: Chromium) -> Iterator[BrowserContext]:
    with chromium.new_context(viewport={"width": 1280, "height": 900}) as context:
        yield context


def card(page: Page, label: str) -> Locator:
    return page.get_by_role("listitem", name=label, exact=True)


def test_photos_that_were_taken_away_can_be_brought_back(context: BrowserContext, programs: Programs) -> None:
    watched = WatchedPage(context, f"http://127.0.0.1:{programs.ports['WEB_PORT']}")
    page = watched.open("/start")
    page.get_by_role("button", name="Begin with empty classes").click()
    drop(card(page, "Class 1").get_by_role("group"), *map(photo, range(4)))
    card(page, "Class 1").get_by_role("button", name="Remove the class").click()
    expect(page.get_by_text("The class Class 1 with its 4 photos was removed.")).to_be_visible()
    assert watched.violations() == []
    page.get_by_role("button", name="Undo").click()
    expect(card(page, "Class 1").locator("img")).to_have_count(4)
    card(page, "Class 1").get_by_role("button", name="Remove 2.png").click()
    page.get_by_role("button", name="Undo").click()
    expect(card(page, "Class 1").locator("img")).to_have_count(4)
    card(page, "Class 2").get_by_role("button", name="Remove the class").click()
    expect(card(page, "Class 2")).to_have_count(0)
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)
    watched.check()


def test_an_upload_counts_only_photos_that_are_still_there(context: BrowserContext, programs: Programs) -> None:
    """A class that was uploaded and then removed no longer counts."""
    watched = WatchedPage(context, f"http://127.0.0.1:{programs.ports['WEB_PORT']}")
    page = watched.open("/start")
    page.get_by_role("button", name="Begin with empty classes").click()
    page.get_by_label("Name of the project").fill("counted")
    drop(card(page, "Class 1").get_by_role("group"), *map(photo, range(30, 33)), ("4.png", b"no picture"))
    drop(card(page, "Class 2").get_by_role("group"), *map(photo, range(40, 43)))
    page.get_by_role("button", name="Upload 7 photos").click()
    expect(page.get_by_text("All photos are uploaded.")).to_be_attached()
    card(page, "Class 2").get_by_role("button", name="Remove the class").click()
    expect(page.get_by_text("3 photos that were uploaded stay on the server, and train the model.")).to_be_visible()
    drop(card(page, "Class 1").get_by_role("group"), photo(34))
    page.get_by_role("button", name="Upload one photo").click()
    expect(page.get_by_text("5 of 5 photos")).to_be_visible()
    watched.check()
