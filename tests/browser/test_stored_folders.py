"""The Start view with a data root in object storage: a person walks to a project there, sees its check, and trains."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.watched_page import WatchedPage
from tests.object_servers import refuse_missing_packages
from tests.prediction_projects import plain
from tests.socket.object_projects import ROOT, Service, object_service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    refuse_missing_packages()
    with object_service(tmp_path_factory.mktemp("stored-folders")) as running:
        for label, colour in (("rose", (200, 30, 30)), ("tulip", (30, 30, 200))):
            for number in range(12):
                content = plain((colour[0], number, colour[2])).content
                running.put_file(f"anna/flowers/{label}/{number}.png", content)
        yield running


def test_a_project_in_object_storage_is_found_and_checked(service: Service, chromium: Browser) -> None:
    with chromium.new_context(viewport={"width": 1280, "height": 900}) as context:
        watched = WatchedPage(context, f"http://127.0.0.1:{service.programs.ports['WEB_PORT']}")
        page = watched.open("/start?at=" + urllib.parse.quote(ROOT))
        page.get_by_role("link", name="anna").click()
        flowers = page.get_by_role("link", name="flowers")
        expect(flowers).to_contain_text("2 folders")
        flowers.click()
        rose = page.get_by_role("link", name="rose")
        expect(rose).to_contain_text("12 photos")
        expect(rose.locator("img").first).to_have_js_property("complete", True)
        page.get_by_role("button", name="flowers").click()
        expect(page.locator(".state.good")).to_contain_text("24 photos in 2 classes")
        page.get_by_role("button", name="Start training").click()
        expect(page).to_have_url(re.compile("#/tasks/[0-9a-f]{32}$"))
        task = service.programs.get(f"/v1/tasks/{page.url.rpartition('/')[2]}").body
        assert task["projectDir"] == f"{ROOT}/anna/flowers"
        watched.check()
