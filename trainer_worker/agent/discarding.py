"""Removes what cancelled tasks have left, without ever holding up the agent."""

from __future__ import annotations

import threading

from protocol.project_url import is_project_url
from protocol.task import TaskSpec
from trainer_worker.checkouts.project_folders import ProjectFolders


class Discarding:
    """Called by the agent's loop."""

    def __init__(self, folders: ProjectFolders) -> None:
        self._folders = folders

    def __call__(self, spec: TaskSpec) -> None:
        """Object storage may take its time, or not answer at all. So a thread waits for it."""
        if is_project_url(spec.project_path):
            threading.Thread(target=self._folders.discard, args=(spec,), name="discard", daemon=True).start()
        else:
            self._folders.discard(spec)
