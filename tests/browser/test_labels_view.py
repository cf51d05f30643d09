"""Fix labels: keys and buttons write decisions to corrections.csv at once, and nothing else in the folder changes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from conf.tokens import create_token
from tests.browser.watched_page import WatchedPage
from tests.finished_models import finish_task, lay_classifier, lay_segmenter
from tests.odd_models import LABELS, LONG, lay_odd_classifier
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import wait_until

HEADER = "picture,action,label"
PHONE_PX, DESK_PX = 360, 1280


@dataclass(frozen=True)
class Service:
    """A server with tokens, its projects, and the ids of its finished tasks by project."""

    origin: str
    projects: Path
    tasks: dict[str, str]
    writer: str
    reader: str

    def rows(self, project: str) -> list[str]:
        """The lines of corrections.csv; none if there is no such file."""
        file = self.projects / "anna" / project / "corrections.csv"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Programs(tmp_path_factory.mktemp("labels-view"), start=False) as programs:
        tokens = programs.settings.token_file
        writer, reader = create_token(tokens, "writer"), create_token(tokens, "reader", read_only=True)
        programs.start("broker")
        programs.start("web")
        programs.wait_synced()
        (programs.projects / "anna" / "odd").mkdir()
        (programs.projects / "anna" / "leaves").mkdir()
        headers = {"Authorization": f"Bearer {writer}"}
        with ScriptedWorker(programs.endpoints.worker) as worker:
            worker.join()
            leaves = {"projectId": "leaves", "projectDir": "anna/leaves", "trainType": "segmentation"}
            tasks = {
                "flowers": finish_task(programs, worker, lay_classifier, headers=headers),
                "odd": finish_task(
                    programs, worker, lay_odd_classifier, headers=headers, projectId="odd", projectDir="anna/odd"
                ),
                "leaves": finish_task(programs, worker, lay_segmenter, headers=headers, **leaves),
            }
            worker.heartbeat(ready=False)
            origin = f"http://127.0.0.1:{programs.ports['WEB_PORT']}"
            yield Service(origin, programs.projects, tasks, writer, reader)


@contextmanager
def signed_in(chromium: Browser, service: Service, token: str = "", **options: object) -> Iterator[WatchedPage]:
    with chromium.new_context(**options) as context:  # type: ignore[arg-type]
        sent = {"Content-Type": "application/json", "Origin": service.origin}
        body = json.dumps({"token": token or service.writer})
        assert context.request.post(f"{service.origin}/v1/session", data=body, headers=sent).ok
        yield WatchedPage(context, service.origin)


@pytest.fixture
def watched(chromium: Browser, service: Service) -> Iterator[WatchedPage]:
    """Signed in with a token that may write. Each test begins without corrections."""
    for file in service.projects.glob("anna/*/corrections.csv"):
        file.unlink()
    with signed_in(chromium, service, viewport={"width": DESK_PX, "height": 900}) as watched:
        yield watched
        watched.check()


def opened(watched: WatchedPage, task_id: str) -> Page:
    page = watched.open(f"/labels/{task_id}")
    expect(page.get_by_role("option").first).to_be_visible()
    return page


def files_of(project: Path) -> dict[str, int]:
    """When each file but corrections.csv and the model's was last written."""
    return {
        path.relative_to(project).as_posix(): path.stat().st_mtime_ns
        for path in project.rglob("images/**/*")
        if path.is_file()
    }


