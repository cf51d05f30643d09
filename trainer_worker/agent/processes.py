"""The trainer processes of an agent: one to train in, and a spare that has already loaded TensorFlow. Pure.

A task therefore never waits for TensorFlow to load, even if the process that would have trained it has just been
replaced. Times are monotonic seconds.
"""

from __future__ import annotations

from trainer_worker.agent.events import Instruction, Note, Spawn, Terminate
from trainer_worker.agent.settings import AgentSettings
from trainer_worker.agent.state import ProcessState, TrainerProcess

RESPAWN_DELAY_S = 5.0
#: Loading TensorFlow takes seconds, and the first start also converts a backbone. A process that takes longer hangs.
START_LIMIT_S = 180.0


class Processes:
    def __init__(self, settings: AgentSettings) -> None:
        self.settings = settings
        self.processes: dict[int, TrainerProcess] = {}
        self._next_spawn_s = 0.0
        self._leave_by_s: float | None = None
        self._spawned = 0
        self._now_s = 0.0
        self._out: list[Instruction] = []

    def _retire(self, process: TrainerProcess) -> None:
        process.state = ProcessState.RETIRING
        self._out.append(Terminate(process.number, force=True))

    def _ready_process(self) -> TrainerProcess | None:
        ready = (p for p in self.processes.values() if p.state is ProcessState.READY)
        return min(ready, key=lambda p: p.number, default=None)

    def _keep_processes(self) -> None:
        """Keep one process to train in and, once that is ready, a spare. Replace one that does not get ready."""
        for process in list(self.processes.values()):
            hangs = self._now_s - process.spawned_at_s >= START_LIMIT_S
            if process.state is ProcessState.STARTING and hangs:
                self._out.append(Note("action=trainer.start_hangs number=%d", (process.number,)))
                self._retire(process)
        if self._leave_by_s is not None or self._now_s < self._next_spawn_s:
            return
        living = [p for p in self.processes.values() if p.state is not ProcessState.RETIRING]
        starting = any(p.state is ProcessState.STARTING for p in living)
        if not starting and len(living) < (2 if self.settings.keep_spare else 1):
            self._spawned += 1
            self.processes[self._spawned] = TrainerProcess(self._spawned, self._now_s)
            self._out.append(Spawn(self._spawned))
