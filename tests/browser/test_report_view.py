"""The report of a task on the page: score, next steps, mix-ups with their photos, masks, and what has no model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from protocol import messages as m
from protocol.data_report import DataReport, Severity, finding
from protocol.errors import Failure, FailureClass
from tests.browser.watched_page import WatchedPage
from tests.finished_models import draw_photos, finish_task, lay_classifier, lay_segmenter
from tests.odd_models import CLASSES, LABELS, LONG, SCRIPT, lay_odd_classifier
from tests.socket.predicting import run_next
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import wait_until

PHONE_PX, DESK_PX = 360, 1280
#: --text of the light theme in tokens.css.
INK_OF_LIGHT = "rgb(27, 34, 48)"
ERROR = "There are not enough classes."
CURE = "Make a folder for each class."


@dataclass(frozen=True)
class Service:
    """Its address, and the ids of its tasks."""

    origin: str
    classifier: str
    segmenter: str
    odd: str
    failed: str
    waiting: str


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Programs(tmp_path_factory.mktemp("report-view")) as programs:
        for name in ("leaves", "odd", "few"):
            (programs.projects / "anna" / name).mkdir()
        with ScriptedWorker(programs.endpoints.worker) as worker:
            worker.join()
            leaves = {"projectId": "leaves", "projectDir": "anna/leaves", "trainType": "segmentation"}
            odd = {"projectId": "odd", "projectDir": "anna/odd"}
            classifier = finish_task(programs, worker, lay_classifier)
            segmenter = finish_task(programs, worker, lay_segmenter, **leaves)
            odd_task = finish_task(programs, worker, lay_odd_classifier, **odd)
            failed = _failed(programs, worker)
            worker.heartbeat(ready=False)
            waiting = programs.post_id()
            origin = f"http://127.0.0.1:{programs.ports['WEB_PORT']}"
            yield Service(origin, classifier, segmenter, odd_task, failed, waiting)


def _failed(programs: Programs, worker: ScriptedWorker) -> str:
    """A task that failed for its folder, which has one real photo that the finding names."""
    worker.heartbeat(ready=False)
    task_id = programs.post_id(projectId="few", projectDir="anna/few")
    start = run_next(worker)
    photo = draw_photos(Path(start.spec.project_path)).all[0].file
    found = finding("no_pictures", Severity.WARNING, "One file is no picture.", "Export it as PNG.", ["notes.pdf"])
    lacking = finding("too_few_classes", Severity.ERROR, ERROR, CURE, [photo])
    data = DataReport("class_folders", "Found class folders in images/.", 3, {"apple": 3}, {}, 1, (found, lacking))
    failure = Failure("too_few_classes", FailureClass.DATA, ERROR, data=data)
    worker.send(m.Result(task_id, start.attempt, failure=failure))
    worker.receive(m.ResultAck)
    wait_until(lambda: programs.task(task_id).body["state"] == "failed", "its end")
    return task_id


@pytest.fixture
def watched(chromium: Browser, service: Service) -> Iterator[WatchedPage]:
    """A page on a desk; it must write nothing to the console and ask nobody else."""
    with chromium.new_context(viewport={"width": DESK_PX, "height": 900}) as context:
        watched = WatchedPage(context, service.origin)
        yield watched
        watched.check()


def opened(watched: WatchedPage, task_id: str, query: str = "") -> Page:
    page = watched.open(f"/tasks/{task_id}/report{query}")
    expect(page.locator(".report-part").first).to_be_visible()
    return page


def test_it_says_how_good_the_model_is_and_what_to_do(watched: WatchedPage, service: Service) -> None:
    page = opened(watched, service.classifier)

    headline = page.get_by_role("region", name="How good it is")
    expect(headline).to_contain_text("80%")
    expect(headline).to_contain_text("60 photos scored the model. That is enough to tell.")
    expect(headline.get_by_role("img")).to_have_attribute(
        "aria-label", re.compile("measured: 80%; likely .* 68 to 89%")
    )
    steps = page.locator(".steps > li")
    expect(steps.first).to_contain_text("2 pictures look as if the label were wrong.")
    expect(steps.first.get_by_role("link", name="Fix labels")).to_have_attribute(
        "href", f"#/labels/{service.classifier}"
    )
    report = page.get_by_role("link", name="To print or send")
    expect(report).to_have_attribute("href", f"{service.origin}/v1/tasks/{service.classifier}/report")
    page.get_by_role("link", name="Would more photos help?").click()
    expect(page.get_by_role("heading", name="Would more photos help?")).to_be_focused()
    expect(page.get_by_text("20 more photos of apple would help most")).to_be_visible()
    expect(page.get_by_role("row", name="images/plum/broken.jpg it is damaged")).to_be_attached()


def test_a_cell_opens_its_photos(watched: WatchedPage, service: Service) -> None:
    page = opened(watched, service.classifier)
    cell = page.get_by_role("button", name="4 photos of plum taken for apple", exact=True)
    cell.click()

    title = page.get_by_role("heading", name="4 photos of plum taken for apple")
    expect(title).to_be_focused()
    photos = page.locator(".cell-photos .photo")
    expect(photos).to_have_count(4)
    expect(photos.first.locator("img")).to_have_js_property("naturalWidth", 320)
    page.reload()
    expect(title).to_be_visible()  # The address keeps it.
    page.go_back()
    expect(title).to_have_count(0)
    page.go_forward()
    expect(title).to_be_focused()
    page.keyboard.press("Escape")
    expect(title).to_have_count(0)


def test_cells_are_reached_by_keys(watched: WatchedPage, service: Service) -> None:
    page = opened(watched, service.classifier)
    page.get_by_role("button", name="15 photos of apple recognised").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("button", name="3 photos of apple taken for pear", exact=True)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("button", name="17 photos of pear recognised")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(page.locator('[data-cell="1 0"]')).to_be_focused()  # It has no photos, and can be read all the same.
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="4 photos of plum taken for apple")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="4 photos of plum taken for apple", exact=True)).to_be_focused()


def test_a_mistake_is_seen_large(watched: WatchedPage, service: Service) -> None:
    page = opened(watched, service.classifier)
    mistakes = page.get_by_role("region", name="Its worst mistakes")
    expect(mistakes).to_contain_text("12 of 60 photos got a wrong name.")
    first = mistakes.locator("li").first
    expect(first).to_contain_text("taken for")
    first.get_by_role("button").click()

    large = page.locator("dialog.large-photo img")
    expect(large).to_have_js_property("naturalWidth", 320)  # The photo is no larger.
    seen = large.get_attribute("alt")
    sheet, button = page.locator(".sheet").bounding_box(), page.get_by_role("button", name="Close").bounding_box()
    assert sheet
    assert button
    assert sheet["x"] < button["x"] < sheet["x"] + sheet["width"]
    assert sheet["y"] < button["y"] < sheet["y"] + sheet["height"]
    page.keyboard.press("ArrowRight")
    expect(large).not_to_have_attribute("alt", str(seen))
    page.keyboard.press("Escape")
    expect(large).to_have_count(0)


def colored(page: Page, place: int) -> int:
    """How many pixels of that mask have a colour."""
    canvas = page.locator(".mask canvas").nth(place)
    count: int = canvas.evaluate(
        """canvas => {
          const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
          copy.drawImage(canvas, 0, 0);
          return copy.getImageData(0, 0, canvas.width, canvas.height).data.filter((v, at) => at % 4 === 3 && v).length;
        }"""
    )
    return count


def test_a_slider_lays_masks_over_the_photos(watched: WatchedPage, service: Service) -> None:
    page = opened(watched, service.segmenter)
    first = page.locator(".mask").first
    expect(first.get_by_role("img")).to_have_attribute("aria-label", re.compile(r"overlap\. leaf: truly .* predicted"))
    expect(first.locator("img")).to_have_js_property("naturalWidth", 320)
    predicted = wait_until(lambda: colored(page, 0), "the prediction over the photo")
    slider = page.get_by_role("slider", name="What lies over the photos")
    expect(slider).to_have_attribute("aria-valuetext", "Prediction")

    page.get_by_role("button", name="Truth", exact=True).click()
    expect(slider).to_have_value("1")
    wait_until(lambda: colored(page, 0) not in (0, predicted), "the truth over the photo")
    slider.focus()
    page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "Photo")
    wait_until(lambda: colored(page, 0) == 0, "the photo alone")
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "between Photo and Truth")
    page.get_by_role("button", name="Difference", exact=True).click()
    wait_until(lambda: colored(page, 0), "the difference over the photo")
    expect(page.get_by_role("list", name="Colours")).to_contain_text("stem")
    expect(page.get_by_role("region", name="Photo by photo, the worst first").locator("li").first).to_contain_text(
        "67%"
    )
    expect(page.get_by_text("8 photos scored the model. That is not enough to tell.")).to_be_visible()


def test_two_thousand_classes_are_searched(watched: WatchedPage, service: Service) -> None:
    page = opened(watched, service.odd)
    matrix = page.get_by_role("grid")
    expect(matrix.get_by_role("row")).to_have_count(7)
    expect(page.get_by_text(f"The table has the 6 classes that are mixed up most, of {CLASSES:,}.")).to_be_visible()
    expect(page.get_by_role("button", name=f"{SCRIPT} taken for {LONG[:59]}…: 5 of 6 photos")).to_be_visible()
    expect(page.get_by_role("button", name="gpj.\\u202eexe taken for class 0004: 2 of 3 photos")).to_be_visible()
    mix_ups = page.get_by_role("region", name="What it mixes up")
    mix_ups.get_by_role("searchbox").fill("class 1497")
    expect(matrix.get_by_role("row")).to_have_count(3)
    matrix.get_by_role("button", name=f"1 photo of {LABELS[1500]} taken for {LABELS[1501]}").click()
    expect(page.locator(".cell-photos .photo img")).to_have_js_property("naturalWidth", 32)
    mix_ups.get_by_role("searchbox").fill("no such")
    expect(mix_ups.get_by_role("status")).to_contain_text("No class has “no such” in its name.")
    classes = page.get_by_role("region", name="Class by class, the weakest first", exact=True)
    classes.get_by_role("searchbox").fill("<script>")
    expect(classes.get_by_role("rowheader", name=SCRIPT)).to_be_visible()
    assert page.locator("script", has_text="alert").count() == 0


def test_without_a_model_it_says_why_and_shows_the_folder(watched: WatchedPage, service: Service) -> None:
    page = opened(watched, service.failed)
    expect(page.get_by_text("The training failed, so there is no model to report on.")).to_be_visible()
    steps = page.locator(".steps > li")
    expect(steps).to_have_count(2)
    expect(steps.first).to_contain_text(ERROR)
    expect(steps.first).to_contain_text(CURE)
    steps.first.locator("summary").click()
    expect(steps.first.locator(".photo img")).to_have_js_property("naturalWidth", 320)
    steps.last.locator("summary").click()
    expect(steps.last.get_by_role("listitem")).to_have_text("notes.pdf")

    page = watched.open(f"/tasks/{service.waiting}/report")
    expect(page.get_by_text("The report will stand here when the training is done.")).to_be_visible()


SEEN = [
    ("classifier", "light", DESK_PX),
    ("classifier", "dark", PHONE_PX),
    ("segmenter", "light", PHONE_PX),
    ("segmenter", "dark", DESK_PX),
    ("odd", "dark", PHONE_PX),
    ("failed", "light", PHONE_PX),
    ("waiting", "dark", PHONE_PX),
]


@pytest.mark.parametrize(("name", "theme", "width"), SEEN)
def test_it_fits_the_screen_and_axe_finds_no_barrier(
    chromium: Browser, service: Service, name: str, theme: str, width: int
) -> None:
    viewport = {"width": width, "height": 800}
    with chromium.new_context(viewport=viewport, color_scheme=theme) as context:  # type: ignore[arg-type]
        watched = WatchedPage(context, service.origin)
        page = watched.open(f"/tasks/{getattr(service, name)}/report")
        expect(page.locator(".report-part, .empty").last).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == width
        watched.check()
        assert watched.violations() == []


def test_it_prints_dark_on_white_with_all_curves_and_without_buttons(browser: Browser, service: Service) -> None:
    with browser.new_context(color_scheme="dark", viewport={"width": DESK_PX, "height": 800}) as context:
        page = WatchedPage(context, service.origin).open(f"/tasks/{service.classifier}/report")
        curves = page.locator("figure.curve .plot")
        expect(page.locator("figure.curve canvas")).to_have_count(4)
        assert curves.count() == 4, "no curve waits for a person to scroll"
        page.emulate_media(media="print", color_scheme="dark")
        expect(page.locator("main h1")).to_have_css("color", INK_OF_LIGHT)
        expect(page.get_by_role("button", name="Train again")).to_have_count(0)
        expect(page.locator(".photo img").first).to_be_visible()
        expect(page.locator(".matrix td button").first).to_be_visible()
        expect(page.get_by_role("navigation")).to_have_count(0)
