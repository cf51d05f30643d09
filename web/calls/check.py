"""`/v1/check`: what a training would find in a folder."""

from __future__ import annotations

from web.calls.posting import PostingHandler


class CheckHandler(PostingHandler):
    """POST takes the fields of a new task and makes none."""

    async def post(self) -> None:
        await self.answer_check(await self.accept(self.read_posted()))
