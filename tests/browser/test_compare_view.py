"""The view that compares models of a project, and puts one of them into use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import Chromium
from tests.browser.populated_service import PopulatedService
from tests.browser.watched_page import THEMES, WatchedPage


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PopulatedService]:
    with PopulatedService(tmp_path_factory.mktemp("compare-view")) as running:
        yield running


@pytest.mark.parametrize("theme", THEMES)
def test_two_models_of_a_project_side_by_side(chromium: Chromium, service: PopulatedService, theme: str) -> None:
    with chromium.new_context(color_scheme=theme, viewport={"width": 360, "height": 800}) as context:
        watched = WatchedPage(context, service.origin)
        page = watched.open("/compare")
        page.get_by_role("link", name="flowers").click()
        expect(page.locator(".side")).to_contain_text("for new photos")
        expect(page.get_by_role("heading", name="photos on which they disagree")).to_be_visible()
        expect(page.locator(".photos img").first).to_be_visible()
        expect(page.get_by_role("region", name="How models came into use").get_by_role("listitem")).to_have_count(2)
        page.locator(".plot").scroll_into_view_if_needed()
        expect(page.locator(".plot canvas")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert watched.violations() == []
        watched.check()


def test_the_choice_stands_in_the_address(chromium: Chromium, service: PopulatedService) -> None:
    with chromium.new_context() as context:
        watched = WatchedPage(context, service.origin)
        page = watched.open(f"/compare?tasks={service.tasks['done']}")
        expect(page.get_by_text("Choose at least two models.")).to_be_visible()
        boxes = page.get_by_role("checkbox")
        expect(boxes).to_have_count(2)
        page.locator("input[type=checkbox]:not(:checked)").check()
        expect(page.locator(".side")).to_be_visible()
        page.reload()
        expect(page.locator(".side")).to_be_visible()
        boxes.first.uncheck()
        expect(page.locator(".side")).to_have_count(0)
        watched.check()


def test_a_person_puts_the_earlier_model_into_use(chromium: Chromium, service: PopulatedService) -> None:
    earlier, later = service.tasks["done"], service.tasks["second"]
    with chromium.new_context(viewport={"width": 1280, "height": 900}) as context:
        watched = WatchedPage(context, service.origin)
        page = watched.open(f"/compare/anna/flowers?tasks={later},{earlier}")
        in_use = page.locator(".side tbody tr").last.locator("td")
        expect(in_use.nth(0)).to_have_text("in use")
        in_use.nth(1).get_by_role("button", name="Make this one the latest").click()
        question = page.get_by_role("dialog")
        expect(question).to_contain_text("Use this model for flowers?")
        assert watched.violations() == []
        page.keyboard.press("Escape")
        expect(question).to_have_count(0)
        in_use.nth(1).get_by_role("button", name="Make this one the latest").click()
        question.get_by_role("button", name="Make this one the latest").click()
        expect(in_use.nth(1)).to_have_text("in use")
        expect(in_use.nth(0).get_by_role("button")).to_be_visible()
        expect(page.get_by_role("region", name="How models came into use")).to_contain_text("A person put it into use.")
        latest = service.programs.projects / "anna/flowers/models/latest"
        assert latest.readlink().name == earlier
        watched.check()
