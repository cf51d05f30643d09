"""`/`: the two calls of the original API, which stay as they are."""

from __future__ import annotations

from web.answers.refusal import Refusal
from web.calls.posting import PostingHandler
from web.reading.form import pop_dry_run, read_form
from web.reading.submission import read_submission


class OriginalHandler(PostingHandler):
    """GET answers with the eight fields of a task, POST makes one from the fields of a form."""

    async def get(self) -> None:
        task_id = self.get_query_argument("taskId", "")
        if not task_id:
            raise Refusal(
                "bad_fields",
                "taskId is missing; call GET /?taskId=… with the taskId that POST returned.",
                fields={"taskId": "taskId is missing."},
            )
        cached = None if self.caller.user else self.services.cache.brief_json(task_id)
        self.finish(cached or (await self.find(task_id)).brief_json())

    async def post(self) -> None:
        fields = read_form(self.request.headers, self.body)
        dry_run = pop_dry_run(fields)
        spec = self.accept(*read_submission(fields, self.services.allowed_roots, self.origin))
        if dry_run:
            await self.answer_check(spec)
            return
        self.finish((await self.submitted(spec)).brief_json())
