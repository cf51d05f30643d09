"""The view of what happens now: lists, filters in the address, changes as they happen, and a server that goes away."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import APIResponse, BrowserContext, Route, expect

from protocol.sizes import size_in_words
from tests.browser.chromium import Chromium
from tests.browser.populated_service import PopulatedService
from tests.browser.watched_page import THEMES, WatchedPage
from tests.waiting import wait_until

TABS = 10
SAID_OF_TIMES = """async (ranges) => {
    const words = await import(new URL("words.js", document.querySelector("script[type=module]").src));
    return ranges.map(words.durationRange);
}"""

SAID_OF_SIZES = SAID_OF_TIMES.replace("words.durationRange", "words.bytes")

#: A stream of events that never opens.
NO_EVENTS = """
    delete window.SharedWorker;
    window.EventSource = class { addEventListener() {} close() {} };
"""
#: The pauses of a hundred pages after so many failures, in milliseconds.
PAUSES = """async (failures) => {
    const { pauseAfterMs } = await import(new URL("pauses.js", document.querySelector("script[type=module]").src));
    return Array.from({ length: 100 }, () => pauseAfterMs(failures, 2000));
}"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PopulatedService]:
    with PopulatedService(tmp_path_factory.mktemp("now-view")) as running:
        yield running


@pytest.fixture
def context(chromium: Chromium) -> Iterator[BrowserContext]:
    with chromium.new_context(viewport={"width": 1280, "height": 900}) as context:
        yield context


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", [360, 1280, 2560])
def test_it_shows_workers_queue_and_tasks(
    chromium: Chromium, service: PopulatedService, theme: str, width: int
) -> None:
    with chromium.new_context(color_scheme=theme, viewport={"width": width, "height": 900}) as context:
        watched = WatchedPage(context, service.origin)
        page = watched.open("/now")
        expect(page.locator(".card")).to_contain_text("trainer_worker_0")
        expect(page.locator(".queue")).to_contain_text("mushrooms")
        herbs = page.get_by_role("row").filter(has_text="herbs")
        expect(herbs).to_contain_text("41%")
        expect(herbs).to_contain_text("3 to 5 minutes left")
        expect(page.get_by_role("row").filter(has_text="roses")).to_contain_text("one class only")
        expect(page.get_by_role("row").filter(has_text="leaves")).to_contain_text("86")
        name = page.locator("th[scope=row]").get_by_text("mushrooms")
        assert name.evaluate("(link) => link.getClientRects().length") == 1, "the name is broken into lines"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert watched.violations() == []
        watched.check()


def test_the_address_keeps_filter_and_search(context: BrowserContext, service: PopulatedService) -> None:
    watched = WatchedPage(context, service.origin)
    page = watched.open("/now")
    tasks = page.locator(".tasks tbody tr")
    expect(tasks).to_have_count(8)
    page.get_by_role("link", name="failed 1").click()
    expect(tasks).to_have_count(1)
    page.reload()
    expect(tasks).to_have_count(1)
    expect(page.get_by_role("link", name="failed 1")).to_have_attribute("aria-current", "true")
    page.go_back()
    expect(tasks).to_have_count(8)
    page.get_by_role("searchbox").fill("leav")
    expect(tasks).to_have_count(1)
    assert page.url.endswith("#/now?search=leav")
    page.get_by_role("searchbox").fill("nothing like it")
    expect(page.get_by_text("No task fits.")).to_be_visible()
    page.get_by_role("link", name="Show all tasks").click()
    expect(tasks).to_have_count(8)
    watched.check()


def test_the_rows_before_stay_until_those_of_a_new_filter_are_there(
    context: BrowserContext, service: PopulatedService
) -> None:
    watched = WatchedPage(context, service.origin)
    page = watched.open("/now")
    tasks = page.locator(".tasks tbody tr")
    expect(tasks).to_have_count(8)
    held: list[Route] = []
    page.route("**/v1/tasks?*", lambda route: held.append(route))
    page.get_by_role("link", name="failed 1").click()
    table = page.get_by_role("region", name="Table: Tasks")
    expect(table).to_have_attribute("aria-busy", "true")
    expect(tasks).to_have_count(8)
    for route in held:
        route.continue_()
    expect(tasks).to_have_count(1)
    expect(table).to_have_attribute("aria-busy", "false")
    watched.check()


