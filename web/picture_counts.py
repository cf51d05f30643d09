"""How many pictures the folders of waiting tasks hold: counted aside from the event loop, when first asked for."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from protocol.task import Task

log = logging.getLogger("web")

#: Counts that are remembered; the oldest are forgotten.
MOST_TASKS = 10_000
#: Counts under way. A disk that is slower than the callers leaves further tasks uncounted.
MOST_UNDER_WAY = 100
#: A folder with more files counts as one with so many.
MOST_FILES = 200_000
#: In projectDir itself these hold no pictures to train on.
NOT_PICTURES = frozenset({"models", "masks", "labels", "__macosx"})


class PictureCounts:
    """One thread counts for all. Create inside a running event loop."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, "picture-counts")
        self._under_way: dict[str, asyncio.Task[None]] = {}
        #: By taskId; None where there is nothing to count.
        self._counts: dict[str, int | None] = {}

    def known(self) -> dict[str, int]:
        """Of the tasks that have been counted so far, by taskId."""
        return {task_id: count for task_id, count in self._counts.items() if count is not None}

    async def count(self, task: Task, patience_s: float) -> None:
        """Count the task's folder unless that was done; waits for it no longer than patience_s."""
        task_id = task.task_id
        if task_id in self._counts:
            return
        if task_id not in self._under_way:
            if len(self._under_way) >= MOST_UNDER_WAY:
                return
            self._under_way[task_id] = asyncio.create_task(self._count(task))
        await asyncio.wait({self._under_way[task_id]}, timeout=patience_s)

    async def _count(self, task: Task) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._counts[task.task_id] = await loop.run_in_executor(self._executor, count_files, task.spec.project_path)
        finally:
            del self._under_way[task.task_id]
        if len(self._counts) > MOST_TASKS:
            del self._counts[next(iter(self._counts))]


def count_files(project_path: str) -> int | None:
    """Files that may be pictures: in images/, or else in the other folders of the project. None when there are none.

    Not as exact as the trainer, which opens them; a text among a hundred photos does not change an estimate.
    """
    inside = _count_below(os.path.join(project_path, "images"))  # noqa: PTH118 - strings throughout: os.walk's are
    if inside:
        return inside
    return sum(map(_count_below, _other_folders(project_path))) or None


def _count_below(folder: str) -> int:
    number = 0
    for _, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        number += sum(not name.startswith(".") for name in files)
        if number >= MOST_FILES:
            return MOST_FILES
    return number


def _other_folders(project_path: str) -> Iterator[str]:
    try:
        with os.scandir(project_path) as entries:
            for entry in entries:
                hidden = entry.name.startswith(".") or entry.name.lower() in NOT_PICTURES
                if not hidden and entry.is_dir(follow_symlinks=False):
                    yield entry.path
    except OSError as error:
        log.info("action=web.not_counted folder=%r reason=%r", project_path, str(error))
