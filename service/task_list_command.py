"""`python server.py tasks`: the list of tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from protocol.task import TaskState
from protocol.task_filter import MAX_PAGE_TASKS, TaskOrder
from service.name_values import NameValues, name_values
from service.screen import TEXT_SCREEN, Screen
from service.server_options import OWN_SERVER, ServerOptions, connected
from service.task_ids import SHORT_ID_CHARS
from service.task_words import local_time, metric_words
from tfmodel_client import Client
from tfmodel_client.types import TaskFilters, TaskList, TaskSummary

COLUMNS = ("id", "state", "progress", "type", "user", "project", "posted", "score")


@Parameter(name="*")
@dataclass(frozen=True)
class WantedTasks:
    """The options that say which tasks are listed, and in which order."""

    user: Annotated[str, Parameter(help="only tasks of this userId")] = ""
    project: Annotated[str, Parameter(help="only tasks of this projectId")] = ""
    state: Annotated[
        tuple[TaskState, ...], Parameter(n_tokens=1, help="only tasks in this state; may be repeated")
    ] = ()
    train_type: Annotated[str, Parameter(name="--type", help="only tasks of this trainType")] = ""
    after: Annotated[str, Parameter(help="only tasks that were posted after this time, as ISO 8601")] = ""
    before: Annotated[str, Parameter(help="only tasks that were posted before this time")] = ""
    metadata: Annotated[NameValues, Parameter(help="only tasks that have this name=value; may be repeated")] = ()
    search: Annotated[str, Parameter(help="only tasks whose id, userId or projectId begins with this")] = ""
    sort: Annotated[TaskOrder, Parameter(show_default=True, help="a minus means the newest first")] = "-submittedAt"

    def filters(self) -> TaskFilters:
        """These options as filters of the client."""
        filters = TaskFilters(sort=self.sort)
        if self.user:
            filters["user_id"] = self.user
        if self.project:
            filters["project_id"] = self.project
        if self.state:
            filters["state"] = [state.value for state in self.state]
        if self.train_type:
            filters["train_type"] = self.train_type
        if self.after:
            filters["submitted_after"] = self.after
        if self.before:
            filters["submitted_before"] = self.before
        if self.search:
            filters["search"] = self.search
        if self.metadata:
            filters["metadata"] = name_values(self.metadata, "--metadata")
        return filters


#: Of a command that was called without them.
ALL_TASKS = WantedTasks()


def tasks(
    *,
    wanted: WantedTasks = ALL_TASKS,
    limit: Annotated[int, Parameter(show_default=True)] = 20,
    all_pages: Annotated[bool, Parameter(name="--all")] = False,
    screen: Screen = TEXT_SCREEN,
    server: ServerOptions = OWN_SERVER,
) -> None:
    """List tasks.

    The newest come first. With --json, a page is one document; with --all, each task is a line.

    Parameters
    ----------
    limit
        the most tasks, 1 to 200
    all_pages
        all tasks, page after page
    """
    filters = wanted.filters()
    filters["limit"] = MAX_PAGE_TASKS if all_pages else limit
    with connected(server) as client:
        if all_pages:
            _show_all(client, filters, screen)
        else:
            _show_page(client.task_page(**filters), screen)


def _show_page(page: TaskList, screen: Screen) -> None:
    screen.document(page)
    if page.tasks:
        screen.table(COLUMNS, [_row(task) for task in page.tasks])
    counted = "  ".join(f"{number} {name}" for name, number in page.counts.items() if number)
    more = "There are more; --all lists them." if page.next else ""
    screen.say("  ".join(words for words in (counted or "There are no such tasks.", more) if words))


def _show_all(client: Client, filters: TaskFilters, screen: Screen) -> None:
    found = client.tasks(**filters)
    if screen.json:
        for task in found:
            screen.line(task)
    else:
        screen.table(COLUMNS, [_row(task) for task in found])


def _row(task: TaskSummary) -> tuple[str, ...]:
    return (
        task.task_id[:SHORT_ID_CHARS],
        task.state,
        f"{task.progress:.1f} %",
        task.train_type,
        task.user_id,
        task.project_id,
        local_time(task.submitted_at),
        metric_words(task.metrics) if task.state == "done" else task.code,
    )
