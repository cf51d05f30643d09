"""A worker on another host, with real addresses: slow and lossy lines, cuts, half-open connections, a wrong clock."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import cable as cables
from tests import wall_clock
from tests.cable import Cable
from tests.network.far_worker import FarWorker
from tests.network.remote_worker import ENDLESS
from tests.socket.programs import Programs
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(not cables.CAN_LAY_CABLE, reason=cables.WHY_NOT)

HEARTBEAT_S, LEASE_S = 0.2, 2.0
#: What a long line across the world is like on a bad day.
DELAY_S, LOST = 0.2, 0.08
HOUR_S = 3600


@pytest.fixture(scope="module")
def cable() -> Iterator[Cable]:
    with Cable().laid() as laid:
        yield laid


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory, cable: Cable) -> Iterator[Programs]:
    settings: dict[str, Any] = {"BROKER_HEARTBEAT_INTERVAL_S": HEARTBEAT_S, "BROKER_LEASE_TTL_S": LEASE_S}
    folder = tmp_path_factory.mktemp("near")
    with Programs(folder, BROKER_HOST=cable.near_address, **settings) as running:
        yield running


@pytest.fixture(autouse=True)
def mended(programs: Programs, cable: Cable) -> Iterator[None]:
    """A sound cable, and no worker of another test, which the broker still counts as alive for a lease."""
    cable.mend()
    wait_until(lambda: not programs.get("/v1/workers").body["workers"], "the workers of other tests to be given up")
    yield
    cable.mend()


def post(programs: Programs, project: str) -> str:
    (programs.projects / "anna" / project).mkdir(exist_ok=True)
    return programs.post_id(projectId=project, projectDir=f"anna/{project}")


def wait_for(programs: Programs, task_id: str, state: str) -> dict[str, Any]:
    wait_until(lambda: programs.task(task_id).body["state"] == state, f"the task to be {state}")
    return programs.get(f"/v1/tasks/{task_id}").body


def story(programs: Programs, task_id: str) -> list[str]:
    """What has happened to a task, in order."""
    events = programs.get(f"/v1/tasks/{task_id}/events?wait=1&since=0").body["events"]
    return [event["type"] for event in events if event["type"] != "task.progress"]


def test_a_slow_and_lossy_line_loses_and_doubles_nothing(programs: Programs, cable: Cable) -> None:
    with FarWorker(cable, programs, "slow").wait_ready() as worker:
        cable.spoil(DELAY_S, LOST)
        # With a lease this short, a packet that gets lost twice may cost an attempt. Ten seconds, the default, do not.
        tasks = [post(programs, f"flowers{number}") for number in range(3)]
        ended = [wait_for(programs, task_id, "done") for task_id in tasks]
        assert {task["thread"] for task in ended} == {worker.name}
        assert [story(programs, task_id).count("task.done") for task_id in tasks] == [1, 1, 1]


def test_a_cut_longer_than_the_lease_costs_one_attempt_and_gives_one_result(programs: Programs, cable: Cable) -> None:
    with FarWorker(cable, programs, "cut").wait_ready() as worker:
        task_id = post(programs, f"{ENDLESS}-cut")
        wait_for(programs, task_id, "processing")
        worker.wait_for_line("action=task.taken")
        cable.cut()
        wait_for(programs, task_id, "pending")
        assert worker.info() == {}
        cable.mend()
        task = wait_for(programs, task_id, "done")
        assert (task["attempt"], task["thread"]) == (2, "cut")
        assert [attempt["code"] for attempt in task["endedAttempts"]] == ["worker_lost"]
        assert story(programs, task_id).count("task.done") == 1


def test_a_half_open_connection_keeps_no_task(programs: Programs, cable: Cable) -> None:
    """The worker's host loses its power: nothing tells the broker, whose connection stays open."""
    with FarWorker(cable, programs, "gone").wait_ready() as gone:
        task_id = post(programs, f"{ENDLESS}-gone")
        wait_for(programs, task_id, "processing")
        cable.cut()
        gone.process.kill()
        gone.process.wait()
        began_s = time.monotonic()
        wait_for(programs, task_id, "pending")
        assert time.monotonic() - began_s < LEASE_S + 5
    cable.mend()
    with FarWorker(cable, programs, "next"):
        task = wait_for(programs, task_id, "done")
    assert (task["attempt"], task["thread"]) == (2, "next")


def test_a_line_that_is_deaf_in_one_direction_doubles_nothing(programs: Programs, cable: Cable) -> None:
    """What the broker says gets lost, what the worker says arrives: the Start comes late, or to a new attempt."""
    with FarWorker(cable, programs, "deaf").wait_ready():
        cable.to_far.lost = 1.0
        task_id = post(programs, "deaf")
        wait_for(programs, task_id, "processing")
        cable.mend()
        task = wait_for(programs, task_id, "done")
        assert story(programs, task_id).count("task.done") == 1
        assert task["attempt"] <= 2


@pytest.mark.skipif(not wall_clock.CAN_STEP_CLOCK, reason=wall_clock.WHY_NOT)
def test_a_clock_that_is_an_hour_off_is_said_and_breaks_nothing(
    programs: Programs, cable: Cable, tmp_path: Path
) -> None:
    clock = wall_clock.WallClock(tmp_path, HOUR_S)
    began_s = time.time()
    with FarWorker(cable, programs, "ahead", **clock.environ).wait_ready() as worker:
        task = wait_for(programs, post(programs, "clock"), "done")
        worker.wait_for_line("action=worker.clock_off seconds=3600")
        skew_s = wait_until(lambda: worker.info().get("clockSkewSeconds"), "the skew among the workers")
        assert skew_s == pytest.approx(HOUR_S, abs=2)
        assert "3,600 s ahead of the broker's" in worker.log.read_text()
        times = [seconds_of(task[name]) for name in ("submittedAt", "startedAt", "endedAt")]
        assert began_s - 1 <= times[0] <= times[1] <= times[2] <= time.time() + 1
        assert seconds_of(worker.info()["lastHeardAt"]) <= time.time() + 1
        clock.set_offset(0)
        worker.wait_for_line("action=worker.clock_right")
        wait_until(lambda: abs(worker.info()["clockSkewSeconds"]) < 2, "a clock that is right")


def seconds_of(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()
