"""Two real brokers over one database: one leads, and whatever happens to it, the other one goes on with its work."""

from __future__ import annotations

import contextlib
import platform
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from conf.curve import FRONT_END, load_client_keys
from conf.endpoints import connect_endpoints
from protocol import messages as m
from tests.acting_agent import ActingAgent
from tests.chaos.standby.programs import HOSTS, StandbyPrograms
from tests.postgres_server import server_or_skip
from tests.sample_scrape import Scrape
from tests.socket.scripted_front_end import ScriptedFrontEnd
from tests.waiting import wait_until

#: Long enough to see progress before and after a broker has died.
TRAIN_S = 5.0
#: What the documents promise is 15 s on a machine that has nothing else to do.
TAKE_OVER_LIMIT_S = 60.0
LOST = "action=broker.leadership_lost"
JOURNAL_FAILED = "action=broker.journal_failed"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandbyPrograms]:
    with StandbyPrograms(tmp_path_factory.mktemp("standby"), server_or_skip()) as running:
        yield running


@pytest.fixture
def leader(programs: StandbyPrograms) -> str:
    """The broker that leads. The other one stands by."""
    for name in HOSTS:
        programs.wait_until_up(name)
    return wait_until(programs.leader, "a broker that leads")


def post(programs: StandbyPrograms, key: str) -> str:
    """Post until the task is accepted, as a website does. Returns the taskId."""

    def accepted() -> str:
        with contextlib.suppress(OSError):
            answer = programs.post({"Idempotency-Key": key})
            if answer.status == 200:
                return str(answer.body["taskId"])
        return ""

    return wait_until(accepted, "an accepted task")


def cancel(programs: StandbyPrograms, task_id: str) -> None:
    answer = programs.call("DELETE", f"/v1/tasks/{task_id}")
    assert answer.status in (200, 409), answer


def shown(programs: StandbyPrograms, task_id: str) -> dict[str, Any]:
    return programs.get(f"/v1/tasks/{task_id}").body


def front_end_of(programs: StandbyPrograms, broker: str) -> ScriptedFrontEnd:
    """It talks to this broker alone."""
    endpoint = next(each.web for each in connect_endpoints(programs.settings) if HOSTS[broker] in each.web)
    return ScriptedFrontEnd(endpoint, load_client_keys(programs.settings.broker.curve_path, FRONT_END))


def test_a_killed_leader_is_followed_by_the_other_broker_and_trainings_go_on(
    programs: StandbyPrograms, leader: str
) -> None:
    term = programs.term()
    with ActingAgent(programs.worker_endpoints, "w1", TRAIN_S, programs.worker_keys):
        task_id = post(programs, "killed")
        wait_until(lambda: shown(programs, task_id)["progress"] > 10.0, "progress")
        programs.signal(leader, signal.SIGKILL)
        began_s = time.monotonic()
        assert post(programs, "killed") == task_id, "the same key means the same task"
        assert time.monotonic() - began_s < TAKE_OVER_LIMIT_S
        before = shown(programs, task_id)["progress"]
        wait_until(lambda: shown(programs, task_id)["progress"] > before, "progress by way of the new leader")
        ended = wait_until(lambda: _done(programs, task_id), "the end of the task")
    assert (ended["attempt"], ended["thread"]) == (1, "w1")
    assert programs.term() == term + 1
    said = programs.run("-m", "broker", "leader")
    assert said.returncode == 0
    assert "has led since" in said.stdout
    assert f"in term {term + 1}" in said.stdout
    wait_until(
        lambda: Scrape(programs.ports["WEB_PORT"]).value("tfmodel_broker_term", host=platform.node()) == term + 1,
        "a tick of the new leader",
    )


def test_a_stopped_leader_that_goes_on_writes_nothing_answers_nobody_and_says_why_it_ends(
    programs: StandbyPrograms, leader: str
) -> None:
    pid, lost = programs.pid(leader), programs.log_of(leader).count(LOST)
    with front_end_of(programs, leader) as old:
        old.ask(m.Workers, m.WorkersWanted)
        programs.signal(leader, signal.SIGSTOP)
        old.send(m.WorkersWanted)  # It reaches the stopped process, and needs no commit.
        task_id = post(programs, "stopped")
        assert programs.leader() not in ("", leader)
        programs.signal(leader, signal.SIGCONT)
        wait_until(lambda: programs.pid(leader) != pid, f"the end of {leader}")
        assert old.hears_nothing(0)
    assert programs.log_of(leader).count(LOST) == lost + 1
    facts = programs.run("-m", "broker", "story", task_id).stdout.splitlines()
    assert len(facts) == 1, facts
    cancel(programs, task_id)


def test_a_leader_that_is_cut_off_from_the_database_ends_and_stands_by_later(
    programs: StandbyPrograms, leader: str
) -> None:
    pid, term, before = programs.pid(leader), programs.term(), programs.log_of(leader)
    programs.proxies[leader].cut()
    task_id = post(programs, "cut off")
    wait_until(lambda: programs.pid(leader) != pid, f"the end of {leader}")
    # Either the thread that watches the leadership is the first to notice, or a commit is.
    said = programs.log_of(leader).removeprefix(before)
    assert said.count(LOST) + said.count(JOURNAL_FAILED) == 1
    assert programs.term() == term + 1
    assert programs.leader() != leader
    programs.proxies[leader].mend()
    programs.wait_until_up(leader)
    cancel(programs, task_id)


def test_a_leader_that_is_told_to_end_hands_over_at_once(programs: StandbyPrograms, leader: str) -> None:
    programs.signal(leader, signal.SIGTERM)
    began_s = time.monotonic()
    cancel(programs, post(programs, "handed over"))
    assert time.monotonic() - began_s < TAKE_OVER_LIMIT_S
    assert "action=broker.stopped" in programs.log_of(leader)


def _done(programs: StandbyPrograms, task_id: str) -> dict[str, Any]:
    task = shown(programs, task_id)
    return task if task["state"] == "done" else {}
