"""The view of one task: what goes on in words, what can be done, its files, options, attempts and log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, expect

from conf.tokens import create_token
from protocol import messages as m
from protocol.epochs import EpochRecord
from protocol.errors import FAILURE_CODES, FailureClass
from protocol.project_layout import EPOCHS, KEPT, LOG, TASKS
from tests.browser.populated_service import WHY_FAILED, PopulatedService
from tests.browser.watched_page import THEMES, WatchedPage
from tests.finished_models import lay_classifier
from tests.socket.predicting import run_next
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import wait_until
from web.documents.static_files import STATIC

TABS = ("", "report", "files", "options", "attempts", "log")
MOST_LOG_CHARS = 200_000


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PopulatedService]:
    with PopulatedService(tmp_path_factory.mktemp("task-view")) as running:
        yield running


@pytest.fixture
def watched(chromium: Browser, service: PopulatedService) -> Iterator[WatchedPage]:
    with chromium.new_context(viewport={"width": 1280, "height": 900}) as context:
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=service.origin)
        watched = WatchedPage(context, service.origin)
        yield watched
        watched.check()


class Training:
    """A task of its own, which a worker of its own holds. Use as a context manager."""

    def __init__(self, service: PopulatedService, project: str) -> None:
        self._service = service
        self._programs = service.programs
        self.folder = self._programs.projects / "anna" / project
        self.folder.mkdir()
        # It goes before the waiting tasks, so the next worker gets it.
        fields = {"projectId": project, "projectDir": f"anna/{project}", "priority": "100"}
        self.task_id = self._programs.post_id(**fields)
        self.worker = ScriptedWorker(self._programs.endpoints.worker, f"worker_of_{project}")
        self.start: m.Start | None = None

    @property
    def attempt(self) -> int:
        assert self.start is not None
        return self.start.attempt

    def __enter__(self) -> Training:
        return self

    def __exit__(self, *_: object) -> None:
        # The other tests find the service as it was.
        self._programs.call("DELETE", f"/v1/tasks/{self.task_id}")
        self.worker.leave()
        self.worker.__exit__()

    def begin(self) -> None:
        """The worker comes and gets the task."""
        self.worker.hello(ready=False)
        self.worker.receive(m.Welcome)
        self.worker.connect_progress(self._programs.endpoints.collect)
        self.start = run_next(self.worker)
        assert self.start.spec.task_id == self.task_id

    def report(self, epoch: int, percent: float) -> None:
        """An epoch has ended. Returns when the front-end knows it."""
        record = EpochRecord(
            self.attempt, "train", "", epoch, 30, "2026-11-29T10:00:00.000+00:00", {"loss": 1 / epoch, "accuracy": 0.5}
        )
        with (self.kept / EPOCHS).open("ab") as file:
            file.write(msgspec.json.encode(record) + b"\n")
        progress = m.Progress(
            *(self.task_id, self.attempt, percent, "train", 240.0, epoch),
            eta_low_s=180.0,
            eta_high_s=300.0,
            epochs_max=30,
        )

        def is_seen() -> bool:
            self.worker.publish(progress)
            return self.view()["epoch"] == epoch

        wait_until(is_seen, "the progress")

    def lose_worker(self) -> None:
        """The worker's process has died, and a new one of its name says hello."""
        self.worker.__exit__()
        self.worker = ScriptedWorker(self._programs.endpoints.worker, self.worker.name)
        self.worker.hello(ready=False)
        self.worker.receive(m.Welcome)

    @property
    def kept(self) -> Path:
        folder = self.folder / KEPT / TASKS / self.task_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def write(self, lines: str) -> None:
        """Add to the log of the task."""
        with (self.kept / LOG).open("a") as file:
            file.write(lines)

    def view(self) -> dict[str, object]:
        return self._programs.get(f"/v1/tasks/{self.task_id}").body


