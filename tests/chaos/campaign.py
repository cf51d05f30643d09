"""A campaign keeps the service busy, injects faults one after the other, and then checks every accepted task."""

from __future__ import annotations

import random
import sqlite3
import statistics
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from broker.facts import Cancelled, Done, Failed, Requeued
from broker.journal_store import read_story
from broker.sqlite_journal.store import SqliteStore
from tests.chaos import faults as f
from tests.chaos.surroundings import PROJECTS, Surroundings
from tests.chaos.website import Website

#: How many tasks are live at any time.
BUSY_TASKS = 2
#: The broker gives a task up after three lost attempts, so the campaign lets each task lose at most two.
LOSSES_A_TASK = 2
OVERCOME_TIMEOUT_S = 300.0
END_TIMEOUT_S = 600.0
POLL_INTERVAL_S = 0.02


@dataclass
class Tally:
    """The figures of one fault."""

    injected: int = 0
    recovery_s: list[float] = field(default_factory=list)
    #: If the fault ends an attempt: from the start of the next attempt until the task is as far as before.
    repeated_s: list[float] = field(default_factory=list)
    #: How often the recovery took longer than allowed.
    over_limit: int = 0
    #: The tasks that were in training when the fault was injected.
    tasks: set[str] = field(default_factory=set)


class Campaign:
    def __init__(self, place: Surroundings, seed: int, **options: str) -> None:
        """options: further ones of the tasks."""
        self.place, self.service = place, place.service
        self.website = Website(self.service, options)
        self.random = random.Random(seed)
        self.tallies: defaultdict[str, Tally] = defaultdict(Tally)
        self._losses: Counter[str] = Counter()
        self._pause = threading.Event()

    def run(self, faults: Sequence[f.Fault], say: Callable[[str], None]) -> None:
        """Inject the faults in random order and at random moments."""
        shuffled = self.random.sample(faults, len(faults))
        for number, fault in enumerate(shuffled, start=1):
            task = self._wait_for_training(fault)
            took_s = self._inject(fault, task)
            late = " LATE" if fault.within_s and took_s > fault.within_s else ""
            say(f"{number:4}/{len(shuffled)} {fault.name:42} overcome in {took_s:5.2f} s{late}")

    def _wait_for_training(self, fault: f.Fault) -> dict[str, Any]:
        """Return a task in training that may still lose an attempt, after a random pause."""

        def look() -> dict[str, Any] | None:
            while len(self.website.live()) < BUSY_TASKS:
                project = self.service.projects / f"p{len(self.website.accepted) % PROJECTS}"
                self.website.post(project)
            task = self.website.training(fault.phase)
            if task and fault.loses_attempt and self._losses[task["taskId"]] >= LOSSES_A_TASK:
                return None
            return task

        if fault.overcome == f.NEXT_ATTEMPT and fault.within_s:
            self.service.wait_for_spare()  # The last fault may have used it up.
        task: dict[str, Any] = self._until(look, "a task in training", END_TIMEOUT_S)
        if not fault.phase:
            self._pause.wait(self.random.uniform(0.0, 1.5))
        return task

    def _inject(self, fault: f.Fault, task: dict[str, Any]) -> float:
        """Inject the fault. Returns the seconds until it is overcome, counted from the end of a fault that lasts."""
        task_id, attempt = task["taskId"], task["attempt"]
        began_s = time.monotonic()
        try:
            fault.inject(self.place)
        except LookupError:
            return 0.0  # The process to kill was not running at that moment.
        tally = self.tallies[fault.name]
        tally.injected += 1
        tally.tasks.add(task_id)
        if fault.loses_attempt:
            self._losses[task_id] += 1
        if fault.within_s == 0.0:
            began_s = time.monotonic()
        if fault.overcome == f.POST_ANSWERED:
            self.website.post(self.service.projects / "p0")
        else:
            self._until(lambda: self._is_overcome(fault.overcome, task_id, attempt, task["progress"]), fault.name)
        took_s = time.monotonic() - began_s
        tally.recovery_s.append(took_s)
        tally.over_limit += bool(fault.within_s and took_s > fault.within_s)
        if fault.overcome == f.NEXT_ATTEMPT:
            tally.repeated_s.append(self._catch_up(task_id, task["progress"]))
        return took_s

    def _catch_up(self, task_id: str, progress: float) -> float:
        """Wait until the task has this progress again, in percent. Returns the seconds."""
        began_s = time.monotonic()
        self._until(lambda: self._is_as_far(task_id, progress), f"{task_id} to reach {progress} % again")
        return time.monotonic() - began_s

    def _is_as_far(self, task_id: str, progress: float) -> bool:
        answer = self.service.call("GET", f"/v1/tasks/{task_id}")
        return answer.status == 200 and (answer.body["progress"] >= progress or answer.body["state"] == "done")

    def _is_overcome(self, goal: str, task_id: str, attempt: int, progress: float) -> bool:
        answer = self.service.call("GET", f"/v1/tasks/{task_id}")
        if answer.status != 200:
            return False
        task = answer.body
        ended = task["state"] not in ("pending", "processing")
        if goal == f.GET_ANSWERED:
            return True
        if goal == f.GOES_ON:
            return ended or task["attempt"] > attempt or task["progress"] > progress
        return ended or (task["attempt"] > attempt and task["state"] == "processing" and task["phase"] != "")

    def finish(self) -> None:
        """Wait until every accepted task has ended."""
        self._until(lambda: not self.website.live() and self._all_ended(), "the end of all tasks", END_TIMEOUT_S)

    def _all_ended(self) -> bool:
        return self.website.ended.keys() == self.website.accepted.keys()

    def _until(self, look: Callable[[], Any], what: str, timeout_s: float = OVERCOME_TIMEOUT_S) -> Any:
        give_up_at_s = time.monotonic() + timeout_s
        while not (seen := look()):
            if time.monotonic() > give_up_at_s:
                state = {task: known.get("state") for task, known in self.website.live().items()}
                raise AssertionError(
                    f"waited {timeout_s:.0f} s for {what}; live tasks: {state}\n{self.service.last_log_lines()}"
                )
            self._pause.wait(POLL_INTERVAL_S)
        return seen


