"""The base of the calls that post a project folder."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from conf.tracing import end_call
from protocol import messages as m
from protocol.sizes import whole_mb
from protocol.task import TaskSpec
from web.answers.refusal import Refusal
from web.answers.task_views import check_view
from web.api.tasks import NewTask
from web.broker_link.task_cache import Entry
from web.calls.abandonable import AbandonableHandler
from web.door.traceparent import incoming_traceparent
from web.figures.free_space import free_space_mb
from web.folders.found_folder import BadField
from web.reading.form import JSON_TYPE, media_type_of, read_form
from web.reading.submission import Draft, posted_new_task, read_new_task

if TYPE_CHECKING:
    from opentelemetry.trace import Span

log = logging.getLogger("web")


def refusal_of_fields(problems: Sequence[BadField]) -> Refusal:
    """Names every problem. The code project_dir_not_allowed is only used if nothing else is wrong."""
    codes = {problem.code for problem in problems}
    return Refusal(
        codes.pop() if len(codes) == 1 else "bad_fields",
        " ".join(problem.error for problem in problems)[:4000],
        fields={problem.field: problem.error for problem in problems},
    )


class PostingHandler(AbandonableHandler):
    """Calls that name a folder to train on."""

    _span: Span | None = None

    def read_posted(self) -> Draft:
        """The task that the body asks for: JSON with nested options, or a form."""
        if media_type_of(self.request.headers) == JSON_TYPE:
            return read_new_task(self.read_body(NewTask), self.origin)
        return posted_new_task(read_form(self.request.headers, self.body), self.origin)

    async def accept(self, draft: Draft) -> TaskSpec:
        """The task. Raises Refusal that names every problem, or for another user's token."""
        project_dir = draft.project_dir
        spec, problems = draft.finished(await self.services.roots.find(project_dir) if project_dir else None)
        if spec is None:
            raise refusal_of_fields(problems)
        self.caller.check_sees(spec.user_id, "post a task for")
        if spec.webhook and (why := self.services.webhooks.why_not_allowed(spec.webhook)):
            raise Refusal("webhook_not_allowed", why, fields={"webhook": why})
        return spec

    async def answer_check(self, spec: TaskSpec) -> None:
        """Answer with what is found in the folder; no task is made. If the caller goes away, the check ends."""
        self.send(check_view(await self.while_caller_waits(self.services.checks.report(spec))))

    async def submitted(self, spec: TaskSpec) -> Entry:
        """The new task once it is on disk, or the earlier one if the Idempotency-Key was used before."""
        self.check_disk(spec.project_path)
        traced = self._traced(spec)
        entry = await self.ask_for_task(lambda request_id: m.Submit(request_id, traced))
        if self._span is not None:
            self._span.set_attribute("tfmodel.task.id", entry.task.task_id)
        log.info("action=web.submitted task=%s", entry.task.task_id)
        return entry

    def check_disk(self, project_path: str) -> None:
        """Raise Refusal if there is too little space for a new model."""
        free_mb = free_space_mb(project_path)
        needed_mb = self.services.settings.min_free_mb
        if free_mb < needed_mb:
            raise Refusal(
                "disk_nearly_full",
                f"Only {whole_mb(free_mb)} are free at {project_path}, and {whole_mb(needed_mb)} are needed "
                "([web] min_free_mb); free some space and post again.",
            )

    def _traced(self, spec: TaskSpec) -> TaskSpec:
        """The spec with the span that those of the worker are children of: this call's, or the caller's."""
        incoming = incoming_traceparent(self.request.headers)
        traces = self.services.traces
        if traces is None:
            return replace(spec, traceparent=incoming) if incoming else spec
        attributes = {
            "http.request.method": "POST",
            "http.route": self.route,
            "tfmodel.train_type": spec.train_type,
        }
        began_s = time.time() - self.request.request_time()
        self._span = traces.begin(f"POST {self.route}", incoming, began_s, attributes, is_call=True)
        return replace(spec, traceparent=traces.traceparent_of(self._span))

    def on_finish(self) -> None:
        if self._span is not None:
            end_call(self._span, self.get_status())
