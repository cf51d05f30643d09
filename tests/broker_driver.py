"""The broker's core with its clock and facts in hand, for tests that look at one decision."""

from __future__ import annotations

from typing import Any

from broker.core import Core
from broker.core_settings import CoreSettings
from broker.events import Event, FromWeb, FromWorker, Now, Publish, Recovered, SendWeb, SendWorker, TimePassed
from broker.facts import Record
from protocol import messages as m
from protocol.errors import FAILURE_CODES, Failure
from protocol.task import Task, TaskState, Trained
from tests.sample_tasks import make_spec

TTL_S = 10.0
TRAINED = Trained("/projects/anna/flowers/models/t1/model.tflite", {"accuracy": 0.9})


class Broker:
    """A core with a clock in hand; keeps the facts, and gives back what was sent."""

    def __init__(self, records: list[Record] | None = None, **settings: Any) -> None:
        self.core = Core(CoreSettings(lease_ttl_s=TTL_S, **{"data_roots": ("/",), **settings}))
        self.records = list(records or [])
        self.now_s = 100.0
        self.left_out = self.core.recover(Recovered(self.records), self._now())
        self.published: list[m.TaskChanged] = []
        self.effects: list[Any] = []

    @property
    def wall_s(self) -> float:
        """Its clock, in seconds since the epoch."""
        return 1e9 + self.now_s

    def _now(self) -> Now:
        return Now(self.now_s, self.wall_s)

    def handle(self, event: Event) -> list[Any]:
        """The messages that this event causes to be sent, publications apart."""
        records, self.effects = self.core.handle(event, self._now())
        self.records += records
        self.published += [e.change for e in self.effects if isinstance(e, Publish)]
        return [e.message for e in self.effects if isinstance(e, SendWeb | SendWorker)]

    def web(self, message: m.WebToBroker) -> Any:
        """The one answer to the front-end, or None."""
        self.handle(FromWeb(b"web", message))
        return next((e.message for e in self.effects if isinstance(e, SendWeb)), None)

    def worker(self, message: m.WorkerToBroker, peer: bytes = b"w1") -> list[Any]:
        return self.handle(FromWorker(peer, message))

    def hello(self, name: str = "w1", start_id: str = "s1", host: str = "here", **more: Any) -> list[Any]:
        ready = more.pop("ready", True)
        return self.worker(m.Hello(name, start_id, host, ("classification",), ready, **more), name.encode())

    def progress(self, progress: m.Progress, name: str = "w1") -> m.Progress | None:
        """What is passed on of a publication by that worker, which carries the key that it was welcomed with.

        A model that it names for the first time is recorded, as the shell does it.
        """
        worker = self.core.workers.by_name(name)
        accepted = self.core.take_progress(m.KeyedProgress(worker.publish_key if worker else "", progress))
        found = self.core.model_in(accepted) if accepted is not None else None
        if found is not None:
            self.handle(found)
        return accepted

    def submit(self, task_id: str = "t1", **more: Any) -> Any:
        return self.web(m.Submit(1, make_spec(task_id, **more)))

    def wait(self, seconds: float, step_s: float = 1.0) -> list[Any]:
        """Time passes, and the broker looks at its deadlines every second."""
        sent = []
        for _ in range(round(seconds / step_s)):
            self.now_s += step_s
            sent += self.handle(TimePassed())
        return sent

    def lookup(self, task_id: str = "t1") -> Task:
        reply = self.web(m.Lookup(9, task_id))
        assert isinstance(reply, m.TaskReply)
        return reply.task

    def start_of(self, attempt: int = 1, batch_divisor: int = 1) -> m.Start:
        """The Start that is due for task t1 now."""
        return m.Start(make_spec(), attempt, batch_divisor, self.lookup().queued_at_s)


def with_running_task(**settings: Any) -> Broker:
    broker = Broker(**settings)
    broker.hello()
    broker.submit()
    assert broker.lookup().state is TaskState.PROCESSING
    return broker


def failed(code: str, attempt: int = 1) -> m.Result:
    return m.Result("t1", attempt, failure=Failure(code, FAILURE_CODES[code], f"{code}."), progress=30.0)
