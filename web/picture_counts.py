"""How many pictures the folders of waiting tasks hold: counted aside from the event loop, when first asked for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from protocol.task import Task

log = logging.getLogger("web")

#: Counts that are remembered; the oldest are forgotten.
MOST_TASKS = 10_000
#: Counts under way. A disk that is slower than the callers leaves further tasks uncounted.
MOST_UNDER_WAY = 100
#: A project with more files counts as one with so many; folders without files count towards the end of the search.
MOST_FILES = 200_000
#: Levels below images/ or a class folder that are looked at.
MOST_NESTED = 20
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

    Not as exact as the trainer, which opens them; a text among a hundred photos does not change an estimate. The
    folder is a stranger's: everything is reached by descriptor, and no link is followed out of it.
    """
    try:
        project = os.open(project_path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        log.info("action=web.not_counted folder=%r reason=%r", project_path, str(error))
        return None
    try:
        return _count_below(project, ["images"]) or _count_below(project, _other_folders(project)) or None
    finally:
        os.close(project)


def _count_below(project: int, names: Iterable[str]) -> int:
    """Files in these folders of the project and below them. fwalk follows no link, in the names neither."""
    number = folders_seen = 0
    for name in names:
        with contextlib.suppress(OSError):  # there is no such folder, or it has just gone
            for path, folders, files, _ in os.fwalk(name, dir_fd=project):
                # fwalk keeps a descriptor open for each level.
                too_deep = path.count("/") >= MOST_NESTED
                folders[:] = [] if too_deep else [name for name in folders if not name.startswith(".")]
                folders_seen += len(folders)
                number += sum(not name.startswith(".") for name in files)
                if number + folders_seen >= MOST_FILES:
                    return min(number, MOST_FILES)
    return number


def _other_folders(project: int) -> list[str]:
    with os.scandir(project) as entries:
        return [
            entry.name
            for entry in entries
            if not entry.name.startswith(".")
            and entry.name.lower() not in NOT_PICTURES
            and entry.is_dir(follow_symlinks=False)
        ]
