"""`/v1/tasks/{taskId}`: one task, and the orders to it."""

from __future__ import annotations

import contextlib
import time

from msgspec.structs import replace

from protocol import messages as m
from protocol import queries as q
from protocol.task import Task
from protocol.task_filter import TaskFilter
from web.answers.refusal import Refusal
from web.answers.task_views import task_view
from web.answers.waiting import waiting_for
from web.api.tasks import TaskQuery
from web.broker_link.broker_requests import BrokerAwayError
from web.broker_link.task_cache import Entry
from web.calls.listing import ListingHandler
from web.calls.staying_open import StayingHandler
from web.forecast.eta import knows_its_end
from web.json_handler import JsonHandler

#: How many retries of a task are named.
MOST_RETRIES = 20


class WholeTaskHandler(JsonHandler):
    """The base of the calls that answer with all fields of a task."""

    async def check_sight(self, task_id: str) -> None:
        """Raise Refusal if the caller has a token of one user and the task is not that user's."""
        if self.caller.user:
            await self.find(task_id)

    async def answer(self, entry: Entry, status: int = 200) -> None:
        end = None
        if not knows_its_end(entry.progress):
            end = await self.services.forecaster.end_of(entry.task)
            entry = self.services.cache.get(entry.task.task_id) or entry  # It may have changed meanwhile.
        view = task_view(entry, None if entry.task.ended else end, time.time())
        view = replace(view, waiting_for=waiting_for(entry.task, self.services.pulse.tick))
        if entry.task.ended:
            view = replace(view, retried_by=await self._retries_of(entry.task))
        self.send(view, status)

    async def _retries_of(self, task: Task) -> tuple[str, ...] | None:
        """The newest tasks that repeat this one. None if the broker does not answer: the rest is known without it."""
        wanted = TaskFilter(user_id=task.spec.user_id, retry_of=task.task_id)
        try:
            page = await self.services.requests.request(
                lambda request_id: q.TasksWanted(request_id, wanted, most=MOST_RETRIES)
            )
        except BrokerAwayError:
            return None
        return tuple(retry.task_id for retry in page.tasks) if isinstance(page, q.TaskPage) else None


class TaskHandler(WholeTaskHandler, StayingHandler):
    """GET returns all fields of the task, at once or when it changes. DELETE cancels the task."""

    query: TaskQuery

    async def get(self, task_id: str) -> None:
        entry = await self.find(task_id)
        if self.query.wait and not entry.task.ended and entry.seq <= self.query.since:
            self.stays_open = True
            change = self.services.live.changed(self.connection, task_id, self.query.since, self.query.wait)
            with contextlib.suppress(BrokerAwayError):  # The cache has the task as it was.
                await self.while_connected(change)
            entry = await self.find(task_id)
        await self.answer(entry)

    async def delete(self, task_id: str) -> None:
        await self.check_sight(task_id)
        await self.answer(await self.ask_for_task(lambda request_id: m.Cancel(request_id, task_id)))


class PromoteHandler(WholeTaskHandler, ListingHandler):
    """`…/promote`: POST makes the model of a done task the one that its project uses.

    The link is switched first, and then the broker records it. If something stops in between, the journal still names
    the model before, and the same call again mends that.
    """

    async def post(self, task_id: str) -> None:
        entry = await self.find(task_id)
        task = entry.task
        if task.trained is None or not task.trained.artifacts:
            raise Refusal(
                "no_model",
                f"The task is {task.state.value} and has no finished model that could be made the latest; name a task "
                "that is done.",
                state=task.state.value,
            )
        promotions = self.services.promotions
        async with promotions.turn(task):
            await promotions.switch_to(task)
            used = await self.task_in_use(task.spec.user_id, task.spec.project_id)
            if used is None or used.task_id != task_id:
                # While this call waited for its turn, another one may have promoted the task.
                entry = await self.ask_for_task(lambda request_id: m.Lookup(request_id, task_id))
                before_s = entry.task.promoted_at_s
                entry = await self.ask_for_task(lambda request_id: m.Promote(request_id, task_id, before_s))
        await self.answer(entry)


class StopHandler(WholeTaskHandler):
    """`…/stop`: POST ends the training early and keeps the best model so far."""

    async def post(self, task_id: str) -> None:
        await self.check_sight(task_id)
        await self.answer(await self.ask_for_task(lambda request_id: m.StopEarly(request_id, task_id)))
