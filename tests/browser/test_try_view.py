"""The view that tries a model: pictures that are chosen or dropped, a camera, masks, and pictures that are refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.chromium import Chromium
from tests.browser.given_files import drop
from tests.browser.populated_service import PopulatedService
from tests.browser.watched_page import THEMES, WatchedPage
from tests.prediction_projects import plain

RED, BLUE = (215, 60, 50), (80, 70, 200)

SAID_OF_PROBABILITIES = """async (probabilities) => {
    const main = document.querySelector("script[type=module]").src;
    const bars = await import(new URL("views/try/label_bars.js", main));
    return probabilities.map(bars.inPercent);
}"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PopulatedService]:
    with PopulatedService(tmp_path_factory.mktemp("try-view")) as running:
        yield running


@pytest.fixture
def context(chromium: Chromium) -> Iterator[BrowserContext]:
    with chromium.new_context(viewport={"width": 1280, "height": 900}, permissions=["camera"]) as context:
        yield context


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    found = {name: tmp_path / name for name in ("red.png", "blue.png", "text.png")}
    found["red.png"].write_bytes(plain(RED).content)
    found["blue.png"].write_bytes(plain(BLUE).content)
    found["text.png"].write_text("no picture")
    return found


def choose(page: Page, *files: Path) -> None:
    page.locator("input[type=file]").set_input_files(files)


@pytest.mark.parametrize("theme", THEMES)
def test_pictures_are_answered_and_a_bad_one_costs_no_other(
    chromium: Chromium, service: PopulatedService, files: dict[str, Path], theme: str
) -> None:
    with chromium.new_context(color_scheme=theme, viewport={"width": 360, "height": 800}) as context:
        watched = WatchedPage(context, service.origin)
        page = watched.open("/try")
        expect(page.get_by_role("link", name="flowers")).to_have_count(2)
        assert watched.violations() == []
        page.get_by_role("link", name="flowers").first.click()
        choose(page, files["red.png"], files["text.png"], files["blue.png"])
        answers = page.locator(".answer")
        expect(answers).to_have_count(3)
        expect(answers.filter(has_text="red.png").locator(".verdict")).to_contain_text("apple")
        expect(answers.filter(has_text="blue.png").locator(".verdict")).to_contain_text("plum")
        expect(answers.filter(has_text="text.png").get_by_role("alert")).to_contain_text("picture")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert watched.violations() == []
        watched.check()


def test_a_picture_that_is_not_asked_for_again_is_not_promised_to_be(
    context: BrowserContext, service: PopulatedService, files: dict[str, Path]
) -> None:
    watched = WatchedPage(context, service.origin)
    page = watched.open(f"/try/{service.tasks['done']}")
    page.route("**/predict", lambda route: route.abort())
    choose(page, files["red.png"])
    expect(page.locator(".answer").get_by_role("alert")).to_have_text("The server does not answer.")
    watched.check()


def test_only_certainty_is_written_as_all_or_nothing(context: BrowserContext, service: PopulatedService) -> None:
    page = WatchedPage(context, service.origin).open(f"/try/{service.tasks['done']}")
    expect(page.locator(".drop-place")).to_be_visible()
    said = page.evaluate(SAID_OF_PROBABILITIES, [0, 0.0001, 0.004, 0.24, 0.996, 0.9999, 1])
    assert said == ["0%", "< 0.1%", "0.4%", "24%", "99.6%", "> 99.9%", "100%"]


def test_a_picture_can_be_dropped(context: BrowserContext, service: PopulatedService, files: dict[str, Path]) -> None:
    watched = WatchedPage(context, service.origin)
    page = watched.open(f"/try/{service.tasks['done']}")
    drop(page.locator(".drop-place"), ("red.png", files["red.png"].read_bytes()))
    expect(page.locator(".answer .verdict")).to_contain_text("apple")
    watched.check()


def test_a_mask_lies_over_its_picture(
    context: BrowserContext, service: PopulatedService, files: dict[str, Path]
) -> None:
    watched = WatchedPage(context, service.origin)
    page = watched.open(f"/try/{service.tasks['masks']}")
    choose(page, files["red.png"])
    mask = page.locator(".answer .mask")
    expect(mask.get_by_role("img", name="What the model sees in red.png")).to_be_visible()
    expect(mask.locator(".legend")).to_contain_text("leaf")
    slider = mask.get_by_role("slider")
    slider.fill("0")
    expect(mask.locator("canvas")).to_have_css("opacity", "0")
    assert watched.violations() == []
    watched.check()


def test_the_camera_is_asked_about_again_and_again(context: BrowserContext, service: PopulatedService) -> None:
    watched = WatchedPage(context, service.origin)
    page = watched.open(f"/try/{service.tasks['done']}")
    page.get_by_role("button", name="Use the camera").click()
    expect(page.locator(".camera")).to_contain_text("answers a second")
    expect(page.locator(".camera .verdict")).to_be_visible()
    page.get_by_role("button", name="Keep this photo below").click()
    expect(page.locator(".answer .verdict")).to_be_visible()
    assert watched.violations() == []
    page.get_by_role("button", name="Stop the camera").click()
    expect(page.locator(".camera")).to_have_count(0)
    watched.check()


def test_a_camera_that_is_not_allowed_is_explained(chromium: Chromium, service: PopulatedService) -> None:
    with chromium.new_context() as context:
        watched = WatchedPage(context, service.origin)
        page = watched.page
        page.add_init_script(
            "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'))"
        )
        watched.open(f"/try/{service.tasks['done']}")
        page.get_by_role("button", name="Use the camera").click()
        expect(page.get_by_role("alert")).to_contain_text("Allow it in the address bar")
        assert watched.violations() == []
        watched.check()


def test_a_task_without_a_model_says_so(context: BrowserContext, service: PopulatedService) -> None:
    watched = WatchedPage(context, service.origin)
    page = watched.open(f"/try/{service.tasks['failed']}")
    expect(page.get_by_text("This task has left no model.")).to_be_visible()
    watched.open(f"/try/{'0' * 32}")
    expect(page.get_by_role("alert")).to_contain_text("0000")
    assert watched.violations() == []
