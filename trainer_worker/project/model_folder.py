"""The folder that holds a finished model: it is complete, with a manifest, or it is not there.

    models/.<taskId>.<attempt>.partial/   while an attempt copies its files there
    models/<taskId>/                      published, manifest.json in it
    models/latest -> <taskId>             the task that was published last

A manifest is written last and the folder renamed after everything in it reached the disk, so a crash at any moment
leaves either nothing that a reader would take for a model, or the whole of it. A task with a time budget publishes a
first model early, marked `interim` in its manifest; a better one takes its place in one step.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import msgspec

from protocol.bounds import is_task_id
from protocol.project_layout import MODELS
from trainer_worker.pictures.contents import sha256_of
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.project.json_text import json_text
from trainer_worker.project.manifest import ListedFile, Manifest
from trainer_worker.project.model_files import MANIFEST, is_model_file
from trainer_worker.project.models import (
    AlreadyPublishedError,
    Tell,
    finished_and_intact,
    nothing,
    written_at_s,
)

LATEST = "latest"
PARTIAL = re.compile(r"\.([0-9a-f]{32})\.[0-9]+(\.rubbish)?\.partial")

log = logging.getLogger(__name__)


class ModelFolder:
    """Where one attempt puts its model, as a context manager.

    Entering makes a fresh folder, `add_all` and `add` copy files into it, `publish` moves it to its final place;
    leaving without that removes it. Raises TrainingError: disk_full, project_dir_not_writable, project_dir_missing,
    project_dir_changed.
    """

    def __init__(self, project: ProjectFolder, task_id: str, attempt: int) -> None:
        if not is_task_id(task_id):
            raise ValueError(f"task id {task_id[:80]!r} can't name a folder; it is 32 lower-case hex digits")
        self._project = project
        self._task_id = task_id
        self._attempt = attempt
        self._partial = f".{task_id}.{attempt}.partial"
        self._files: list[ListedFile] = []
        self._open = contextlib.ExitStack()

    def __enter__(self) -> ModelFolder:
        with self._disk_errors(), self._open:
            self._models = self._open.enter_context(self._project.models(make=True))
            self._models.remove(self._partial)
            self._folder = self._open.enter_context(self._models.make_folder(self._partial))
            self._open = self._open.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._open, contextlib.suppress(OSError):
            self._models.remove(self._partial)

    def add_all(self, source: Path, tell: Tell = nothing) -> None:
        """Copy all files below a folder of our own. ValueError for one that a manifest may not list."""
        for path in sorted(source.rglob("*")):
            if path.is_file():
                with path.open("rb") as file:
                    self.add(path.relative_to(source).as_posix(), file, tell)

    def add(self, path: str, source: BinaryIO, tell: Tell = nothing) -> ListedFile:
        """Copy one file to `path` in the model's folder; returns size and hash of what was copied."""
        if not is_model_file(path):
            raise ValueError(f"{path} is no file of a model; name it in model_files.py")
        *steps, name = path.split("/")
        with self._disk_errors(), contextlib.ExitStack() as stack:
            chain = [self._folder]
            for step in steps:
                chain.append(stack.enter_context(chain[-1].make_folder(step)))
            target = stack.enter_context(chain[-1].create(name))

            def copy(chunk: bytes) -> None:
                tell()
                target.write(chunk)

            sha256 = sha256_of(source, copy)
            target.flush()
            os.fsync(target.fileno())
            for folder in chain:
                folder.sync()
            self._files.append(ListedFile(path, target.tell(), sha256))
        return self._files[-1]

    def publish(self, manifest: dict[str, Any]) -> Path:
        """Write the manifest and move the folder to `models/<taskId>/`, which is returned.

        manifest: what to say about the model; `files` is added: path (relative), size_bytes and sha256 of each.
        Raises AlreadyPublishedError when another attempt, earlier or later, has published: done means done.
        """
        files = [msgspec.to_builtins(file) for file in self._files]
        with self._disk_errors():
            self._project.refuse_if_gone()
            self._refuse_if_published()
            text = json_text({**manifest, "task_id": self._task_id, "files": files})
            self._folder.replace(MANIFEST, [text.encode()], synced=True)
            self._folder.sync()
            self._move_into_place()
            self._switch_latest()
            self._models.sync()
        self._remove_other_partials()
        return self._project.path / MODELS / self._task_id

    def _refuse_if_published(self) -> None:
        manifest = self._finished_in(self._task_id)
        if manifest is None:
            return
        # The other attempt may have been killed just before it switched the link.
        if written_at_s(self._models, self._task_id) >= self._latest_written_at_s():
            self._switch_latest()
        raise AlreadyPublishedError(manifest)

    def _move_into_place(self) -> None:
        """Exchange this folder in one step for what is there, such as an interim model or an unfinished folder.

        A rename never replaces a folder that has files in it, so of two attempts at once one wins.
        """
        if self._is_occupied() and not self._exchange():
            self._models.rename(self._task_id, f".{self._task_id}.{self._attempt}.rubbish.partial")
        if not self._is_occupied():
            try:
                self._models.rename(self._partial, self._task_id)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                self._refuse_if_published()
                raise

    def _is_occupied(self) -> bool:
        with contextlib.suppress(FileNotFoundError):
            self._models.status(self._task_id)
            return True
        return False

    def _exchange(self) -> bool:
        """Swap our folder and what is there, which is then removed on leaving. False where the file system can't."""
        if not self._models.exchange(self._partial, self._task_id):
            return False
        # Another attempt may have published since we looked: done means done.
        if self._finished_in(self._partial) is not None:
            self._models.exchange(self._partial, self._task_id)
            self._refuse_if_published()
        return True

    def _finished_in(self, name: str) -> Manifest | None:
        """Of a finished model of this task in that folder. What only looks like one counts as none, and is replaced."""
        with contextlib.suppress(OSError), self._models.folder(name) as folder:
            return finished_and_intact(folder, self._task_id)
        return None

    def _switch_latest(self) -> None:
        """Point `models/latest` here. A file system without links is no reason to lose the model."""
        try:
            self._models.point_link(LATEST, self._task_id)
        except OSError as error:
            log.warning("action=model.latest_not_switched task=%s error=%r", self._task_id, str(error))

    def _latest_written_at_s(self) -> float:
        with contextlib.suppress(OSError):
            return written_at_s(self._models, self._models.link_target(LATEST))
        return 0.0

    def _remove_other_partials(self) -> None:
        for name in self._models.names():
            found = PARTIAL.fullmatch(name)
            if found is not None and found[1] == self._task_id:
                with contextlib.suppress(OSError):
                    self._models.remove(name)

    @contextlib.contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = self._project.failure(error)
            if reason is None:
                raise
            raise reason from error
