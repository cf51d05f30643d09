"""A person makes the model of a done task the one in use. Pure.

The front-end has had models/latest switched before it asks. The task may be one that is no longer in memory; then it is
read from the journal first, and comes back as EndedFound.
"""

from __future__ import annotations

from broker import facts as f
from broker.attempts import Attempts
from broker.events import ReadEnded, SendWeb
from protocol import messages as m
from protocol.errors import no_such_task
from protocol.task import Task, TaskState


class Promotions(Attempts):
    def _promote_known(self, peer: bytes, request: m.Promote) -> None:
        task = self.tasks.get(request.task_id) or self.recent.get(request.task_id)
        if task is None:
            self._effects.append(ReadEnded(peer, request))
        else:
            self._promote(peer, request, task)

    def _promote(self, peer: bytes, request: m.Promote, task: Task | None) -> None:
        """Record the promotion of a task's model, or refuse it. task: None if neither memory nor journal has it."""
        if task is None:
            answer = m.Refused(request.request_id, "unknown_task", no_such_task(request.task_id))
            self._effects.append(SendWeb(peer, answer))
            return
        if task.state is not TaskState.DONE:
            error = (
                f"The task is {task.state.value}; only a done task has a finished model that can be made the latest."
            )
            self._effects.append(SendWeb(peer, m.Refused(request.request_id, "no_model", error, task)))
            return
        # It may have been recorded while the request was on its way, or while the journal was read.
        task = self.recent.get(task.task_id, task)
        if task.promoted_at_s == request.before_s:
            task = self._record(task.task_id, f.ModelPromoted(), ended=task)
        self._effects.append(SendWeb(peer, m.TaskReply(request.request_id, self.seq, task)))