def test_three_labels_are_fixed_by_keys_alone(watched: WatchedPage, service: Service) -> None:
    page = opened(watched, service.tasks["flowers"])
    photos = page.get_by_role("option")
    expect(photos).to_have_count(15)
    expect(photos.first).to_contain_text("It looks as if it were pear.")
    expect(page.get_by_text("0 of 15 looked at")).to_be_visible()
    expect(page.get_by_role("button", name="Train again")).to_be_disabled()
    before = files_of(service.projects / "anna" / "flowers")

    page.get_by_role("link", name="Back to the report").focus()
    for _ in range(2):  # A disabled button is no stop of the tabulator key.
        if not page.evaluate("document.activeElement.getAttribute('role') === 'option'"):
            page.keyboard.press("Tab")
    expect(photos.nth(0)).to_be_focused()
    page.keyboard.press("2")
    expect(photos.nth(1)).to_be_focused()
    page.keyboard.press("x")
    expect(photos.nth(2)).to_be_focused()
    page.keyboard.press("k")
    expect(page.get_by_text("3 of 15 looked at", exact=True)).to_be_visible()
    expect(page.get_by_text("Everything is saved.")).to_be_visible()
    third = str(photos.nth(2).get_attribute("title"))
    assert service.rows("flowers") == [
        HEADER,
        "images/apple/004.jpg,label,pear",
        "images/pear/004.jpg,exclude,",
        f"{third},keep,",
    ]

    page.keyboard.press("u")
    expect(photos.nth(2)).to_be_focused()
    page.keyboard.press("Backspace")
    expect(photos.nth(1)).to_be_focused()
    expect(page.get_by_text("1 of 15 looked at", exact=True)).to_be_visible()
    wait_until(lambda: service.rows("flowers") == [HEADER, "images/apple/004.jpg,label,pear"], "both taken back")
    assert files_of(service.projects / "anna" / "flowers") == before

    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(photos.nth(1)).to_be_focused()
    page.reload()
    expect(page.get_by_text("1 of 15 looked at", exact=True)).to_be_visible()
    expect(photos.first).to_contain_text("It shows pear")


def test_arrow_keys_follow_rows_and_decisions_are_announced(watched: WatchedPage, service: Service) -> None:
    page = opened(watched, service.tasks["flowers"])
    photos = page.get_by_role("option")
    photos.first.click()
    page.keyboard.press("ArrowDown")
    below = photos.evaluate_all("all => all.findIndex(each => each.offsetTop > all[0].offsetTop)")
    expect(photos.nth(below)).to_be_focused()
    page.keyboard.press("End")
    expect(photos.last).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("Space")
    said = "images/apple/004.jpg: The label is right. 1 of 15 looked at."
    expect(page.get_by_role("status").filter(has_text=said)).to_be_attached()


def test_buttons_do_the_same_and_training_starts_again(watched: WatchedPage, service: Service) -> None:
    page = opened(watched, service.tasks["flowers"])
    panel = page.get_by_role("complementary", name="The selected photo")
    page.get_by_role("option").nth(1).click()
    panel.get_by_role("button", name="plum").click()
    expect(page.get_by_text("Everything is saved.")).to_be_visible()
    assert service.rows("flowers") == [HEADER, "images/pear/004.jpg,label,plum"]
    expect(page.get_by_role("option").nth(2)).to_be_focused()
    page.get_by_role("option").nth(1).click()
    panel.get_by_role("button", name="Take this decision back").click()
    wait_until(lambda: service.rows("flowers") == [], "no corrections")
    panel.get_by_role("button", name="Do not use it").click()

    page.get_by_role("button", name="Train again").click()
    question = page.get_by_role("dialog")
    expect(question).to_contain_text("respects your decision")
    question.get_by_role("button", name="Train again").click()
    expect(page).to_have_url(re.compile("#/tasks/(?!" + service.tasks["flowers"] + ")[0-9a-f]{32}$"))


def test_decisions_wait_until_the_server_answers(watched: WatchedPage, service: Service) -> None:
    page = opened(watched, service.tasks["flowers"])
    is_away = True

    def answer(route: Route) -> None:
        if route.request.method == "POST" and is_away:
            route.abort("connectionrefused")
        else:
            route.continue_()

    page.route("**/v1/corrections*", answer)
    page.get_by_role("option").first.click()
    page.keyboard.press("k")
    expect(page.get_by_role("option").first).to_contain_text("not saved yet")
    expect(page.get_by_text("One decision is not saved yet")).to_be_visible()
    with page.expect_event("dialog") as asked:
        page.evaluate("setTimeout(() => location.reload())")
    asked.value.dismiss()  # The person says no to leaving.
    is_away = False
    expect(page.get_by_text("Everything is saved.")).to_be_visible()
    assert service.rows("flowers") == [HEADER, "images/apple/004.jpg,keep,"]


