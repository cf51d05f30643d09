"""Makes docs/screenshots/: every view of the page at three sizes and in two themes, of a service with something to see.

python -m tests.browser.screenshots [NAME …]
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from conf.settings import ROOT
from tests.browser.chromium import HOW_TO_GET_IT, launch
from tests.browser.populated_service import PopulatedService
from tests.browser.watched_page import THEMES

FOLDER = ROOT / "docs" / "screenshots"
#: Width and height in pixels, by the name that the files have.
SIZES = {"phone": (360, 780), "laptop": (1280, 800), "wide": (2560, 1300)}
#: Longer pages are cut here.
MOST_PIXELS_HIGH = 2600
COLOURS = 256


#: Pictures are usually loaded when they come into view. These are loaded at once, and waited for.
ALL_PICTURES = """Promise.all([...document.images].map((image) => {
    image.loading = "eager";
    return image.decode().catch(() => {});
}))"""


class Shot(msgspec.Struct, frozen=True):
    """fragment: of the address; {name} stands for a task of the service. ready: what is visible when all is there.

    act: what a person does before the picture is taken.
    """

    fragment: str
    ready: str
    act: Callable[[Page, PopulatedService], None] = lambda page, service: None


def _give_pictures(page: Page, service: PopulatedService) -> None:
    pictures = sorted((service.programs.projects / "anna/flowers/images").rglob("[0-9]*5.jpg"))[::3]
    page.locator("input[type=file]").first.set_input_files(pictures)
    expect(page.locator(".answer .verdict")).to_have_count(len(pictures))


SHOTS: Mapping[str, Shot] = {
    "now": Shot("/now", ".tasks"),
    "task-training": Shot("/tasks/{training}", "main h1"),
    "task-done": Shot("/tasks/{done}", ".plot"),
    "task-failed": Shot("/tasks/{failed}", "main h1"),
    "task-files": Shot("/tasks/{done}/files", "main table"),
    "report": Shot("/tasks/{done}/report", "main h2"),
    "report-masks": Shot("/tasks/{masks}/report", "main h2"),
    "try": Shot("/try/{done}", ".drop-place", _give_pictures),
    "compare": Shot("/compare/anna/flowers?tasks={second},{done}", ".side"),
    "start": Shot("/start", "main h2"),
    "labels": Shot("/labels/{done}", "main img"),
    "server": Shot("/server", ".disk"),
}


def take(browser: Browser, service: PopulatedService, name: str) -> None:
    """Write the pictures of one view."""
    shot = SHOTS[name]
    for size, (width, height) in SIZES.items():
        for theme in THEMES:
            viewport = {"width": width, "height": height}
            with browser.new_context(color_scheme=theme, viewport=viewport, locale="en-GB") as context:  # type: ignore[arg-type]
                page = context.new_page()
                page.goto(f"{service.origin}/#{shot.fragment.format(**service.tasks)}")
                expect(page.locator(shot.ready).first).to_be_visible()
                shot.act(page, service)
                page.evaluate(ALL_PICTURES)
                # Curves are drawn when they come into view.
                for curve in page.locator(".plot:visible").all():
                    curve.scroll_into_view_if_needed()
                    expect(curve.locator("canvas")).to_be_visible()
                page.evaluate("scrollTo(0, 0)")
                expect(page.locator("[aria-busy=true]")).to_have_count(0)
                whole = Image.open(io.BytesIO(page.screenshot(full_page=True, animations="disabled"))).convert("RGB")
                cut = whole.crop((0, 0, whole.width, min(whole.height, MOST_PIXELS_HIGH)))
                cut.quantize(COLOURS).save(FOLDER / f"{name}-{size}-{theme}.png", optimize=True)


def main(names: list[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        PopulatedService(Path(folder)) as service,
        sync_playwright() as playwright,
    ):
        browser = launch(playwright)
        assert browser is not None, HOW_TO_GET_IT
        for name in names or SHOTS:
            take(browser, service, name)
            sys.stdout.write(f"{FOLDER / name}-*.png\n")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
