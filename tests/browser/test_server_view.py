"""Signing in with a token, and the view of the server: health, disks, limits and tokens."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import BrowserContext, expect

from conf.tokens import create_token
from protocol import messages as m
from tests.browser.chromium import Chromium
from tests.browser.watched_page import THEMES, WatchedPage
from tests.socket.programs import Programs
from tests.socket.scripted_front_end import ScriptedFrontEnd
from tests.waiting import wait_until


def is_open(port: int) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"http://127.0.0.1:{port}/healthz").is_success
    return False


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    """They are not started yet."""
    folder = tmp_path_factory.mktemp("server-view")
    destinations = '[{"name": "website", "url": "http://127.0.0.1:9/hook"}]'
    with Programs(
        folder, start=False, WEBHOOKS_DESTINATIONS=destinations, WEBHOOKS_ALLOWED_PRIVATE="127.0.0.1"
    ) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(programs: Programs) -> tuple[str, str, str]:
    """The origin of a server with tokens, a token that may do everything, and one that may only read."""
    made = [
        programs.run("server.py", *words)
        for words in (
            ["webhook-secret", "create"],
            ["token", "create", "operator"],
            ["token", "create", "visitor", "--read-only", "--user", "anna"],
        )
    ]
    assert all(each.returncode == 0 for each in made), made
    programs.start("broker")
    programs.start("web")
    wait_until(lambda: is_open(programs.ports["WEB_PORT"]), "the front-end")
    tokens = [next(word for word in each.stdout.split() if word.startswith("tfm_")) for each in made[1:]]
    return f"http://127.0.0.1:{programs.ports['WEB_PORT']}", tokens[0], tokens[1]


@pytest.fixture
def context(chromium: Chromium) -> Iterator[BrowserContext]:
    with chromium.new_context(viewport={"width": 1280, "height": 900}) as context:
        yield context


def sign_in(watched: WatchedPage, token: str) -> None:
    field = watched.page.get_by_label("Token")
    field.fill(token)
    field.press("Enter")


@pytest.mark.parametrize("theme", THEMES)
def test_a_token_opens_the_page(
    chromium: Chromium, programs: Programs, guarded: tuple[str, str, str], theme: str
) -> None:
    origin, token, _ = guarded
    with ScriptedFrontEnd(programs.endpoints.web) as controller:
        pool = m.PoolInfo("gpu", {}, 0, 4, 3, 2, 1, 0, "No node of the Ray cluster has CPU=1, GPU=1.", time.time())
        controller.ask(m.Demand, lambda number: m.PoolsReported(number, (pool,)))
    with chromium.new_context(color_scheme=theme, viewport={"width": 360, "height": 800}) as context:
        watched = WatchedPage(context, origin)
        page = watched.open("/server")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert watched.violations() == []
        sign_in(watched, "tfm_wrong")
        expect(page.get_by_role("alert")).to_be_visible()
        assert watched.violations() == []
        sign_in(watched, token)
        expect(page.locator(".disk")).to_contain_text("free")
        expect(page.locator("main :is(h1, h2)").first).to_have_text("Server")
        expect(page.get_by_role("row").filter(has_text="gpu")).to_contain_text("No node of the Ray cluster")
        expect(page.get_by_role("row").filter(has_text="visitor")).to_contain_text("look only")
        assert page.evaluate("document.cookie") == ""
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert watched.violations() == []
        page.reload()
        expect(page.locator(".disk")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        watched.check()


def test_the_health_is_asked_for_again_and_again(context: BrowserContext, guarded: tuple[str, str, str]) -> None:
    origin, token, _ = guarded
    watched = WatchedPage(context, origin)
    health = watched.page.locator("main [role=status]")
    watched.page.clock.install()
    ready, missing = {"ready": True}, "No task could be trained now: no worker is registered."
    answers = [(200, ready), (503, {"ready": False, "code": "not_ready", "error": missing}), (200, ready)]
    # The server itself would say that it is ready while it knows the pool of another test.
    context.route("**/readyz", lambda route: route.fulfill(status=answers[0][0], json=answers[0][1]))
    page = watched.open("/server")
    sign_in(watched, token)
    expect(health).to_have_text("All is well: a task could be trained now.")
    del answers[0]
    page.clock.fast_forward(15_000)
    expect(health).to_have_text(missing)
    del answers[0]
    page.clock.fast_forward(15_000)
    expect(health).to_contain_text("All is well")
    watched.check()


def test_someone_who_may_only_look_at_one_users_tasks(context: BrowserContext, guarded: tuple[str, str, str]) -> None:
    origin, _, token = guarded
    watched = WatchedPage(context, origin)
    page = watched.open("/server")
    sign_in(watched, token)
    expect(page.get_by_text("Signed in as visitor")).to_be_visible()
    expect(page.locator("section").filter(has_text="Tokens").get_by_role("alert")).to_contain_text("anna")
    assert watched.violations() == []
    watched.open("/now")
    expect(page.get_by_text("Nothing has been trained for anna yet.")).to_be_visible()
    watched.check()


def test_a_webhook_that_does_not_arrive_is_shown_with_its_reason(
    context: BrowserContext, guarded: tuple[str, str, str]
) -> None:
    origin, token, _ = guarded
    folder = {"userId": "anna", "projectId": "flowers", "projectDir": "anna/flowers", "trainType": "classification"}
    with httpx.Client(base_url=origin, headers={"Authorization": f"Bearer {token}"}) as client:
        assert client.post("/", data=folder).status_code == 200
        wait_until(lambda: client.get("/v1/webhooks").json()["attempts"], "an attempt to deliver a webhook")
    watched = WatchedPage(context, origin)
    page = watched.open("/server")
    sign_in(watched, token)
    webhooks = page.get_by_role("region", name="Webhooks")
    expect(webhooks.locator(".card")).to_contain_text("website")
    expect(webhooks.get_by_role("row").filter(has_text="task.submitted").locator(".bad").first).not_to_be_empty()
    assert watched.violations() == []
    watched.check()


def test_what_another_user_has_is_not_said_to_be_missing(
    context: BrowserContext, programs: Programs, guarded: tuple[str, str, str]
) -> None:
    """Ben has nothing yet, while a task of anna waits and her folder has photos."""
    origin, token, _ = guarded
    folder = {"userId": "anna", "projectId": "flowers", "projectDir": "anna/flowers", "trainType": "classification"}
    assert httpx.post(origin, data=folder, headers={"Authorization": f"Bearer {token}"}).status_code == 200
    watched = WatchedPage(context, origin)
    page = watched.open("/now")
    sign_in(watched, create_token(programs.settings.token_file, "ben", user="ben"))
    expect(page.get_by_text("Nothing has been trained for ben yet.")).to_be_visible()
    waiting = page.get_by_role("region", name="Waiting")
    expect(waiting).to_contain_text("None of your tasks waits.")
    expect(waiting).to_contain_text(re.compile(r"of (an)?other users? waits?\."))
    watched.open("/start")
    expect(page.get_by_text("folders of photos that were uploaded for ben")).to_be_visible()
    watched.check()
