"""Publishes a model's folder, which readers find complete, with a manifest, or not at all.

    models/.<taskId>.<attempt>.partial/   while an attempt copies its files into it
    models/<taskId>/                      published, with manifest.json
    models/latest -> <taskId>             the model to use: the newest one that passed the gate (gate.py, latest.py)

The manifest is written last, and the folder is renamed only after everything in it has reached the disk. A crash at
any moment therefore leaves the complete model, or nothing that a reader would take for one. A task with a time budget
publishes a first model early, marked `interim` in its manifest. A better one replaces it in one step.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NoReturn

import msgspec

from protocol.artifact import Artifact
from protocol.bounds import refuse_other_than_task_id
from protocol.errors import TrainingError
from protocol.project_layout import MODELS
from trainer_worker.pictures.contents import sha256_of
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.project.latest import finish_switch, switch_latest
from trainer_worker.project.manifest import ListedFile, Manifest, manifest_artifact
from trainer_worker.project.model_files import MANIFEST, is_model_file
from trainer_worker.project.models import AlreadyPublishedError, finished_and_intact
from trainer_worker.project.origin import Tell, nothing
from trainer_worker.project.sealed_json import sealed_text

PARTIAL = re.compile(r"\.([0-9a-f]{32})\.[0-9]+(\.replaced)?\.partial")


class ModelFolder:
    """The folder that one attempt fills and publishes, as a context manager.

    Entering creates an empty folder, `add_all` and `add` copy files into it, and `publish` moves it to its final place.
    Leaving removes it if it was not published. Raises TrainingError disk_full, project_dir_not_writable,
    project_dir_missing or project_dir_changed.
    """

    def __init__(self, project: ProjectFolder, task_id: str, attempt: int) -> None:
        refuse_other_than_task_id(task_id)
        self._project = project
        self._task_id = task_id
        self._attempt = attempt
        self._partial = f".{task_id}.{attempt}.partial"
        #: The folder of its files in object storage; "" on a disk.
        self.publication = project.origin.new_publication(attempt)
        self._files: list[ListedFile] = []
        #: manifest.json as one of the model's files, once it is published.
        self.manifest: Artifact | None = None
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
        """Copy all files below a folder of our own. ValueError if a manifest may not list one of them."""
        for path in sorted(source.rglob("*")):
            if path.is_file():
                with path.open("rb") as file:
                    self.add(path.relative_to(source).as_posix(), file, tell)

    def add(self, path: str, source: BinaryIO, tell: Tell = nothing) -> ListedFile:
        """Copy one file to `path` in the model's folder. Returns the size and the hash of what was copied."""
        if not is_model_file(path):
            raise ValueError(f"{path} is not the name of a model's file; add it to model_files.py")
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

    def publish(self, manifest: dict[str, Any], tell: Tell = nothing) -> Path:
        """Write the manifest, move the folder to `models/<taskId>/` and return its path.

        manifest: without task_id, `folder`, `files` (path, size_bytes and sha256 of each file) and checksum, which are
        added here. Unless it says that the model is not `promoted`, models/latest is pointed to it.
        Raises AlreadyPublishedError if another attempt has published the model. A finished model is never replaced.
        """
        files = [msgspec.to_builtins(file) for file in self._files]
        placed = {"task_id": self._task_id, "files": files}
        if self.publication:
            placed["folder"] = self.publication
        origin = self._project.origin
        with self._disk_errors():
            self._project.refuse_if_gone()
            self._refuse_if_published()
            origin.send_files(self._task_id, self.publication, self._project.path / MODELS / self._partial, tell)
            of_model = {name: value for name, value in manifest.items() if name != "folder"}
            text = sealed_text({**of_model, **placed}).encode()
            self._folder.replace(MANIFEST, [text], synced=True)
            if not origin.commit(self._task_id, text):
                self._refuse_what_others_published(tell)
            self._move_into_place()
            self._models.sync()
            origin.settled(self._task_id)
            if manifest.get("promoted", True):
                switch_latest(self._project, self._models, self._task_id)
        self._remove_other_partials()
        self.manifest = manifest_artifact(text)
        return self._project.path / MODELS / self._task_id

    def location(self, file: str) -> str:
        """The path or URL of a file of the published model."""
        origin = self._project.origin
        return origin.shown(f"{origin.model_folder(self._task_id, self.publication)}/{file}")

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """All files of the published folder, with the hashes of what was written."""
        return (*(file.artifact for file in self._files), *([self.manifest] if self.manifest else []))

    def _refuse_if_published(self) -> None:
        manifest = self._finished_in(self._task_id)
        if manifest is None:
            return
        # The other attempt may have been killed just before it switched the link.
        finish_switch(self._project, self._models, manifest)
        raise AlreadyPublishedError(manifest)

    def _refuse_what_others_published(self, tell: Tell) -> NoReturn:
        """Another attempt was first, on another machine."""
        origin = self._project.origin
        origin.refresh_models(tell)
        origin.bring_model(self._task_id, tell)
        self._refuse_if_published()
        place = origin.shown(f"{MODELS}/{self._task_id}")
        raise TrainingError(
            "project_dir_changed",
            f"Another attempt has published {place}, and its files have been changed since; delete them, and post the "
            "task again.",
        )

    def _move_into_place(self) -> None:
        """Move this folder to its final place. An interim model or unfinished folder there is exchanged in one step.

        A rename never replaces a folder that has files in it, so of two attempts at the same time only one succeeds.
        """
        if self._is_occupied() and not self._exchange():
            self._models.rename(self._task_id, f".{self._task_id}.{self._attempt}.replaced.partial")
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
        """Swap our folder with the one in the final place, which is removed on leaving. False if the system can't."""
        if not self._models.exchange(self._partial, self._task_id):
            return False
        # Another attempt may have published since we looked. Its finished model is put back.
        if self._finished_in(self._partial) is not None:
            self._models.exchange(self._partial, self._task_id)
            self._refuse_if_published()
        return True

    def _finished_in(self, name: str) -> Manifest | None:
        """The manifest of this task's finished model in that folder; None if a file is missing or differs from it."""
        with contextlib.suppress(OSError), self._models.folder(name) as folder:
            return finished_and_intact(folder, self._task_id)
        return None

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
