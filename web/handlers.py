"""The HTTP calls. Answers are JSON, except for `/metrics`. An error is a sentence that says what to do, and a code."""

from __future__ import annotations

import asyncio
import time

from protocol import messages as m
from protocol.data_report import DataReport
from protocol.task import TaskSpec
from web.eta import knows_its_end
from web.form import Fields, pop_dry_run, read_form
from web.free_space import free_space_mb
from web.json_handler import JsonHandler
from web.monitoring import CONTENT_TYPE
from web.refusal import RETRY_AFTER_S, Refusal
from web.submission import read_submission
from web.task_cache import Entry
from web.views import check_view, full_view, readiness_view, workers_view


class PostHandler(JsonHandler):
    """Calls whose body names a folder to train on."""

    _check: asyncio.Task[DataReport] | None = None
    _caller_is_gone = False

    def read_spec(self, fields: Fields) -> TaskSpec:
        """The task that the fields ask for. Refusal that names every bad field, or for another user's token."""
        spec, problems = read_submission(
            fields, self.services.allowed_roots, self.request.headers.get("Idempotency-Key", "")
        )
        if spec is None:
            # The code project_dir_not_allowed is only used if nothing else is wrong.
            codes = {problem.code for problem in problems}
            code = codes.pop() if len(codes) == 1 else "bad_fields"
            raise Refusal(
                code,
                " ".join(problem.error for problem in problems),
                fields={problem.field: problem.error for problem in problems},
            )
        if not self.caller.sees(spec.user_id):
            raise Refusal(
                "user_not_allowed",
                f"This token belongs to userId={self.caller.user!r} and cannot post a task for {spec.user_id[:80]!r}; "
                "send the userId of the token, or use another token.",
            )
        return spec

    async def answer_check(self, spec: TaskSpec) -> None:
        """Answer with what is found in the folder; no task is made. If the caller goes away, the check ends."""
        self._check = asyncio.create_task(self.services.checks.report(spec))
        try:
            self.send_json(check_view(await self._check))
        except asyncio.CancelledError:
            if not self._caller_is_gone:
                raise

    def on_connection_close(self) -> None:
        self._caller_is_gone = True
        if self._check is not None:
            self._check.cancel()


class TaskHandler(PostHandler):
    """`/`: the two calls of the original API, POST and GET."""

    async def get(self) -> None:
        task_id = self.get_query_argument("taskId", "")
        if not task_id:
            raise Refusal("bad_fields", "taskId is missing; call GET /?taskId=… with the taskId that POST returned.")
        cached = None if self.caller.user else self.services.cache.brief_json(task_id)
        self.finish(cached or (await self.find(task_id)).brief_json())

    async def post(self) -> None:
        fields = read_form(self.request.headers, self.body)
        dry_run = pop_dry_run(fields)
        spec = self.read_spec(fields)
        if dry_run:
            await self.answer_check(spec)
            return
        self._check_disk(spec.project_path)
        # If the Idempotency-Key was used before, the broker answers with the earlier task.
        entry = await self.ask_for_task(lambda request_id: m.Submit(request_id, spec))
        self.finish(entry.brief_json())

    def _check_disk(self, project_path: str) -> None:
        free_mb = free_space_mb(project_path)
        needed_mb = self.services.settings.min_free_mb
        if free_mb < needed_mb:
            raise Refusal(
                "disk_nearly_full",
                f"Only {free_mb:.0f} MB are free at {project_path}, and {needed_mb} MB are needed "
                "([web] min_free_mb); free some space and post again.",
            )


class CheckHandler(PostHandler):
    """`/v1/check`: what a training would find in the folder. Takes the fields of a POST to `/`."""

    async def post(self) -> None:
        fields = read_form(self.request.headers, self.body)
        pop_dry_run(fields)
        await self.answer_check(self.read_spec(fields))


class WholeTaskHandler(JsonHandler):
    """The base of the calls that answer with all fields of a task."""

    async def check_sight(self, task_id: str) -> None:
        """Raise Refusal if the caller has a token of one user and the task is not that user's."""
        if self.caller.user:
            await self.find(task_id)

    async def answer(self, entry: Entry) -> None:
        end = None
        if not knows_its_end(entry.progress):
            end = await self.services.forecaster.end_of(entry.task)
            entry = self.services.cache.get(entry.task.task_id) or entry  # It may have changed meanwhile.
        self.send_json(full_view(entry.task, entry.progress, None if entry.task.ended else end, time.time()))


class TaskDetailHandler(WholeTaskHandler):
    """`/v1/tasks/<taskId>`: GET returns all fields of the task, DELETE cancels it."""

    async def get(self, task_id: str) -> None:
        await self.answer(await self.find(task_id))

    async def delete(self, task_id: str) -> None:
        await self.check_sight(task_id)
        await self.answer(await self.ask_for_task(lambda request_id: m.Cancel(request_id, task_id)))


class TaskStopHandler(WholeTaskHandler):
    """`/v1/tasks/<taskId>/stop`: POST ends the training early and keeps the best model so far."""

    async def post(self, task_id: str) -> None:
        await self.check_sight(task_id)
        await self.answer(await self.ask_for_task(lambda request_id: m.StopEarly(request_id, task_id)))


class WorkersHandler(JsonHandler):
    """`/v1/workers`: the registered workers, and the task of each."""

    async def get(self) -> None:
        answer = await self.ask(m.WorkersWanted)
        assert isinstance(answer, m.Workers)
        self.send_json(workers_view(answer.workers, self._is_seen))

    def _is_seen(self, task_id: str) -> bool:
        """Whether the caller may see the task. A token of one user only shows that user's tasks."""
        if not self.caller.user:
            return True
        entry = self.services.cache.get(task_id)
        return entry is not None and self.caller.sees(entry.task.spec.user_id)


class OpenHandler(JsonHandler):
    """The base of the calls without a token, which monitoring uses."""

    needs_token = False


class HealthHandler(OpenHandler):
    """`/healthz`: this process is alive."""

    def get(self) -> None:
        self.send_json({"status": "ok"})


class ReadyHandler(OpenHandler):
    """`/readyz`: whether a task could be trained now, and if not, what is missing."""

    def get(self) -> None:
        services, needed_mb = self.services, self.services.settings.min_free_mb
        full = [root for root in services.allowed_roots if root.is_dir() and free_space_mb(root) < needed_mb]
        pulse = services.pulse
        view = readiness_view(pulse.tick, services.cache.synced, pulse.stuck_for_s, [str(root) for root in full])
        if view["ready"]:
            self.send_json(view)
        else:
            self.set_header("Retry-After", str(RETRY_AFTER_S))
            self.send_json(view, 503)


class MetricsHandler(JsonHandler):
    """`/metrics`: figures for Prometheus. They cover the tasks of all users."""

    def get(self) -> None:
        if self.caller.user:
            raise Refusal(
                "user_not_allowed",
                f"This token belongs to userId={self.caller.user!r}, and the figures here cover all users; use a token "
                "for all users, such as one from 'python server.py token create monitoring --read-only'.",
            )
        self.set_header("Content-Type", CONTENT_TYPE)
        self.finish(self.services.monitoring.text())


class UnknownPathHandler(JsonHandler):
    """All other paths."""

    needs_token = False

    def prepare(self) -> None:
        super().prepare()
        self.send_error(404)
