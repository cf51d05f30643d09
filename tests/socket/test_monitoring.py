"""GET /metrics of a real front-end with a real broker and scripted workers."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

from conf.settings import ROOT
from protocol import messages as m
from protocol.errors import Failure, FailureClass
from protocol.task import Task, TaskState, Trained
from tests.sample_scrape import Scrape
from tests.sample_tasks import make_spec
from tests.socket.front_end import OneTaskBroker, front_end, task
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import wait_until
from web.broker_link.task_cache import TaskCache

KIND = {"train_type": "classification"}


def scrape(programs: Programs, authorization: str = "") -> Scrape:
    return Scrape(programs.ports["WEB_PORT"], authorization)


def wait_for(programs: Programs, name: str, value: float, **labels: str) -> None:
    wait_until(lambda: scrape(programs).value(name, **labels) == value, f"{name}{labels} = {value}")


def test_the_figures_follow_tasks_workers_and_losses(tmp_path: Path) -> None:
    with Programs(tmp_path, BROKER_MAX_ATTEMPTS=5) as programs:
        first = programs.post_id()
        wait_for(programs, "tfmodel_tasks", 1, state="pending", **KIND)
        assert (scrape(programs).value("tfmodel_oldest_pending_task_age_seconds") or 0) > 0
        wait_for(programs, "tfmodel_broker_up", 1)
        wait_for(programs, "tfmodel_workers", 0, state="free")
        with ScriptedWorker(programs.endpoints.worker, "w1") as worker:
            start = worker.join().receive(m.Start)
            wait_for(programs, "tfmodel_tasks", 1, state="processing", **KIND)
            wait_for(programs, "tfmodel_workers", 1, state="busy")
            lost = Failure("trainer_killed", FailureClass.LOST, "It was killed.")
            worker.send(m.Result(first, start.attempt, failure=lost))
            worker.receive(m.ResultAck)
            worker.send(m.Heartbeat(ready=True))
            wait_for(programs, "tfmodel_recoveries_total", 1, cause="trainer_killed")
            worker.finish(worker.receive(m.Start))
            ended = {"result": "done", "failure_class": "", "code": ""}
            wait_for(programs, "tfmodel_tasks_ended_total", 1, **ended, **KIND)
            wait_for(programs, "tfmodel_tasks", 0, state="processing", **KIND)


def test_a_restart_of_the_broker_is_a_recovery_and_an_absent_one_has_no_workers(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs:
        wait_for(programs, "tfmodel_broker_up", 1)
        programs.kill("broker")
        wait_for(programs, "tfmodel_broker_up", 0)
        assert scrape(programs).value("tfmodel_workers", state="free") is None
        programs.start("broker")
        wait_for(programs, "tfmodel_recoveries_total", 1, cause="broker_restarted")
        wait_for(programs, "tfmodel_workers", 0, state="free")


def test_what_a_worker_sends_that_cannot_be_read_is_counted(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs, ScriptedWorker(programs.endpoints.worker) as worker:
        worker.join().send_frames([b"TFM0", b"nonsense"])
        wait_for(programs, "tfmodel_broker_dropped_messages_total", 1, kind="bad_frame")


def test_requests_are_counted_by_the_template_of_their_route(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs:
        task_id = programs.post_id()
        programs.task(task_id)
        programs.get(f"/v1/tasks/{task_id}")
        programs.get("/anna/../../etc/passwd")
        programs.get("/healthz", Host="evil.example")
        programs.call("DELETE", "/readyz")
        seen = scrape(programs)

        def requests(route: str, method: str, status: int) -> float | None:
            return seen.value("tfmodel_http_requests_total", route=route, method=method, status=str(status))

        assert requests("/", "POST", 200) == 1
        assert requests("/", "GET", 200) == 1
        assert requests("/v1/tasks/{taskId}", "GET", 200) == 1
        assert requests("(unknown)", "GET", 404) == 1
        assert requests("(refused)", "GET", 403) == 1
        assert requests("/readyz", "DELETE", 405) == 1
        assert seen.value("tfmodel_http_request_duration_seconds_count", route="/v1/tasks/{taskId}") == 1
        private = (task_id, "anna", "flowers", "passwd", str(tmp_path), "evil")
        assert not [label for label in seen.labels() if any(word in label for word in private)]


def test_the_scrape_is_prometheus_s_text_and_every_name_keeps_its_conventions(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs:
        seen = scrape(programs)
    assert seen.status == 200
    assert seen.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert len(seen.families) > 20
    for family in seen.families.values():
        assert family.name.startswith("tfmodel_")
        assert family.documentation or family.name.startswith("tfmodel_process_")
        assert not family.name.endswith(("_ms", "_mb", "_minutes", "_created"))
        assert family.type in ("gauge", "counter", "histogram")


def test_where_there_are_tokens_a_scrape_needs_one_for_all_users(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs:
        token = programs.run("server.py", "token", "create", "monitoring", "--read-only").stdout.strip()
        of_anna = programs.run("server.py", "token", "create", "anna", "--user", "anna").stdout.strip()
        wait_until(lambda: scrape(programs).status == 401, "tokens in force")
        assert scrape(programs, f"Bearer {token}").status == 200
        refused = scrape(programs, f"Bearer {of_anna}")
        assert refused.status == 403
        assert '"code":"user_not_allowed"' in refused.text
        assert "tfmodel_" not in refused.text


def test_a_scrape_with_100_000_tasks_costs_what_one_without_tasks_costs() -> None:
    async def measure() -> tuple[float, float]:
        cache = TaskCache(100_000)
        async with front_end(OneTaskBroker(task("1" * 32, TaskState.DONE)), cache) as port:
            empty_s = await _scrape_s(port)
            for number in range(100_000):
                cache.put(Task(make_spec(f"{number:032x}"), submitted_at_s=100.0), number + 1)
            return empty_s, await _scrape_s(port)

    empty_s, full_s = asyncio.run(measure())
    print(f"a scrape: {empty_s * 1000:.1f} ms without tasks, {full_s * 1000:.1f} ms with 100,000")
    assert full_s < 3 * empty_s + 0.01


async def _scrape_s(port: int) -> float:
    """The processor time of this process, in which the front-end runs too, for the cheapest of some scrapes."""
    took_s = []
    for _ in range(7):
        began_s = time.process_time()
        seen = await asyncio.to_thread(Scrape, port)
        took_s.append(time.process_time() - began_s)
        assert seen.status == 200
    return min(took_s)


def test_every_figure_that_alerts_dashboard_and_operations_page_name_is_in_a_scrape(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs, ScriptedWorker(programs.endpoints.worker, "w1") as worker:
        task_id = programs.post_id()
        start = worker.join().receive(m.Start)
        model = f"{start.spec.project_path}/models/{task_id}/model.tflite"
        wait_for(programs, "tfmodel_tasks", 1, state="processing", **KIND)
        worker.send(m.Result(task_id, start.attempt, trained=Trained(model, stage_seconds={"features": 1.5})))
        wait_for(programs, "tfmodel_tasks_ended_total", 1, result="done", failure_class="", code="", **KIND)
        names = scrape(programs).names()
    for file in ("conf/alerts.yml", "conf/grafana-dashboard.json", "docs/operations.md"):
        named = set(re.findall(r"tfmodel_[a-z]\w*", (ROOT / file).read_text()))
        assert len(named) > 10, file
        assert named <= names, f"{file} names {sorted(named - names)}"
    described = set(re.findall(r"tfmodel_[a-z]\w*", (ROOT / "docs/operations.md").read_text()))
    families = {name for name in names if not name.startswith("tfmodel_process_")}
    left_out = {name for name in families if not any(name.startswith(each) for each in described)}
    assert not left_out, f"docs/operations.md leaves out {sorted(left_out)}"
