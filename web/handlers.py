"""The HTTP calls. Every answer is JSON; every error is a sentence that says what to do, and a stable code."""

from __future__ import annotations

import hmac
import http
import logging
import os
import re
import time
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from tornado.web import RequestHandler, stream_request_body

from conf.settings import WebSettings
from protocol import messages as m
from protocol.errors import REFUSAL_CODES
from web.broker_client import BrokerAwayError, BrokerClient
from web.eta import knows_its_end
from web.forecaster import Forecaster
from web.submission import read_submission
from web.task_cache import Entry, TaskCache
from web.views import full_view

log = logging.getLogger("web")

FORM_TYPE = "application/x-www-form-urlencoded"
MAX_FORM_FIELDS = 100
RETRY_AFTER_S = 2
#: Waiting tasks and free workers side by side for this long mean that something is wrong.
STUCK_AFTER_S = 15.0

#: The codes for refusals that Tornado itself makes.
CODES_BY_STATUS = {
    401: "unauthorized",
    404: "unknown_path",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
}


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """Raised anywhere in a call to end it: `code` is one of REFUSAL_CODES and gives the status."""

    def __init__(self, code: str, error: str, **more: Any) -> None:
        super().__init__(error)
        self.status = REFUSAL_CODES[code]
        self.body = {"error": error, "code": code, **more}


class JsonHandler(RequestHandler):
    """What all calls share: services, JSON out, errors as JSON."""

    def initialize(
        self,
        settings: WebSettings,
        allowed_roots: Sequence[Path],
        client: BrokerClient,
        cache: TaskCache,
        forecaster: Forecaster,
    ) -> None:
        self.web_settings = settings
        self.allowed_roots = allowed_roots
        self.client = client
        self.cache = cache
        self.forecaster = forecaster

    def set_default_headers(self) -> None:
        self.set_header("Content-Type", "application/json")
        self.clear_header("Server")

    def compute_etag(self) -> str | None:
        return None  # A hash of every answer that no poller sends back.

    def prepare(self) -> None:
        tokens = self.web_settings.api_tokens
        if tokens and not _token_matches(self.request.headers.get("Authorization", ""), tokens):
            raise Refusal(
                "unauthorized", "Send the header 'Authorization: Bearer <token>' with a token of this server."
            )

    def send_json(self, body: dict[str, Any], status: int = 200) -> None:
        self.set_status(status)
        self.finish(msgspec.json.encode(body))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, Refusal):
            self._refuse(error)
            return
        reason = http.HTTPStatus(status_code).phrase
        code = CODES_BY_STATUS.get(status_code, "internal_error" if status_code >= 500 else "bad_fields")
        words = {
            400: "The request cannot be read; send UTF-8, percent-encoded.",
            404: f"There is nothing at {self.request.path[:200]}; the calls are described in the README.",
            405: f"{self.request.method} is not a call of {self.request.path[:200]}; see the README.",
            500: "Something went wrong here; it has been logged. Try again, or tell the operator.",
        }
        self.send_json({"error": words.get(status_code, f"{reason}."), "code": code}, status_code)

    def _refuse(self, refusal: Refusal) -> None:
        if refusal.status in (429, 503):
            self.set_header("Retry-After", str(RETRY_AFTER_S))
        if refusal.status == 401:
            self.set_header("WWW-Authenticate", "Bearer")
        if refusal.status == 413:
            self.set_header("Connection", "close")  # The rest of the body is not read.
        self.send_json(refusal.body, refusal.status)

    def _handle_request_exception(self, error: BaseException) -> None:
        if isinstance(error, Refusal):
            if not self._finished:
                self._refuse(error)
            return
        super()._handle_request_exception(error)

    async def ask(self, make: Any) -> m.BrokerToWeb:
        """The broker's answer; a Refusal when it refuses or is away."""
        try:
            answer = await self.client.request(make)
        except BrokerAwayError:
            raise Refusal(
                "broker_away", "The broker does not answer, so nothing can be accepted or looked up; try again shortly."
            ) from None
        if isinstance(answer, m.Refused):
            more: dict[str, Any] = {"state": answer.task.state.value} if answer.task else {}
            if answer.position:
                more["position"] = answer.position
            raise Refusal(answer.code, answer.error, **more)
        return answer

    async def ask_for_task(self, make: Any) -> Entry:
        """The task that the broker answers with. A cache that is full of live tasks does not keep an ended one."""
        answer = await self.ask(make)
        assert isinstance(answer, m.TaskReply)
        self.cache.put(answer.task, answer.seq)
        return self.cache.get(answer.task.task_id) or Entry(answer.seq, answer.task)

    async def find(self, task_id: str) -> Entry:
        """The task from the cache, or else from the broker; a Refusal if there is none."""
        return self.cache.get(task_id) or await self.ask_for_task(lambda request_id: m.Lookup(request_id, task_id))


