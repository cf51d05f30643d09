"""`/`: the two calls of the original API, which never change, and the page for browsers."""

from __future__ import annotations

import functools

from web.answers.accept import prefers
from web.answers.refusal import Refusal
from web.calls.documents import DocumentHandler
from web.calls.posting import PostingHandler
from web.reading.form import pop_dry_run, read_form
from web.reading.submission import read_submission


class OriginalHandler(PostingHandler, DocumentHandler):
    """GET answers with the eight fields of a task, POST makes one from the fields of a form.

    A GET without taskId that asks for HTML, as a browser does, is answered with the page for people.
    """

    @property
    def needs_token(self) -> bool:  # type: ignore[override]
        """The page holds no secrets. It asks for the token itself."""
        return not self._wants_page

    @functools.cached_property
    def _wants_page(self) -> bool:
        request = self.request
        accepted = request.headers.get("Accept", "")
        return (
            request.method in ("GET", "HEAD")
            and "taskId" not in request.query_arguments
            and prefers(accepted, "text/html", usual="application/json")
        )

    async def get(self) -> None:
        if self._wants_page:
            self.add_header("Vary", "Accept")
            await self.send_file(self.services.documents.page)
            return
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
        spec = await self.accept(read_submission(fields, self.origin))
        if dry_run:
            await self.answer_check(spec)
            return
        self.finish((await self.submitted(spec)).brief_json())
