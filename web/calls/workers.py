"""`/v1/workers`: the registered workers, and the task of each."""

from __future__ import annotations

from protocol import messages as m
from web.json_handler import JsonHandler
from web.views import workers_view


class WorkersHandler(JsonHandler):
    """GET lists the workers."""

    async def get(self) -> None:
        answer = await self.ask(m.WorkersWanted)
        assert isinstance(answer, m.Workers)
        self.send(workers_view(answer.workers, self._is_seen))

    def _is_seen(self, task_id: str) -> bool:
        """Whether the caller may see the task. A token of one user only shows that user's tasks."""
        if not self.caller.user:
            return True
        entry = self.services.cache.get(task_id)
        return entry is not None and self.caller.sees(entry.task.spec.user_id)