def test_axe_finds_no_barrier_in_any_tab_and_state(watched: WatchedPage, service: PopulatedService) -> None:
    states = [("done", tab) for tab in TABS]
    states += [(name, "") for name in ("failed", "training", "waiting", "cancelled", "masks")]
    for name, tab in states:
        page = watched.open(f"/tasks/{service.tasks[name]}/{tab}".rstrip("/"))
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator("[aria-busy=true]")).to_have_count(0)
        for theme in THEMES:
            # Without motion the colours of the other theme are there at once.
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
            assert watched.violations() == [], (name, tab, theme)


@pytest.mark.parametrize("width", [360, 2560])
def test_nothing_stands_beside_the_screen(chromium: Browser, service: PopulatedService, width: int) -> None:
    with chromium.new_context(viewport={"width": width, "height": 900}) as context:
        watched = WatchedPage(context, service.origin)
        for name, tab in [("done", ""), ("done", "files"), ("done", "options"), ("failed", ""), ("training", "")]:
            page = watched.open(f"/tasks/{service.tasks[name]}/{tab}".rstrip("/"))
            expect(page.locator("main h2, main .card").first).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (name, tab)
        watched.check()


def test_a_task_is_watched_from_the_queue_over_a_lost_worker_to_its_model(
    watched: WatchedPage, service: PopulatedService
) -> None:
    with Training(service, "hedge") as training:
        page = watched.open(f"/tasks/{training.task_id}")
        expect(page.get_by_text("Next in the queue")).to_be_visible()
        training.begin()
        expect(page.get_by_text("Worker worker_of_hedge, since")).to_be_visible()
        training.report(4, 30.0)
        expect(page.get_by_text("training, epoch 4 of at most 30")).to_be_visible()
        expect(page.get_by_text("Time left: 3 to 5 minutes.")).to_be_visible()
        training.report(5, 40.0)
        page.reload()
        expect(page.get_by_text("training, epoch 5 of at most 30")).to_be_visible()
        training.report(6, 50.0)
        expect(page.get_by_role("progressbar")).to_have_attribute("value", "50")
        page.locator(".curve summary").first.click()
        expect(page.locator(".curve details").first.get_by_role("row")).to_have_count(4)
        expect(page.locator(".curve canvas")).to_have_count(2)

        training.lose_worker()
        expect(page.get_by_text("Worker worker_of_hedge died at")).to_contain_text("waits for another worker")
        training.begin()
        expect(page.get_by_text("Worker worker_of_hedge died at")).to_contain_text("The task was started again.")
        training.worker.send(
            m.Result(training.task_id, training.attempt, trained=lay_classifier(training.folder, training.task_id))
        )
        expect(page.get_by_role("heading", name="The model is ready")).to_be_visible()
        expect(
            page.get_by_text("It names about 8 of 10 new photos like these right: 80%, most likely 68 to")
        ).to_be_visible()
        expect(page.get_by_role("heading", name="3 things to mind")).to_be_visible()


def test_a_server_that_stops_and_comes_back_is_told_and_mended(watched: WatchedPage, service: PopulatedService) -> None:
    page = watched.open(f"/tasks/{service.tasks['training']}")
    expect(page.get_by_text("epoch 7 of at most 30")).to_be_visible()
    service.programs.kill("web")
    expect(page.locator(".touch")).to_contain_text("The server does not answer.")
    expect(page.get_by_text("epoch 7 of at most 30")).to_be_visible()
    service.programs.start("web")
    service.programs.wait_synced()
    expect(page.locator(".touch")).to_be_empty()
    service.report_progress(63.0)
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "63")


