"""`/v1/projects/{userId}/{projectId}`: the model in use, how models came into use, and the tasks."""

from __future__ import annotations

from msgspec.structs import replace

from protocol.task import Task, TaskState
from protocol.task_filter import TaskFilter
from web.answers.views import time_or_none
from web.api.projects import GateDecision, LatestModel, ProjectQuery, ProjectView
from web.calls.listing import ListingHandler


class ProjectHandler(ListingHandler):
    """GET shows the project. All of it comes from the journal, and nothing from the folder."""

    query: ProjectQuery

    async def get(self, user_id: str, project_id: str) -> None:
        self.caller.check_sees(user_id, "see the projects of")
        query, project = self.query, TaskFilter(user_id=user_id, project_id=project_id)
        page = await self.page(project, "-submittedAt", query.cursor, query.limit)
        done = await self.page(replace(project, states=(TaskState.DONE,)), "-endedAt")
        used = await self.task_in_use(user_id, project_id)
        self.send(
            ProjectView(
                user_id=user_id,
                project_id=project_id,
                latest=_latest(used) if used is not None else None,
                gate=tuple(map(_decision, done.tasks)),
                tasks=await self.summaries(page.tasks),
                next=page.next,
            )
        )


def _latest(task: Task) -> LatestModel:
    assert task.trained is not None
    return LatestModel(
        task_id=task.task_id,
        train_type=task.spec.train_type,
        model_path=task.trained.model_path,
        ended_at=time_or_none(task.ended_at_s),
        in_use_since=time_or_none(task.in_use_since_s),
        by_person=task.promoted_at_s > 0,
        metrics=task.trained.metrics,
    )


def _decision(task: Task) -> GateDecision:
    assert task.trained is not None
    comparison = task.trained.comparison
    return GateDecision(
        task_id=task.task_id,
        ended_at=time_or_none(task.ended_at_s),
        promoted=task.promoted,
        promoted_at=time_or_none(task.in_use_since_s),
        by_person=task.promoted_at_s > 0,
        with_task=comparison.with_task if comparison else "",
        sentence=comparison.sentence if comparison else "",
    )
