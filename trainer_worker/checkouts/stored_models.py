"""The models of a project as they lie in object storage, and all that changes them there.

storage/model_places.py says where their files lie. Each put that others may contend for has a condition: that there is
no object yet, or that it still is the one that was looked at.
"""

from __future__ import annotations

import contextlib
import time

import msgspec

from protocol.bounds import TaskId, is_task_id
from protocol.errors import TrainingError
from protocol.project_layout import CHECKPOINTS, KEPT, LATEST, MANIFEST, MODELS, TASKS
from storage.errors import ConflictError, MissingObjectError, TooLargeError
from storage.model_places import MOST_MANIFEST_BYTES, file_of_model, is_publication
from storage.object_store import ObjectInfo, ObjectStore
from trainer_worker.checkouts.names import sorted_out
from trainer_worker.project.latest import CHOSEN
from trainer_worker.project.manifest import ForeignManifestError, Manifest, decoded_manifest

#: How often a put is tried again after somebody else was first. Each time, what is there is looked at anew.
_MOST_TRIES = 20
_LARGEST_LINK_BYTES = 4096


class Named(msgspec.Struct, frozen=True):
    """models/latest as an object: which model it names. model_path: for people and other programs."""

    task_id: TaskId
    model_path: str = ""


class StoredModels:
    """All methods raise StorageError."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def manifest(self, task_id: str) -> Manifest | None:
        """The manifest of a model; None if there is none that we would have written."""
        with contextlib.suppress(MissingObjectError, TooLargeError, ForeignManifestError):
            content = self._store.get(_manifest(task_id), most_bytes=MOST_MANIFEST_BYTES)
            return decoded_manifest(content, task_id)
        return None

    # ---- publishing ----

    def put_manifest(self, task_id: str, manifest: bytes) -> bool:
        """Publish the files that it lists. False if there is a finished model already."""
        name = _manifest(task_id)
        for _ in range(_MOST_TRIES):
            status = self._store.status(name)
            try:
                if status is None:
                    self._store.put(name, manifest, if_absent=True)
                elif status.size_bytes == len(manifest) and self._store.get(name) == manifest:
                    pass  # this very put had arrived, though its answer was lost
                elif self._is_finished(task_id):
                    return False
                else:
                    self._store.put(name, manifest, if_etag=status.etag)
            except (ConflictError, MissingObjectError):
                continue  # somebody else was first, so look again
            return True
        raise self._contended(name)

    def _is_finished(self, task_id: str) -> bool:
        """Whether there is a finished model, of which every file is there in its size."""
        manifest = self.manifest(task_id)
        if manifest is None or manifest.interim:
            return False
        model = f"{MODELS}/{task_id}"
        sizes = {info.name: info.size_bytes for info in self._store.list(model)}
        return all(
            sizes.get(file_of_model(model, manifest.folder, file.path)) == file.size_bytes for file in manifest.files
        )

    def remove_other_publications(self, task_id: str) -> None:
        """Remove the files of attempts that were not first, and those of an interim model that was replaced."""
        manifest = self.manifest(task_id)
        if manifest is None or manifest.interim:
            return
        model = f"{MODELS}/{task_id}"
        for info in list(self._store.list(model)):
            folder = info.name.removeprefix(f"{model}/").partition("/")[0]
            if is_publication(folder) and folder != manifest.folder:
                self._store.delete(info.name)

    # ---- links ----

    def named_by(self, link: str) -> Named | None:
        """What models/latest or another link names; None if it is nothing that we would have written."""
        with contextlib.suppress(MissingObjectError, TooLargeError, ValueError, RecursionError):
            content = self._store.get(f"{MODELS}/{link}", most_bytes=_LARGEST_LINK_BYTES)
            return msgspec.json.decode(content, type=Named)
        return None

    def is_named(self, task_id: str) -> bool:
        """Whether a link names this model."""
        links = sorted_out(self._store.list_folder(MODELS)[1]).links
        return any(named.task_id == task_id for link in links if (named := self.named_by(link)))

    def point(self, link: str, task_id: str, even_back: bool) -> bool:
        """Point a link to a model. even_back: also if it names a later one by now. False if it was left alone."""
        manifest = self.manifest(task_id)
        if manifest is None:
            return False
        path = file_of_model(f"{MODELS}/{task_id}", manifest.folder, manifest.model_file)
        content = msgspec.json.encode(Named(task_id, self._store.url.file(path)))
        name = f"{MODELS}/{link}"
        for _ in range(_MOST_TRIES):
            status = self._store.status(name)
            named = self.named_by(link) if status is not None else None
            if named is not None and not even_back and self._written_at_s(named.task_id) > self._written_at_s(task_id):
                return False
            try:
                if status is None:
                    self._store.put(name, content, if_absent=True)
                else:
                    self._store.put(name, content, if_etag=status.etag)
            except ConflictError:
                continue
            return True
        raise self._contended(name)

    def _written_at_s(self, task_id: str) -> float:
        status = self._store.status(_manifest(task_id))
        return status.modified_at_s if status is not None else 0.0

    def _contended(self, name: str) -> TrainingError:
        return TrainingError(
            "storage_unreachable",
            f"{self._store.url.file(name)} is being changed by others again and again; try again later.",
        )

    # ---- removing ----

    def remove(self, task_id: str) -> None:
        """Remove a model: first its manifest, so that no reader finds a part of it."""
        self._store.delete(_manifest(task_id))
        self._delete_below(f"{MODELS}/{task_id}")

    def remove_kept(self, task_id: str) -> None:
        """Remove the log of a task and its checkpoints."""
        self._delete_below(f"{KEPT}/{TASKS}/{task_id}")

    def discard(self, task_id: str) -> None:
        """Remove what a cancelled task has left. Its log stays. If models/latest named its model, the one before is
        named again."""
        self._delete_below(f"{KEPT}/{TASKS}/{task_id}/{CHECKPOINTS}")
        self.remove(task_id)
        named = self.named_by(LATEST)
        if named is not None and named.task_id == task_id:
            self._store.delete(f"{MODELS}/{LATEST}")
            if before := self._came_into_use_last():
                self.point(LATEST, before, even_back=True)

    def _came_into_use_last(self) -> str:
        """The task of the finished model that was promoted or chosen last; "" if there is none."""
        found = sorted_out(self._store.list(MODELS))
        since_s: dict[str, float] = {}
        for task_id, files in found.models.items():
            manifest = self.manifest(task_id) if MANIFEST in files else None
            if manifest is not None and not manifest.interim:
                since_s[task_id] = files[MANIFEST].modified_at_s if manifest.promoted else 0.0
        for link, info in found.links.items():
            chosen = self.named_by(link) if link.startswith(CHOSEN) else None
            if chosen is not None and chosen.task_id in since_s:
                since_s[chosen.task_id] = max(since_s[chosen.task_id], info.modified_at_s)
        return max((task_id for task_id in since_s if since_s[task_id]), key=since_s.__getitem__, default="")

    def tidy(self, stale_after_s: float) -> None:
        """Remove what unfinished attempts have left, if nobody has changed it for `stale_after_s` seconds."""
        models = sorted_out(self._store.list(MODELS)).models
        kept = sorted_out(self._store.list(KEPT)).kept
        groups = [list(files.values()) for files in models.values() if MANIFEST not in files]
        for task_id, files_of_task in _by_task(kept).items():
            checkpoints = [info for info in files_of_task if f"/{task_id}/{CHECKPOINTS}/" in info.name]
            groups.append(checkpoints if task_id in models else files_of_task)
        oldest_s = time.time() - stale_after_s
        for group in groups:
            if all(info.modified_at_s < oldest_s for info in group):
                for info in group:
                    self._store.delete(info.name)

    def _delete_below(self, folder: str) -> None:
        for info in list(self._store.list(folder)):
            self._store.delete(info.name)


def _manifest(task_id: str) -> str:
    return f"{MODELS}/{task_id}/{MANIFEST}"


def _by_task(kept: dict[str, ObjectInfo]) -> dict[str, list[ObjectInfo]]:
    """What is kept of each task."""
    found: dict[str, list[ObjectInfo]] = {}
    for name, info in kept.items():
        steps = name.split("/")
        if steps[1] == TASKS and len(steps) > 3 and is_task_id(steps[2]):
            found.setdefault(steps[2], []).append(info)
    return found
