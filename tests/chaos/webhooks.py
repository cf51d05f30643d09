"""`python -m tests.chaos.webhooks [--tasks N] [--kills N] [--seed S]`: webhooks while receivers and servers fail.

A real front-end, a real broker and a scripted worker run task after task. Receivers hang, drip, close, lie, and answer
500 for as long as the settings call an hour. Front-end and broker are killed by SIGKILL, the front-end also at the
moment that matters most: when a receiver has got a webhook, and before the front-end can note it. In the end, every
fact of the journal must have arrived at every receiver at least once, in order within its task, under one id.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import sqlite3
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec

from conf.webhook_secrets import create_secret
from protocol import messages as m
from protocol.task import Trained
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import wait_until
from tests.webhook_receiver import Reaction, Received, Receiver
from web.broker_link.broker_requests import REPEAT_INTERVAL_S

#: Back-off in place of the real one. Receivers are down for DOWN_S, which is to LONGEST_RETRY_S as hours to an hour.
SETTINGS = {"WEBHOOKS_FIRST_RETRY_S": 0.05, "WEBHOOKS_LONGEST_RETRY_S": 0.4, "WEBHOOKS_TIMEOUT_S": 0.4}
DOWN_S = 2.0
#: Each task is submitted, started and done.
FACTS_A_TASK = 3
MOODS: tuple[Reaction, ...] = (200, 200, 204, "lie", 500, 503, 302, "close", "hang", "drip")
POLL_MS = 20


class Account(msgspec.Struct):
    """What became of the facts. Each list is empty if all is well."""

    facts: int = 0
    requests: int = 0
    kills: int = 0
    missing: list[str] = msgspec.field(default_factory=list)
    out_of_order: list[str] = msgspec.field(default_factory=list)
    other_ids: list[str] = msgspec.field(default_factory=list)

    @property
    def well(self) -> bool:
        return not (self.missing or self.out_of_order or self.other_ids)


class BusyWorker:
    """Finishes every task at once. Use as a context manager."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> BusyWorker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        with ScriptedWorker(self._endpoint) as worker:
            said_hello_s = -1.0
            unacknowledged: m.Result | None = None
            while not self._ended.is_set():
                if time.monotonic() - said_hello_s > REPEAT_INTERVAL_S:
                    # Hello and heartbeat say the same to a broker that knows the worker, and only Hello to a new one.
                    holds = m.Holding(unacknowledged.task_id, unacknowledged.attempt) if unacknowledged else None
                    worker.hello(ready=unacknowledged is None, holds=holds)
                    if unacknowledged is not None:
                        worker.send(unacknowledged)
                    said_hello_s = time.monotonic()
                message = worker.heard(POLL_MS)
                if isinstance(message, m.Start):
                    spec = message.spec
                    trained = Trained(f"{spec.project_path}/models/{spec.task_id}/model.tflite", {"accuracy": 0.9})
                    unacknowledged = m.Result(spec.task_id, message.attempt, trained=trained)
                    worker.send(unacknowledged)
                elif isinstance(message, m.ResultAck):
                    unacknowledged = None
                    worker.send(m.Heartbeat(ready=True))


