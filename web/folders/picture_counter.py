"""Counts the pictures of projects for forecasts. Those in object storage are counted while the forecast goes on."""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import Future

from protocol.task import Task
from web.folders.data_roots import DataRoots

#: Counts in object storage that are remembered or under way.
MOST_COUNTS = 1000


class PictureCounter:
    """Its calls come from one thread at a time."""

    def __init__(self, roots: DataRoots) -> None:
        self._roots = roots
        #: The counts, by task and not by project: the next task of a project may find more pictures there.
        self._counts: OrderedDict[str, Future[int]] = OrderedDict()

    def count(self, task: Task) -> int | None:
        """About how many pictures the project of a task has; None if that is not known yet."""
        path = task.spec.project_path
        folders = self._roots.of(path)
        if folders.answers_at_once:
            return folders.count_pictures(path)
        if task.task_id not in self._counts:
            self._counts[task.task_id] = folders.browsing.start(folders.count_pictures, path)
            while len(self._counts) > MOST_COUNTS:
                self._counts.popitem(last=False)[1].cancel()
        counted = self._counts[task.task_id]
        return counted.result() if counted.done() and not counted.cancelled() else None
