"""`/v1/tasks`: post a task, and list tasks."""

from __future__ import annotations

import datetime

from protocol.task import TaskSpec
from protocol.task_filter import TaskFilter
from web.answers.refusal import Refusal
from web.api.tasks import NewTask, RetryTask, TaskList, TaskListQuery
from web.calls.listing import ListingHandler
from web.calls.posting import PostingHandler
from web.calls.task import WholeTaskHandler
from web.reading.submission import Draft, read_new_task


class SubmittingHandler(PostingHandler, WholeTaskHandler):
    """The calls that make a task."""

    async def submit(self, draft: Draft) -> None:
        """Answer with the new task, or with the earlier one if the Idempotency-Key was used before."""
        spec = await self.accept(draft)
        entry = await self.submitted(spec)
        self.set_header("Location", f"/v1/tasks/{entry.task.task_id}")
        await self.answer(entry, 202)


class TasksHandler(SubmittingHandler, ListingHandler):
    """POST makes a task. GET lists tasks, page by page."""

    query: TaskListQuery

    async def post(self) -> None:
        await self.submit(self.read_posted())

    async def get(self) -> None:
        query = self.query
        wanted = TaskFilter(
            user_id=self._visible_user(query.user_id),
            project_id=query.project_id,
            states=query.state,
            train_type=query.train_type,
            submitted_after_s=seconds_of("submittedAfter", query.submitted_after),
            submitted_before_s=seconds_of("submittedBefore", query.submitted_before),
            metadata=query.metadata,
            retry_of=query.retry_of,
            search=query.search,
        )
        page = await self.page(wanted, query.sort, query.cursor, query.limit)
        self.send(TaskList(await self.summaries(page.tasks), page.next, page.counts))

    def _visible_user(self, user_id: str) -> str:
        """The user whose tasks are listed. A token of one user lists that user's tasks."""
        if user_id:
            self.caller.check_sees(user_id, "list the tasks of")
        return user_id or self.caller.user


class RetryHandler(SubmittingHandler):
    """`/v1/tasks/{taskId}/retry`: POST makes a new task like one that has ended."""

    async def post(self, task_id: str) -> None:
        entry = await self.find(task_id)
        if not entry.task.ended:
            raise Refusal(
                "task_not_ended",
                f"The task is {entry.task.state.value}; wait until it has ended, or DELETE it, and then retry it.",
                state=entry.task.state.value,
            )
        changes = self.read_body(RetryTask)
        new = as_new_task(entry.task.spec)
        options = {**new.options, **changes.options}
        new.options = {name: value for name, value in options.items() if value is not None}
        new.metadata = new.metadata if changes.metadata is None else changes.metadata
        await self.submit(read_new_task(new, self.origin, retry_of=task_id))


def as_new_task(spec: TaskSpec) -> NewTask:
    """The task as a caller would post it again."""
    return NewTask(
        user_id=spec.user_id,
        project_id=spec.project_id,
        project_dir=spec.project_dir,
        train_type=spec.train_type,
        options=dict(spec.options),
        metadata=spec.metadata,
        webhook=spec.webhook,
    )


def seconds_of(field: str, text: str) -> float | None:
    """The time in seconds since the epoch; None for "". Raises Refusal if it is no time."""
    if not text:
        return None
    try:
        at = datetime.datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=datetime.UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        sentence = f"{field}={text!r} is no time; send it as ISO 8601, such as 2026-11-29T20:00:00Z."
        raise Refusal("bad_fields", sentence, fields={field: sentence}) from error