@dataclass(frozen=True)
class Account:
    """What the journal, the disk and the website's answers say about all accepted tasks."""

    tasks: int
    lost: set[str]
    ended_twice: set[str]
    wrong_state: set[str]
    attempts_beyond_first: int
    #: The facts of each task in one of the three sets, in order.
    stories: dict[str, list[str]]


def account_for(campaign: Campaign) -> Account:
    journal = SqliteStore(campaign.service.root / "var" / "journal.sqlite3")
    lost, twice, wrong, again = set(), set(), set(), 0
    for task_id in campaign.website.accepted:
        facts = [record.fact for record in read_story(journal, task_id)]
        ends = [fact for fact in facts if isinstance(fact, Done | Failed | Cancelled)]
        again += sum(isinstance(fact, Requeued) for fact in facts)
        if not ends:
            lost.add(task_id)
        if len(ends) > 1:
            twice.add(task_id)
        told = campaign.website.ended.get(task_id, {})
        if told.get("state") != "done" or not isinstance(ends[-1] if ends else None, Done) or not told["hasModel"]:
            wrong.add(task_id)
    stories = {
        task_id: [str(record.fact) for record in read_story(journal, task_id)] for task_id in lost | twice | wrong
    }
    return Account(len(campaign.website.accepted), lost, twice, wrong, again, stories)


def integrity(campaign: Campaign) -> str:
    """Return what SQLite's integrity check says about the journal: "ok" if it is sound."""
    with sqlite3.connect(campaign.service.root / "var" / "journal.sqlite3") as db:
        return str(db.execute("PRAGMA integrity_check").fetchone()[0])


def percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]
