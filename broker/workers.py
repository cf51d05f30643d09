"""The registered workers: which are alive, which are free, and which task each one holds. Pure.

Times are monotonic seconds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from broker.events import Now
from broker.help_table import HelpTable
from protocol.messages import Hello, WorkerInfo

#: What the workers of a group share: their trainTypes, and their labels in the order of their names.
Offer = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]

#: A peer with a worker's key may say Hello under many names. This limits the memory that they can take.
MAX_WORKERS = 10_000


@dataclass(slots=True)
class Worker:
    """One start of one worker.

    peer: the routing identity of its connection. After a restart of the broker it is None until the worker says Hello.
    """

    name: str
    start_id: str
    peer: bytes | None = None
    host: str = ""
    train_types: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    pool: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    ready: bool = False
    task_id: str | None = None
    heard_at_s: float = 0.0
    #: What the newest message of the worker says about it.
    draining: bool = False
    devices: tuple[str, ...] = ()
    memory_mb: float = 0.0
    tasks_done: int = 0
    #: By how much the worker's clock is ahead of the broker's.
    clock_skew_s: float = 0.0
    #: Whether it was told to drain (True) or to stop that (False); None if neither. It stands as long as the worker
    #: does, so whatever order of the broker was lost or came late, the next one corrects the worker.
    drain_wanted: bool | None = None
    #: Why it was told to give its task back; "" if it was not.
    hand_back_why: Literal["", "handed_back", "preempted"] = ""
    #: The key that its publications must carry. It is "" until the worker has said Hello to this run of the broker.
    publish_key: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.name, self.start_id

    @property
    def offer(self) -> Offer:
        return self.train_types, tuple(sorted(self.labels.items()))

    @property
    def takes_no_task(self) -> bool:
        return self.draining if self.drain_wanted is None else self.drain_wanted

    @property
    def drain_order(self) -> bool | None:
        """The order to drain, or to end that, which the worker does not follow yet; None if it follows the order."""
        return None if self.drain_wanted == self.draining else self.drain_wanted

    def info(self, now: Now, helping: str = "") -> WorkerInfo:
        """The worker as front-ends get to see it. helping: the task that it helps another worker with."""
        return WorkerInfo(
            self.name,
            self.host,
            self.ready,
            self.task_id or "",
            self.train_types,
            self.takes_no_task,
            self.devices,
            self.memory_mb,
            self.tasks_done,
            now.wall_s - (now.monotonic_s - self.heard_at_s),
            dict(self.labels),
            self.pool,
            dict(self.versions),
            self.clock_skew_s,
            helping,
        )


class WorkerTable:
    """All workers, in the order in which they were last heard. The first one is therefore the next to expire."""

    def __init__(self) -> None:
        self._by_key: OrderedDict[tuple[str, str], Worker] = OrderedDict()
        self._by_peer: dict[bytes, Worker] = {}
        self._by_name: dict[str, Worker] = {}
        #: Free workers, grouped by what they offer. In each group, the longest idle one comes first.
        self._free: dict[Offer, OrderedDict[tuple[str, str], Worker]] = {}
        self._free_count = 0
        self.help = HelpTable()

    def __len__(self) -> int:
        return len(self._by_key)

    @property
    def free_count(self) -> int:
        return self._free_count

    @property
    def warm_count(self) -> int:
        return sum(worker.ready or worker.task_id is not None for worker in self._by_key.values())

    @property
    def draining_count(self) -> int:
        """How many workers have no task and take none."""
        return sum(worker.takes_no_task and worker.task_id is None for worker in self._by_key.values())

    @property
    def last_tasks(self) -> tuple[str, ...]:
        """The tasks of the draining workers, which take no task after these."""
        held = (worker.task_id for worker in self._by_key.values() if worker.takes_no_task)
        return tuple(task_id for task_id in held if task_id is not None)

    @property
    def memory_mb(self) -> dict[str, float]:
        """The memory that the processes of each worker hold, by its name. Workers that have told none are left out."""
        return {worker.name: worker.memory_mb for worker in self._by_key.values() if worker.memory_mb}

    @property
    def offers(self) -> set[Offer]:
        """What the registered workers offer. Workers that offer the same count once."""
        return {worker.offer for worker in self._by_key.values()}

    def infos(self, now: Now) -> tuple[WorkerInfo, ...]:
        return tuple(self.info(worker, now) for worker in self._by_key.values())

    def info(self, worker: Worker, now: Now) -> WorkerInfo:
        return worker.info(now, self.help.task_of(worker.key))

    def by_peer(self, peer: bytes) -> Worker | None:
        return self._by_peer.get(peer)

    def by_name(self, name: str) -> Worker | None:
        return self._by_name.get(name)

    def holder(self, name: str, start_id: str) -> Worker:
        """Return the worker of this start. An unknown one is added without a peer, which happens during replay."""
        worker = self._by_key.get((name, start_id))
        if worker is None:
            worker = self._by_key[name, start_id] = Worker(name, start_id)
            self._by_name[name] = worker
        return worker

    def why_not_welcome(self, hello: Hello, peer: bytes) -> str:
        """Return why this start of a worker must not register from `peer`, or "" if it may."""
        if not hello.worker or not hello.start_id:
            return "A worker needs a name and a start_id."
        other = self._by_peer.get(peer)
        if other is not None and other.key != (hello.worker, hello.start_id):
            return f"This connection belongs to the worker {other.name!r}; each worker needs a connection of its own."
        namesake = self._by_name.get(hello.worker)
        if namesake is None and len(self) >= MAX_WORKERS:
            return f"{MAX_WORKERS} workers are registered, which is the limit of one broker; start no more of them."
        if namesake is None or namesake.start_id == hello.start_id or not namesake.host:
            return ""
        if namesake.host != hello.host:
            return f"The name {hello.worker!r} is in use by a worker on {namesake.host}; choose another --name."
        if hello.start_id < namesake.start_id:
            # This Hello comes from a dead process, or from another machine with the same host name.
            return f"A newer worker has taken the name {hello.worker!r}; start this one with another --name."
        return ""

    def attach(self, worker: Worker, peer: bytes) -> None:
        """Record that the worker's messages come from `peer` from now on."""
        if worker.peer is not None:
            self._by_peer.pop(worker.peer, None)
        worker.peer = peer
        self._by_peer[peer] = worker

    def heard(self, worker: Worker, now_s: float) -> None:
        worker.heard_at_s = now_s
        self._by_key.move_to_end(worker.key)

    def hear_all(self, now_s: float) -> None:
        """Start all leases anew, because the broker has just started or was paused."""
        for worker in self._by_key.values():
            worker.heard_at_s = now_s

    def oldest(self) -> Worker | None:
        """The worker that has been silent longest. None if there is no worker."""
        return next(iter(self._by_key.values()), None)

    def remove(self, worker: Worker) -> None:
        self.set_ready(worker, False)
        self._end_help_for(worker)
        self._by_key.pop(worker.key, None)
        if worker.peer is not None:
            self._by_peer.pop(worker.peer, None)
        if self._by_name.get(worker.name) is worker:
            del self._by_name[worker.name]

    def hold(self, worker: Worker, task_id: str | None) -> None:
        """Set the task that the worker holds. None: it holds none. It counts as free only after it has said so."""
        self._end_help_for(worker)
        worker.task_id = task_id
        self.set_ready(worker, False)

    def set_ready(self, worker: Worker, ready: bool) -> None:
        ready = ready and worker.task_id is None and not worker.takes_no_task
        if ready == worker.ready:
            return
        worker.ready = ready
        group = self._free.setdefault(worker.offer, OrderedDict())
        if ready:
            group[worker.key] = worker
            self._free_count += 1
        else:
            self.help.leave(worker.key)
            del group[worker.key]
            self._free_count -= 1
            if not group:
                del self._free[worker.offer]

    def describe(self, worker: Worker, train_types: tuple[str, ...], labels: Mapping[str, str]) -> None:
        """Take over what the worker says that it can train, and what it has."""
        if (worker.train_types, worker.labels) != (train_types, labels):
            ready = worker.ready
            self.set_ready(worker, False)  # Its group depends on both.
            worker.train_types, worker.labels = train_types, labels
            self.set_ready(worker, ready)

    def first_free(self) -> list[Worker]:
        """The longest idle worker of each group of free workers that offer the same.

        Those with the fewest labels come first, so that a task that needs nothing leaves the others free.
        """
        groups = sorted(self._free.items(), key=lambda item: len(item[0][1]))
        return [next(iter(group.values())) for _, group in groups]

    # ---- help ----

    def free(self) -> Iterator[Worker]:
        """All free workers, also those that help."""
        return (worker for group in self._free.values() for worker in group.values())

    def begin_help(self, worker: Worker, task_id: str) -> None:
        """A free worker helps the task from now on. Tasks go to other free workers of its group before it."""
        self.help.join(task_id, worker.key)
        self._free[worker.offer].move_to_end(worker.key)

    def _end_help_for(self, holder: Worker) -> None:
        """The attempt that the worker holds, if any, is over."""
        if holder.task_id is not None:
            self.help.end(holder.task_id)
