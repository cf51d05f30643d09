"""A campaign keeps two brokers busy, injects faults one after the other, and then compares all that was promised."""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from broker.facts import Cancelled, Done, Failed, Record, Requeued
from broker.journal_rows import record_of
from broker.journal_store import journal_store
from tests.acting_agent import ActingAgent
from tests.chaos.standby.faults import Fault
from tests.chaos.standby.programs import HOSTS, StandbyPrograms
from tests.socket.event_stream import EventStream
from tests.waiting import wait_until

WORKERS = 6
TRAIN_S = 0.4
#: So many threads of the website post at the same time, each with this pause after a task. That is a little less than
#: what the workers can train.
POSTERS = 3
POST_INTERVAL_S = 0.6
RETRY_S = 0.05
MOST_FACTS = 1_000_000


@dataclass
class Tally:
    """The figures of one fault. took_s: until a POST was answered again."""

    took_s: list[float] = field(default_factory=list)
    late: int = 0


class Website:
    """Posts tasks in threads, each with a key of its own, and repeats each until it is accepted."""

    def __init__(self, programs: StandbyPrograms) -> None:
        self._programs = programs
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._post_all, name="website", daemon=True) for _ in range(POSTERS)]
        #: The task of each key that was accepted. More than one task for a key is an error of the service.
        self.accepted: defaultdict[str, set[str]] = defaultdict(set)

    def __enter__(self) -> Website:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def post(self) -> None:
        """Post one task until it is accepted."""
        key = f"key-{next(self._numbers)}"
        while not self._accepted(key):
            time.sleep(RETRY_S)
        if random.random() < 0.2:  # A website that has lost the answer asks again.
            self._accepted(key)

    def _accepted(self, key: str) -> bool:
        with contextlib.suppress(OSError):
            answer = self._programs.post({"Idempotency-Key": key}, userId=f"user-{len(key)}")
            if answer.status == 200:
                with self._lock:
                    self.accepted[key].add(answer.body["taskId"])
                return True
        return False

    def _post_all(self) -> None:
        while not self._ended.wait(POST_INTERVAL_S):
            self.post()


class Listener:
    """Follows the event stream over one connection, in a thread."""

    def __init__(self, port: int) -> None:
        self.seqs: list[int] = []
        self._stream = EventStream(port, "/v1/events?since=0")
        self._ended = False
        self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended = True
        self._thread.join()
        self._stream.close()

    def _listen(self) -> None:
        while not self._ended:
            event = self._stream.read(0.2)
            if event is not None and event.type != "task.progress" and event.id:
                self.seqs.append(int(event.id.partition("-")[0]))


class Campaign:
    """Use as a context manager: workers, website and listener run inside."""

    def __init__(self, programs: StandbyPrograms, seed: int) -> None:
        self.programs = programs
        self.website = Website(programs)
        self.tallies: defaultdict[str, Tally] = defaultdict(Tally)
        self._random = random.Random(seed)
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Campaign:
        endpoints, keys = self.programs.worker_endpoints, self.programs.worker_keys
        for number in range(WORKERS):
            self._stack.enter_context(ActingAgent(endpoints, f"w{number}", TRAIN_S, keys))
        self.listener = Listener(self.programs.ports["WEB_PORT"])
        self._stack.callback(self.listener.close)
        self._stack.enter_context(self.website)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, faults: Sequence[Fault], say: Callable[[str], None]) -> None:
        shuffled = self._random.sample(faults, len(faults))
        for number, fault in enumerate(shuffled, start=1):
            took_s = self._inject(fault)
            late = " LATE" if took_s > fault.within_s else ""
            say(f"{number:4}/{len(shuffled)} {fault.name:50} a POST is answered after {took_s:5.2f} s{late}")

    def _inject(self, fault: Fault) -> float:
        """Returns the seconds until a POST that was sent after the beginning of the fault was answered."""
        programs = self.programs
        wait_until(programs.leader, "a broker that leads")
        time.sleep(self._random.uniform(0.0, 1.0))
        leader, term = programs.leader(), programs.term()
        began_s = time.monotonic()
        fault.inject(programs, leader)
        if fault.passes_on:
            wait_until(lambda: programs.term() > term, f"another leader after '{fault.name}'")
        self.website.post()
        took_s = time.monotonic() - began_s
        fault.end(programs, leader)
        for name in HOSTS:
            programs.wait_until_up(name)
        tally = self.tallies[fault.name]
        tally.took_s.append(took_s)
        tally.late += took_s > fault.within_s
        return took_s

    def finish(self) -> Account:
        """Wait until every accepted task has ended, and compare."""
        self.website.stop()
        tasks = set().union(*self.website.accepted.values())
        states: dict[str, str] = {}

        def all_ended() -> bool:
            for task_id in tasks - states.keys():
                answer = self.programs.task(task_id)
                if answer.status == 200 and answer.body["state"] not in ("pending", "processing"):
                    states[task_id] = answer.body["state"]
            return states.keys() == tasks

        wait_until(all_ended, "the end of all tasks")
        records = self._records()
        wait_until(lambda: len(self.listener.seqs) >= len(records), "the stream to have all events", timeout_s=30.0)
        return account_for(records, self.website.accepted, states, self.listener.seqs)

    def _records(self) -> list[Record]:
        view = journal_store(self.programs.settings.broker).open_view()
        with contextlib.closing(view), view.snapshot():
            return [record_of(row) for row in view.facts_after(0, MOST_FACTS)]


@dataclass(frozen=True)
class Account:
    """What the journal, the website and the listener say. Each list or set is empty if all is well.

    lost: accepted tasks without an end. made_twice: keys with more than one task. ended_twice: tasks with more than one
    end. wrong_state: tasks that are not done in the journal or for the website. holes: numbers of facts that are
    missing or come twice in the journal. unheard: events that the listener has missed, or has got twice or out of
    order.
    """

    tasks: int
    facts: int
    attempts_beyond_first: int
    lost: set[str]
    made_twice: set[str]
    ended_twice: set[str]
    wrong_state: set[str]
    holes: list[int]
    unheard: list[int]

    @property
    def well(self) -> bool:
        return not any((self.lost, self.made_twice, self.ended_twice, self.wrong_state, self.holes, self.unheard))


def account_for(
    records: list[Record], accepted: dict[str, set[str]], states: dict[str, str], heard: list[int]
) -> Account:
    ends: defaultdict[str, list[Any]] = defaultdict(list)
    for record in records:
        if isinstance(record.fact, Done | Failed | Cancelled):
            ends[record.task_id].append(record.fact)
    known = {record.task_id for record in records}
    tasks = set().union(*accepted.values())
    seqs = [record.seq for record in records]
    counts = Counter(seqs)
    expected = set(range(1, len(records) + 1))
    return Account(
        tasks=len(tasks),
        facts=len(records),
        attempts_beyond_first=sum(isinstance(record.fact, Requeued) for record in records),
        lost={task_id for task_id in tasks if not ends[task_id]},
        made_twice={key for key, made in accepted.items() if len(made) > 1} | (known - tasks),
        ended_twice={task_id for task_id, found in ends.items() if len(found) > 1},
        wrong_state={
            task_id
            for task_id in tasks
            if states.get(task_id) != "done" or not all(isinstance(end, Done) for end in ends[task_id])
        },
        holes=sorted(expected ^ set(seqs) | {seq for seq, count in counts.items() if count > 1}),
        unheard=sorted(set(seqs) ^ set(heard))
        or [later for early, later in itertools.pairwise(heard) if later <= early],
    )