def test_ten_tabs_all_show_what_happens(context: BrowserContext, service: PopulatedService) -> None:
    tabs = [WatchedPage(context, service.origin) for _ in range(TABS)]
    for tab in tabs:
        tab.open("/now?state=pending&sort=-submittedAt")
        expect(tab.page.locator(".tasks tbody tr")).to_have_count(2)
    name = "<script>alert(1)</script>"
    task_id = service.programs.post_id(projectId=name, projectDir="anna/birds")
    for tab in tabs:
        expect(tab.page.locator(".tasks tbody tr").first).to_contain_text(name)
    service.programs.call("DELETE", f"/v1/tasks/{task_id}")
    for tab in tabs:
        expect(tab.page.locator(".tasks tbody tr")).to_have_count(2)
        tab.check()
    streams = [tab for tab in tabs if any("/v1/events" in url for url in tab.asked)]
    assert streams == []  # The shared worker asks for them, and no tab does.


def test_a_server_that_goes_away_is_said_and_comes_back_by_itself(
    context: BrowserContext, service: PopulatedService
) -> None:
    watched = WatchedPage(context, service.origin)
    page = watched.open("/now")
    expect(page.locator(".tasks tbody tr")).to_have_count(9)
    assert service.programs.stop("web", signal.SIGTERM) == 0
    expect(page.locator(".touch")).to_contain_text("The server does not answer")
    expect(page.locator(".tasks tbody tr")).to_have_count(9)
    expect(page.locator(".stale")).to_have_count(0)  # The bar says it for all parts at once.
    assert watched.violations() == []
    service.programs.start("web")
    expect(page.locator(".touch")).to_be_empty()
    service.programs.wait_synced()
    task_id = service.programs.post_id(projectId="after", projectDir="anna/birds")
    expect(page.locator(".tasks tbody tr").first).to_contain_text("after")
    service.programs.call("DELETE", f"/v1/tasks/{task_id}")


def test_a_broker_that_was_away_is_back_without_a_reload(context: BrowserContext, service: PopulatedService) -> None:
    watched = WatchedPage(context, service.origin)
    away = {"error": "The broker does not answer.", "code": "broker_away"}
    lists = re.compile("/v1/(workers|queue|tasks)")
    context.route(lists, lambda route: route.fulfill(status=503, json=away))
    page = watched.open("/now")
    expect(page.get_by_role("alert")).to_have_count(3)
    context.unroute(lists)
    expect(page.locator(".card")).to_contain_text("trainer_worker_0")
    expect(page.get_by_role("alert")).to_have_count(0)
    watched.check()


def test_a_view_waits_as_long_as_the_server_asks(context: BrowserContext, service: PopulatedService) -> None:
    context.add_init_script(NO_EVENTS)
    watched = WatchedPage(context, service.origin)
    watched.page.clock.install()
    away = {"error": "The broker does not answer.", "code": "broker_away"}
    queue = "**/v1/queue*"
    context.route(queue, lambda route: route.fulfill(status=503, json=away, headers={"Retry-After": "30"}))
    page = watched.open("/now")
    expect(page.get_by_role("alert")).to_contain_text("The broker does not answer.")
    with page.expect_response("**/v1/workers"):  # It is asked for every 15 s, as the queue would be.
        page.clock.fast_forward(29_000)
    assert sum("/v1/queue" in url for url in watched.asked) == 1
    with page.expect_request(queue):
        page.clock.fast_forward(10_000)
    watched.check()


def test_pauses_grow_up_to_a_bound_and_differ_between_pages(context: BrowserContext, service: PopulatedService) -> None:
    page = WatchedPage(context, service.origin).open("/now")
    for failures, whole_ms in ((1, 1_000), (2, 2_000), (4, 8_000), (5, 10_000), (5_000, 10_000)):
        pauses_ms = page.evaluate(PAUSES, failures)
        assert all(2_000 + whole_ms / 2 <= each <= 2_000 + whole_ms for each in pauses_ms), failures
        assert max(pauses_ms) - min(pauses_ms) > whole_ms / 4, failures


def test_a_worker_that_drains_is_shown_without_an_event(context: BrowserContext, service: PopulatedService) -> None:
    watched = WatchedPage(context, service.origin)
    watched.page.clock.install()
    page = watched.open("/now")
    expect(page.locator(".card")).to_contain_text("training")
    context.route("**/v1/workers", _with_state("draining"))
    page.clock.fast_forward(15_000)
    expect(page.locator(".card")).to_contain_text("takes no new task")
    watched.check()


def test_a_task_does_not_start_while_all_workers_drain(context: BrowserContext, service: PopulatedService) -> None:
    watched = WatchedPage(context, service.origin)
    context.route("**/v1/workers", _with_state("draining"))
    page = watched.open(f"/tasks/{service.tasks['waiting']}")
    waits = page.get_by_role("region", name="What goes on")
    expect(waits).to_contain_text("take no new task")
    expect(waits).to_contain_text("workers undrain")
    expect(waits).not_to_contain_text("Starts in")
    watched.check()


