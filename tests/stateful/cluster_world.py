"""A cluster without processes: nodes place workers, workers register, train and die, and a controller decides."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from cluster.controller import Decision, Member, Memory, Phase, Rules, decide

STEP_S = 2.0


@dataclass
class Worker:
    """place_in, register_in: in how many steps that happens; a worker that fails never registers."""

    place_in: int
    register_in: int
    fails: bool = False
    phase: Phase = Phase.UNPLACED
    #: The steps that its task still takes.
    work_left: int = 0
    phase_since_s: float = 0.0


class ClusterWorld:
    """One pool. Each `step` lets the world go on for STEP_S and has the controller decide once."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.now_s = 0.0
        self.workers: dict[str, Worker] = {}
        self.pending = 0
        self.memory = Memory()
        self.broker_away = False
        #: How the next workers behave.
        self.place_in, self.register_in, self.fails, self.task_steps = 1, 2, False, 10
        self.starts: list[float] = []
        self.drains: list[float] = []
        self._numbers = itertools.count()

    @property
    def living(self) -> int:
        return sum(worker.phase is not Phase.GONE for worker in self.workers.values())

    @property
    def unfinished(self) -> int:
        """Tasks that wait or are trained."""
        return self.pending + sum(worker.work_left > 0 for worker in self.workers.values())

    def restart_controller(self) -> None:
        self.memory = Memory()

    def kill_one(self, which: int) -> None:
        """The node of a worker dies: its task waits again, and its actor vanishes."""
        if self.workers:
            name = sorted(self.workers)[which % len(self.workers)]
            self.pending += self.workers.pop(name).work_left > 0

    def step(self) -> Decision | None:
        """None while the broker is away: then nothing may be decided."""
        self.now_s += STEP_S
        for worker in self.workers.values():
            self._go_on(worker)
        if self.broker_away:
            return None
        members = [Member(name, worker.phase) for name, worker in self.workers.items()]
        decision = decide(self.rules, self.memory, self.pending, members, self.now_s)
        self.memory = decision.memory
        self._carry_out(decision)
        return decision

    def _go_on(self, worker: Worker) -> None:
        before = worker.phase
        if worker.phase is Phase.UNPLACED:
            worker.place_in -= 1
            if worker.place_in <= 0:
                worker.phase = Phase.PLACED
        elif worker.phase is Phase.PLACED and not self.broker_away and not worker.fails:
            worker.register_in -= 1
            if worker.register_in <= 0:
                worker.phase = Phase.FREE
        elif worker.phase is Phase.FREE and self.pending and not self.broker_away:
            self.pending -= 1
            worker.phase, worker.work_left = Phase.BUSY, self.task_steps
        elif worker.work_left:
            worker.work_left -= 1
            if not worker.work_left:
                worker.phase = Phase.FREE if worker.phase is Phase.BUSY else Phase.DRAINED
        if worker.phase is not before:
            worker.phase_since_s = self.now_s

    def _carry_out(self, decision: Decision) -> None:
        for name in decision.end:
            self._end(self.workers[name], name)
        for name in decision.drain:
            worker = self.workers[name]
            assert worker.phase in (Phase.FREE, Phase.BUSY), worker
            worker.phase = Phase.DRAINING if worker.work_left else Phase.DRAINED
            self.drains.append(self.now_s)
        for _ in range(decision.start):
            name = f"w{next(self._numbers)}"
            self.workers[name] = Worker(self.place_in, self.register_in, self.fails)
            self.starts.append(self.now_s)

    def _end(self, worker: Worker, name: str) -> None:
        """The rule that matters most: a worker that may hold a task is drained before it is ended."""
        assert not worker.work_left, "a worker was ended in the middle of its task"
        if worker.phase is Phase.PLACED:
            assert self.now_s - worker.phase_since_s >= self.rules.start_grace_s - STEP_S, "ended before its grace"
        assert worker.phase not in (Phase.FREE, Phase.BUSY), "ended without having been drained"
        if worker.phase in (Phase.GONE, Phase.UNPLACED):
            del self.workers[name]
        else:
            worker.phase = Phase.GONE
