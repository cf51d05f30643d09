"""What a person meets in report.html: no barriers that axe finds, no errors, no requests, no text beside the page."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import Chromium
from tests.browser.watched_page import VIOLATIONS_ALONE
from tests.report_material import HOSTILE, PLAIN, classifier, segmenter
from trainer_worker.classification.report import PARTS
from trainer_worker.reporting.report import render_report
from trainer_worker.segmentation.report import CLASSES

VENDOR = Path(__file__).with_name("vendor")
#: axe.min.js of axe-core 4.14.1 from the npm registry.
AXE_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"

Scheme = Literal["light", "dark"]
PHONE, WIDE = 360, 1280


def written(folder: Path, train_type: str, labels: list[str]) -> Path:
    make, parts = (classifier, PARTS) if train_type == "classification" else (segmenter, CLASSES)
    page = folder / "report.html"
    page.write_text(render_report(make(folder, labels), parts), "utf-8")
    return page


@pytest.fixture
def opened(chromium: Chromium, tmp_path: Path) -> Any:
    """Opens the report of such a model at a width and in a colour scheme, and notes all that it says and asks for."""
    contexts = contextlib.ExitStack()

    def open_report(train_type: str, labels: list[str], width: int = WIDE, scheme: Scheme = "light") -> Page:
        viewport = {"width": width, "height": 900}
        context = contexts.enter_context(chromium.new_context(viewport=viewport, color_scheme=scheme))
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(written(tmp_path, train_type, labels).as_uri())
        return page

    said: list[str] = []
    asked: list[str] = []
    open_report.said, open_report.asked = said, asked  # type: ignore[attr-defined]
    with contexts:
        yield open_report


Open = Callable[..., Page]
KINDS = ("classification", "segmentation")


def test_the_vendored_axe_is_the_published_one() -> None:
    assert hashlib.sha256((VENDOR / "axe.min.js").read_bytes()).hexdigest() == AXE_SHA256
    assert "Mozilla Public License" in (VENDOR / "axe.LICENSE.txt").read_text("utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, WIDE])
@pytest.mark.parametrize("train_type", KINDS)
def test_axe_finds_no_barrier(opened: Open, train_type: str, width: int, scheme: Scheme) -> None:
    page = opened(train_type, PLAIN, width, scheme)
    for summary in page.locator("details > summary").all():
        summary.click()
    page.evaluate((VENDOR / "axe.min.js").read_text("utf-8"))
    found = page.evaluate("(options) => axe.run(options)", VIOLATIONS_ALONE)

    assert len(found["passes"]) > 20
    assert [
        (each["id"], each["nodes"][0]["html"], each["nodes"][0]["failureSummary"]) for each in found["violations"]
    ] == []


@pytest.mark.parametrize("train_type", KINDS)
def test_it_asks_for_nothing_and_complains_of_nothing(opened: Any, train_type: str) -> None:
    page = opened(train_type, HOSTILE)
    page.wait_for_load_state("networkidle")

    assert opened.said == []
    assert [url for url in opened.asked if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in opened.asked if url.startswith("file:")]) == 1


@pytest.mark.parametrize("labels", [PLAIN, HOSTILE], ids=["plain", "hostile"])
@pytest.mark.parametrize("train_type", KINDS)
def test_nothing_stands_beside_a_phones_screen(opened: Open, train_type: str, labels: list[str]) -> None:
    page = opened(train_type, labels, PHONE)

    assert page.evaluate("document.documentElement.scrollWidth") == PHONE
    beside = page.evaluate(
        """() => [...document.querySelectorAll("body *")].filter(e => !e.closest(".scroll, .contents, svg, .skip"))
        .filter(e => e.getBoundingClientRect().width)
        .filter(e => e.getBoundingClientRect().right > innerWidth + 1 || e.getBoundingClientRect().left < -1)
        .map(e => e.outerHTML.slice(0, 200))"""
    )
    assert beside == []


@pytest.mark.parametrize("train_type", KINDS)
def test_no_table_of_plain_names_scrolls_sideways_on_a_phone(opened: Open, train_type: str) -> None:
    page = opened(train_type, PLAIN, PHONE)

    wide = "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth).map(e => e.ariaLabel)"
    assert page.evaluate(wide) == []
    row = page.get_by_role("table", name="Exported files").get_by_role("row").nth(1)
    expect(row.get_by_role("cell").first).to_contain_text("ms")


@pytest.mark.parametrize("train_type", KINDS)
def test_every_picture_is_drawn(opened: Open, train_type: str) -> None:
    page = opened(train_type, PLAIN)

    drawn = page.evaluate("[...document.images].map(i => i.complete && i.naturalWidth > 0)")
    assert drawn
    assert all(drawn)


def test_hostile_names_are_seen_as_text(opened: Any) -> None:
    page = opened("classification", HOSTILE)

    expect(page.locator("#classes th.name").filter(has_text='<script>alert("1")</script>')).to_be_visible()
    expect(page.locator("#classes th.name").filter(has_text="gpj.\\u202eexe")).to_be_visible()
    assert page.locator("script").count() == 0


def test_bars_are_as_long_as_their_figures(opened: Open) -> None:
    page = opened("classification", PLAIN)

    track = page.locator("#classes .meter .track").first.bounding_box()
    fill = page.locator("#classes .meter .fill").first.bounding_box()
    assert track
    assert fill
    assert fill["width"] / track["width"] == pytest.approx(0.75, abs=0.01)


def test_points_of_a_curve_stand_where_their_figures_are(opened: Open) -> None:
    page = opened("classification", PLAIN)

    frame = page.locator("#learning .frame").bounding_box()
    dots = [dot.bounding_box() for dot in page.locator("#learning .dot").all()]
    ticks = {tick.inner_text(): tick.bounding_box() for tick in page.locator("#learning .tick.y").all()}
    assert frame
    assert len(dots) == 3
    top, bottom = ticks["90 %"], ticks["70 %"]
    assert top
    assert bottom
    heights = [box["y"] + box["height"] / 2 for box in (top, bottom)]
    for dot, (pictures, accuracy) in zip(dots, ((10, 0.7), (20, 0.8), (40, 0.86)), strict=True):
        assert dot
        across = (dot["x"] + dot["width"] / 2 - frame["x"]) / frame["width"]
        assert across == pytest.approx((pictures - 10) / 30, abs=0.02)
        read_off = 0.9 - (dot["y"] + dot["height"] / 2 - heights[0]) / (heights[1] - heights[0]) * 0.2
        assert read_off == pytest.approx(accuracy, abs=0.01)


def test_links_lead_to_their_section(opened: Open) -> None:
    page = opened("classification", PLAIN, PHONE)
    page.get_by_role("link", name="Labels that look wrong").first.click()

    expect(page.locator("#labels h2")).to_be_in_viewport()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_model_that_is_not_in_use_says_so_on_the_first_screen(
    chromium: Chromium, tmp_path: Path, scheme: Scheme
) -> None:
    made = classifier(tmp_path, PLAIN)
    held_back = {**made.metrics["comparison"], "promoted": False, "sentence": "This model is worse."}
    made = dataclasses.replace(made, metrics={**made.metrics, "comparison": held_back})
    (tmp_path / "report.html").write_text(render_report(made, PARTS), "utf-8")
    with chromium.new_context(viewport={"width": PHONE, "height": 700}, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto((tmp_path / "report.html").as_uri())
        notice = page.get_by_text("This model is not in use.")

        expect(notice).to_be_in_viewport(ratio=1)
        assert notice.bounding_box()["y"] < page.locator("h1").bounding_box()["y"]  # type: ignore[index]
        page.evaluate((VENDOR / "axe.min.js").read_text("utf-8"))
        assert [
            each["id"] for each in page.evaluate("(options) => axe.run(options)", VIOLATIONS_ALONE)["violations"]
        ] == []
        page.get_by_role("link", name="See the comparison").click()
        expect(page.locator("#comparison h2")).to_be_in_viewport()


def test_it_prints_on_paper_in_light_colours(opened: Open) -> None:
    page = opened("classification", PLAIN, WIDE, "dark")
    page.emulate_media(media="print", color_scheme="dark")

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    expect(page.locator(".contents")).to_be_hidden()
    assert page.pdf(format="A4").startswith(b"%PDF")
