"""Questions of front-ends that the broker answers from its journal: lists of tasks, and events of the past."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.bounds import TaskId, TaskIdOrNone, Text, Whole
from protocol.events import Event
from protocol.message import Message
from protocol.task import Task, TaskState
from protocol.task_filter import MAX_PAGE_TASKS, Cursor, TaskFilter, TaskOrder

#: The most events in one answer.
MAX_EVENTS = 1000


class TasksWanted(Message, frozen=True):
    """If lost: repeated until the deadline of the HTTP call. It asks for one page of a list of tasks.

    cursor: `next` of the page before, or "" for the first page. most: the largest number of tasks on the page.
    """

    request_id: Whole
    wanted: TaskFilter
    order: TaskOrder = "-submittedAt"
    cursor: Cursor = ""
    most: Annotated[int, Meta(ge=0, le=MAX_PAGE_TASKS)] = 50


class InUseWanted(Message, frozen=True):
    """If lost: repeated until the deadline of the HTTP call. It asks which models a project has used, and uses now.

    Answered by TaskPage with the tasks that made them, the one whose model came into use last first, and no counts.
    """

    request_id: Whole
    user_id: Text
    project_id: Text
    most: Annotated[int, Meta(ge=1, le=MAX_PAGE_TASKS)] = 1


class EventsWanted(Message, frozen=True):
    """If lost: repeated until the deadline of the HTTP call. It asks for the events after fact number `after`.

    task_id: of this task alone; "" for those of all tasks. most: the largest number of events in the answer.
    """

    request_id: Whole
    after: Whole
    task_id: TaskIdOrNone = ""
    most: Annotated[int, Meta(ge=1, le=MAX_EVENTS)] = MAX_EVENTS


class QueueWanted(Message, frozen=True):
    """If lost: repeated until the deadline of the HTTP call. It asks for the waiting tasks, in their order.

    user_id: of this user alone, at their places in the whole queue; "" for those of all users. after: the place after
    which the part begins. most: the largest number of places in the answer.
    """

    request_id: Whole
    user_id: Text = ""
    after: Whole = 0
    most: Annotated[int, Meta(ge=1, le=MAX_PAGE_TASKS)] = 50


class QueuePlace(msgspec.Struct, frozen=True, gc=False):
    """A waiting task and its place. The task that starts next has the first one."""

    position: Annotated[int, Meta(ge=1, le=2**62)]
    task_id: TaskId


class QueuePart(Message, frozen=True):
    """If lost: the request is repeated. The answer to QueueWanted.

    waiting: how many tasks of all users wait. next: the place of the last task here if more follow, otherwise 0.
    """

    request_id: Whole
    places: Annotated[tuple[QueuePlace, ...], Meta(max_length=MAX_PAGE_TASKS)]
    waiting: Whole
    next: Whole


class TaskPage(Message, frozen=True):
    """If lost: the request is repeated. The answer to TasksWanted and InUseWanted.

    tasks: without the report on their folder and without traces, so that a page fits into a message. next: the cursor
    of the next page, or "" after the last one. counts: how many tasks meet the conditions, by state, whatever states
    the filter names.
    """

    request_id: Whole
    seq: Whole
    tasks: Annotated[tuple[Task, ...], Meta(max_length=MAX_PAGE_TASKS)]
    next: Cursor
    counts: Annotated[dict[TaskState, Whole], Meta(max_length=5)]


class EventsPart(Message, frozen=True):
    """If lost: the request is repeated. The answer to EventsWanted, oldest first.

    up_to: all events up to this fact number are in this answer or were before it; the next request continues after it.
    kept_after: facts up to this number may have been deleted, so that a reader who asks for events after a lower one
    may have missed some. seq: the number of the broker's newest fact.
    """

    request_id: Whole
    seq: Whole
    events: Annotated[tuple[Event, ...], Meta(max_length=MAX_EVENTS)]
    up_to: Whole
    kept_after: Whole