def test_a_refused_decision_is_said_and_harms_no_other(watched: WatchedPage, service: Service) -> None:
    page = opened(watched, service.tasks["flowers"])

    def answer(route: Route) -> None:
        if '"exclude"' in (route.request.post_data or ""):
            problem = {"error": "There is no such picture.", "code": "bad_fields"}
            route.fulfill(status=400, content_type="application/json", body=json.dumps(problem))
        else:
            route.continue_()

    page.route("**/v1/corrections*", answer)
    page.get_by_role("option").first.click()
    page.keyboard.press("k")
    page.keyboard.press("x")
    expect(page.get_by_role("option").nth(1)).to_contain_text("There is no such picture.")
    expect(page.get_by_text("1 of 15 looked at", exact=True)).to_be_visible()
    assert service.rows("flowers") == [HEADER, "images/apple/004.jpg,keep,"]


def test_of_two_thousand_classes_one_is_typed(watched: WatchedPage, service: Service) -> None:
    page = opened(watched, service.tasks["odd"])
    photo = page.get_by_role("option").first
    photo.click()
    page.keyboard.press("c")
    field = page.get_by_role("combobox", name="Class")
    expect(field).to_be_focused()
    field.press_sequentially("class")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No single class begins with “class”.")).to_be_visible()
    field.fill("CLASS 0004")
    page.keyboard.press("Enter")
    expect(photo).to_contain_text("It shows class 0004")
    expect(page.get_by_role("option").nth(1)).to_be_focused()
    page.keyboard.press("1")  # What the model took it for, whose name has 200 letters.
    expect(page.get_by_text("Everything is saved.")).to_be_visible()
    rows = service.rows("odd")
    assert rows[1].endswith(f",label,{LABELS[7]}")
    assert rows[2].endswith(f",label,{LONG}")


def test_a_reader_may_only_look(chromium: Browser, service: Service) -> None:
    with signed_in(chromium, service, service.reader) as watched:
        page = opened(watched, service.tasks["flowers"])
        expect(page.get_by_text("Your token may only look")).to_be_visible()
        page.get_by_role("option").first.click()
        page.keyboard.press("x")
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("option").nth(1)).to_be_focused()
        expect(page.get_by_role("button", name="Train again")).to_have_count(0)
        assert watched.violations() == []


def test_it_says_what_it_is_for_where_there_is_nothing_to_fix(watched: WatchedPage, service: Service) -> None:
    page = watched.open(f"/labels/{service.tasks['leaves']}")
    expect(page.get_by_text("This model answers with masks.")).to_be_visible()
    watched.open("/labels")
    expect(page.get_by_text("Which task?")).to_be_visible()
    watched.open(f"/labels/{'0' * 32}")
    expect(page.get_by_role("alert")).to_be_visible()


@pytest.mark.parametrize(
    ("project", "theme", "width"),
    [
        ("flowers", "light", DESK_PX),
        ("flowers", "dark", PHONE_PX),
        ("odd", "light", PHONE_PX),
        ("odd", "dark", DESK_PX),
    ],
)
def test_axe_finds_no_barrier(chromium: Browser, service: Service, project: str, theme: str, width: int) -> None:
    viewport = {"width": width, "height": 900}
    with signed_in(chromium, service, viewport=viewport, color_scheme=theme) as watched:
        page = opened(watched, service.tasks[project])
        page.get_by_role("option").first.click()
        page.keyboard.press("k")
        expect(page.get_by_text("Everything is saved.")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == width
        watched.check()
        assert watched.violations() == []
