"""Has models/latest of a project switched to an earlier model, by a short process of the worker's code."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import msgspec

from conf.data_roots import Root
from conf.storage_settings import StorageSettings
from protocol.promotion import Promotion, PromotionOrder
from protocol.task import Task
from web.answers.refusal import Refusal
from web.files.artifacts import artifacts_of
from web.turns import Turns
from web.worker_process import NoAnswerError, TooLongError, ask_worker_process

log = logging.getLogger("web")

#: The most promotions that run side by side. Each reads all files of a model.
MOST_AT_ONCE = 2
#: Hashing a gigabyte takes some seconds, and more on a slow disk.
TIMEOUT_S = 60.0


class Promotions:
    """Runs a process for each call, and MOST_AT_ONCE of them side by side."""

    def __init__(
        self,
        command: Sequence[str],
        allowed_roots: Sequence[Root],
        timeout_s: float = TIMEOUT_S,
        storage: StorageSettings | None = None,
    ) -> None:
        """command: starts a process in the code's folder that reads a PromotionOrder and writes a Promotion."""
        self._command = command
        self._timeout_s = timeout_s
        self._allowed_roots = tuple(map(str, allowed_roots))
        self._storage = msgspec.to_builtins(storage) if storage is not None else {}
        self._free = asyncio.Semaphore(MOST_AT_ONCE)
        self._turns = Turns()

    def turn(self, task: Task) -> asyncio.Lock:
        """Hold this lock from the switch of the link until the broker has recorded it.

        Otherwise two people who promote different models of one project at the same moment could leave the link at one
        of them and the journal at the other.
        """
        return self._turns.of(task.spec.project_path)

    async def switch_to(self, task: Task) -> None:
        """Point models/latest to the finished model of the task. Raises Refusal model_changed or promote_failed."""
        order = PromotionOrder(task.spec, artifacts_of(task), self._allowed_roots, self._storage)
        try:
            async with self._free:
                done = await ask_worker_process(self._command, order, Promotion, self._timeout_s)
        except TooLongError as error:
            raise Refusal(
                "promote_failed", f"Reading the files of the model took {error}; the disk may be slow. Try again later."
            ) from error
        except NoAnswerError as error:
            words = error.last_words
            log.warning("action=promotion.failed task=%s exit_code=%s words=%r", task.task_id, error.exit_code, words)
            raise Refusal("promote_failed", "models/latest could not be switched; tell the operator.") from error
        if done.code:
            raise Refusal(done.code, done.error, state=task.state.value)