def test_stop_and_cancel_ask_before_they_act(watched: WatchedPage, service: PopulatedService) -> None:
    with Training(service, "meadow") as training:
        training.begin()
        page = watched.open(f"/tasks/{training.task_id}")
        page.get_by_role("button", name="Stop and keep").click()
        question = page.get_by_role("dialog")
        expect(question).to_contain_text("The best model so far is checked, written and kept.")
        page.keyboard.press("Escape")
        expect(question).to_have_count(0)
        assert not training.view()["stopRequested"]
        page.get_by_role("button", name="Stop and keep").click()
        question.get_by_role("button", name="Stop and keep").click()
        expect(page.get_by_text("Stopping early.").first).to_be_visible()
        expect(page.get_by_role("button", name="Stop and keep")).to_have_count(0)
        page.reload()
        expect(page.get_by_text("Stopping early.").first).to_be_visible()
        page.get_by_role("button", name="Cancel").click()
        expect(question).to_contain_text("what it has made is removed. Your photos stay as they are.")
        question.get_by_role("button", name="Leave it as it is").click()
        page.get_by_role("button", name="Cancel").click()
        question.get_by_role("button", name="Cancel").click()
        expect(page.get_by_text("Cancelling.").first).to_be_visible()
        training.worker.send(m.Result(training.task_id, training.attempt, cancelled=True))
        expect(page.get_by_text("This task was cancelled at")).to_be_visible()


def test_a_failed_task_says_why_and_is_trained_again_with_other_options(
    watched: WatchedPage, service: PopulatedService
) -> None:
    page = watched.open(f"/tasks/{service.tasks['failed']}")
    expect(page.get_by_role("heading", name="The training failed")).to_be_visible()
    expect(page.get_by_text(WHY_FAILED)).to_be_in_viewport()
    docs = page.get_by_role("link", name="More about too_few_classes")
    assert docs.get_attribute("href") == f"{service.origin}/docs/errors#too_few_classes"

    page.get_by_role("button", name="Train again …").click()
    question = page.get_by_role("dialog")
    question.get_by_label("Epochs").fill("12")
    for name in ("TensorFlow Lite", "SavedModel", "Keras"):
        question.get_by_label(name, exact=True).uncheck()
    question.get_by_role("button", name="Train again").click()
    expect(question.get_by_role("group", name="Files to make")).to_contain_text("one or more of tflite")
    assert watched.violations() == []
    question.get_by_label("ONNX").check()
    question.get_by_role("button", name="Train again").click()
    expect(page.get_by_text(re.compile(r"Number \d in the queue"))).to_be_visible()
    page.get_by_role("navigation", name="Parts of this task").get_by_role("link", name="Options").click()
    expect(page.locator(".task-options strong")).to_have_text(["12", "ONNX"])
    task_id = re.search("[0-9a-f]{32}", page.url)
    assert task_id
    assert service.programs.get(f"/v1/tasks/{task_id[0]}").body["options"] == {"epochs": 12, "exports": ["onnx"]}
    service.programs.call("DELETE", f"/v1/tasks/{task_id[0]}")
    page.go_back()
    expect(page.get_by_text("This task was cancelled at")).to_be_visible()
    page.go_back()
    expect(page.get_by_text(WHY_FAILED)).to_be_visible()
    page.get_by_role("navigation", name="Parts of this task").get_by_role("link", name="Options").click()
    expect(page.get_by_role("link", name=task_id[0])).to_be_visible()


def test_a_log_is_followed_line_by_line(watched: WatchedPage, service: PopulatedService) -> None:
    with Training(service, "brook") as training:
        training.begin()
        training.write("".join(f"2026-11-29 10:00:00 INFO Line {number}.\n" for number in range(10_000)))
        page = watched.open(f"/tasks/{training.task_id}/log")
        log = page.get_by_role("region", name="Log")
        expect(log).to_contain_text("Line 9999.")
        expect(page.get_by_text("Earlier lines are left out here.")).to_be_visible()
        assert len(log.inner_text()) <= MOST_LOG_CHARS
        training.write("2026-11-29 10:00:01 WARNING The grüne line.\n")
        expect(log.locator(".warning")).to_be_in_viewport()
        log.evaluate("place => { place.scrollTop = 0; }")
        expect(page.get_by_role("switch", name="Follow")).not_to_be_checked()
        training.write("2026-11-29 10:00:02 ERROR The last line.\n")
        expect(log).to_contain_text("The last line.")
        expect(log.locator(".error")).not_to_be_in_viewport()
        page.get_by_role("switch", name="Follow").check()
        expect(log.locator(".error")).to_be_in_viewport()
        assert training.start is not None
        training.worker.finish(training.start)
        expect(page.get_by_role("switch", name="Follow")).to_have_count(0)
        expect(log).to_contain_text("The last line.")


