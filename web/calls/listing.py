"""The base of the calls that read lists of tasks from the broker."""

from __future__ import annotations

from collections.abc import AsyncIterator

from protocol import queries as q
from protocol.task import Task, TaskState
from protocol.task_filter import MAX_PAGE_TASKS, TaskFilter, TaskOrder
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
