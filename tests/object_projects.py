"""Projects in object storage, for tests: workers that know nothing of each other, and models that they publish."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from protocol.project_url import ProjectUrl
from protocol.task import TaskSpec
from tests.object_servers import BUCKET, ObjectServer
from tests.sample_tasks import hex_id, make_spec
from trainer_worker.attempt.work_folder import work_folder
from trainer_worker.checkouts.project_folders import ObjectFolders
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.project.model_folder import ModelFolder

ROOT = ProjectUrl("s3", BUCKET, "")


class Watching:
    """A Watcher that remembers what it was told. during: called at each step."""

    def __init__(self, during: Callable[[int], None] = lambda done_bytes: None) -> None:
        self.files, self.size_bytes = 0, 0
        self.steps: list[int] = []
        self._during = during

    def planned(self, files: int, size_bytes: int) -> None:
        self.files, self.size_bytes = files, size_bytes

    def step(self, done_bytes: int) -> None:
        self.steps.append(done_bytes)
        self._during(done_bytes)


class ObjectWorker:
    """One worker, with a cache of its own."""

    def __init__(self, server: ObjectServer, cache_dir: Path, **settings: Any) -> None:
        self.folders = ObjectFolders([ROOT], server.settings(**settings), cache_dir)

    @contextlib.contextmanager
    def project(self, prefix: str, task: str = "t1", watcher: Watching | None = None) -> Iterator[ProjectFolder]:
        with self.folders.check_out(spec_of(prefix, task), watcher or Watching()) as project:
            yield project

    def moved(self, prefix: str, task: str = "t1") -> tuple[int, int]:
        """Check a project out; the number of files and of bytes that had to come."""
        watching = Watching()
        with self.project(prefix, task, watching):
            return watching.files, watching.size_bytes


def spec_of(prefix: str, task: str = "t1") -> TaskSpec:
    url = f"s3://{BUCKET}/{prefix}"
    return make_spec(hex_id(task), project_dir=url, project_path=url)


def publish(project: ProjectFolder, task: str, attempt: int = 1, **manifest: Any) -> Path:
    """Publish a small model. manifest: what it is to say beside the necessary."""
    content = str(manifest.pop("content", f"weights of {task}, attempt {attempt}"))
    with ModelFolder(project, hex_id(task), attempt) as folder, work_folder(None) as work:
        (work / "model.tflite").write_text(content)
        (work / "saved_model").mkdir()
        (work / "saved_model" / "saved_model.pb").write_text("graph")
        folder.add_all(work)
        facts = {"attempt": attempt, "model_file": "model.tflite", "train_type": "classification", **manifest}
        return folder.publish(facts)


def content_of(folder: Path) -> dict[str, bytes]:
    """All files of the user's in a project folder, by path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] not in ("models", ".tfmodel")
    }
