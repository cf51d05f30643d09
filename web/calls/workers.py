"""`/v1/workers`: the registered workers, the task of each, and the order to drain one."""

from __future__ import annotations

import msgspec

from protocol import messages as m
from protocol.bounds import WorkerName
from web.answers.refusal import Refusal
from web.answers.views import worker_view, workers_view
from web.json_handler import JsonHandler


class WorkersHandler(JsonHandler):
    """GET lists the workers."""

    async def get(self) -> None:
        answer = await self.ask(m.WorkersWanted)
        assert isinstance(answer, m.Workers)
        self.send(workers_view(answer, self._is_seen, not self.caller.user))

    def _is_seen(self, task_id: str) -> bool:
        """Whether the caller may see the task. A token of one user only shows that user's tasks."""
        if not self.caller.user:
            return True
        entry = self.services.cache.get(task_id)
        return entry is not None and self.caller.sees(entry.task.spec.user_id)


class DrainHandler(JsonHandler):
    """POST drains a worker: it finishes its task and gets no other. DELETE lets it take tasks again."""

    def prepare(self) -> None:
        super().prepare()
        self.caller.check_sees_all("workers train for all users")

    async def post(self, name: str) -> None:
        await self._drain(name, on=True)

    async def delete(self, name: str) -> None:
        await self._drain(name, on=False)

    async def _drain(self, name: str, on: bool) -> None:
        try:
            msgspec.convert(name, WorkerName)
        except msgspec.ValidationError:
            # The broker would refuse the whole message, since no worker can have this name.
            error = f"No worker has the name {name[:80]!r}; GET /v1/workers lists those that are registered."
            raise Refusal("unknown_worker", error) from None
        answer = await self.ask(lambda request_id: m.DrainWanted(request_id, name, on))
        assert isinstance(answer, m.Workers)
        self.send(worker_view(answer.workers[0], lambda _: True))
