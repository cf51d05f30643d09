"""The folder that holds a finished model: it is complete, with a manifest, or it is not there (no TensorFlow).

    models/.<taskId>.<attempt>.partial/   while an attempt writes
    models/<taskId>/                      published, manifest.json in it
    models/latest -> <taskId>             the task that was published last

A manifest is written last and the folder renamed after everything in it reached the disk, so a crash at any moment
leaves either nothing that a reader would take for a model, or the whole of it. A task with a time budget publishes a
first model early, marked `interim` in its manifest; a better one takes its place in one step.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import json
import logging
import math
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from protocol.errors import TrainingError
from protocol.text import as_utf8

MANIFEST = "manifest.json"
LATEST = "latest"
RENAME_EXCHANGE = 2

log = logging.getLogger(__name__)


class AlreadyPublishedError(Exception):
    """This task's model is complete already, from another attempt; it lies in `folder` and was not touched."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} holds this task's finished model already")
        self.folder = folder


class ModelFolder:
    """Where one attempt writes its model, as a context manager.

    Entering makes a fresh folder, `path`; `publish` moves it to its final place; leaving without that removes it.
    Raises TrainingError: disk_full, project_dir_not_writable, project_dir_missing - also for those errors of the
    disk that the body of the with statement runs into.
    """

    def __init__(self, project_dir: Path, task_id: str, attempt: int) -> None:
        if not task_id or task_id.startswith(".") or "/" in task_id or task_id == LATEST:
            raise ValueError(f"task id {task_id!r} can't name a folder; it takes letters, digits and - _")
        self.project_dir = project_dir
        self.task_id = task_id
        self.attempt = attempt
        self.models = project_dir / "models"
        self.final = self.models / task_id
        self.path = self.models / f".{task_id}.{attempt}.partial"

    def __enter__(self) -> ModelFolder:
        with self._disk_errors():
            self.models.mkdir(exist_ok=True)
            if self.path.exists():
                shutil.rmtree(self.path)
            self.path.mkdir()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        if isinstance(error, Exception) and (reason := _disk_problem(error, self.project_dir)):
            raise reason from error

    def publish(self, manifest: dict[str, Any]) -> Path:
        """Write the manifest and move the folder to `models/<taskId>/`, which is returned.

        manifest: what to say about the model; `files` is added: path (relative), size_bytes and sha256 of each.
        Raises AlreadyPublishedError when another attempt, earlier or later, has published: done means done.
        """
        with self._disk_errors():
            self._refuse_if_published()
            write_json(self.path / MANIFEST, {**manifest, "files": _describe_files(self.path)})
            _sync_tree(self.path)
            self._move_into_place()
            self._switch_latest()
            _sync(self.models)
        self._remove_other_partials()
        return self.final

    def _refuse_if_published(self) -> None:
        if read_finished(self.final) is None:
            return
        # The other attempt may have been killed just before it switched the link.
        if _published_at(self.final) >= _published_at(self.models / LATEST):
            self._switch_latest()
        raise AlreadyPublishedError(self.final)

    def _move_into_place(self) -> None:
        """What is there and not finished (an interim model, rubbish) is exchanged for this, at no moment missing.

        A rename never replaces a folder that has files in it, so of two attempts at once one wins.
        """
        if (self.final.exists() or self.final.is_symlink()) and not self._exchange():
            self.final.rename(self.models / f".{self.task_id}.{self.attempt}.rubbish.partial")
        if not self.final.exists():
            try:
                self.path.rename(self.final)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                self._refuse_if_published()
                raise

    def _exchange(self) -> bool:
        """Swap `path` and `final`; what was there is then removed on leaving. False where the file system can't."""
        if not exchange(self.path, self.final):
            return False
        if read_finished(self.path) is not None:  # published by another attempt since we looked: done means done
            exchange(self.path, self.final)
            self._refuse_if_published()
        return True

    def _switch_latest(self) -> None:
        """Point `models/latest` here. A file system without links is no reason to lose the model."""
        link = self.models / f".{LATEST}.{self.task_id}.{self.attempt}"
        try:
            link.unlink(missing_ok=True)
            link.symlink_to(self.task_id, target_is_directory=True)
            link.replace(self.models / LATEST)
        except OSError as error:
            log.warning("action=model.latest_not_switched task=%s error=%r", self.task_id, str(error))
            with contextlib.suppress(OSError):
                link.unlink(missing_ok=True)

    def _remove_other_partials(self) -> None:
        for folder in self.models.iterdir():
            if folder.name.startswith(f".{self.task_id}.") and folder.name.endswith(".partial"):
                shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = _disk_problem(error, self.project_dir)
            if reason is None:
                raise
            raise reason from error


def _disk_problem(error: Exception, project_dir: Path) -> TrainingError | None:
    """The failure that an error of the disk amounts to. Libraries that write in C hide the number in their text."""
    number = error.errno if isinstance(error, OSError) else None
    text = str(error)
    if number in (errno.ENOSPC, errno.EDQUOT) or "No space left on device" in text or "Disk quota exceeded" in text:
        return TrainingError("disk_full", f"The disk that holds {project_dir} is full; free some space and try again.")
    if number == errno.ENOENT and not project_dir.is_dir():
        return TrainingError("project_dir_missing", f"projectDir {project_dir} is not there (any more).")
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        sentence = f"The worker may not write to {project_dir}/models; give its user the right to write there."
        return TrainingError("project_dir_not_writable", sentence)
    if number in (errno.EEXIST, errno.ENOTDIR) and not (project_dir / "models").is_dir():
        sentence = f"{project_dir}/models is not a folder; move it away so that models can be stored there."
        return TrainingError("project_dir_not_writable", sentence)
    return None


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a published model, or None if there is no complete model in `folder`."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) else None


def read_finished(folder: Path) -> dict[str, Any] | None:
    """As read_manifest, but None for an interim model too: its task is still at work, or ended otherwise."""
    manifest = read_manifest(folder)
    return None if manifest is None or manifest.get("interim") else manifest


def exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step (Linux's renameat2); False where system or file system don't know how."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except AttributeError:
        return False
    here = -100  # AT_FDCWD: the paths are taken as in every other call
    return bool(rename(here, os.fsencode(one), here, os.fsencode(other), RENAME_EXCHANGE) == 0)


def finished_models(models: Path) -> list[Path]:
    """Folders of finished models, the newest first."""
    with contextlib.suppress(OSError):
        folders = [f for f in models.iterdir() if not f.is_symlink() and read_finished(f) is not None]
        return sorted(folders, key=_published_at, reverse=True)
    return []


def write_json(path: Path, obj: object) -> None:
    """Write UTF-8 JSON that every parser takes: numpy values as plain ones, NaN and infinities as null.

    Names of files that are not UTF-8 are shown as best they can be: one such photo must not cost the model.
    """
    text = json.dumps(_plain(obj), indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(as_utf8(text) + "\n", "utf-8")


def write_labels(path: Path, labels: Sequence[str]) -> None:
    """One label a line, in the order of the model's outputs, whatever the folders are called."""
    path.write_text("".join(f"{' '.join(as_utf8(label).splitlines())}\n" for label in labels), "utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def _published_at(folder: Path) -> float:
    try:
        return (folder / MANIFEST).stat().st_mtime
    except OSError:
        return 0.0


def _describe_files(folder: Path) -> list[dict[str, Any]]:
    return [
        {"path": path.relative_to(folder).as_posix(), "size_bytes": path.stat().st_size, "sha256": file_sha256(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / MANIFEST
    ]


def file_sha256(path: Path) -> str:
    """Hex digits. OSError when it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