@stream_request_body
class TaskHandler(JsonHandler):
    """`/`: the two calls of the original API."""

    def prepare(self) -> None:
        super().prepare()
        self._body = bytearray()
        self._received_bytes = 0
        if self.request.method == "POST":
            self._check_length(_content_length(self.request.headers.get("Content-Length", "0")))
            content_type = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            if content_type != FORM_TYPE:
                came = f"Content-Type: {content_type[:80]}" if content_type else "no Content-Type"
                raise Refusal("unsupported_media_type", f"The call came with {came}; send the fields as {FORM_TYPE}.")

    def data_received(self, chunk: bytes) -> None:
        # Nothing may be raised in here: a body that is too long (and chunked) is left out, and refused in `post`.
        self._received_bytes += len(chunk)
        if self._received_bytes <= self.web_settings.max_body_bytes:
            self._body += chunk

    async def get(self) -> None:
        task_id = self.get_query_argument("taskId", "")
        if not task_id:
            raise Refusal("bad_fields", "taskId is missing; call GET /?taskId=… with the taskId that POST answered.")
        self.finish(self.cache.brief_json(task_id) or (await self.find(task_id)).brief_json())

    async def post(self) -> None:
        self._check_length(self._received_bytes)
        spec, problems = read_submission(
            self._form(), self.allowed_roots, self.request.headers.get("Idempotency-Key", "")
        )
        if spec is None:
            # A folder that is not allowed is only the verdict when the call is otherwise right.
            codes = {problem.code for problem in problems}
            code = codes.pop() if len(codes) == 1 else "bad_fields"
            raise Refusal(
                code,
                " ".join(problem.error for problem in problems),
                fields={problem.field: problem.error for problem in problems},
            )
        self._check_disk(spec.project_path)
        # Not always the task of this spec: the same key gets the same task.
        entry = await self.ask_for_task(lambda request_id: m.Submit(request_id, spec))
        self.finish(entry.brief_json())

    def _check_disk(self, project_path: str) -> None:
        free_mb = free_space_mb(project_path)
        if free_mb < self.web_settings.min_free_mb:
            raise Refusal(
                "disk_nearly_full",
                f"Only {free_mb:.0f} MB are free at {project_path}, and {self.web_settings.min_free_mb} are needed "
                "([web] min_free_mb); free some space and post again.",
            )

    def _form(self) -> dict[str, list[str]]:
        try:
            return urllib.parse.parse_qs(
                self._body.decode("utf-8", "replace"),
                keep_blank_values=True,
                max_num_fields=MAX_FORM_FIELDS,
                errors="replace",
            )
        except ValueError as error:
            raise Refusal(
                "bad_fields", f"The form cannot be read: {error}; send at most {MAX_FORM_FIELDS} fields."
            ) from error

    def _check_length(self, length: int) -> None:
        limit = self.web_settings.max_body_bytes
        if length > limit:
            raise Refusal(
                "body_too_large",
                f"The body has {length} bytes and the limit is {limit}; post the folder's path, not the photos.",
            )


