"""Names that every object has, markup, and links of other kinds, wherever data or the address bring them to the page;
and a token that is revoked while the page is open."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from conf.tokens import create_token, revoke_token
from tests.browser.chromium import Chromium
from tests.browser.watched_page import WatchedPage
from tests.finished_models import finish_task, lay_classifier
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker

MARKUP = '<img src=x onerror="window.harmed = 1">'
OF_EVERY_OBJECT = ("constructor", "__proto__", "toString")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("hostile-names")) as running:
        yield running


@pytest.fixture(scope="module")
def task_id(programs: Programs) -> str:
    """A task that is done, whose folder's owner has rewritten the file of its epochs."""
    with ScriptedWorker(programs.endpoints.worker) as worker:
        found = finish_task(programs, worker.join(), lay_classifier, userId=MARKUP)
    (file,) = (programs.projects / "anna" / "flowers").rglob("epochs.jsonl")
    record = json.loads(file.read_text().splitlines()[0])
    names = (*OF_EVERY_OBJECT, MARKUP, "loss")
    rows = [
        {
            **record,
            "stage": "constructor",
            "part": "valueOf1",
            "epoch": epoch,
            "metrics": dict.fromkeys(names, epoch / 9),
        }
        for epoch in range(1, 5)
    ]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return found


def origin(programs: Programs) -> str:
    return f"http://127.0.0.1:{programs.ports['WEB_PORT']}"


def test_an_address_with_names_that_every_object_has(chromium: Chromium, programs: Programs, task_id: str) -> None:
    with chromium.new_context() as context:
        watched = WatchedPage(context, origin(programs))
        page = watched.open("/constructor")
        expect(page.get_by_role("heading", level=1)).to_have_text("There is nothing here")
        watched.open(f"/tasks/{task_id}/__proto__")
        expect(page.get_by_role("heading", level=1)).to_have_text("flowers")
        expect(page.get_by_role("link", name="Overview")).to_have_attribute("aria-current", "page")
        watched.open(f"/start?folder={programs.projects / 'anna' / 'flowers'}&trainType=toString")
        expect(page.get_by_role("radio", checked=True)).to_be_visible()
        watched.check()


def test_figures_that_the_owner_of_a_folder_has_named(chromium: Chromium, programs: Programs, task_id: str) -> None:
    with chromium.new_context() as context:
        watched = WatchedPage(context, origin(programs))
        page = watched.open(f"/tasks/{task_id}")
        expect(page.get_by_role("main")).to_contain_text("constructor")
        expect(page.get_by_role("main")).to_contain_text(MARKUP)
        assert page.evaluate("window.harmed") is None
        protocols = page.evaluate(
            "[...document.querySelectorAll('[href], [src]')].map((e) => new URL(e.href || e.src).protocol)"
        )
        assert set(protocols) <= {"http:", "blob:", "data:"}
        watched.check()


# ---- the last test, because from here on every call needs a token ----


def test_a_token_that_is_revoked_ends_the_page_without_a_lie(
    chromium: Chromium, programs: Programs, task_id: str
) -> None:
    file = programs.settings.token_file
    token = create_token(file, "visitor")
    with chromium.new_context() as context:
        watched = WatchedPage(context, origin(programs))
        page = watched.open("/now")
        sign_in = page.get_by_role("heading", name="Sign in")
        expect(sign_in).to_be_visible()
        page.get_by_label("Token").fill(token)
        page.get_by_label("Token").press("Enter")
        expect(page.locator(".tasks")).to_contain_text("flowers")
        revoke_token(file, "visitor")
        expect(sign_in).to_be_visible()
        expect(page.get_by_text("does not answer")).to_have_count(0)
        page.get_by_label("Token").fill(create_token(file, "visitor"))
        page.get_by_label("Token").press("Enter")
        expect(page.locator(".tasks")).to_contain_text("flowers")
        watched.check()
