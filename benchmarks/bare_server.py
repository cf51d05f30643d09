"""The baseline for TFModel's front-end: Tornado and nothing else.

    python -m benchmarks.bare_server PORT ANSWER

ANSWER is a JSON object. GET returns it. POST reads the four form fields of a submission and returns it with them.
"""

from __future__ import annotations

import asyncio
import json
import sys

from tornado.web import Application, RequestHandler

FIELDS = ("userId", "projectId", "projectDir", "trainType")


class BareHandler(RequestHandler):
    def initialize(self, answer: dict[str, object]) -> None:
        self._answer = answer

    def get(self) -> None:
        self.write(self._answer)

    def post(self) -> None:
        self.write({**self._answer, **{name: self.get_body_argument(name) for name in FIELDS}})


async def serve(port: int, answer: dict[str, object]) -> None:
    Application([(r"/", BareHandler, {"answer": answer})]).listen(port, "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), json.loads(sys.argv[2])))
