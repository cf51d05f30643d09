"""What axe-core finds in states that the tests of the views do not pass: each in both themes, on a phone or a desk."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.chromium import Chromium
from tests.browser.populated_service import PopulatedService
from tests.browser.watched_page import WatchedPage

REFUSED = {"error": "This call was refused for the test.", "code": "bad_fields", "docs": "/docs/errors#bad_fields"}
EMPTY = {
    "workers": {"workers": [], "pools": []},
    "queue": {"queue": [], "waiting": 0, "next": None},
    "tasks": {"tasks": [], "counts": {}, "next": None},
}


def refused(route: Route) -> None:
    route.fulfill(status=400, json=REFUSED)


def away(route: Route) -> None:
    route.abort()


def empty(route: Route) -> None:
    name = route.request.url.partition("/v1/")[2].partition("?")[0]
    route.fulfill(json=EMPTY[name]) if name in EMPTY else route.continue_()


def unanswered(route: Route) -> None:
    """The page waits for ever."""


def ask(button: str) -> Callable[[Page], None]:
    def act(page: Page) -> None:
        page.get_by_role("button", name=button).first.click()
        expect(page.get_by_role("dialog")).to_be_visible()

    return act


def no_more(page: Page) -> None:
    """Nothing is done."""


@dataclasses.dataclass(frozen=True)
class Case:
    """place: the view; {name} stands for a task. answer: what calls of the API meet. shown: what the state looks like.
    act: what a person does then."""

    place: str
    shown: str
    answer: Callable[[Route], None] | None = None
    act: Callable[[Page], None] = no_more


CASES = {
    "a question": Case("/tasks/{training}", "main progress", act=ask("Cancel")),
    "task waiting": Case("/tasks/{waiting}", "main h1"),
    "task failed": Case("/tasks/{failed}", "main .reason", act=ask("Train again")),
    "task cancelled": Case("/tasks/{cancelled}", "main .empty"),
    "task files": Case("/tasks/{done}/files", "main table"),
    "task options": Case("/tasks/{done}/options", "main table"),
    "task attempts": Case("/tasks/{done}/attempts", "main table"),
    "task log": Case("/tasks/{done}/log", "main pre"),
    "task without an id": Case("/tasks", "main .empty"),
    "compare two": Case("/compare/anna/flowers?tasks={second},{done}", "main .side"),
    "compare one": Case("/compare/anna/flowers?tasks={done}", "main .empty"),
    "now without a find": Case("/now?search=nothing+like+it", "main .empty"),
    "nothing here": Case("/nothing", "main h1"),
    "compare empty": Case("/compare", "main .empty", empty),
    "try empty": Case("/try", "main .empty", empty),
    "now empty": Case("/now", "main .empty", empty),
    "task busy": Case("/tasks/{second}", "main [aria-busy=true]", unanswered),
    "now busy": Case("/now?sort=-endedAt", "main [aria-busy=true]", unanswered),
    "start refused": Case("/start", "main .trouble", refused),
    "labels refused": Case("/labels/{second}", "main .trouble", refused),
    "server refused": Case("/server", "main .trouble", refused),
    "task out of touch": Case("/tasks/{failed}/files", "main .away", away),
    "now out of touch": Case("/now?sort=submittedAt", "main .away", away),
}
#: What differs between the themes.
COLOURS = {"runOnly": ["color-contrast"]}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PopulatedService]:
    with PopulatedService(tmp_path_factory.mktemp("barriers")) as running:
        yield running


def test_axe_finds_no_barrier_in_any_state(chromium: Chromium, service: PopulatedService) -> None:
    found: dict[str, list[str]] = {}
    # Colours that fade from one theme to the other have no contrast to measure.
    with chromium.new_context(reduced_motion="reduce") as context:
        watched = WatchedPage(context, service.origin)
        page = watched.page
        for number, (name, case) in enumerate(CASES.items()):
            page.set_viewport_size({"width": (360, 1280)[number % 2], "height": 900})
            page.emulate_media(color_scheme="light")
            if case.answer is not None:
                page.route("**/v1/**", all_but_the_session(case.answer))
            watched.open(case.place.format(**service.tasks))
            expect(page.locator(case.shown).first, name).to_be_visible()
            case.act(page)
            violations = watched.violations()
            page.emulate_media(color_scheme="dark")
            violations += watched.violations(COLOURS)
            if violations:
                found[name] = violations
            page.unroute_all(behavior="ignoreErrors")
        assert found == {}
        watched.check()


def all_but_the_session(answer: Callable[[Route], None]) -> Callable[[Route], None]:
    """The frame asks who looks at the page before it shows a view."""
    return lambda route: route.continue_() if "/v1/session" in route.request.url else answer(route)