def test_nobody_is_told_to_undrain_workers_that_the_cluster_drains(
    context: BrowserContext, service: PopulatedService
) -> None:
    watched = WatchedPage(context, service.origin)
    context.route(
        "**/v1/workers", _with_state("draining", {"labels": {}, "maxWorkers": 1, "reason": "Failed starts: 1."})
    )
    page = watched.open(f"/tasks/{service.tasks['waiting']}")
    waits = page.get_by_role("region", name="What goes on")
    expect(waits).to_contain_text("The cluster starts another one by itself as soon as it can. Failed starts: 1.")
    expect(waits).not_to_contain_text("undrain")
    watched.check()


def test_a_view_whose_script_does_not_come_says_so_in_words(context: BrowserContext, service: PopulatedService) -> None:
    watched = WatchedPage(context, service.origin)
    context.route("**/views/server/server.js", lambda route: route.abort())
    page = watched.open("/server")
    expect(page.get_by_role("alert")).to_contain_text("This part of the page could not be loaded.")
    context.unroute("**/views/server/server.js")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Server")
    watched.check()


def test_times_are_written_as_in_the_region_of_the_browser(chromium: Chromium, service: PopulatedService) -> None:
    for locale, clock in (("en-GB", r"came \d\d:\d\d$"), ("en-US", r"came \d\d:\d\d\s[AP]M$")):
        with chromium.new_context(locale=locale) as context:
            page = WatchedPage(context, service.origin).open("/now")
            when = page.get_by_role("row").filter(has_text="shells").locator("td").last
            expect(when).to_have_text(re.compile(clock))


def test_estimates_are_not_told_to_the_second(context: BrowserContext, service: PopulatedService) -> None:
    page = WatchedPage(context, service.origin).open("/now")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    said = page.evaluate(SAID_OF_TIMES, [[2, 29], [12, 31], [10, 58], [180, 300]])
    assert said == ["less than 30 seconds", "10 to 30 seconds", "less than 1 minute", "3 to 5 minutes"]


def test_nobody_is_told_to_start_workers_that_the_cluster_starts(
    context: BrowserContext, service: PopulatedService
) -> None:
    pool = {"name": "cpu", "labels": {}, "maxWorkers": 1, "reason": ""}
    context.route("**/v1/workers", lambda route: route.fulfill(json={"workers": [], "pools": [pool]}))
    page = WatchedPage(context, service.origin).open("/now")
    expect(page.get_by_role("region", name="Workers")).to_contain_text("The cluster starts workers by itself")


def test_a_size_does_not_read_as_more_than_it_is(context: BrowserContext, service: PopulatedService) -> None:
    page = WatchedPage(context, service.origin).open("/now")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    sizes = [1023, 2000 * 2**20, 2 * 2**30, round(12.9 * 2**20), round(9.999 * 2**20), 346 * 2**20]
    assert page.evaluate(SAID_OF_SIZES, sizes) == [size_in_words(size) for size in sizes]


def _with_state(state: str, *pools: dict[str, object]) -> Callable[[Route], None]:
    """All workers of an answer are said to be in this state, and the cluster to have these pools."""

    def answer(route: Route) -> None:
        answered = route.fetch()
        listed = answered.json()
        for worker in listed["workers"]:
            worker["state"] = state
        listed["pools"] += pools
        route.fulfill(response=answered, json=listed)

    return answer


def test_a_bar_moves_without_a_reload(context: BrowserContext, service: PopulatedService) -> None:
    watched = WatchedPage(context, service.origin)
    page = watched.open("/now?state=processing")
    bar = page.locator(".tasks progress")
    expect(bar).to_have_attribute("value", "41")
    service.report_progress(63.0)
    expect(bar).to_have_attribute("value", "63")
    expect(page.locator(".card progress")).to_have_attribute("value", "63")
    watched.check()


def test_an_answer_that_is_older_than_an_event_does_not_undo_it(
    context: BrowserContext, service: PopulatedService
) -> None:
    watched = WatchedPage(context, service.origin)
    page = watched.open("/now?state=processing")
    bar, table = page.locator(".tasks progress"), page.get_by_role("region", name="Table: Tasks")
    expect(bar).to_be_visible()
    service.report_progress(70.0)
    expect(bar).to_have_attribute("value", "70")
    held: list[tuple[Route, APIResponse]] = []
    page.route("**/v1/tasks?*", lambda route: held.append((route, route.fetch())))
    page.get_by_label("Order").select_option("submittedAt")
    expect(table).to_have_attribute("aria-busy", "true")
    wait_until(lambda: page.evaluate("1") and held, "the question that is held")
    service.report_progress(80.0)
    expect(bar).to_have_attribute("value", "80")
    for route, answered in held:
        route.fulfill(response=answered)
    expect(table).to_have_attribute("aria-busy", "false")
    expect(bar).to_have_attribute("value", "80", timeout=1)
    watched.check()