class Campaign:
    """Use as a context manager: programs, receivers and worker run inside."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._random = random.Random(seed)
        self._stack = contextlib.ExitStack()
        self._lock = threading.Lock()
        self._calm = False
        self._kill_at: set[int] = set()
        self._requests = 0
        self.account = Account()
        began_s = time.monotonic()
        self.receivers = {
            "moody": Receiver(self._moody),
            "down": Receiver(lambda _: 500 if time.monotonic() < began_s + DOWN_S else 200),
            "well": Receiver(self._killing),
        }
        destinations = [{"name": name, "url": receiver.url} for name, receiver in self.receivers.items()]
        self.programs = Programs(
            folder,
            start=False,
            WEBHOOKS_DESTINATIONS=json.dumps(destinations),
            WEBHOOKS_ALLOWED_PRIVATE="127.0.0.1",
            **SETTINGS,
        )
        create_secret(self.programs.settings.webhook_secret_file)
        self._dead_front_end = threading.Event()

    def __enter__(self) -> Campaign:
        for receiver in self.receivers.values():
            self._stack.enter_context(receiver)
        self._stack.enter_context(self.programs)
        self.programs.start("broker")
        self.programs.start("web")
        wait_until(lambda: "webhooks.started" in self.programs.log_of("web"), "the webhooks to start")
        self.programs.wait_synced()
        self._stack.enter_context(BusyWorker(self.programs.endpoints.worker))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, tasks: int, kills: int) -> Account:
        """kills: of the front-end between send and note, and as many of the broker at any moment."""
        with self._lock:
            self._kill_at = set(self._random.sample(range(1, FACTS_A_TASK * tasks), kills))
        broker_kills = set(self._random.sample(range(tasks), min(tasks, kills)))
        for number in range(tasks):
            self._post(number)
            if number in broker_kills:
                self.programs.kill("broker")
                self.programs.start("broker")
                self.account.kills += 1
            self._restart_front_end()
        self._finish(tasks)
        return self.account

    # ---- receivers ----

    def _moody(self, _: Received) -> Reaction:
        with self._lock:
            return 200 if self._calm else self._random.choice(MOODS)

    def _killing(self, _: Received) -> Reaction:
        """Kill the front-end when the request is here, and before it can note the answer."""
        with self._lock:
            self._requests += 1
            if self._requests in self._kill_at and not self._dead_front_end.is_set():
                self.programs.kill("web")
                self._dead_front_end.set()
                self.account.kills += 1
        return 200

    def _restart_front_end(self) -> None:
        if self._dead_front_end.is_set():
            self.programs.start("web")
            with self._lock:
                self._dead_front_end.clear()

    # ---- tasks ----

    def _post(self, number: int) -> None:
        """Post until it is accepted. A lost answer makes a second task, which the journal has as well."""

        def accepted() -> bool:
            self._restart_front_end()
            try:
                return self.programs.post(userId=f"user-{number % 3}").status == 200
            except OSError:
                return False

        wait_until(accepted, "a front-end that accepts a task")

    def _finish(self, tasks: int) -> None:
        with self._lock:
            self._calm = True
        wait_until(lambda: self._ended_tasks() >= tasks, "the end of all tasks")
        facts = self._facts()

        def arrived() -> bool:
            self._restart_front_end()
            return not any(self._missing(facts).values())

        with contextlib.suppress(AssertionError):
            wait_until(arrived, "all facts to arrive")
        self.account.facts = sum(map(len, facts.values()))
        for name, receiver in self.receivers.items():
            self.account.requests += len(receiver.received)
            self.account.missing += [f"{name}: {fact}" for fact in sorted(self._missing(facts)[name])]
            self.account.out_of_order += [f"{name}: {words}" for words in out_of_order(receiver.received, facts)]
            self.account.other_ids += [f"{name}: {words}" for words in other_ids(receiver.received)]

    def _missing(self, facts: dict[str, list[int]]) -> dict[str, set[int]]:
        wanted = {fact for of_task in facts.values() for fact in of_task}
        return {
            name: wanted - {each.json["id"] for each in receiver.delivered()}
            for name, receiver in self.receivers.items()
        }

    def _facts(self) -> dict[str, list[int]]:
        """The numbers of the facts by task, from the journal itself."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for task_id, seq in self._query("SELECT task_id, seq FROM facts ORDER BY seq"):
            found[str(task_id)].append(int(str(seq)))
        return dict(found)

    def _ended_tasks(self) -> int:
        ((count,),) = self._query("SELECT count(*) FROM tasks WHERE ended_at_s > 0")
        return int(str(count))

    def _query(self, words: str) -> Iterator[tuple[object, ...]]:
        with contextlib.closing(sqlite3.connect(f"file:{self.programs.journal}?mode=ro", uri=True)) as db:
            return iter(db.execute(words).fetchall())


def out_of_order(received: list[Received], facts: dict[str, list[int]]) -> list[str]:
    """The requests that came before the fact before them had been delivered."""
    wrong: list[str] = []
    delivered: set[int] = set()
    for each in received:
        event = each.json
        of_task = facts.get(event["taskId"], [])
        before = of_task[: of_task.index(event["id"])] if event["id"] in of_task else []
        if not set(before) <= delivered:
            wrong.append(f"fact {event['id']} of task {event['taskId']}")
        if each.delivered:
            delivered.add(event["id"])
    return wrong


def other_ids(received: list[Received]) -> list[str]:
    """The facts that came under more than one id or with more than one body, and ids of more than one fact."""
    ids: defaultdict[int, set[tuple[str, bytes]]] = defaultdict(set)
    facts: defaultdict[str, set[int]] = defaultdict(set)
    for each in received:
        ids[each.json["id"]].add((each.headers["webhook-id"], each.body))
        facts[each.headers["webhook-id"]].add(each.json["id"])
    return [f"fact {fact}" for fact, used in ids.items() if len(used) > 1] + [
        f"id {webhook_id}" for webhook_id, meant in facts.items() if len(meant) > 1
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.webhooks", description=__doc__)
    parser.add_argument("--tasks", type=int, default=300)
    parser.add_argument("--kills", type=int, default=60, help="of the front-end, and as many of the broker")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Campaign(Path(folder), arguments.seed) as campaign:
        account = campaign.run(arguments.tasks, arguments.kills)
    print(
        f"{account.facts} facts, {account.kills} kills, {account.requests} requests at 3 receivers; "
        f"missing {len(account.missing)}, out of order {len(account.out_of_order)}, other ids {len(account.other_ids)}"
    )
    for words in (*account.missing, *account.out_of_order, *account.other_ids):
        print(words)
    sys.exit(not account.well)


if __name__ == "__main__":
    main()