class TaskDetailHandler(JsonHandler):
    """`/v1/tasks/<taskId>`: the whole task, and cancelling it."""

    async def get(self, task_id: str) -> None:
        await self._answer(await self.find(task_id))

    async def delete(self, task_id: str) -> None:
        await self._answer(await self.ask_for_task(lambda request_id: m.Cancel(request_id, task_id)))

    async def _answer(self, entry: Entry) -> None:
        end = None
        if not knows_its_end(entry.progress):
            end = await self.forecaster.end_of(entry.task)
            entry = self.cache.get(entry.task.task_id) or entry  # It may have gone on meanwhile.
        self.send_json(full_view(entry.task, entry.progress, None if entry.task.ended else end, time.time()))


class TaskStopHandler(TaskDetailHandler):
    """`/v1/tasks/<taskId>/stop`: end early and keep the best model so far."""

    async def post(self, task_id: str) -> None:
        await self._answer(await self.ask_for_task(lambda request_id: m.StopEarly(request_id, task_id)))


class WorkersHandler(JsonHandler):
    """`/v1/workers`: who is registered, and what each does."""

    async def get(self) -> None:
        answer = await self.ask(m.WorkersWanted)
        assert isinstance(answer, m.Workers)
        self.send_json(
            {
                "workers": [
                    {"name": w.worker, "host": w.host, "ready": w.ready, "taskId": w.holds} for w in answer.workers
                ]
            }
        )


class OpenHandler(JsonHandler):
    """Calls that need no token: monitors have none."""

    def prepare(self) -> None:
        pass


class HealthHandler(OpenHandler):
    """`/healthz`: this process answers."""

    def get(self) -> None:
        self.send_json({"status": "ok"})


class ReadyHandler(OpenHandler):
    """`/readyz`: a task could be trained now; if not, what is missing."""

    def get(self) -> None:
        tick = self.client.tick
        missing = []
        if tick is None:
            missing.append("the broker is not answering")
        elif not self.cache.synced:
            missing.append("the task cache is not filled yet")
        elif tick.workers == 0:
            missing.append("no worker is registered")
        elif tick.warm == 0:
            missing.append("no worker has loaded TensorFlow yet")
        elif self.client.stuck_for_s > STUCK_AFTER_S:
            missing.append(f"{tick.pending} tasks wait although {tick.free} workers are free")
        for root in self.allowed_roots:
            if root.exists() and free_space_mb(root) < self.web_settings.min_free_mb:
                missing.append(f"the disk of {root} is nearly full, so no new task is taken")
        counts = (
            {"workers": tick.workers, "warmWorkers": tick.warm, "freeWorkers": tick.free, "pendingTasks": tick.pending}
            if tick
            else {}
        )
        if missing:
            error = f"No task could be trained now: {'; '.join(missing)}."
            self.set_header("Retry-After", str(RETRY_AFTER_S))
            self.send_json({"ready": False, "error": error, "code": "not_ready", **counts}, 503)
        else:
            self.send_json({"ready": True, **counts})


class UnknownPathHandler(JsonHandler):
    """Everything else."""

    def prepare(self) -> None:
        self.send_error(404)


def _content_length(header: str) -> int:
    """Bytes; given twice alike it counts once, as HTTP allows. Tornado looks at the header only afterwards."""
    lengths = {part.strip() for part in header.split(",")}
    length = lengths.pop()
    if lengths or not re.fullmatch(r"[0-9]{1,18}", length):
        raise Refusal("bad_fields", f"Content-Length is {header[:40]!r}; it has to be one whole number of bytes.")
    return int(length)


def free_space_mb(folder: str | Path) -> float:
    """What an unprivileged process could still write there."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize / 2**20


def _token_matches(header: str, tokens: list[str]) -> bool:
    scheme, _, token = header.partition(" ")
    # All of them are compared, each in constant time: the answer's delay tells nothing.
    matches = [hmac.compare_digest(token.strip().encode(), known.encode()) for known in tokens]
    return scheme.lower() == "bearer" and any(matches)
