"""The trainer processes of one agent: one to train in and, once that is ready, a spare. Pure."""

from __future__ import annotations

from trainer_worker.agent.events import Instruction, Note, Spawn, Terminate
from trainer_worker.agent.state import ProcessState, TrainerProcess

RESPAWN_DELAY_S = 5.0
#: Loading TensorFlow takes seconds, and the first start also converts a backbone. A process that takes longer hangs.
START_LIMIT_S = 180.0


class Processes:
    """Methods that decide something return the instructions that follow. number: counts the processes from 1."""

    def __init__(self, count: int) -> None:
        """count: how many there should be."""
        self._count = count
        self._by_number: dict[int, TrainerProcess] = {}
        self._spawned = 0
        self._next_spawn_s = 0.0

    @property
    def ready(self) -> TrainerProcess | None:
        """The one that gets the next work; None if none is ready."""
        ready = (p for p in self._by_number.values() if p.state is ProcessState.READY)
        return min(ready, key=lambda process: process.number, default=None)

    @property
    def can_work(self) -> bool:
        """Whether one is ready, or will be at once because help ends."""
        return any(p.state in (ProcessState.READY, ProcessState.HELPING) for p in self._by_number.values())

    def find(self, number: int) -> TrainerProcess | None:
        return self._by_number.get(number)

    def keep(self, now_s: float) -> list[Instruction]:
        """Start a process if there are too few."""
        living = [p for p in self._by_number.values() if p.state is not ProcessState.RETIRING]
        starting = any(p.state is ProcessState.STARTING for p in living)
        if starting or len(living) >= self._count or now_s < self._next_spawn_s:
            return []
        self._spawned += 1
        self._by_number[self._spawned] = TrainerProcess(self._spawned, now_s)
        return [Spawn(self._spawned)]

    def retire_hanging(self, now_s: float) -> list[Instruction]:
        """Replace a process that does not get ready."""
        out: list[Instruction] = []
        for process in list(self._by_number.values()):
            if process.state is ProcessState.STARTING and now_s - process.spawned_at_s >= START_LIMIT_S:
                out += [Note("action=trainer.start_hangs number=%d", (process.number,)), *self.retire(process)]
        return out

    def retire(self, process: TrainerProcess) -> list[Instruction]:
        process.state = ProcessState.RETIRING
        return [Terminate(process.number, force=True)]

    def retire_all(self) -> list[Instruction]:
        return [instruction for process in self._by_number.values() for instruction in self.retire(process)]

    def exited(self, number: int, how: str, now_s: float) -> list[Instruction]:
        """Forget a process that has ended."""
        process = self._by_number.pop(number)
        if process.state is ProcessState.STARTING:
            self._next_spawn_s = now_s + RESPAWN_DELAY_S
        if process.state is ProcessState.RETIRING:
            return []
        return [Note("action=trainer.exited number=%d how=%r", (number, how))]

    def next_deadline(self) -> float | None:
        """The monotonic time at which a process is to be started; None as long as there are any."""
        return None if self._by_number else self._next_spawn_s
