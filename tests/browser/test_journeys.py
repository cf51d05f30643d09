"""Ways through the whole page: to the reason of a failure in three steps, by keyboard alone, over a slow network, back
and by deep links, with odd addresses, and with a token that ends meanwhile."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from tests.browser.chromium import Chromium
from tests.browser.populated_service import WHY_FAILED, PopulatedService
from tests.browser.watched_page import WatchedPage
from tests.finished_models import finish_task
from tests.odd_models import SCRIPT, lay_odd_classifier
from tests.prediction_projects import plain
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker

#: More than these to the reason of a failure, and a person takes longer than half a minute.
MOST_INTERACTIONS = 3
MOST_TABS = 60
LONG_USER = "x" * 120
SLOW_MS = 100
ODD = (
    "/tasks",
    "/tasks/%zz",
    "/tasks/..",
    "/tasks/../../server",
    "/tasks/" + "0" * 32 + "/toString",
    "/labels/%00",
    "/try/nonsense",
    "/try/..%2Fserver",
    "/compare/a",
    "/compare/a/b?tasks=x,y,,x",
    "/compare/../tasks",
    "/compare?tasks=" + ",".join(map(str, range(500))),
    "/start?folder=/etc/passwd",
    "/start?at=nowhere",
    "/now?state=odd",
    "/now?cursor=odd",
    "/now?search=" + "x" * 40_000,
    "/now?search=a?b",
    "?&&==",
    "/%",
)
NOWHERE = ("/constructor", "/__proto__", "/toString/x", "/nothing")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PopulatedService]:
    with PopulatedService(tmp_path_factory.mktemp("journeys")) as running:
        yield running


@pytest.fixture
def context(chromium: Chromium) -> Iterator[BrowserContext]:
    with chromium.new_context(viewport={"width": 1280, "height": 900}) as context:
        yield context


@pytest.fixture
def watched(context: BrowserContext, service: PopulatedService) -> WatchedPage:
    return WatchedPage(context, service.origin)


class Person:
    """Counts what a person does on a page."""

    def __init__(self) -> None:
        self.interactions = 0

    def click(self, place: Locator) -> None:
        self.interactions += 1
        place.click()


def tab_to(page: Page, place: Locator) -> None:
    """Press the Tab key until the place has the focus."""
    expect(place).to_be_visible()
    for _ in range(MOST_TABS):
        if place.evaluate("(element) => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the Tab key does not lead to {place}")


def test_the_reason_of_a_failure_is_found_within_half_a_minute(watched: WatchedPage) -> None:
    person, page = Person(), watched.page
    page.goto(f"{watched.origin}/")
    person.click(page.get_by_role("link", name="failed 1"))
    person.click(page.locator(".tasks").get_by_role("link", name="roses"))
    reason = page.locator(".reason")
    expect(reason).to_have_text(WHY_FAILED)
    expect(reason).to_be_in_viewport()
    assert person.interactions <= MOST_INTERACTIONS
    watched.check()


def test_from_the_start_to_a_prediction_by_keyboard_alone(
    watched: WatchedPage, service: PopulatedService, tmp_path: Path
) -> None:
    picture = tmp_path / "red.png"
    picture.write_bytes(plain((215, 60, 50)).content)
    page = watched.open()
    # Playwright begins to intercept choosers with the first listener, but a key may reach Chromium before that.
    page.on("filechooser", lambda _: None)
    tab_to(page, page.get_by_role("navigation", name="Views").get_by_role("link", name="Try it"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("listitem").filter(has_text="flowers").get_by_role("link").first)
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("button", name="Choose photos"))
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(picture)
    expect(page.locator(".answer .verdict")).to_contain_text("apple")
    watched.check()


def test_over_a_slow_network_loading_does_not_look_like_nothing(
    watched: WatchedPage, service: PopulatedService
) -> None:
    waiting: list[Route] = []
    page = watched.page
    page.route(re.compile("/v1/(tasks|workers|queue)"), lambda route: waiting.append(route))
    watched.open("/now")
    expect(page.locator("main [aria-busy=true]")).to_have_count(3)
    expect(page.locator("main .empty")).to_have_count(0)
    expect(page.get_by_text("Nothing has been trained yet.")).to_have_count(0)
    while waiting:
        waiting.pop().continue_()
    page.unroute(re.compile("/v1/(tasks|workers|queue)"))
    expect(page.locator(".tasks tbody tr").first).to_be_visible()
    expect(page.locator("main [aria-busy=true]")).to_have_count(0)
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    slow = {"offline": False, "latency": SLOW_MS, "downloadThroughput": 400_000, "uploadThroughput": 400_000}
    session.send("Network.emulateNetworkConditions", slow)
    page.evaluate(f"location.hash = '/tasks/{service.tasks['done']}/report'")
    expect(page.locator("main [aria-busy=true]").first).to_be_visible()
    expect(page.get_by_role("heading", name="flowers")).to_be_visible()
    expect(page.locator(".report-part").first).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    watched.check()


def test_back_leads_through_all_views_and_an_address_leads_to_the_same_place(
    watched: WatchedPage, context: BrowserContext, service: PopulatedService
) -> None:
    done, second = service.tasks["done"], service.tasks["second"]
    places = {
        "/now?search=flow": "Now",
        f"/tasks/{done}/options": "flowers",
        f"/tasks/{done}/report?section=classes": "flowers",
        f"/try/{done}": "Try it",
        f"/compare/anna/flowers?tasks={second},{done}": "Compare",
        "/start": "Start one",
        f"/labels/{done}": "Fix labels",
        "/server": "Server",
    }
    page = watched.page
    heading = page.get_by_role("heading", level=1)
    for place, title in places.items():
        watched.open(place)
        expect(heading).to_have_text(title)
    for place, title in list(places.items())[-2::-1]:
        page.go_back()
        expect(page).to_have_url(f"{service.origin}/#{place}")
        expect(heading).to_have_text(title)
    other = WatchedPage(context, service.origin)
    other.open(f"/compare/anna/flowers?tasks={second},{done}")
    expect(other.page.locator(".side thead a")).to_have_count(2)
    other.page.reload()
    expect(other.page.locator(".side thead a")).to_have_count(2)
    watched.check()
    other.check()


@pytest.fixture
def odd_tasks(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """The origin of a service, and two finished tasks there of 2,000 classes and with odd names."""
    odd = {"projectId": SCRIPT, "projectDir": "anna/odd", "userId": LONG_USER}
    with Programs(tmp_path) as programs, ScriptedWorker(programs.endpoints.worker) as worker:
        (programs.projects / "anna" / "odd").mkdir()
        worker.join()
        tasks = [finish_task(programs, worker, lay_odd_classifier, **odd) for _ in range(2)]
        yield f"http://127.0.0.1:{programs.ports['WEB_PORT']}", tasks


def test_no_name_breaks_a_view(context: BrowserContext, odd_tasks: tuple[str, list[str]]) -> None:
    origin, done = odd_tasks
    watched = WatchedPage(context, origin)
    views = {
        f"/now?userId={LONG_USER}": ".tasks tbody tr",
        f"/tasks/{done[0]}": "main h1",
        f"/tasks/{done[0]}/options": "main table",
        f"/try/{done[0]}": ".drop-place",
        "/compare": ".cards",
        f"/compare/{LONG_USER}/{urllib.parse.quote(SCRIPT, safe='')}?tasks={','.join(done)}": ".side",
    }
    page = watched.page
    page.set_viewport_size({"width": 360, "height": 800})
    for place, ready in views.items():
        watched.open(place)
        expect(page.locator(ready).first).to_be_visible()
        expect(page.locator("main")).to_contain_text(SCRIPT)
        expect(page.locator("main [aria-busy=true]")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), place
    watched.check()


def test_two_tabs_see_what_one_of_them_does(
    watched: WatchedPage, context: BrowserContext, service: PopulatedService
) -> None:
    other = WatchedPage(context, service.origin)
    task_id = service.programs.post_id(projectId="tabs", projectDir="anna/birds")
    other.open("/now?state=cancelled")
    expect(other.page.locator(".tasks tbody tr")).to_have_count(1)
    page = watched.open(f"/tasks/{task_id}")
    page.get_by_role("button", name="Cancel").first.click()
    page.get_by_role("dialog").locator("[type=submit]").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(other.page.locator(".tasks tbody tr").filter(has_text="tabs")).to_be_visible()
    for tab in (watched, other):
        tab.check()


def test_a_token_that_is_revoked_leads_to_the_form_and_back(chromium: Chromium, tmp_path: Path) -> None:
    with Programs(tmp_path) as programs, chromium.new_context() as context:
        tokens = [token(programs, name) for name in ("first", "second")]
        tabs = [WatchedPage(context, f"http://127.0.0.1:{programs.ports['WEB_PORT']}") for _ in range(2)]
        first, second = (tab.open("/now?state=failed") for tab in tabs)
        sign_in(first, tokens[0])
        expect(first.get_by_text("No task fits.")).to_be_visible()
        expect(second.get_by_text("No task fits.")).to_be_visible()
        assert programs.run("server.py", "token", "revoke", "first").returncode == 0
        for page in (first, second):
            expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
            expect(page.get_by_text("You are not signed in any more")).to_be_visible()
            expect(page.locator(".touch")).to_be_empty()
        sign_in(second, tokens[1])
        for page in (second, first):
            expect(page.get_by_text("No task fits.")).to_be_visible()
            assert page.url.endswith("#/now?state=failed")
        first.get_by_role("button", name="Sign out").click()
        expect(first.get_by_text("This server admits only those who have a token.")).to_be_visible()


def token(programs: Programs, name: str) -> str:
    made = programs.run("server.py", "token", "create", name)
    return next(word for word in made.stdout.split() if word.startswith("tfm_"))


def sign_in(page: Page, its_token: str) -> None:
    page.get_by_label("Token").fill(its_token)
    page.get_by_label("Token").press("Enter")


def test_an_odd_address_is_answered_with_a_sentence(watched: WatchedPage) -> None:
    page = watched.page
    for place in ODD:
        watched.open(place)
        expect(page.get_by_role("heading", level=1), place[:80]).to_be_visible()
        expect(page.locator("main [aria-busy=true]"), place[:80]).to_have_count(0)
        assert page.locator("main").inner_text().strip().count("\n") > 0, place[:80]
        assert not re.search(r"undefined|\[object|NaN|Cannot read|not a function", page.locator("main").inner_text()), (
            place
        )
        expect(page.locator("header nav")).to_be_visible()
    for place in NOWHERE:
        watched.open(place)
        expect(page.get_by_role("heading", level=1)).to_have_text("There is nothing here")
    watched.check()
