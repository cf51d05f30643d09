"""The help that this worker gives to an attempt of another worker: at most one at a time. Pure.

A trainer process of this agent computes features for the other attempt. The worker stays ready for a task, which ends
the help at once.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from protocol import messages as m
from protocol import pipe_messages as piped
from trainer_worker.agent.events import Instruction, Note, Send, Tell
from trainer_worker.agent.state import ProcessState, TrainerProcess

#: How many attempts are remembered that this worker can't help any more, or in whose help a process died.
REMEMBERED_ATTEMPTS = 1000
#: After this many deaths of a helping process, the pictures of that folder are probably the reason.
MOST_DEATHS = 2


@dataclass(slots=True)
class Given:
    """The help that is being given. number: of the trainer process that has it; None until one is ready."""

    order: m.Help
    number: int | None = None
    halted_at_s: float | None = None

    @property
    def holding(self) -> m.Holding:
        return m.Holding(self.order.spec.task_id, self.order.attempt)


class Help:
    """Its methods return the instructions that follow."""

    def __init__(self) -> None:
        self.given: Given | None = None
        #: How many processes died while they helped an attempt. MOST_DEATHS also means that nothing is left to do.
        self._deaths: OrderedDict[m.Holding, int] = OrderedDict()

    @property
    def helps(self) -> m.Holding | None:
        """The attempt that is being helped. None from the moment at which the help was told to end."""
        given = self.given
        return given.holding if given is not None and given.halted_at_s is None else None

    def ordered(self, order: m.Help) -> list[Instruction]:
        """The broker asks for help. An earlier help has to end first; the broker asks again."""
        holding = m.Holding(order.spec.task_id, order.attempt)
        if self._deaths.get(holding, 0) >= MOST_DEATHS:
            return [Send(m.HelpOver(holding.task_id, holding.attempt))]
        if self.given is None:
            self.given = Given(order)
        return []

    def give_to(self, process: TrainerProcess) -> list[Instruction]:
        """Let a ready process do the work that waits for one."""
        given = self.given
        if given is None or given.number is not None:
            return []
        given.number, process.state = process.number, ProcessState.HELPING
        order = given.order
        return [
            Note(
                "action=help.began task=%s attempt=%d place=%d number=%d",
                (*_key(given.holding), order.place, process.number),
            ),
            Tell(process.number, piped.ComputeFeatures(order.spec, order.attempt, order.place)),
        ]

    def end(self, now_s: float) -> list[Instruction]:
        """End the help: at the process's next picture, or at once if no process has it yet."""
        given = self.given
        if given is None or given.halted_at_s is not None:
            return []
        if given.number is None:
            self.given = None
            return []
        given.halted_at_s = now_s
        return [Tell(given.number, piped.Halt(given.order.attempt, given.order.spec.task_id))]

    def overdue(self, now_s: float, grace_s: float) -> int | None:
        """The process that was told to end its help `grace_s` ago and still has not."""
        given = self.given
        if given is None or given.halted_at_s is None or now_s - given.halted_at_s < grace_s:
            return None
        return given.number

    def ended(self, number: int, how: str, died: bool = False) -> list[Instruction]:
        """That process does not help any more.

        If nobody told it to end, this worker is not to be asked again; if it died, it may be asked once more.
        """
        given = self.given
        if given is None or given.number != number:
            return []
        self.given = None
        key = _key(given.holding)
        said: list[Instruction] = [Note("action=help.ended task=%s attempt=%d how=%r", (*key, how))]
        if given.halted_at_s is not None:
            return said
        self._deaths[given.holding] = self._deaths.get(given.holding, 0) + 1 if died else MOST_DEATHS
        while len(self._deaths) > REMEMBERED_ATTEMPTS:
            self._deaths.popitem(last=False)
        return [*said, Send(m.HelpOver(*key))] if self._deaths[given.holding] >= MOST_DEATHS else said


def _key(holding: m.Holding) -> tuple[str, int]:
    return holding.task_id, holding.attempt