def test_files_can_be_loaded_and_programs_copied(watched: WatchedPage, service: PopulatedService) -> None:
    page = watched.open(f"/tasks/{service.tasks['done']}/files")
    int8 = page.get_by_role("row").filter(has_text="It scores 76.0 %")
    expect(int8).to_contain_text("1.4 ms")
    expect(page.get_by_text("ONNX was not written: tf2onnx is not installed")).to_be_visible()
    with page.expect_download() as download:
        int8.get_by_role("link", name="model_int8.tflite").click()
    assert download.value.suggested_filename == "model_int8.tflite"
    page.get_by_text("Python", exact=True).click()
    page.get_by_role("button", name="Copy python/predict.py").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    assert "--check" in page.evaluate("navigator.clipboard.readText()")
    page.get_by_text("Model card", exact=True).click()
    expect(page.get_by_role("region", name="MODEL_CARD.md")).to_contain_text("apple")


def test_an_earlier_model_is_made_the_latest(watched: WatchedPage, service: PopulatedService) -> None:
    page = watched.open(f"/tasks/{service.tasks['second']}")
    expect(page.get_by_text("The project uses this model.")).to_be_visible()
    expect(page.get_by_role("button", name="Make this one the latest")).to_have_count(0)
    page.goto(f"{service.origin}/#/tasks/{service.tasks['done']}")
    expect(page.get_by_text("The project uses another model.")).to_be_visible()
    page.get_by_role("button", name="Make this one the latest").click()
    page.get_by_role("dialog").get_by_role("button", name="Make this one the latest").click()
    expect(page.get_by_text("The project uses this model.")).to_be_visible()
    expect(page.get_by_role("button", name="Make this one the latest")).to_have_count(0)


def test_an_unknown_task_is_told(watched: WatchedPage) -> None:
    page = watched.open(f"/tasks/{'0' * 32}/files")
    expect(page.get_by_role("alert")).to_contain_text(f"There is no task {'0' * 32}")
    assert watched.violations() == []
    page.get_by_role("link", name="See all tasks").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Now")


def test_who_may_only_read_is_offered_no_actions(chromium: Browser, tmp_path: Path) -> None:
    with Programs(tmp_path) as programs, chromium.new_context() as context:
        task_id = programs.post_id()
        token = create_token(programs.settings.token_file, "looker", read_only=True)
        wait_until(lambda: programs.get("/v1/session").body["needed"], "the token to count")
        watched = WatchedPage(context, f"http://127.0.0.1:{programs.ports['WEB_PORT']}")
        page = watched.open(f"/tasks/{task_id}")
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("No worker is running that could train it.")).to_be_visible()
        expect(page.locator("main").get_by_role("button")).to_have_count(0)
        watched.check()


def test_the_advice_for_a_failure_follows_its_class() -> None:
    script = (STATIC / "page" / "views" / "task" / "failed.js").read_text()
    at_fault = dict(re.findall(r'^  (\w+): "(\w+)",$', script, re.MULTILINE))
    wanted = {
        FailureClass.REQUEST: "options",
        FailureClass.RESOURCES: "machine",
        FailureClass.LOST: "machine",
        FailureClass.TRAINER: "software",
    }
    expected = {code: wanted[each] for code, each in FAILURE_CODES.items() if each is not FailureClass.DATA}
    # It is of the class of data because trying again would not help. But the operator must act, not who has the photos.
    assert at_fault == expected | {"storage_denied": "machine"}
