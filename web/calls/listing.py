"""The base of the calls that read lists of tasks from the broker."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence

from protocol import queries as q
from protocol.task import Task, TaskState
from protocol.task_filter import MAX_PAGE_TASKS, TaskFilter, TaskOrder
from web.answers.task_views import summary_view
from web.api.tasks import TaskSummary
from web.forecast.eta import knows_its_end
from web.json_handler import JsonHandler

#: A project whose newest tasks on so many pages have no model in use is taken to have none.
MOST_PAGES = 20


class ListingHandler(JsonHandler):
    """Reads lists page by page."""

    async def page(
        self, wanted: TaskFilter, order: TaskOrder, cursor: str = "", most: int = MAX_PAGE_TASKS
    ) -> q.TaskPage:
        """One page of a list of tasks. Raises Refusal."""
        page = await self.ask(lambda request_id: q.TasksWanted(request_id, wanted, order, cursor, most))
        assert isinstance(page, q.TaskPage)
        return page

    async def task_in_use(self, user_id: str, project_id: str) -> Task | None:
        """The task whose finished model the project uses; None if it uses none. Raises Refusal."""
        page = await self.ask(lambda request_id: q.InUseWanted(request_id, user_id, project_id))
        assert isinstance(page, q.TaskPage)
        return page.tasks[0] if page.tasks else None

    async def summaries(self, tasks: Sequence[Task]) -> tuple[TaskSummary, ...]:
        """The tasks of a page as callers get them, with what is known of their progress and their ends."""
        cached = [(task, self.services.cache.get(task.task_id)) for task in tasks]
        known = [(task, entry.progress if entry else None) for task, entry in cached]
        ends = await self.services.forecaster.ends_of(task for task, progress in known if not knows_its_end(progress))
        now_s = time.time()
        return tuple(summary_view(task, progress, ends.get(task.task_id), now_s) for task, progress in known)

    async def pages_of(self, project: tuple[str, str], state: TaskState, order: TaskOrder) -> AsyncIterator[q.TaskPage]:
        """The tasks of a project in one state, page after page. project: userId and projectId. Raises Refusal."""
        wanted = TaskFilter(user_id=project[0], project_id=project[1], states=(state,))
        cursor = ""
        for _ in range(MOST_PAGES):
            page = await self.page(wanted, order, cursor)
            yield page
            cursor = page.next
            if not cursor:
                return
